// SPDX-License-Identifier: BSD-3-Clause
// See control/killing.h. Each end is an event of its own: it waits for room in the workers' rings.
#include "control/killing.h"

#include "base/log.h"
#include "control/forwarder.h"
#include "control/sessions.h"
#include "control/tcp_relay.h"

#include <stdio.h>

const char *const killing_keys[] = {"session", "user", NULL};

// False: the rings are full.
static bool end_one(const struct question *question, uint32_t id)
{
    const struct questions_config *config = question->config;
    static struct turn_output output; // too large for a stack

    if (!forwarder_is_ready(config->forwarder))
        return false;
    turn_server_end(config->server, id, TURN_END_KILLED, &output);
    if (config->tcp_relay)
        tcp_relay_carry_out(config->tcp_relay, &output, NULL);
    forwarder_carry_out(config->forwarder, &output, NULL);
    return true;
}

// Some more may be left, for want of time: whoever asks may ask again.
static bool end(struct question *question, bool is_more)
{
    telemetry_answer_number(&question->answer, "killed", question->walk.count);
    if (is_more)
        telemetry_answer_number(&question->answer, "more", 1);
    return false;
}

static bool wait_or_end(struct question *question)
{
    return question_is_late(question) ? end(question, true) : true;
}

// Found anew each time: while it waits it may end, and its id go to another.
static bool kill_session(struct question *question)
{
    uint32_t id;

    if (!sessions_find(question, "session", &id))
        return false;
    if (!end_one(question, id))
        return wait_or_end(question);
    question->walk.count++;
    log_event(LOG_LEVEL_INFO, "kill", "session", parameters_get(&question->parameters, "session"),
              NULL);
    return end(question, false);
}

static bool end_users(struct question *question, bool is_more)
{
    char count[12];

    snprintf(count, sizeof(count), "%u", question->walk.count);
    log_event(LOG_LEVEL_INFO, "kill", "user", question->walk.filter.user, "count", count, NULL);
    return end(question, is_more);
}

static bool kill_user(struct question *question)
{
    const struct turn_server *server = question->config->server;
    struct question_walk *walk = &question->walk;

    for (unsigned round = 0; walk->at < turn_server_id_count(server); round++, walk->at++) {
        bool fits = turn_server_fits(server, walk->at, &walk->filter);

        if (question_turn_is_over(question, round) || (fits && !end_one(question, walk->at)))
            return question_is_late(question) ? end_users(question, true) : true;
        walk->count += fits;
    }
    return end_users(question, false);
}

bool killing_step(struct question *question)
{
    return question->walk.filter.user ? kill_user(question) : kill_session(question);
}

bool killing_begin(struct question *question)
{
    const char *session = parameters_get(&question->parameters, "session");

    question->walk.filter.user = parameters_get(&question->parameters, "user");
    if (!session == !question->walk.filter.user) {
        telemetry_answer_error(&question->answer, "session=, user=", "kill what? One of both");
        return false;
    }
    return killing_step(question);
}
