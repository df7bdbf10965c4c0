// SPDX-License-Identifier: BSD-3-Clause
// Turns of bounded length: frames of workers, which are all taken before anything is written, so
// that a connection is written to once; sockets, by an epoll of our own, which costs a connection
// nothing but its entry; connections that wait for a worker; time.
#include "control/stream_thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/dtls_server.h"
#include "control/stream_account.h"
#include "control/stream_connection.h"
#include "control/stream_entrance.h"
#include "control/stream_listener.h"
#include "control/stream_thread_state.h"
#include "control/tcp_socket.h"
#include "exchange/plane.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FRAME_BURST 32
// In one turn, so that all get theirs under load.
#define FRAMES_PER_TURN     1024
#define EVENTS_PER_TURN     64
#define HANDSHAKES_PER_TURN 8 // a step of one may take as long as a thousand messages
#define ACCEPTS_PER_TURN    16
#define RESUMED_PER_TURN    256
#define ORDERS_PER_TURN     64
#define PAUSED_PER_TURN     1024
// A worker takes frames between two bursts.
#define RETRY_US 200
// How long those without bandwidth wait for some, anything between the two: no thread is always the
// first at a bucket that several take from.
#define PAUSE_US_MIN 5000
#define PAUSE_US_MAX 15000
// Without file descriptors: how long to wait for some, and how often to complain.
#define ACCEPT_PAUSE_S    1
#define COMPLAINT_EVERY_S 60
// Of how far ahead most timers are set.
#define TIMER_SPAN_S 4096

static_assert(STREAM_THREAD_LISTENERS_MAX == PLANE_STREAM_LISTENERS_MAX,
              "all may be of one thread");

static const struct timeval at_once = {};
static const struct timeval shortly = {.tv_usec = RETRY_US};
static const struct timeval one_second = {.tv_sec = 1};

static void look_at_the_clock(struct stream_thread *thread)
{
    thread->now_s = (uint32_t)(clock_monotonic_ms() / 1000);
}

// Frames of workers.

static bool is_dtls(const struct stream_thread *thread, const struct client_key *client)
{
    return plane_stream_listener(&thread->plane->config, client->listener)->transport ==
           STREAM_DTLS;
}

static void take_message(struct stream_thread *thread, const struct stream_packet *frame)
{
    const struct client_key client = {frame->client, frame->listener};
    struct stream_connection *connection;

    if (is_dtls(thread, &client)) {
        dtls_server_send(thread->dtls, &client, frame->payload, &frame->hop);
        return;
    }
    connection = stream_table_find(&thread->table, &client);
    if (connection)
        stream_connection_send(thread, connection, frame->payload);
    else
        stream_count(&thread->counters.no_connection, 1);
}

static void take_frame(struct stream_thread *thread, const struct rte_mbuf *mbuf, uint16_t worker)
{
    struct stream_packet frame;

    if (!stream_packet_read(mbuf, &frame))
        stream_count(&thread->counters.damaged, 1);
    else if (!frame.is_datagram)
        take_message(thread, &frame);
    else
        dtls_server_receive(thread->dtls, &frame, worker);
}

// From the workers in turn. True: there may be more.
static bool take_frames(struct stream_thread *thread)
{
    struct rte_mbuf *frames[FRAME_BURST];
    unsigned taken, total = 0;

    do {
        taken = 0;
        for (uint16_t worker = 0; worker < thread->plane->config.worker_count; worker++) {
            unsigned count =
                stream_receive(thread->plane, thread->index, worker, frames, FRAME_BURST);

            for (unsigned i = 0; i < count; i++) {
                take_frame(thread, frames[i], worker);
                stream_packet_free(frames[i]);
            }
            taken += count;
        }
        total += taken;
    } while (taken > 0 && total < FRAMES_PER_TURN);
    return taken > 0;
}

static void flush_touched(struct stream_thread *thread)
{
    struct stream_connection *connection;

    while ((connection = TAILQ_FIRST(&thread->touched))) {
        TAILQ_REMOVE(&thread->touched, connection, touched);
        connection->is_touched = false;
        stream_connection_flush(thread, connection);
    }
    if (thread->dtls)
        dtls_server_flush(thread->dtls);
}

static void refuse_to_join(const struct stream_order *order)
{
    close(order->socket);
    stream_account_give(order->account);
}

static void take_order(struct stream_thread *thread, const struct stream_order *order)
{
    bool joins = order->kind == STREAM_ORDER_JOIN;
    struct stream_connection *connection;

    if (is_dtls(thread, &order->client)) {
        if (joins)
            refuse_to_join(order); // RFC 6062 section 4.3 is for TCP and TLS
        dtls_server_close(thread->dtls, &order->client);
        return;
    }
    connection = stream_table_find(&thread->table, &order->client);
    if (!connection || connection->phase == STREAM_PHASE_GONE) {
        if (!joins)
            return;
        refuse_to_join(order);
        // Whoever ordered it thinks that the client lives.
        if (!connection)
            stream_farewells_add(&thread->farewells, &order->client, thread->now_s);
    } else if (joins) {
        stream_connection_join(thread, connection, order);
    } else {
        stream_connection_close(thread, connection);
    }
}

// True: there may be more.
static bool take_orders(struct stream_thread *thread)
{
    struct stream_order order;

    for (unsigned i = 0; i < ORDERS_PER_TURN; i++) {
        if (!stream_order_receive(thread->plane, thread->index, &order))
            return false;
        take_order(thread, &order);
    }
    return true;
}

static void tell_untold(struct stream_thread *thread)
{
    struct stream_connection *connection;

    while ((connection = TAILQ_FIRST(&thread->untold))) {
        TAILQ_REMOVE(&thread->untold, connection, waiting);
        if (!stream_connection_tell(thread, connection)) {
            TAILQ_INSERT_HEAD(&thread->untold, connection, waiting);
            return;
        }
    }
}

// Those that wait again come behind.
static void resume_waiting(struct stream_thread *thread)
{
    struct stream_connection *connection, *last = TAILQ_LAST(&thread->waiting, stream_connections);
    bool more = last != NULL;

    thread->hurries = false;
    for (unsigned i = 0; i < RESUMED_PER_TURN && more; i++) {
        connection = TAILQ_FIRST(&thread->waiting);
        more = connection != last;
        TAILQ_REMOVE(&thread->waiting, connection, waiting);
        connection->is_waiting = false;
        stream_connection_resume(thread, connection);
    }
}

static void mind_paused(struct stream_thread *thread)
{
    uint64_t random = bandwidth_now_tsc() % (PAUSE_US_MAX - PAUSE_US_MIN);
    const struct timeval pause = {.tv_usec = (suseconds_t)(PAUSE_US_MIN + random)};

    if (!TAILQ_EMPTY(&thread->paused) && !event_pending(thread->pause, EV_TIMEOUT, NULL))
        event_add(thread->pause, &pause);
}

static void turn(struct stream_thread *thread)
{
    bool more;

    look_at_the_clock(thread);
    more = take_frames(thread);
    flush_touched(thread);
    more |= take_orders(thread);
    tell_untold(thread);
    resume_waiting(thread);
    mind_paused(thread);
    stream_ring_workers(thread->plane, thread->index);
    if (more || thread->hurries || !stream_doorbell_arm(thread->plane, thread->index))
        event_add(thread->again, &at_once);
    else if (!TAILQ_EMPTY(&thread->waiting) || !TAILQ_EMPTY(&thread->untold))
        event_add(thread->again, &shortly);
    // Asked for last: to arm the doorbell is to take the ring that came with it.
    if (__atomic_load_n(&thread->stopping, __ATOMIC_ACQUIRE))
        event_base_loopbreak(thread->base);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn(context);
}

static void on_doorbell(evutil_socket_t fd, short what, void *context)
{
    struct stream_thread *thread = context;
    uint64_t rings;

    (void)what;
    if (read(fd, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
        log_message(LOG_LEVEL_ERROR, "doorbell", "cannot be read: %s", strerror(errno));
    stream_count(&thread->counters.wakeups, 1);
    turn(thread);
}

// Sockets.

static uint64_t listener_tag(unsigned index)
{
    const struct stream_tagged tagged = {.index = index, .tag = STREAM_TAG_LISTENER};

    return stream_tag_write(&tagged);
}

static void watch_listeners(struct stream_thread *thread, uint32_t events)
{
    for (unsigned i = 0; i < thread->listener_count; i++) {
        struct epoll_event event = {.events = events, .data.u64 = listener_tag(i)};

        epoll_ctl(thread->epoll, EPOLL_CTL_MOD, thread->listeners[i].fd, &event);
    }
}

// Those who wait to be accepted keep the socket readable, which would have us spin.
static void pause_accepting(struct stream_thread *thread, int error)
{
    watch_listeners(thread, 0);
    thread->accepts_again_s = thread->now_s + ACCEPT_PAUSE_S;
    stream_count(&thread->counters.accept_pauses, 1);
    if (thread->complained_s > 0 && thread->now_s < thread->complained_s + COMPLAINT_EVERY_S)
        return;
    thread->complained_s = thread->now_s;
    log_message(LOG_LEVEL_WARNING, "accept", "new connections have to wait: %s%s", strerror(-error),
                error == -EMFILE ? ": raise the limit of open files (LimitNOFILE=, ulimit -n)"
                                 : "");
}

static void accept_some(struct stream_thread *thread, const struct stream_listening *listener)
{
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct transport_address client;
        int fd, error = tcp_socket_accept(listener->fd, &fd, &client);

        if (error) {
            if (tcp_socket_is_shortage(error))
                pause_accepting(thread, error);
            return;
        }
        stream_entrance_begin(thread, fd, &client, listener->index);
    }
}

// A connection may have been closed earlier in this turn, and have a successor in its place.
static void serve_client(struct stream_thread *thread, struct stream_tagged tagged, uint32_t events,
                         unsigned *handshakes)
{
    struct stream_connection *connection = &thread->table.connections[tagged.index];

    if (connection->phase == STREAM_PHASE_GONE || connection->generation != tagged.generation)
        return;
    // It comes up again: epoll takes those that are ready in turn.
    if (connection->phase == STREAM_PHASE_HANDSHAKE && (*handshakes)++ >= HANDSHAKES_PER_TURN)
        return;
    if (tagged.tag == STREAM_TAG_PEER)
        stream_connection_serve_peer(thread, connection, events);
    else
        stream_connection_serve(thread, connection, events);
}

// Handshakes may take this CPU for long. Without real-time priorities a worker that waits for it
// gets it anyway; with them only when nothing is left to do here, and all whose handshakes end in
// the meantime would wait together.
static void let_workers_run(struct stream_thread *thread, bool was_long)
{
    if (stream_ring_workers(thread->plane, thread->index) && was_long && thread->shares_cpu)
        (void)sched_yield();
}

static void on_sockets(evutil_socket_t fd, short what, void *context)
{
    struct stream_thread *thread = context;
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(fd, events, EVENTS_PER_TURN, 0);
    unsigned handshakes = 0;

    (void)what;
    stream_count(&thread->counters.wakeups, 1);
    look_at_the_clock(thread);
    for (int i = 0; i < count; i++) {
        struct stream_tagged tagged = stream_tag_read(events[i].data.u64);

        if (tagged.tag == STREAM_TAG_LISTENER)
            accept_some(thread, &thread->listeners[tagged.index]);
        else
            serve_client(thread, tagged, events[i].events, &handshakes);
    }
    mind_paused(thread);
    let_workers_run(thread, handshakes > 0);
    if (thread->hurries)
        event_add(thread->again, &at_once);
    else if ((!TAILQ_EMPTY(&thread->waiting) || !TAILQ_EMPTY(&thread->untold)) &&
             !event_pending(thread->again, EV_TIMEOUT, NULL))
        event_add(thread->again, &shortly);
}

// Time.

// Who gets some goes behind the others, who keep their places.
static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    struct stream_thread *thread = context;
    struct stream_connection *connection = thread->paused_next;

    (void)fd;
    (void)what;
    look_at_the_clock(thread);
    if (!connection)
        connection = TAILQ_FIRST(&thread->paused);
    for (unsigned i = 0; i < PAUSED_PER_TURN && connection; i++) {
        thread->paused_next = TAILQ_NEXT(connection, age);
        stream_connection_unpause(thread, connection);
        connection = thread->paused_next;
    }
    if (thread->hurries)
        event_add(thread->again, &at_once);
    mind_paused(thread);
}

static void tell_again(struct stream_thread *thread)
{
    struct stream_news news;

    while (stream_farewells_next(&thread->farewells, thread->now_s, &news.client)) {
        if (!stream_table_find(&thread->table, &news.client) &&
            stream_news_send(thread->plane, thread->index, &news) != 0)
            stream_farewells_add(&thread->farewells, &news.client, thread->now_s);
    }
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
    struct stream_thread *thread = context;
    uint32_t index;

    (void)fd;
    (void)what;
    look_at_the_clock(thread);
    while ((index = timer_wheel_pop(&thread->timers, thread->now_s)) != INDEX_NONE)
        stream_connection_expire(thread, &thread->table.connections[index]);
    if (thread->accepts_again_s > 0 && thread->now_s >= thread->accepts_again_s) {
        thread->accepts_again_s = 0;
        watch_listeners(thread, EPOLLIN);
    }
    tell_again(thread);
    if (!TAILQ_EMPTY(&thread->untold))
        event_add(thread->again, &shortly);
}

// From the beginning to the end.

static int open_listener(struct stream_thread *thread, uint16_t index)
{
    const struct plane_config *config = &thread->plane->config;
    struct stream_listening *listener = &thread->listeners[thread->listener_count];
    struct epoll_event event = {.data.u64 = listener_tag(thread->listener_count)};
    int error = stream_listener_open(&config->listeners[index], config->stream_thread_count > 1,
                                     &listener->fd);

    if (error)
        return error;
    listener->index = index;
    thread->listener_count++;
    return epoll_ctl(thread->epoll, EPOLL_CTL_ADD, listener->fd, &event) == 0 ? 0 : -errno;
}

static int open_listeners(struct stream_thread *thread)
{
    const struct plane_config *config = &thread->plane->config;
    int error = 0;

    for (unsigned i = config->listener_count; !error && i < plane_listener_total(config); i++) {
        const struct plane_stream_listener *listener = plane_stream_listener(config, i);

        if (listener->thread == thread->index && listener->transport != STREAM_DTLS)
            error = open_listener(thread, (uint16_t)i);
    }
    return error;
}

static bool events_create(struct stream_thread *thread)
{
    int doorbell = stream_doorbell(thread->plane, thread->index);

    thread->doorbell = event_new(thread->base, doorbell, EV_READ | EV_PERSIST, on_doorbell, thread);
    thread->sockets =
        event_new(thread->base, thread->epoll, EV_READ | EV_PERSIST, on_sockets, thread);
    thread->again = evtimer_new(thread->base, on_again, thread);
    thread->second = event_new(thread->base, -1, EV_PERSIST, on_second, thread);
    thread->pause = evtimer_new(thread->base, on_pause_over, thread);
    return thread->doorbell && thread->sockets && thread->again && thread->second && thread->pause;
}

static int memory_create(struct stream_thread *thread)
{
    const struct stream_limits *limits = &thread->limits;

    if (stream_table_init(&thread->table, limits->connections) != 0)
        return -ENOMEM;
    if (stream_sources_init(&thread->sources, limits->connections, limits->per_source) != 0)
        return -ENOMEM;
    if (timer_wheel_init(&thread->timers, limits->connections, TIMER_SPAN_S) != 0)
        return -ENOMEM;
    thread->received = malloc(STREAM_RECEIVE_LEN);
    return thread->received ? 0 : -ENOMEM;
}

static int begin_dtls(struct stream_thread *thread, uint16_t mtu)
{
    const struct dtls_server_config config = {
        .plane = thread->plane,
        .tls = thread->tls,
        .base = thread->base,
        .thread = thread->index,
        .mtu = mtu,
        .associations_max = thread->limits.connections,
        .handshakes_max = thread->limits.half_open,
        .per_source = thread->limits.per_source,
        .quiet_s = thread->limits.quiet_s,
        .idle_s = thread->limits.idle_s,
    };

    return thread->plane->config.dtls ? dtls_server_create(&config, &thread->dtls) : 0;
}

static int set_up(struct stream_thread *thread, uint16_t mtu)
{
    int error = memory_create(thread);

    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!error && thread->epoll < 0)
        error = -errno;
    if (!error)
        error = stream_pipe_init(&thread->pipe);
    if (!error && !events_create(thread))
        error = -ENOMEM;
    if (!error)
        error = begin_dtls(thread, mtu);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "streams", "cannot be set up: %s", strerror(-error));
        return error;
    }
    return open_listeners(thread);
}

int stream_thread_create(const struct stream_thread_config *config,
                         struct stream_thread **ret_thread)
{
    struct stream_thread *thread = aligned_alloc(64, sizeof(*thread));
    int error;

    if (!thread)
        return -ENOMEM;
    *thread = (struct stream_thread){
        .plane = config->plane,
        .tls = config->tls,
        .base = config->base,
        .index = config->index,
        .shares_cpu = config->shares_cpu,
        .limits = config->limits,
        .proxy_sources = config->proxy_sources,
        .proxy_source_count = config->proxy_source_count,
        .epoll = -1,
        .pipe.fds = {-1, -1},
    };
    TAILQ_INIT(&thread->half_open);
    TAILQ_INIT(&thread->quiet);
    TAILQ_INIT(&thread->waiting);
    TAILQ_INIT(&thread->touched);
    TAILQ_INIT(&thread->paused);
    TAILQ_INIT(&thread->untold);
    stream_bandwidth_init(&thread->bandwidth, config->plane);
    error = set_up(thread, config->mtu);
    if (error) {
        stream_thread_destroy(thread);
        return error;
    }
    *ret_thread = thread;
    return 0;
}

void stream_thread_start(struct stream_thread *thread)
{
    look_at_the_clock(thread);
    watch_listeners(thread, EPOLLIN);
    event_add(thread->doorbell, NULL);
    event_add(thread->sockets, NULL);
    event_add(thread->second, &one_second);
    // Looks for frames, and has the doorbell ring for those to come.
    event_add(thread->again, &at_once);
}

void stream_thread_stop(struct stream_thread *thread)
{
    uint64_t one = 1;
    ssize_t ignored;

    __atomic_store_n(&thread->stopping, 1, __ATOMIC_RELEASE);
    ignored = write(stream_doorbell(thread->plane, thread->index), &one, sizeof(one));
    (void)ignored;
}

static void event_done(struct event *event)
{
    if (event)
        event_free(event);
}

static void close_all(struct stream_thread *thread)
{
    for (uint32_t i = 0; i < thread->table.pool.fresh; i++) {
        struct stream_connection *connection = &thread->table.connections[i];

        if (connection->phase != STREAM_PHASE_GONE) {
            connection->has_spoken = false;
            stream_connection_close(thread, connection);
        }
    }
}

void stream_thread_destroy(struct stream_thread *thread)
{
    if (thread->received)
        close_all(thread);
    if (thread->dtls)
        dtls_server_destroy(thread->dtls);
    stream_farewells_done(&thread->farewells);
    event_done(thread->doorbell);
    event_done(thread->sockets);
    event_done(thread->again);
    event_done(thread->second);
    event_done(thread->pause);
    for (unsigned i = 0; i < thread->listener_count; i++)
        close(thread->listeners[i].fd);
    if (thread->epoll >= 0)
        close(thread->epoll);
    stream_pipe_done(&thread->pipe);
    timer_wheel_done(&thread->timers);
    stream_sources_done(&thread->sources);
    stream_table_done(&thread->table);
    free(thread->received);
    free(thread);
}

const struct stream_counters *stream_thread_counters(const struct stream_thread *thread)
{
    return &thread->counters;
}

const struct dtls_counters *stream_thread_dtls_counters(const struct stream_thread *thread)
{
    return thread->dtls ? dtls_server_counters(thread->dtls) : NULL;
}
