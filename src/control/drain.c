// SPDX-License-Identifier: BSD-3-Clause
// See control/drain.h. While it drains, a timer looks at what is left: nothing has to tell it of an
// end.
#include "control/drain.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_INTERVAL_MS     100
#define PROGRESS_INTERVAL_MS 30000

// "12 allocations are left, for 540 s at most"
#define LEFT_TEXT_LEN 64
static_assert(sizeof("draining: ") + LEFT_TEXT_LEN <= DRAIN_TEXT_LEN, "one is in the other");

// Of both families, with ports.
#define ALTERNATES_TEXT_LEN (2 * TRANSPORT_ADDRESS_TEXT_LEN + 8)

enum drain_state {
    DRAIN_NONE,
    DRAIN_WAITING, // for the last allocation, or the deadline
    DRAIN_ENDING,  // what is left at the deadline
};

struct drain {
    struct drain_config config;
    struct event *begin;
    struct event *undo;
    struct event *look;
    enum drain_state state;
    struct turn_alternates alternates;
    uint64_t deadline_ms;     // 0: none; while it ends, when that has taken long enough
    uint64_t deadline_wall_s; // 0: none
    uint64_t told_ms;         // the log, of progress
    uint64_t left;            // at the last look, removals that workers have yet to report included
};

static const struct timeval look_interval = {.tv_usec = LOOK_INTERVAL_MS * 1000};

static uint64_t round_up_s(uint64_t ms)
{
    return (ms + 999) / 1000;
}

void drain_get_view(const struct drain *drain, struct drain_view *ret_view)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct turn_usage usage;

    turn_server_usage(drain->config.server, &usage);
    *ret_view = (struct drain_view){
        .is_draining = drain->state != DRAIN_NONE,
        .is_ending = drain->state == DRAIN_ENDING,
        .has_deadline = drain->state == DRAIN_WAITING && drain->deadline_ms > 0,
        .allocations = usage.allocations,
    };
    if (ret_view->is_draining)
        ret_view->alternates = drain->alternates;
    if (!ret_view->has_deadline)
        return;
    if (drain->deadline_ms > now_ms)
        ret_view->left_s = (uint32_t)round_up_s(drain->deadline_ms - now_ms);
    ret_view->deadline_wall_s = drain->deadline_wall_s;
}

static const char *format_left(const struct drain_view *view, char *text)
{
    const char *verb = view->allocations == 1 ? " is" : "s are";
    char until[32] = "";

    if (view->is_ending)
        snprintf(until, sizeof(until), ", and ended");
    else if (view->has_deadline)
        snprintf(until, sizeof(until), ", for %" PRIu32 " s at most", view->left_s);
    snprintf(text, LEFT_TEXT_LEN, "%" PRIu32 " allocation%s left%s", view->allocations, verb,
             until);
    return text;
}

const char *drain_format(const struct drain_view *view, char *text)
{
    static const char head[] = "draining: ";

    memcpy(text, head, sizeof(head));
    format_left(view, text + strlen(head));
    return text;
}

static const char *format_alternate(const struct transport_address *address, char *text)
{
    return address->port > 0 ? transport_address_format(address, text)
                             : ip_address_format(&address->ip, text);
}

static const char *format_alternates(const struct turn_alternates *alternates, char *ret_text)
{
    char v4[TRANSPORT_ADDRESS_TEXT_LEN] = "", v6[TRANSPORT_ADDRESS_TEXT_LEN] = "";
    bool has_v4 = alternates->v4.ip.family != IP_FAMILY_NONE;
    bool has_v6 = alternates->v6.ip.family != IP_FAMILY_NONE;

    if (has_v4)
        format_alternate(&alternates->v4, v4);
    if (has_v6)
        format_alternate(&alternates->v6, v6);
    snprintf(ret_text, ALTERNATES_TEXT_LEN, "%s%s%s", v4, has_v4 && has_v6 ? " and " : "", v6);
    return ret_text;
}

static void tell_progress(struct drain *drain)
{
    struct drain_view view;
    char text[LEFT_TEXT_LEN];

    drain->told_ms = clock_monotonic_ms();
    drain_get_view(drain, &view);
    log_message(LOG_LEVEL_INFO, "draining", "%s", format_left(&view, text));
}

static void tell_begin(struct drain *drain)
{
    char to[ALTERNATES_TEXT_LEN];

    format_alternates(&drain->alternates, to);
    if (*to)
        log_message(LOG_LEVEL_INFO, "draining", "new clients are sent to %s; live calls go on", to);
    else
        log_message(LOG_LEVEL_INFO, "draining",
                    "new clients are refused, for drain_to names no other relay; live calls go on");
    tell_progress(drain);
}

static void begin_ending(struct drain *drain)
{
    struct turn_usage usage;

    turn_server_usage(drain->config.server, &usage);
    log_message(LOG_LEVEL_WARNING, "drain_deadline",
                "%" PRIu32 " allocations are left at the deadline, and ended", usage.allocations);
    drain->state = DRAIN_ENDING;
    drain->deadline_ms = clock_monotonic_ms() + DRAIN_GRACE_MS;
    drain->config.end_allocations(drain->config.context);
}

static void stop(struct drain *drain, bool is_empty)
{
    if (is_empty)
        log_message(LOG_LEVEL_INFO, "drained", "no allocation is left: the relay stops");
    else
        log_message(LOG_LEVEL_WARNING, "drained",
                    "workers have not reported the end of all allocations: the relay stops");
    event_del(drain->look);
    drain->config.stop(drain->config.context);
}

static void deadline_is_over(struct drain *drain)
{
    if (drain->state == DRAIN_ENDING)
        stop(drain, false);
    else
        begin_ending(drain);
}

static uint64_t count_left(const struct drain *drain)
{
    struct turn_usage usage;

    turn_server_usage(drain->config.server, &usage);
    return (uint64_t)usage.allocations + usage.pending_removals;
}

// Nothing is left once that was seen twice: what is told to workers last, the answer to a client
// that has ended its allocation, has gone by the second look.
static void on_look(evutil_socket_t fd, short what, void *context)
{
    struct drain *drain = context;
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t before = drain->left;

    (void)fd;
    (void)what;
    drain->left = count_left(drain);
    if (drain->state == DRAIN_ENDING && drain->left < before)
        drain->deadline_ms = now_ms + DRAIN_GRACE_MS;
    if (drain->left == 0 && before == 0)
        stop(drain, true);
    else if (drain->left > 0 && drain->deadline_ms > 0 && now_ms >= drain->deadline_ms)
        deadline_is_over(drain);
    else if (now_ms >= drain->told_ms + PROGRESS_INTERVAL_MS)
        tell_progress(drain);
}

static void alternates_of_settings(const struct settings *settings,
                                   struct turn_alternates *ret_alternates)
{
    const struct settings_alternate *items = settings->drain_to.items;

    *ret_alternates = (struct turn_alternates){};
    for (uint32_t i = 0; i < settings->drain_to.count; i++) {
        struct transport_address address = {items[i].address, (uint16_t)items[i].port};

        if (address.ip.family == IP_FAMILY_V4)
            ret_alternates->v4 = address;
        else
            ret_alternates->v6 = address;
    }
    snprintf(ret_alternates->domain, sizeof(ret_alternates->domain), "%s", settings->drain_domain);
}

int drain_begin(struct drain *drain, uint32_t deadline_s, const struct turn_alternates *alternates)
{
    if (drain->state == DRAIN_ENDING)
        return -EBUSY;
    if (deadline_s == DRAIN_DEADLINE_OF_SETTINGS)
        deadline_s = drain->config.settings->drain_deadline_s;
    if (alternates)
        drain->alternates = *alternates;
    else
        alternates_of_settings(drain->config.settings, &drain->alternates);
    drain->deadline_ms = deadline_s > 0 ? clock_monotonic_ms() + (uint64_t)deadline_s * 1000 : 0;
    drain->state = DRAIN_WAITING;
    drain->deadline_wall_s = deadline_s > 0 ? clock_wall_s() + deadline_s : 0;
    drain->left = UINT64_MAX;
    turn_server_drain(drain->config.server, &drain->alternates);
    event_add(drain->look, &look_interval);
    tell_begin(drain);
    return 0;
}

int drain_end(struct drain *drain)
{
    if (drain->state == DRAIN_NONE)
        return -EALREADY;
    if (drain->state == DRAIN_ENDING)
        return -EBUSY;
    drain->state = DRAIN_NONE;
    turn_server_undrain(drain->config.server);
    event_del(drain->look);
    log_message(LOG_LEVEL_INFO, "undrained", "new clients are served again");
    return 0;
}

int drain_add_alternate(const char *text, struct turn_alternates *alternates)
{
    struct transport_address address = {}, *place;

    if (transport_address_parse(text, &address) < 0 && ip_address_parse(text, &address.ip) < 0)
        return -EINVAL;
    place = address.ip.family == IP_FAMILY_V4 ? &alternates->v4 : &alternates->v6;
    if (place->ip.family != IP_FAMILY_NONE)
        return -EEXIST;
    *place = address;
    return 0;
}

static void on_begin(evutil_socket_t signal, short what, void *context)
{
    (void)signal;
    (void)what;
    drain_begin(context, DRAIN_DEADLINE_OF_SETTINGS, NULL);
}

static void on_undo(evutil_socket_t signal, short what, void *context)
{
    int error = drain_end(context);

    (void)signal;
    (void)what;
    if (error)
        log_message(LOG_LEVEL_WARNING, "undrained", "on SIGUSR2 nothing is undone: %s",
                    error == -EBUSY ? "allocations are being ended" : "the relay does not drain");
}

int drain_create(const struct drain_config *config, struct drain **ret_drain)
{
    struct drain *drain = calloc(1, sizeof(*drain));

    if (!drain)
        return -ENOMEM;
    drain->config = *config;
    drain->begin = evsignal_new(config->base, SIGUSR1, on_begin, drain);
    drain->undo = evsignal_new(config->base, SIGUSR2, on_undo, drain);
    drain->look = event_new(config->base, -1, EV_PERSIST, on_look, drain);
    if (!drain->begin || !drain->undo || !drain->look || event_add(drain->begin, NULL) < 0 ||
        event_add(drain->undo, NULL) < 0) {
        drain_destroy(drain);
        return -ENOMEM;
    }
    *ret_drain = drain;
    return 0;
}

// libevent puts back how the signals were handled: loop_hold_signals() has had them ignored.
void drain_destroy(struct drain *drain)
{
    if (drain->begin)
        event_free(drain->begin);
    if (drain->undo)
        event_free(drain->undo);
    if (drain->look)
        event_free(drain->look);
    free(drain);
}
