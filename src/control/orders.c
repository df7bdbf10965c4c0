// SPDX-License-Identifier: BSD-3-Clause
// See control/orders.h.
#include "control/orders.h"

#include "base/log.h"
#include "control/drain.h"
#include "control/loop.h"
#include "control/reload.h"

#include <errno.h>
#include <stdio.h>

#define DEADLINE_MAX_S (7 * 86400)

const char *const orders_drain_keys[] = {"deadline", "to", NULL};
// The subsystems in their order, and all of them.
const char *const orders_log_keys[] = {"all",     "relay",   "sessions", "logins",
                                       "clients", "network", NULL};

static bool say_state(struct question *question)
{
    struct drain_view view;

    drain_get_view(question->config->drain, &view);
    telemetry_answer_text(&question->answer, "state", view.is_draining ? "draining" : "running");
    telemetry_answer_number(&question->answer, "allocations", view.allocations);
    if (view.has_deadline)
        telemetry_answer_number(&question->answer, "drain_deadline_seconds", view.left_s);
    return false;
}

static bool refuse_end(struct question *question)
{
    telemetry_answer_error(&question->answer, NULL,
                           "the deadline is over: allocations are being ended");
    return false;
}

bool orders_drain(struct question *question)
{
    const char *to = parameters_get(&question->parameters, "to");
    uint32_t deadline_s = DRAIN_DEADLINE_OF_SETTINGS;
    struct turn_alternates alternates = {};

    if (!parameters_number(&question->parameters, "deadline", 0, DEADLINE_MAX_S, &deadline_s,
                           &question->answer))
        return false;
    if (to && drain_add_alternate(to, &alternates) < 0) {
        telemetry_answer_error(&question->answer, "ADDRESS, IPV4:PORT or [IPV6]:PORT",
                               "to: not a server's address: %s", to);
        return false;
    }
    if (drain_begin(question->config->drain, deadline_s, to ? &alternates : NULL) < 0)
        return refuse_end(question);
    return say_state(question);
}

bool orders_undrain(struct question *question)
{
    int error = drain_end(question->config->drain);

    if (error == -EBUSY)
        return refuse_end(question);
    if (error) {
        telemetry_answer_error(&question->answer, NULL, "the relay does not drain");
        return false;
    }
    return say_state(question);
}

static void say_levels(struct telemetry_answer *answer)
{
    telemetry_answer_open(answer, "levels");
    for (unsigned i = 0; i < LOG_SUBSYSTEM_COUNT; i++) {
        enum log_subsystem subsystem = (enum log_subsystem)i;

        telemetry_answer_text(answer, log_subsystem_name(subsystem),
                              log_level_name(log_subsystem_level(subsystem)));
    }
    telemetry_answer_close(answer);
}

// All are looked at before any is set.
static bool read_level(struct question *question, unsigned key, enum log_level *ret_level,
                       bool *ret_given)
{
    const char *text = question->parameters.values[key];

    *ret_given = text != NULL;
    if (!text || log_level_parse(text, ret_level))
        return true;
    telemetry_answer_error(&question->answer, "error, warning, info, debug",
                           "%s: no such level: %s", orders_log_keys[key], text);
    return false;
}

bool orders_log(struct question *question)
{
    enum log_level levels[LOG_SUBSYSTEM_COUNT + 1];
    bool given[LOG_SUBSYSTEM_COUNT + 1];

    for (unsigned key = 0; key <= LOG_SUBSYSTEM_COUNT; key++) {
        if (!read_level(question, key, &levels[key], &given[key]))
            return false;
    }
    if (given[0])
        log_set_level(levels[0]);
    for (unsigned key = 1; key <= LOG_SUBSYSTEM_COUNT; key++) {
        enum log_subsystem subsystem;

        if (given[key] && log_subsystem_parse(orders_log_keys[key], &subsystem))
            log_set_subsystem_level(subsystem, levels[key]);
    }
    say_levels(&question->answer);
    return false;
}

static uint32_t reload_count(const struct question *question)
{
    const struct reload_history *history = reload_get_history(question->config->sources.reload);

    return (uint32_t)(history->taken_count + history->refused_count);
}

bool orders_reload(struct question *question)
{
    question->walk.at = reload_count(question);
    loop_reload(question->config->loop);
    return orders_reload_step(question);
}

bool orders_reload_step(struct question *question)
{
    if (reload_count(question) == question->walk.at) {
        if (question_is_late(question))
            telemetry_answer_text(&question->answer, "reload", "waits for workers");
        return !question_is_late(question);
    }
    if (reload_get_history(question->config->sources.reload)->last_was_refused)
        telemetry_answer_error(&question->answer, NULL,
                               "the configuration is not good, and nothing has changed: the log "
                               "says why");
    else
        telemetry_answer_text(&question->answer, "reload", "done");
    return false;
}
