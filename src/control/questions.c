// SPDX-License-Identifier: BSD-3-Clause
// See control/questions.h. The table of commands, and their turn.
#include "control/questions.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/killing.h"
#include "control/orders.h"
#include "control/overview.h"
#include "control/question.h"
#include "control/sessions.h"
#include "control/top_talkers.h"
#include "control/user_list.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

static const char *const no_keys[] = {NULL};

static const struct question_kind kinds[] = {
    {"/turnpike/status", "How the relay is and what it holds. No parameters", no_keys,
     overview_status, NULL},
    {"/turnpike/workers", "What each worker has done. No parameters", no_keys, overview_workers,
     NULL},
    {"/turnpike/ports", "What each device has counted. No parameters", no_keys, overview_ports,
     NULL},
    {"/turnpike/drops", "Packets dropped, by reason. No parameters", no_keys, overview_drops, NULL},
    {"/turnpike/allocations",
     "A page of allocations. user=, client=, peer=, relay=: what they must have; after=SESSION, "
     "limit=",
     sessions_list_keys, sessions_list, sessions_list_step},
    {"/turnpike/allocation", "One allocation. Parameter: its session", sessions_show_keys,
     sessions_show, NULL},
    {"/turnpike/kill", "Ends one allocation, or all of a user. session= or user=", killing_keys,
     killing_begin, killing_step},
    {"/turnpike/users", "A page of users and what they hold. after=, limit=", user_list_keys,
     user_list, user_list_step},
    {"/turnpike/quotas", "What users and all of them may have, and do. No parameters", no_keys,
     overview_quotas, NULL},
    {"/turnpike/top", "Who has had most traffic since this was asked last. limit=",
     top_talkers_keys, top_talkers, top_talkers_step},
    {"/turnpike/drain",
     "Sends new clients elsewhere, and ends with the last call. deadline=SECONDS, to=ADDRESS",
     orders_drain_keys, orders_drain, NULL},
    {"/turnpike/undrain", "Takes new clients again. No parameters", no_keys, orders_undrain, NULL},
    {"/turnpike/log", "How much is logged; SUBSYSTEM=LEVEL or all=LEVEL changes it",
     orders_log_keys, orders_log, NULL},
    {"/turnpike/reload", "Reads the configuration anew. No parameters", no_keys, orders_reload,
     orders_reload_step},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

struct questions {
    struct questions_config config;
    struct event *asked;
    struct event *again;              // the next step
    const struct question_kind *kind; // of the one under way
    struct question question;
};

// Between two steps, so that whatever else waits gets its turn.
static const struct timeval shortly = {.tv_usec = 200};

static const struct question_kind *find_kind(const char *command)
{
    const struct question_kind *kind = kinds;

    while (strcmp(kind->name, command) != 0)
        kind++;
    return kind;
}

static void go_on(struct questions *questions, bool is_more)
{
    if (is_more)
        event_add(questions->again, &shortly);
    else
        telemetry_reply(&questions->question.answer);
}

static bool begin(struct questions *questions, const struct telemetry_question *asked)
{
    struct question *question = &questions->question;

    questions->kind = find_kind(asked->command);
    question->asked_ms = asked->asked_ms;
    question->now_ms = clock_monotonic_ms();
    question->walk = (struct question_walk){};
    telemetry_answer_reset(&question->answer);
    return parameters_parse(asked->parameters, questions->kind->keys, &question->parameters,
                            &question->answer) &&
           questions->kind->begin(question);
}

static void on_question(evutil_socket_t fd, short what, void *context)
{
    struct questions *questions = context;
    struct telemetry_question asked;

    (void)fd;
    (void)what;
    if (telemetry_take(&asked))
        go_on(questions, begin(questions, &asked));
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    struct questions *questions = context;

    (void)fd;
    (void)what;
    questions->question.now_ms = clock_monotonic_ms();
    go_on(questions, questions->kind->step(&questions->question));
}

static int open_mailbox(struct questions *questions)
{
    struct telemetry_command commands[KIND_COUNT + 1] = {};
    int fd, error;

    for (unsigned i = 0; i < KIND_COUNT; i++)
        commands[i] = (struct telemetry_command){kinds[i].name, kinds[i].help};
    error = telemetry_open(commands, &fd);
    if (error)
        return error;
    questions->asked =
        event_new(questions->config.base, fd, EV_READ | EV_PERSIST, on_question, questions);
    questions->again = evtimer_new(questions->config.base, on_again, questions);
    if (!questions->asked || !questions->again)
        return -ENOMEM;
    return event_add(questions->asked, NULL) < 0 ? -ENOMEM : 0;
}

int questions_create(const struct questions_config *config, struct questions **ret_questions)
{
    struct questions *questions = calloc(1, sizeof(*questions));
    int error;

    if (!questions)
        return -ENOMEM;
    questions->config = *config;
    questions->question.config = &questions->config;
    questions->question.created_ms = clock_monotonic_ms();
    error = open_mailbox(questions);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "control_socket", "questions cannot be taken: %s",
                    strerror(-error));
        questions_destroy(questions);
        return error;
    }
    *ret_questions = questions;
    return 0;
}

void questions_destroy(struct questions *questions)
{
    telemetry_close();
    if (questions->asked)
        event_free(questions->asked);
    if (questions->again)
        event_free(questions->again);
    top_talkers_done(&questions->question);
    free(questions);
}
