// SPDX-License-Identifier: BSD-3-Clause
// A connection's phases, one after the other, and what ends it. Whatever happens to it ends in
// stream_connection_settle(), which says what it waits for: words of its socket and time.
#include "control/stream_connection.h"

#include "control/stream_deadline.h"
#include "control/stream_entrance.h"
#include "control/stream_input.h"
#include "control/stream_join.h"
#include "control/stream_output.h"
#include "exchange/plane.h"
#include "proto/stream_framing.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint32_t index_of(const struct stream_thread *thread,
                         const struct stream_connection *connection)
{
    return stream_table_index(&thread->table, connection);
}

// Lists.

static void leave_half_open(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_half_open)
        return;
    TAILQ_REMOVE(&thread->half_open, connection, age);
    thread->half_open_count--;
    connection->is_half_open = false;
}

static void leave_quiet(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_quiet)
        return;
    TAILQ_REMOVE(&thread->quiet, connection, age);
    connection->is_quiet = false;
}

void stream_connection_wait(struct stream_thread *thread, struct stream_connection *connection)
{
    if (connection->is_waiting)
        return;
    TAILQ_INSERT_TAIL(&thread->waiting, connection, waiting);
    connection->is_waiting = true;
}

static void enter_paused(struct stream_thread *thread, struct stream_connection *connection)
{
    if (connection->is_paused)
        return;
    TAILQ_INSERT_TAIL(&thread->paused, connection, age);
    connection->is_paused = true;
    stream_count(&thread->counters.joined_pauses, 1);
}

static void leave_paused(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_paused)
        return;
    if (thread->paused_next == connection)
        thread->paused_next = TAILQ_NEXT(connection, age);
    TAILQ_REMOVE(&thread->paused, connection, age);
    connection->is_paused = false;
}

static void leave_lists(struct stream_thread *thread, struct stream_connection *connection)
{
    leave_half_open(thread, connection);
    leave_quiet(thread, connection);
    leave_paused(thread, connection);
    if (connection->is_waiting)
        TAILQ_REMOVE(&thread->waiting, connection, waiting);
    connection->is_waiting = false;
    if (connection->is_touched)
        TAILQ_REMOVE(&thread->touched, connection, touched);
    connection->is_touched = false;
}

// The end.

static void forget(struct stream_thread *thread, struct stream_connection *connection)
{
    if (connection->is_listed)
        stream_table_remove(&thread->table, connection);
    stream_table_give(&thread->table, connection);
}

bool stream_connection_tell(struct stream_thread *thread, struct stream_connection *connection)
{
    const struct stream_news news = {.client = connection->client};

    if (stream_news_send(thread->plane, thread->index, &news) != 0)
        return false;
    stream_farewells_add(&thread->farewells, &connection->client, thread->now_s);
    forget(thread, connection);
    return true;
}

void stream_connection_close(struct stream_thread *thread, struct stream_connection *connection)
{
    int ignored;

    if (connection->phase == STREAM_PHASE_OPEN)
        stream_output_write(thread, connection, &ignored);
    if (connection->join)
        stream_join_destroy(connection->join);
    stream_socket_close(&connection->socket);
    stream_buffer_done(&connection->in);
    stream_buffer_done(&connection->out);
    leave_lists(thread, connection);
    timer_wheel_cancel(&thread->timers, index_of(thread, connection));
    if (connection->is_counted)
        stream_sources_give(&thread->sources, &connection->client.address.ip);
    stream_count(&thread->counters.connections, UINT64_MAX);
    connection->phase = STREAM_PHASE_GONE;
    if (!connection->has_spoken)
        forget(thread, connection);
    else if (!stream_connection_tell(thread, connection))
        TAILQ_INSERT_TAIL(&thread->untold, connection, waiting);
}

void stream_connection_close_for(struct stream_thread *thread, struct stream_connection *connection,
                                 uint64_t *counter)
{
    stream_count(counter, 1);
    stream_connection_close(thread, connection);
}

// Time.

// A timer may be early, never late: it is set anew when it fires.
static void set_timer(struct stream_thread *thread, const struct stream_connection *connection)
{
    uint32_t index = index_of(thread, connection);
    uint32_t due_s = stream_deadline_s(thread, connection);

    if (connection->phase == STREAM_PHASE_JOINED) {
        timer_wheel_cancel(&thread->timers, index); // the allocation's end is theirs
        return;
    }
    if (!timer_wheel_runs(&thread->timers, index) ||
        timer_wheel_deadline_s(&thread->timers, index) > due_s)
        timer_wheel_set(&thread->timers, index, thread->now_s, due_s);
}

void stream_connection_expire(struct stream_thread *thread, struct stream_connection *connection)
{
    if (stream_deadline_s(thread, connection) > thread->now_s)
        set_timer(thread, connection);
    else
        stream_connection_close_for(thread, connection,
                                    stream_deadline_counter(thread, connection));
}

// What it waits for.

static uint32_t wanted_events(const struct stream_connection *connection)
{
    bool reads = !connection->is_blocked && !connection->is_binding;
    bool writes =
        stream_output_len(connection) > 0 || stream_socket_wants_write(&connection->socket);

    return (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
}

uint64_t stream_connection_tag(const struct stream_thread *thread,
                               const struct stream_connection *connection, enum stream_tag tag)
{
    const struct stream_tagged tagged = {index_of(thread, connection), connection->generation, tag};

    return stream_tag_write(&tagged);
}

void stream_connection_settle(struct stream_thread *thread, struct stream_connection *connection)
{
    struct epoll_event event = {
        .events = wanted_events(connection),
        .data.u64 = stream_connection_tag(thread, connection, STREAM_TAG_CLIENT),
    };

    if (event.events != connection->interest)
        epoll_ctl(thread->epoll, EPOLL_CTL_MOD, connection->socket.fd, &event);
    connection->interest = event.events;
    set_timer(thread, connection);
}

// Joined with a peer (RFC 6062 section 4.3).

// In the place of epoll's events, of a socket that epoll does not know.
#define UNWATCHED EPOLLONESHOT

// epoll tells of a socket's end whatever it is asked for, and as often as it is asked.
static void unwatch(struct stream_thread *thread, int fd, uint32_t *interest)
{
    epoll_ctl(thread->epoll, EPOLL_CTL_DEL, fd, NULL);
    *interest = UNWATCHED;
}

static void watch_joined(struct stream_thread *thread, int fd, bool is_done, uint64_t tag,
                         uint32_t events, uint32_t *interest)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};
    bool is_watched = *interest != UNWATCHED;

    if (is_done && is_watched)
        unwatch(thread, fd, interest);
    if (is_done || events == *interest || (events == 0 && !is_watched))
        return;
    epoll_ctl(thread->epoll, is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    *interest = events;
}

static int carry_joined(struct stream_thread *thread, struct stream_join *join)
{
    const struct stream_join_room room = {thread->received, STREAM_RECEIVE_LEN, &thread->pipe,
                                          &thread->bandwidth};
    uint64_t to_peer_bytes = join->to_peer.bytes, to_client_bytes = join->to_client.bytes;
    int error = stream_join_carry(join, &room);

    stream_count(&thread->counters.joined_to_peer_bytes, join->to_peer.bytes - to_peer_bytes);
    stream_count(&thread->counters.joined_to_client_bytes, join->to_client.bytes - to_client_bytes);
    return error;
}

static void serve_joined(struct stream_thread *thread, struct stream_connection *connection)
{
    struct stream_join *join = connection->join;

    if (carry_joined(thread, join) != 0) {
        stream_connection_close(thread, connection);
        return;
    }
    watch_joined(thread, connection->socket.fd, stream_join_client_is_done(join),
                 stream_connection_tag(thread, connection, STREAM_TAG_CLIENT),
                 stream_join_client_events(join), &connection->interest);
    watch_joined(thread, join->peer.fd, stream_join_peer_is_done(join),
                 stream_connection_tag(thread, connection, STREAM_TAG_PEER),
                 stream_join_peer_events(join), &join->interest);
    set_timer(thread, connection);
    if (stream_join_is_paused(join))
        enter_paused(thread, connection);
    if ((connection->interest & EPOLLIN) && stream_socket_has_pending(&connection->socket)) {
        thread->hurries = true;
        stream_connection_wait(thread, connection);
    }
}

// The answer to the ConnectionBind has gone; what the client has sent behind it is the peer's.
static void begin_joined(struct stream_thread *thread, struct stream_connection *connection)
{
    struct stream_join *join = connection->join;
    struct epoll_event event = {.data.u64 =
                                    stream_connection_tag(thread, connection, STREAM_TAG_PEER)};

    leave_quiet(thread, connection);
    connection->phase = STREAM_PHASE_JOINED;
    join->to_peer.waiting = connection->in;
    join->to_peer.bytes = connection->in.len;
    stream_count(&thread->counters.joined, 1);
    stream_count(&thread->counters.joined_to_peer_bytes, connection->in.len);
    stream_bandwidth_spend(&thread->bandwidth, join->account, DIRECTION_TO_PEER,
                           connection->in.len);
    connection->in = (struct stream_buffer){0};
    if (epoll_ctl(thread->epoll, EPOLL_CTL_ADD, join->peer.fd, &event) == 0)
        serve_joined(thread, connection);
    else
        stream_connection_close_for(thread, connection, &thread->counters.no_memory);
}

static void flush(struct stream_thread *thread, struct stream_connection *connection)
{
    int error = 0;
    bool is_all = stream_output_write(thread, connection, &error);

    if (is_all && connection->join && connection->is_bound)
        begin_joined(thread, connection);
    else if (is_all || error == -EAGAIN)
        stream_connection_settle(thread, connection);
    else
        stream_connection_close(thread, connection);
}

static void serve_open(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_blocked && !connection->is_binding &&
        stream_input_receive(thread, connection) != 0) {
        stream_connection_close(thread, connection);
        return;
    }
    flush(thread, connection);
}

void stream_connection_resume(struct stream_thread *thread, struct stream_connection *connection)
{
    enum stream_cut cut;

    if (connection->phase == STREAM_PHASE_JOINED) {
        serve_joined(thread, connection);
        return;
    }
    cut = stream_input_take_waiting(thread, connection);
    if (cut == STREAM_CUT_BAD)
        stream_connection_close(thread, connection);
    else if (cut == STREAM_CUT_WAIT)
        stream_connection_settle(thread, connection);
    else
        serve_open(thread, connection);
}

// The beginning.

void stream_connection_enter(struct stream_thread *thread, struct stream_connection *connection,
                             enum stream_phase phase)
{
    connection->phase = (uint8_t)phase;
    connection->since_s = thread->now_s;
    connection->heard_s = thread->now_s;
}

void stream_connection_open(struct stream_thread *thread, struct stream_connection *connection)
{
    leave_half_open(thread, connection);
    stream_connection_enter(thread, connection, STREAM_PHASE_OPEN);
    TAILQ_INSERT_TAIL(&thread->quiet, connection, age);
    connection->is_quiet = true;
    serve_open(thread, connection);
}

void stream_connection_unpause(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!stream_join_unpause(connection->join, &thread->bandwidth))
        return;
    leave_paused(thread, connection);
    serve_joined(thread, connection);
}

// Both ways of this socket have ended, and what there is in it yet is read later, if the other
// end takes its time or there is no bandwidth.
static bool is_put_off(uint32_t events, uint32_t interest)
{
    return (events & (EPOLLERR | EPOLLHUP)) == EPOLLHUP && !(interest & (EPOLLIN | EPOLLOUT));
}

void stream_connection_serve(struct stream_thread *thread, struct stream_connection *connection,
                             uint32_t events)
{
    bool reads = connection->interest & EPOLLIN;

    if (connection->phase == STREAM_PHASE_JOINED && is_put_off(events, connection->interest))
        unwatch(thread, connection->socket.fd, &connection->interest);
    // Nobody would read what ended it.
    else if ((events & (EPOLLERR | EPOLLHUP)) && !reads)
        stream_connection_close(thread, connection);
    else if (connection->phase == STREAM_PHASE_PROXY || connection->phase == STREAM_PHASE_HANDSHAKE)
        stream_entrance_serve(thread, connection);
    else if (connection->phase == STREAM_PHASE_JOINED)
        serve_joined(thread, connection);
    else
        serve_open(thread, connection);
}

void stream_connection_serve_peer(struct stream_thread *thread,
                                  struct stream_connection *connection, uint32_t events)
{
    struct stream_join *join = connection->join;

    if (is_put_off(events, join->interest))
        unwatch(thread, join->peer.fd, &join->interest);
    else if ((events & (EPOLLERR | EPOLLHUP)) && !(join->interest & EPOLLIN))
        stream_connection_close(thread, connection);
    else
        serve_joined(thread, connection);
}

void stream_connection_join(struct stream_thread *thread, struct stream_connection *connection,
                            const struct stream_order *order)
{
    bool is_expected = connection->phase == STREAM_PHASE_OPEN && connection->is_binding;

    if (is_expected && !connection->join)
        connection->join = stream_join_create(&connection->socket, order->socket, order->account);
    if (connection->join && connection->join->peer.fd == order->socket) {
        flush(thread, connection);
        return;
    }
    close(order->socket);
    stream_account_give(order->account);
    stream_connection_close(thread, connection);
}

// Messages for the client.

static void notice(struct stream_thread *thread, struct stream_connection *connection,
                   struct span message)
{
    if (stream_message_is(message, STUN_ALLOCATE_SUCCESS_TYPE)) {
        connection->has_allocation = true;
        stream_socket_give_ticket(&connection->socket);
        leave_quiet(thread, connection);
    }
    connection->is_bound |= stream_message_is(message, STUN_CONNECTION_BIND_SUCCESS_TYPE);
    if (stream_message_is(message, STUN_CONNECTION_BIND_ERROR_TYPE)) {
        connection->is_binding = false;
        stream_connection_wait(thread, connection);
    }
}

void stream_connection_send(struct stream_thread *thread, struct stream_connection *connection,
                            struct span message)
{
    if (connection->phase != STREAM_PHASE_OPEN) {
        stream_count(&thread->counters.no_connection, 1);
        return;
    }
    notice(thread, connection, message);
    if (!stream_output_put(thread, connection, message))
        return;
    if (!connection->is_touched)
        TAILQ_INSERT_TAIL(&thread->touched, connection, touched);
    connection->is_touched = true;
}

void stream_connection_flush(struct stream_thread *thread, struct stream_connection *connection)
{
    flush(thread, connection);
}
