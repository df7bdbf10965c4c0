// SPDX-License-Identifier: BSD-3-Clause
// One function a kind of command: an object, a list, a list in pages, an order.
#include "ctl/commands.h"

#include "ctl/answer.h"
#include "ctl/connection.h"
#include "ctl/pages.h"
#include "ctl/quantity.h"
#include "ctl/text.h"
#include "ctl/view.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
    // The relay gives up a question after a second, and answers one client after the other.
    ANSWER_TIMEOUT_MS = 5000,
    LIMIT_DEFAULT = 20,
    // Rows that a table's columns are as wide as.
    TABLE_ROWS = 1000,
    // So many allocations of a user are counted before the operator is asked.
    COUNT_MAX = 1000,
};

struct session {
    const struct command_line *line;
    FILE *input, *output, *errors;
    struct connection *connection;
    struct problem *problem;
};

static const struct view workers_view = {{
    {"worker", "WORKER"},
    {"cpu", "CPU"},
    {"allocations", "ALLOCATIONS"},
    {"packets_received", "RX PACKETS"},
    {"bytes_received", "RX BYTES"},
    {"packets_transmitted", "TX PACKETS"},
    {"bytes_transmitted", "TX BYTES"},
    {"dropped", "DROPPED"},
    {"busy_percent", "BUSY"},
    {"stuck", "STUCK"},
    {},
}};

static const struct view ports_view = {{
    {"port", "PORT"},
    {"name", "NAME"},
    {"driver", "DRIVER"},
    {"link", "LINK"},
    {"rx_packets", "RX PACKETS"},
    {"rx_bytes", "RX BYTES"},
    {"tx_packets", "TX PACKETS"},
    {"tx_bytes", "TX BYTES"},
    {"missed", "MISSED"},
    {"no_buffer", "NO BUFFER"},
    {"rx_errors", "RX ERRORS"},
    {"tx_errors", "TX ERRORS"},
    {},
}};

// What the relay found of them and uses, and why.
static const struct view uses_view = {{
    {"item", "ITEM"},
    {"found", "FOUND"},
    {"used", "USED"},
    {"why", "WHY"},
    {},
}};

static const struct view allocations_view = {{
    {"session", "SESSION"},
    {"user", "USER"},
    {"client", "CLIENT"},
    {"transport", "VIA"},
    {"relayed", "RELAYED"},
    {"peers", "PEERS"},
    {"worker", "WORKER"},
    {"age_seconds", "AGE"},
    {"bytes_to_peer", "TO PEER"},
    {"bytes_to_client", "TO CLIENT"},
    {},
}};

static const struct view talkers_view = {{
    {"session", "SESSION"},
    {"user", "USER"},
    {"client", "CLIENT"},
    {"transport", "VIA"},
    {"relayed", "RELAYED"},
    {"peers", "PEERS"},
    {"age_seconds", "AGE"},
    {"packets_per_second", "PACKETS"},
    {"bits_per_second", "TRAFFIC"},
    {},
}};

static const struct view users_view = {{
    {"user", "USER"},
    {"allocations", "ALLOCATIONS"},
    {},
}};

static enum ctl_status ask(const struct session *session, const struct question *question,
                           json_t **ret_body)
{
    enum ctl_status status;
    const char *text;
    size_t len;

    status = connection_ask(session->connection, question, ANSWER_TIMEOUT_MS, &text, &len,
                            session->problem);
    if (status != CTL_DONE)
        return status;
    return answer_read(text, len, question, ret_body, session->problem);
}

static enum ctl_status add(const struct session *session, struct question *question,
                           const char *key, const char *value)
{
    char shown[128];

    if (question_add(question, key, value) == 0)
        return CTL_DONE;
    return problem_set(session->problem, CTL_USAGE,
                       "%s: '%s' is not allowed; allowed: some text without commas, not too long",
                       key ? key : "argument", text_clean(value, shown, sizeof(shown)));
}

static void print_json(const json_t *body, FILE *output)
{
    json_dumpf(body, output, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    fputs("\n", output);
}

// Of all its time until now; the share of just now is top's.
static void add_busy(json_t *rows)
{
    json_t *row;
    size_t index;

    json_array_foreach(rows, index, row)
    {
        uint64_t busy, idle;

        if (answer_number(row, "busy_cycles", &busy) && answer_number(row, "idle_cycles", &idle) &&
            busy + idle > 0)
            json_object_set_new(row, "busy_percent",
                                json_real(100 * ((double)busy / ((double)busy + (double)idle))));
    }
}

// How an answer is printed for people to read.
struct form {
    const char *name;        // of what the answer has
    const struct view *view; // of its rows
    // False: the answer has no such thing.
    bool (*print)(const struct form *form, const json_t *body, FILE *output);
};

static bool print_object(const struct form *form, const json_t *body, FILE *output)
{
    (void)form;
    view_print_object(body, output);
    return true;
}

static bool print_list(const struct form *form, const json_t *body, FILE *output)
{
    json_t *rows = answer_rows(body, form->name, form->view->columns[0].name);
    size_t count = json_array_size(rows);

    add_busy(rows);
    if (count > 0)
        view_print_rows(form->view, rows, output);
    else if (rows)
        fprintf(output, "no %s\n", form->name);
    json_decref(rows);
    return rows;
}

static void print_uses(const char *name, const json_t *body, FILE *output)
{
    json_t *uses = answer_rows(body, name, uses_view.columns[0].name);

    if (json_array_size(uses) > 0) {
        fputs("\n", output);
        view_print_rows(&uses_view, uses, output);
    }
    json_decref(uses);
}

// Of ports as the rows are of any list, and of an older relay no more than that.
static bool print_ports(const struct form *form, const json_t *body, FILE *output)
{
    bool is_there = print_list(form, body, output);

    if (is_there) {
        print_uses("uses", body, output);
        print_uses("relay_uses", body, output);
    }
    return is_there;
}

static bool print_numbers(const struct form *form, const json_t *body, FILE *output)
{
    const json_t *numbers = json_object_get(body, form->name);

    if (!json_is_object(numbers))
        return false;
    view_print_numbers("REASON", numbers, output);
    return true;
}

static const struct form object_form = {.print = print_object};
static const struct form workers_form = {"workers", &workers_view, print_list};
static const struct form ports_form = {"ports", &ports_view, print_ports};
static const struct form talkers_form = {"allocations", &talkers_view, print_list};
static const struct form drops_form = {.name = "drops", .print = print_numbers};

static enum ctl_status show(const struct session *session, const struct question *question,
                            const struct form *form)
{
    enum ctl_status status;
    json_t *body;

    status = ask(session, question, &body);
    if (status != CTL_DONE)
        return status;
    if (session->line->json)
        print_json(body, session->output);
    else if (!form->print(form, body, session->output))
        status = problem_set(session->problem, CTL_GARBLED, "there are no %s in the relay's answer",
                             form->name);
    json_decref(body);
    return status;
}

// Rows as they come: a list of a million is never whole in memory.
struct printer {
    const struct session *session;
    const struct view *view;
    json_t *waiting; // for the rest of their table
    uint64_t count;
};

static void print_table(struct printer *printer)
{
    if (json_array_size(printer->waiting) > 0)
        view_print_rows(printer->view, printer->waiting, printer->session->output);
    json_array_clear(printer->waiting);
}

static void print_rows(struct printer *printer, json_t *rows)
{
    json_t *row;
    size_t index;

    json_array_foreach(rows, index, row)
    {
        if (printer->session->line->json) {
            fputs(printer->count > 0 ? ",\n  " : "\n  ", printer->session->output);
            json_dumpf(row, printer->session->output, JSON_ENSURE_ASCII);
        } else {
            json_array_append(printer->waiting, row);
            if (json_array_size(printer->waiting) == TABLE_ROWS)
                print_table(printer);
        }
        printer->count++;
    }
}

static enum ctl_status print_pages(struct printer *printer, struct pages *pages)
{
    enum ctl_status status;
    json_t *rows;

    while ((status = pages_read(pages, &rows, printer->session->problem)) == CTL_DONE && rows) {
        print_rows(printer, rows);
        json_decref(rows);
    }
    return status;
}

// [row, row...], each on a line of its own. An error leaves it without its end: that is no JSON,
// and nobody takes it for all.
static enum ctl_status show_pages(const struct session *session, const struct question *question,
                                  const char *name, const struct view *view)
{
    const struct command_line *line = session->line;
    uint32_t limit = line->all ? UINT32_MAX : line->limit > 0 ? line->limit : LIMIT_DEFAULT;
    struct printer printer = {session, view, json_array(), 0};
    enum ctl_status status;
    struct pages pages;

    pages_init(&pages, session->connection, ANSWER_TIMEOUT_MS, question, name,
               view->columns[0].name, limit);
    if (line->json)
        fputs("[", session->output);
    status = print_pages(&printer, &pages);
    print_table(&printer);
    json_decref(printer.waiting);
    if (status != CTL_DONE)
        return status;
    if (line->json)
        fputs(printer.count > 0 ? "\n]\n" : "]\n", session->output);
    else if (printer.count == 0)
        fprintf(session->output, "no %s\n", name);
    else if (pages_have_more(&pages))
        fprintf(session->output, "there are more: --all shows them, --limit some\n");
    return CTL_DONE;
}

static enum ctl_status show_allocations(const struct session *session)
{
    const struct command_line *line = session->line;
    const char *const filters[][2] = {{"user", line->user},
                                      {"client", line->client},
                                      {"peer", line->peer},
                                      {"relay", line->relay}};
    struct question question;

    question_init(&question, "/turnpike/allocations");
    for (unsigned i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (filters[i][1] && add(session, &question, filters[i][0], filters[i][1]) != CTL_DONE)
            return session->problem->status;
    }
    return show_pages(session, &question, "allocations", &allocations_view);
}

static enum ctl_status show_allocation(const struct session *session)
{
    struct question question;

    question_init(&question, "/turnpike/allocation");
    if (add(session, &question, NULL, session->line->arguments[0]) != CTL_DONE)
        return session->problem->status;
    return show(session, &question, &object_form);
}

static enum ctl_status count_allocations(const struct session *session, const char *user,
                                         unsigned *ret_count)
{
    struct question question;
    struct pages pages;
    enum ctl_status status;
    unsigned count = 0;
    json_t *rows;

    question_init(&question, "/turnpike/allocations");
    if (add(session, &question, "user", user) != CTL_DONE)
        return session->problem->status;
    pages_init(&pages, session->connection, ANSWER_TIMEOUT_MS, &question, "allocations", "session",
               COUNT_MAX);
    while ((status = pages_read(&pages, &rows, session->problem)) == CTL_DONE && rows) {
        count += (unsigned)json_array_size(rows);
        json_decref(rows);
    }
    if (status == CTL_DONE)
        *ret_count = count;
    return status;
}

// One is ended without a question, more only when somebody says so.
static enum ctl_status confirm(const struct session *session, const char *user)
{
    char answer[8] = "", shown[128];
    enum ctl_status status;
    unsigned count = 0;

    status = count_allocations(session, user, &count);
    if (status != CTL_DONE || count < 2)
        return status;
    text_clean(user, shown, sizeof(shown));
    if (!isatty(fileno(session->input)))
        return problem_set(session->problem, CTL_USAGE,
                           "%s has %s%u allocations: say --yes to end them all", shown,
                           count >= COUNT_MAX ? "at least " : "", count);
    fprintf(session->errors, "End %s%u allocations of %s? [y/N] ",
            count >= COUNT_MAX ? "at least " : "", count, shown);
    fflush(session->errors);
    if (!fgets(answer, sizeof(answer), session->input) || (answer[0] != 'y' && answer[0] != 'Y'))
        return problem_set(session->problem, CTL_REFUSED, "nothing was ended");
    return CTL_DONE;
}

// The relay ends as many as it has time for; whoever still wants more asks again. A relay that ends
// none has none left to end, whatever it says.
static enum ctl_status end_all(const struct session *session, const struct question *question)
{
    uint64_t sum = 0, killed, more;

    do {
        enum ctl_status status;
        json_t *body;

        status = ask(session, question, &body);
        if (status != CTL_DONE)
            return status;
        killed = more = 0;
        answer_number(body, "killed", &killed);
        answer_number(body, "more", &more);
        json_decref(body);
        sum += killed;
    } while (more > 0 && killed > 0);
    fprintf(session->output,
            session->line->json ? "{\"killed\": %" PRIu64 "}\n" : "%" PRIu64 " ended\n", sum);
    return CTL_DONE;
}

static enum ctl_status end_allocations(const struct session *session)
{
    const struct command_line *line = session->line;
    const char *key = line->user ? "user" : "session";
    struct question question;
    enum ctl_status status;

    question_init(&question, "/turnpike/kill");
    status = add(session, &question, key, line->user ? line->user : line->arguments[0]);
    if (status == CTL_DONE && line->user && !line->yes)
        status = confirm(session, line->user);
    return status == CTL_DONE ? end_all(session, &question) : status;
}

static enum ctl_status show_log(const struct session *session)
{
    const struct command_line *line = session->line;
    struct question question;

    question_init(&question, "/turnpike/log");
    if (line->arguments[0] &&
        add(session, &question, line->arguments[0], line->arguments[1]) != CTL_DONE)
        return session->problem->status;
    return show(session, &question, &object_form);
}

static enum ctl_status drain(const struct session *session)
{
    const struct command_line *line = session->line;
    struct question question;

    question_init(&question, "/turnpike/drain");
    if (line->has_deadline)
        question_add_number(&question, "deadline", line->deadline_s);
    if (line->to && add(session, &question, "to", line->to) != CTL_DONE)
        return session->problem->status;
    return show(session, &question, &object_form);
}

static enum ctl_status show_talkers(const struct session *session)
{
    struct question question;

    question_init(&question, "/turnpike/top");
    if (session->line->limit > 0)
        question_add_number(&question, "limit", session->line->limit);
    return show(session, &question, &talkers_form);
}

// A command that takes nothing.
static enum ctl_status ask_and_show(const struct session *session, const char *command,
                                    const struct form *form)
{
    struct question question;

    question_init(&question, command);
    return show(session, &question, form);
}

static enum ctl_status carry_out(const struct session *session)
{
    struct question question;

    switch (session->line->verb) {
    case VERB_STATUS:
        return ask_and_show(session, "/turnpike/status", &object_form);
    case VERB_WORKERS:
        return ask_and_show(session, "/turnpike/workers", &workers_form);
    case VERB_PORTS:
        return ask_and_show(session, "/turnpike/ports", &ports_form);
    case VERB_DROPS:
        return ask_and_show(session, "/turnpike/drops", &drops_form);
    case VERB_ALLOCATIONS:
        return show_allocations(session);
    case VERB_SHOW:
        return show_allocation(session);
    case VERB_KILL:
        return end_allocations(session);
    case VERB_USERS:
        question_init(&question, "/turnpike/users");
        return show_pages(session, &question, "users", &users_view);
    case VERB_QUOTAS:
        return ask_and_show(session, "/turnpike/quotas", &object_form);
    case VERB_TALKERS:
        return show_talkers(session);
    case VERB_LOG:
        return show_log(session);
    case VERB_DRAIN:
        return drain(session);
    case VERB_UNDRAIN:
        return ask_and_show(session, "/turnpike/undrain", &object_form);
    default:
        return ask_and_show(session, "/turnpike/reload", &object_form);
    }
}

enum ctl_status commands_run(const struct command_line *line, FILE *input, FILE *output,
                             FILE *errors)
{
    struct problem problem = {.status = CTL_DONE};
    struct session session = {line, input, output, errors, NULL, &problem};
    enum ctl_status status =
        connection_open(line->socket, ANSWER_TIMEOUT_MS, &session.connection, &problem);

    if (status == CTL_DONE)
        status = carry_out(&session);
    connection_close(session.connection);
    if (status != CTL_DONE)
        fprintf(errors, "turnpike-ctl: %s\n", problem.text);
    return status;
}
