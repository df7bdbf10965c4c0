// SPDX-License-Identifier: BSD-3-Clause
// A question waits for its answer as long as the connection lives: another connection would only
// take one more of the few that the relay has.
#include "ctl/top_link.h"

#include "ctl/answer.h"
#include "ctl/connection.h"

#include <stdlib.h>

enum {
    RETRY_MS = 1000,
    // The relay itself gives up a question after a second.
    SILENCE_MS = 2000,
    NOTHING_ASKED = -1,
};

static const struct {
    const char *command;
    uint64_t limit; // 0: it takes none
    void (*take)(struct top_sample *sample, const json_t *body, uint64_t now_ms);
} rounds[] = {
    {"/turnpike/status", 0, top_sample_take_status},
    {"/turnpike/workers", 0, top_sample_take_workers},
    {"/turnpike/drops", 0, top_sample_take_drops},
    {"/turnpike/top", TOP_ALLOCATIONS_MAX, top_sample_take_allocations},
};

enum { QUESTIONS = sizeof(rounds) / sizeof(rounds[0]) };

struct top_link {
    const char *socket;
    struct connection *connection; // NULL: there is none
    struct top_sample sample;      // as far as it has come
    struct question question;
    int asked;             // question that waits for its answer, or NOTHING_ASKED
    unsigned next;         // question of the round; QUESTIONS: all were asked
    bool is_told;          // that the round has ended
    uint64_t round_ms;     // when the round began
    uint64_t asked_ms;     // when the question was, or the connection
    uint64_t connected_ms; // when it was tried last
    bool is_silent;
    bool is_refused; // a question of this round was
    struct problem problem;
};

static void hang_up(struct top_link *link)
{
    connection_close(link->connection);
    link->connection = NULL;
}

static void connect_anew(struct top_link *link, uint64_t now_ms)
{
    link->connected_ms = link->asked_ms = now_ms;
    link->asked = NOTHING_ASKED;
    link->next = 0;
    link->is_silent = false;
    connection_open(link->socket, 0, &link->connection, &link->problem);
}

enum ctl_status top_link_create(const char *socket, struct top_link **ret_link,
                                struct problem *problem)
{
    struct top_link *link = calloc(1, sizeof(*link));

    if (!link)
        return problem_set(problem, CTL_UNREACHABLE, "no memory");
    link->socket = socket;
    connect_anew(link, 0);
    if (!link->connection) {
        *problem = link->problem;
        free(link);
        return problem->status;
    }
    *ret_link = link;
    return CTL_DONE;
}

void top_link_destroy(struct top_link *link)
{
    if (!link)
        return;
    hang_up(link);
    free(link);
}

int top_link_descriptor(const struct top_link *link)
{
    return link->connection ? connection_descriptor(link->connection) : -1;
}

// A relay that refuses one question may answer the others.
static void take_answer(struct top_link *link, const char *text, size_t len, uint64_t now_ms)
{
    json_t *body;
    enum ctl_status status = answer_read(text, len, &link->question, &body, &link->problem);

    if (status == CTL_GARBLED) {
        hang_up(link);
        return;
    }
    if (status == CTL_DONE) {
        rounds[link->asked].take(&link->sample, body, now_ms);
        json_decref(body);
    }
    link->is_refused |= status == CTL_REFUSED;
    link->asked = NOTHING_ASKED;
    link->is_silent = false;
}

static void receive(struct top_link *link, uint64_t now_ms)
{
    const char *text = NULL;
    size_t len = 0;

    if (connection_receive(link->connection, &text, &len, &link->problem) != CTL_DONE) {
        hang_up(link);
        return;
    }
    // Nobody asked for it.
    if (text && link->asked == NOTHING_ASKED) {
        problem_set(&link->problem, CTL_GARBLED, "the relay answers what nobody asked");
        hang_up(link);
    } else if (text) {
        take_answer(link, text, len, now_ms);
    }
}

static void ask(struct top_link *link, uint64_t now_ms)
{
    question_init(&link->question, rounds[link->next].command);
    if (rounds[link->next].limit > 0)
        question_add_number(&link->question, "limit", rounds[link->next].limit);
    if (connection_send(link->connection, &link->question, &link->problem) != CTL_DONE) {
        hang_up(link);
        return;
    }
    if (link->next == 0) {
        link->round_ms = now_ms;
        link->is_told = link->is_refused = false;
    }
    link->asked = (int)link->next++;
    link->asked_ms = now_ms;
}

static bool is_waiting(const struct top_link *link)
{
    return link->asked != NOTHING_ASKED || !connection_is_greeted(link->connection);
}

bool top_link_advance(struct top_link *link, uint64_t now_ms, uint64_t interval_ms,
                      struct top_sample *sample)
{
    bool is_ended;

    if (!link->connection && now_ms >= link->connected_ms + RETRY_MS)
        connect_anew(link, now_ms);
    if (link->connection)
        receive(link, now_ms);
    if (!link->connection)
        return false;
    link->is_silent = is_waiting(link) && now_ms >= link->asked_ms + SILENCE_MS;
    if (is_waiting(link))
        return false;
    is_ended = link->next == QUESTIONS && !link->is_told;
    if (is_ended) {
        *sample = link->sample;
        link->is_told = true;
    }
    if (link->next < QUESTIONS || now_ms >= link->round_ms + interval_ms) {
        link->next %= QUESTIONS;
        ask(link, now_ms);
    }
    return is_ended;
}

uint64_t top_link_next_ms(const struct top_link *link, uint64_t interval_ms)
{
    if (!link->connection)
        return link->connected_ms + RETRY_MS;
    if (is_waiting(link))
        return link->asked_ms + SILENCE_MS;
    return link->next == QUESTIONS ? link->round_ms + interval_ms : 0;
}

const char *top_link_problem(const struct top_link *link)
{
    if (!link->connection || link->is_refused)
        return link->problem.text;
    return link->is_silent ? "the relay does not answer" : NULL;
}
