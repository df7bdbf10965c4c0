// SPDX-License-Identifier: BSD-3-Clause
// See control/user_list.h. A user's place is kept while anything is, so that a page goes on behind
// the one before, whoever has come and gone.
#include "control/user_list.h"

#include <stdio.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     100
#define NEXT_LEN      32

const char *const user_list_keys[] = {"after", "limit", NULL};

bool user_list(struct question *question)
{
    const struct parameters *parameters = &question->parameters;
    uint32_t after = UINT32_MAX;

    question->walk.limit = LIMIT_DEFAULT;
    if (!parameters_number(parameters, "limit", 1, LIMIT_MAX, &question->walk.limit,
                           &question->answer) ||
        !parameters_number(parameters, "after", 0, UINT32_MAX - 1, &after, &question->answer))
        return false;
    question->walk.at = after + 1;
    telemetry_answer_open(&question->answer, "users");
    return user_list_step(question);
}

static bool end_list(struct question *question, bool is_more, uint32_t next)
{
    telemetry_answer_close(&question->answer);
    if (is_more)
        telemetry_answer_number(&question->answer, "next", next);
    return false;
}

// False: it does not fit.
static bool list_one(struct question *question, uint32_t place, const struct turn_user_view *view)
{
    struct question_walk *walk = &question->walk;
    struct telemetry_answer *answer = &question->answer;
    const struct telemetry_answer_state mark = telemetry_answer_mark(answer);
    char name[12];

    if (walk->count == walk->limit)
        return false;
    snprintf(name, sizeof(name), "%u", place);
    telemetry_answer_open(answer, name);
    telemetry_answer_text(answer, "user", view->name);
    telemetry_answer_number(answer, "allocations", view->allocations);
    telemetry_answer_close(answer);
    if (!telemetry_answer_has_room(answer, NEXT_LEN)) {
        telemetry_answer_take_back(answer, &mark);
        return false;
    }
    walk->count++;
    walk->last_id = place;
    return true;
}

bool user_list_step(struct question *question)
{
    const struct turn_server *server = question->config->server;
    struct question_walk *walk = &question->walk;
    struct turn_user_view view;

    for (unsigned round = 0; walk->at < turn_server_user_count(server); round++, walk->at++) {
        if (question_turn_is_over(question, round))
            return question_is_late(question) ? end_list(question, true, walk->at - 1) : true;
        if (turn_server_user(server, walk->at, &view) && !list_one(question, walk->at, &view))
            return end_list(question, true, walk->last_id);
    }
    return end_list(question, false, 0);
}
