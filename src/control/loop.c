// SPDX-License-Identifier: BSD-3-Clause
// The event loop on libevent. An event is taken up only when every ring has room for all it can
// cause; what has to wait is tried again shortly.
#include "control/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/login_log.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUNT_BURST 32
// Punts in one turn, so that time and the kernel get their turns under load.
#define PUNTS_PER_TURN 1024
#define NEWS_PER_TURN  256
// A worker applies commands between two bursts.
#define RETRY_US 200

// Next hops of what is gone are looked for so often, and sooner in want of room.
#define SWEEP_INTERVAL_MS    60000
#define SHORTAGE_INTERVAL_MS 10000

// Routes are asked for anew as soon as they change. The next time waits so many times as long as
// that took, however often they change.
#define REROUTE_REST        9
#define REROUTE_REST_MIN_MS 20

// After a reload the next one waits so many times as long as it took, however many signals come.
#define RELOAD_REST        4
#define RELOAD_REST_MIN_MS 10

// For the workers' last reports, when the session log wants them.
#define ENDING_MAX_MS 2000

struct loop {
    struct loop_config config;
    struct event_base *base;
    struct event *doorbell;
    struct event *news;
    struct event *again; // punts that wait for room, or for the next turn
    struct event *expiry;
    struct event *walk_step;
    struct event *reroute; // that has to wait
    struct event *insist;  // on neighbours that do not answer
    struct event *second;
    struct event *terminate;
    struct event *interrupt;
    struct event *hangup;
    struct event *reload;          // that has to wait
    struct event *revoke_step;     // of what a new peer policy denies
    struct event *end_step;        // of allocations that are to end
    struct event *ending;          // of all, after a signal
    struct punt punts[PUNT_BURST]; // taken from a ring, not taken up yet
    unsigned punt_first;
    unsigned punt_count;
    uint16_t next_worker; // whose ring is read next
    bool walking;
    bool rerouting; // the walk is for changed routes
    bool reroute_wanted;
    bool reload_wanted;
    uint64_t reload_from_ms; // not before
    uint64_t revoke_cursor;
    uint64_t end_cursor;
    uint64_t end_by_ms;
    uint64_t cursor; // of the walk
    uint64_t swept_ms;
    uint64_t walk_began_ms;
    uint64_t reroute_from_ms; // not before
    uint32_t seconds;
    uint32_t refused_count; // for quotas, since the last line about that
    uint64_t refusals_silent_until_ms;
    struct turn_output output;
};

static const struct timeval at_once = {};
static const struct timeval shortly = {.tv_usec = RETRY_US};
static const struct timeval one_second = {.tv_sec = 1};
static const struct timeval insist_interval = {.tv_usec = NEXT_HOPS_INSIST_MS * 1000};
static const struct timeval ending_interval = {.tv_usec = 5000};

static struct turn_time time_now(void)
{
    return (struct turn_time){.monotonic_ms = clock_monotonic_ms(), .wall_s = clock_wall_s()};
}

static struct timeval timeval_of_ms(uint64_t ms)
{
    return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

static void schedule_expiry(struct loop *loop)
{
    uint64_t due_ms = turn_server_next_expiry_ms(loop->config.server);
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    const struct timeval wait = timeval_of_ms(wait_ms);

    if (due_ms == UINT64_MAX)
        event_del(loop->expiry);
    else
        event_add(loop->expiry, &wait);
}

static void log_started(const struct loop *loop, uint32_t allocation)
{
    struct turn_allocation_view view;

    if (turn_server_view(loop->config.server, allocation, &view))
        session_log_started(&view);
}

// Whoever asks for an allocation above a quota can go on asking: one line a second, with how many
// were refused since the line before.
static void log_refused(struct loop *loop)
{
    const struct turn_output *output = &loop->output;
    uint64_t now_ms = clock_monotonic_ms();
    struct turn_user_view view;
    char count[12];

    loop->refused_count++;
    if (now_ms < loop->refusals_silent_until_ms)
        return;
    snprintf(count, sizeof(count), "%" PRIu32, loop->refused_count);
    bool is_known = output->refusal == QUOTA_REFUSED_USER &&
                    turn_server_user(loop->config.server, output->refused_user, &view);
    log_event(LOG_LEVEL_WARNING, "quota_reached", "quota", quota_refusal_name(output->refusal),
              "refused", count, is_known ? "user" : NULL, is_known ? view.name : NULL, NULL);
    loop->refused_count = 0;
    loop->refusals_silent_until_ms = now_ms + 1000;
}

// What the TURN server has made of one event. gone: as for tcp_relay_carry_out().
static void carry_out(struct loop *loop, const struct punt *punt, const struct client_key *gone)
{
    if (loop->config.tcp_relay)
        tcp_relay_carry_out(loop->config.tcp_relay, &loop->output, gone);
    forwarder_carry_out(loop->config.forwarder, &loop->output, punt);
}

static void take_message(struct loop *loop, const struct punt *punt)
{
    const struct turn_time now = time_now();
    struct turn_output *output = &loop->output;
    struct turn_packet packet = {.bytes = punt_bytes(punt), .worker = punt->worker};

    forwarder_five_tuple(loop->config.forwarder, punt, &packet.five_tuple);
    turn_server_receive(loop->config.server, &now, &packet, output);
    if (output->login != CREDENTIALS_OK)
        login_log_refused(&packet, output);
    carry_out(loop, punt, NULL);
    if (output->has_started)
        log_started(loop, output->started_id);
    if (output->refusal != QUOTA_NOT_REFUSED)
        log_refused(loop);
}

static void take_removed(struct loop *loop, const struct punt *punt)
{
    const struct turn_time now = time_now();
    const struct turn_relayed_address relay = {punt->removed.relay, punt->removed.port};

    if (punt->removed.relay == RELAY_NONE && loop->config.sessions)
        session_log_carried(loop->config.sessions, punt->allocation, &punt->removed.traffic);
    turn_server_removed(loop->config.server, &now, punt->allocation,
                        punt->removed.relay == RELAY_NONE ? NULL : &relay);
}

// From the workers in turn. False: nobody has anything.
static bool fetch_punts(struct loop *loop)
{
    uint16_t worker_count = loop->config.plane->config.worker_count;

    for (uint16_t i = 0; i < worker_count; i++) {
        uint16_t worker = loop->next_worker;

        loop->next_worker = (uint16_t)((worker + 1) % worker_count);
        loop->punt_first = 0;
        loop->punt_count = plane_punt_receive(loop->config.plane, worker, loop->punts, PUNT_BURST);
        if (loop->punt_count > 0)
            return true;
    }
    return false;
}

static void take_news(struct loop *loop, const struct stream_news *news)
{
    const struct turn_time now = time_now();
    struct five_tuple tuple;

    forwarder_client_tuple(loop->config.forwarder, &news->client, &tuple);
    turn_server_disconnected(loop->config.server, &now, &tuple, &loop->output);
    carry_out(loop, NULL, &news->client);
}

// Of the threads that have connections. False: the workers' rings are full.
static bool take_all_news(struct loop *loop)
{
    for (uint16_t thread = 0; thread < loop->config.plane->config.stream_thread_count; thread++) {
        struct stream_news news;

        for (unsigned i = 0; i < NEWS_PER_TURN; i++) {
            if (!forwarder_is_ready(loop->config.forwarder))
                return false;
            if (!stream_news_receive(loop->config.plane, thread, &news))
                break;
            take_news(loop, &news);
        }
    }
    return true;
}

static void take_punt(struct loop *loop, const struct punt *punt)
{
    if (punt->kind == PUNT_MESSAGE)
        take_message(loop, punt);
    else
        take_removed(loop, punt);
}

static void on_punts(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < PUNTS_PER_TURN; i++) {
        bool is_fetched = loop->punt_first < loop->punt_count || fetch_punts(loop);
        // Behind the fetch and before what was fetched: an address that has connected anew is a new
        // client, and the end of the old one was told before.
        bool has_room = take_all_news(loop);

        if (has_room && !is_fetched)
            break;
        if (!has_room || !forwarder_is_ready(loop->config.forwarder)) {
            event_add(loop->again, &shortly);
            return;
        }
        take_punt(loop, &loop->punts[loop->punt_first++]);
    }
    schedule_expiry(loop);
    if (loop->punt_first < loop->punt_count || !plane_doorbell_arm(loop->config.plane))
        event_add(loop->again, &at_once);
}

static void on_doorbell(evutil_socket_t fd, short what, void *context)
{
    uint64_t rings;

    if (read(fd, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
        log_message(LOG_LEVEL_ERROR, "doorbell", "cannot be read: %s", strerror(errno));
    on_punts(fd, what, context);
}

static void on_expiry(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    const struct turn_time now = time_now();

    (void)fd;
    (void)what;
    if (!forwarder_is_ready(loop->config.forwarder)) {
        event_add(loop->expiry, &shortly);
        return;
    }
    if (turn_server_expire(loop->config.server, &now, &loop->output))
        event_add(loop->expiry, &at_once);
    else
        schedule_expiry(loop);
    carry_out(loop, NULL, NULL);
}

static void begin_walk(struct loop *loop, bool reroute)
{
    loop->walking = true;
    loop->rerouting = reroute;
    loop->cursor = 0;
    loop->walk_began_ms = clock_monotonic_ms();
    if (reroute) {
        loop->reroute_wanted = false;
    } else {
        // Who found no room has to ask again once there is some.
        loop->reroute_wanted |= next_hops_lack_room(loop->config.hops);
        loop->swept_ms = loop->walk_began_ms;
    }
    next_hops_begin_walk(loop->config.hops, reroute);
    event_add(loop->walk_step, &at_once);
}

// Changes of routes come in swarms: all that come while one is dealt with are dealt with together,
// later.
static void reroute_when_due(struct loop *loop)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (!loop->reroute_wanted || loop->walking)
        return;
    if (now_ms < loop->reroute_from_ms) {
        const struct timeval wait = timeval_of_ms(loop->reroute_from_ms - now_ms);

        event_add(loop->reroute, &wait);
    } else {
        begin_walk(loop, true);
    }
}

static void on_reroute(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    reroute_when_due(context);
}

static void end_walk(struct loop *loop)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t rest_ms = REROUTE_REST * (now_ms - loop->walk_began_ms);

    next_hops_end_walk(loop->config.hops);
    forwarder_flush(loop->config.forwarder);
    loop->walking = false;
    if (loop->rerouting)
        loop->reroute_from_ms =
            now_ms + (rest_ms > REROUTE_REST_MIN_MS ? rest_ms : REROUTE_REST_MIN_MS);
    reroute_when_due(loop);
}

static void sweep_when_due(struct loop *loop)
{
    uint64_t interval_ms =
        next_hops_lack_room(loop->config.hops) ? SHORTAGE_INTERVAL_MS : SWEEP_INTERVAL_MS;

    if (!loop->walking && clock_monotonic_ms() >= loop->swept_ms + interval_ms)
        begin_walk(loop, false);
}

static void on_walk_step(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    bool more;

    (void)fd;
    (void)what;
    if (!forwarder_is_ready(loop->config.forwarder)) {
        event_add(loop->walk_step, &shortly);
        return;
    }
    more = turn_server_walk(loop->config.server, &loop->cursor, &loop->output);
    forwarder_reinstall(loop->config.forwarder, &loop->output);
    if (more) {
        event_add(loop->walk_step, &at_once);
        return;
    }
    end_walk(loop);
}

static void on_insist(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;

    (void)fd;
    (void)what;
    next_hops_insist(loop->config.hops);
    forwarder_flush(loop->config.forwarder);
}

static void on_news(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;

    (void)fd;
    (void)what;
    loop->reroute_wanted |= next_hops_receive(loop->config.hops);
    if (next_hops_interface_is_gone(loop->config.hops)) {
        log_message(LOG_LEVEL_ERROR, "interface_gone",
                    "the interface has been deleted, or moved to another network namespace: start "
                    "the relay again once it is back");
        event_base_loopbreak(loop->base);
        return;
    }
    forwarder_flush(loop->config.forwarder);
    reroute_when_due(loop);
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;

    (void)fd;
    (void)what;
    loop->seconds++;
    // What peers' connections have set meanwhile.
    schedule_expiry(loop);
    forwarder_flush(loop->config.forwarder);
    sweep_when_due(loop);
    if (loop->seconds % NEXT_HOPS_REFRESH_S == 0)
        next_hops_refresh(loop->config.hops);
    if (loop->config.every_second)
        loop->config.every_second(loop->config.context);
}

// Some at a time, between other events.
static void on_revoke_step(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    bool more;

    (void)fd;
    (void)what;
    if (!forwarder_is_ready(loop->config.forwarder)) {
        event_add(loop->revoke_step, &shortly);
        return;
    }
    more = turn_server_revoke(loop->config.server, &loop->revoke_cursor, &loop->output);
    carry_out(loop, NULL, NULL);
    if (more)
        event_add(loop->revoke_step, &at_once);
}

// From the start: what the walk before has left behind was good by another policy.
void loop_revoke(struct loop *loop)
{
    loop->revoke_cursor = 0;
    event_add(loop->revoke_step, &at_once);
}

static void on_end_step(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    bool more;

    (void)fd;
    (void)what;
    if (!forwarder_is_ready(loop->config.forwarder)) {
        event_add(loop->end_step, &shortly);
        return;
    }
    more = turn_server_end_allocations(loop->config.server, &loop->end_cursor, &loop->output);
    carry_out(loop, NULL, NULL);
    if (more)
        event_add(loop->end_step, &at_once);
}

void loop_end_allocations(struct loop *loop)
{
    loop->end_cursor = 0;
    event_add(loop->end_step, &at_once);
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

static void reload_now(struct loop *loop)
{
    uint64_t started_ms = clock_monotonic_ms(), ended_ms, rest_ms;

    loop->reload_wanted = false;
    if (reload_run(loop->config.reload))
        loop_revoke(loop);
    ended_ms = clock_monotonic_ms();
    rest_ms = RELOAD_REST * (ended_ms - started_ms);
    loop->reload_from_ms = ended_ms + (rest_ms > RELOAD_REST_MIN_MS ? rest_ms : RELOAD_REST_MIN_MS);
}

static void on_reload(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    uint64_t now_ms = clock_monotonic_ms();

    (void)fd;
    (void)what;
    if (!loop->reload_wanted)
        return;
    if (now_ms < loop->reload_from_ms) {
        const struct timeval wait = timeval_of_ms(loop->reload_from_ms - now_ms);

        event_add(loop->reload, &wait);
    } else if (!reload_is_ready(loop->config.reload) ||
               !forwarder_is_ready(loop->config.forwarder)) {
        event_add(loop->reload, &shortly);
    } else {
        reload_now(loop);
    }
}

// Signals that come while one waits are all served by that reload, for it has not read the file
// yet.
static void on_hangup(evutil_socket_t signal, short what, void *context)
{
    struct loop *loop = context;

    if (loop->config.sessions)
        session_log_reopen(loop->config.sessions);
    loop->reload_wanted = true;
    on_reload(signal, what, context);
}

void loop_reload(struct loop *loop)
{
    on_hangup(-1, 0, loop);
}

// Until workers have told what their allocations have carried, or that takes too long.
static void on_ending(evutil_socket_t fd, short what, void *context)
{
    struct loop *loop = context;
    struct turn_usage usage;

    (void)fd;
    (void)what;
    turn_server_usage(loop->config.server, &usage);
    if (usage.allocations + usage.pending_removals == 0 || clock_monotonic_ms() >= loop->end_by_ms)
        event_base_loopbreak(loop->base);
}

static void begin_ending(struct loop *loop)
{
    // A second signal does what it does by default.
    event_del(loop->terminate);
    event_del(loop->interrupt);
    loop->end_by_ms = clock_monotonic_ms() + ENDING_MAX_MS;
    event_add(loop->ending, &ending_interval);
    loop_end_allocations(loop);
}

static void on_signal(evutil_socket_t signal, short what, void *context)
{
    struct loop *loop = context;

    (void)what;
    log_message(LOG_LEVEL_INFO, "stopping", "on SIG%s; a second signal ends the process at once",
                sigabbrev_np((int)signal));
    if (loop->config.sessions && session_log_is_wanted(loop->config.sessions))
        begin_ending(loop);
    else
        event_base_loopbreak(loop->base);
}

static bool events_create(struct loop *loop)
{
    int doorbell = loop->config.plane->doorbell.fd;
    int news = next_hops_fd(loop->config.hops);

    loop->doorbell = event_new(loop->base, doorbell, EV_READ | EV_PERSIST, on_doorbell, loop);
    loop->news = event_new(loop->base, news, EV_READ | EV_PERSIST, on_news, loop);
    loop->second = event_new(loop->base, -1, EV_PERSIST, on_second, loop);
    loop->again = evtimer_new(loop->base, on_punts, loop);
    loop->expiry = evtimer_new(loop->base, on_expiry, loop);
    loop->walk_step = evtimer_new(loop->base, on_walk_step, loop);
    loop->reroute = evtimer_new(loop->base, on_reroute, loop);
    loop->insist = event_new(loop->base, -1, EV_PERSIST, on_insist, loop);
    loop->terminate = evsignal_new(loop->base, SIGTERM, on_signal, loop);
    loop->interrupt = evsignal_new(loop->base, SIGINT, on_signal, loop);
    loop->hangup = evsignal_new(loop->base, SIGHUP, on_hangup, loop);
    loop->reload = evtimer_new(loop->base, on_reload, loop);
    loop->revoke_step = evtimer_new(loop->base, on_revoke_step, loop);
    loop->end_step = evtimer_new(loop->base, on_end_step, loop);
    loop->ending = event_new(loop->base, -1, EV_PERSIST, on_ending, loop);
    return loop->doorbell && loop->news && loop->second && loop->again && loop->expiry &&
           loop->walk_step && loop->reroute && loop->insist && loop->terminate && loop->interrupt &&
           loop->hangup && loop->reload && loop->revoke_step && loop->end_step && loop->ending;
}

static void event_done(struct event *event)
{
    if (event)
        event_free(event);
}

// By nohup, that is.
static bool hangups_are_ignored(void)
{
    struct sigaction action;

    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int loop_create(const struct loop_config *config, struct loop **ret_loop)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return -ENOMEM;
    loop->config = *config;
    loop->swept_ms = clock_monotonic_ms();
    loop->base = event_base_new();
    if (!loop->base || !events_create(loop)) {
        log_message(LOG_LEVEL_ERROR, "event_loop", "cannot be set up");
        loop_destroy(loop);
        return -ENOMEM;
    }
    event_add(loop->doorbell, NULL);
    event_add(loop->news, NULL);
    event_add(loop->second, &one_second);
    event_add(loop->insist, &insist_interval);
    event_add(loop->terminate, NULL);
    event_add(loop->interrupt, NULL);
    if (config->reload && !hangups_are_ignored())
        event_add(loop->hangup, NULL);
    // Looks for punts, and has the doorbell ring for those to come.
    event_add(loop->again, &at_once);
    *ret_loop = loop;
    return 0;
}

struct event_base *loop_base(const struct loop *loop)
{
    return loop->base;
}

// What was taken from a ring and waited for room.
static void punts_discard(struct loop *loop)
{
    for (; loop->punt_first < loop->punt_count; loop->punt_first++) {
        if (loop->punts[loop->punt_first].kind == PUNT_MESSAGE)
            punt_discard(&loop->punts[loop->punt_first]);
    }
}

void loop_destroy(struct loop *loop)
{
    punts_discard(loop);
    event_done(loop->doorbell);
    event_done(loop->news);
    event_done(loop->second);
    event_done(loop->again);
    event_done(loop->expiry);
    event_done(loop->walk_step);
    event_done(loop->reroute);
    event_done(loop->insist);
    event_done(loop->terminate);
    event_done(loop->interrupt);
    event_done(loop->hangup);
    event_done(loop->reload);
    event_done(loop->revoke_step);
    event_done(loop->end_step);
    event_done(loop->ending);
    if (loop->base)
        event_base_free(loop->base);
    free(loop);
}

static void hold_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(how, &set, NULL);
}

void loop_hold_signals(void)
{
    // Who reads our figures may go; the relay stays.
    signal(SIGPIPE, SIG_IGN);
    // Nor does who wants the relay to drain end it: before somebody takes these up they wait, and
    // afterwards it ends anyway.
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    hold_signals(SIG_BLOCK);
}

int loop_run(struct loop *loop)
{
    hold_signals(SIG_UNBLOCK);
    event_base_dispatch(loop->base);
    // From here on a signal does what it does by default.
    event_del(loop->terminate);
    event_del(loop->interrupt);
    event_del(loop->hangup);
    return next_hops_interface_is_gone(loop->config.hops) ? -ENODEV : 0;
}
