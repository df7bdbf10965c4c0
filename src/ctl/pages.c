// SPDX-License-Identifier: BSD-3-Clause
// The relay says where the next page begins, and only it knows what that means.
#include "ctl/pages.h"

#include "ctl/answer.h"

#include <inttypes.h>
#include <string.h>

void pages_init(struct pages *pages, struct connection *connection, int timeout_ms,
                const struct question *question, const char *name, const char *key, uint32_t limit)
{
    pages->connection = connection;
    pages->timeout_ms = timeout_ms;
    pages->question = *question;
    pages->name = name;
    pages->key = key;
    pages->left = limit;
    pages->ended = false;
    pages->next[0] = '\0';
}

static enum ctl_status ask(struct pages *pages, json_t **ret_body, struct problem *problem)
{
    struct question question = pages->question;
    enum ctl_status status;
    const char *text;
    size_t len;

    if ((pages->next[0] && question_add(&question, "after", pages->next)) ||
        question_add_number(&question, "limit",
                            pages->left < PAGES_ROWS ? pages->left : PAGES_ROWS))
        return problem_set(problem, CTL_GARBLED, "the relay's next page cannot be asked for");
    status = connection_ask(pages->connection, &question, pages->timeout_ms, &text, &len, problem);
    return status == CTL_DONE ? answer_read(text, len, &question, ret_body, problem) : status;
}

// A page that begins where the last one did would go on for ever.
static enum ctl_status turn_page(struct pages *pages, const json_t *body, struct problem *problem)
{
    const char *next = answer_text(body, "next", "");
    char text[24];
    uint64_t number;

    if (answer_number(body, "next", &number)) {
        snprintf(text, sizeof(text), "%" PRIu64, number);
        next = text;
    }
    if (strlen(next) >= sizeof(pages->next) || (*next && strcmp(next, pages->next) == 0))
        return problem_set(problem, CTL_GARBLED, "the relay's pages lead nowhere");
    strcpy(pages->next, next);
    pages->ended = !*next;
    return CTL_DONE;
}

enum ctl_status pages_read(struct pages *pages, json_t **ret_rows, struct problem *problem)
{
    enum ctl_status status;
    json_t *body, *rows;

    *ret_rows = NULL;
    if (pages->ended || pages->left == 0)
        return CTL_DONE;
    status = ask(pages, &body, problem);
    if (status != CTL_DONE)
        return status;
    rows = answer_rows(body, pages->name, pages->key);
    if (!rows)
        status =
            problem_set(problem, CTL_GARBLED, "there are no %s in the relay's answer", pages->name);
    else
        status = turn_page(pages, body, problem);
    json_decref(body);
    if (status != CTL_DONE) {
        json_decref(rows);
        return status;
    }
    pages->left -=
        json_array_size(rows) < pages->left ? (uint32_t)json_array_size(rows) : pages->left;
    *ret_rows = rows;
    return CTL_DONE;
}

bool pages_have_more(const struct pages *pages)
{
    return !pages->ended;
}
