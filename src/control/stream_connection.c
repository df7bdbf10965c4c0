// SPDX-License-Identifier: BSD-3-Clause
// A connection's phases, one after the other, and what ends it. Whatever happens to it ends in
// settle(), which says what it waits for: words of its socket and time.
#include "control/stream_connection.h"

#include "control/stream_join.h"
#include "control/tls_contexts.h"
#include "exchange/client_home.h"
#include "exchange/plane.h"
#include "proto/channel_data.h"
#include "proto/proxy_header.h"
#include "proto/stream_framing.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <unistd.h>

// Of a client without an allocation. Its requests are shorter; what other protocols begin with may
// look like long ChannelData.
#define STRANGERS_MESSAGE_MAX_LEN 4096
// Bytes of one connection in one turn.
#define TURN_LEN (64 * 1024)

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

static void wait_for_turn(struct stream_thread *thread, struct stream_connection *connection)
{
    if (connection->is_waiting)
        return;
    TAILQ_INSERT_TAIL(&thread->waiting, connection, waiting);
    connection->is_waiting = true;
}

static void leave_lists(struct stream_thread *thread, struct stream_connection *connection)
{
    leave_half_open(thread, connection);
    leave_quiet(thread, connection);
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

// What waits to be sent.
static uint32_t out_len(const struct stream_connection *connection)
{
    return connection->out.len + connection->socket.sealed.len;
}

// True: there is nothing left to write.
static bool write_out(struct stream_thread *thread, struct stream_connection *connection,
                      int *ret_error)
{
    int error = 0;

    while (!error && connection->out.len > 0) {
        struct span bytes = stream_buffer_bytes(&connection->out);
        size_t written;

        error = stream_socket_write_messages(&connection->socket, bytes.data, bytes.len, &written);
        stream_count(&thread->counters.writes, 1);
        if (error)
            break;
        stream_buffer_consume(&connection->out, written);
        connection->stuck_s = thread->now_s;
    }
    if (!error)
        error = stream_socket_flush(&connection->socket);
    *ret_error = error;
    return !error;
}

void stream_connection_close(struct stream_thread *thread, struct stream_connection *connection)
{
    int ignored;

    if (connection->phase == STREAM_PHASE_OPEN)
        write_out(thread, connection, &ignored);
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

static void close_for(struct stream_thread *thread, struct stream_connection *connection,
                      uint64_t *counter)
{
    stream_count(counter, 1);
    stream_connection_close(thread, connection);
}

// Time.

static uint32_t sooner(uint32_t one_s, uint32_t other_s, bool is_meant)
{
    return is_meant && other_s < one_s ? other_s : one_s;
}

static bool waits_for_rest(const struct stream_connection *connection)
{
    return connection->in.len > 0 && !connection->is_blocked && !connection->is_binding;
}

static uint32_t idle_deadline_s(const struct stream_thread *thread,
                                const struct stream_connection *connection)
{
    const struct stream_limits *limits = &thread->limits;

    return connection->heard_s + (connection->has_allocation ? limits->idle_s : limits->quiet_s);
}

static uint32_t deadline_s(const struct stream_thread *thread,
                           const struct stream_connection *connection)
{
    const struct stream_limits *limits = &thread->limits;
    uint32_t due_s;

    if (connection->phase == STREAM_PHASE_PROXY)
        return connection->since_s + limits->proxy_s;
    if (connection->phase == STREAM_PHASE_HANDSHAKE)
        return connection->since_s + limits->handshake_s;
    due_s = idle_deadline_s(thread, connection);
    due_s = sooner(due_s, connection->frame_s + limits->frame_s, waits_for_rest(connection));
    due_s = sooner(due_s, connection->bound_s + limits->frame_s, connection->is_binding);
    return sooner(due_s, connection->stuck_s + limits->stuck_s, out_len(connection) > 0);
}

static uint64_t *expiry_counter(struct stream_thread *thread,
                                const struct stream_connection *connection)
{
    struct stream_counters *counters = &thread->counters;

    if (connection->phase != STREAM_PHASE_OPEN)
        return &counters->handshake_timeouts;
    if (out_len(connection) > 0 &&
        deadline_s(thread, connection) == connection->stuck_s + thread->limits.stuck_s)
        return &counters->stuck;
    return idle_deadline_s(thread, connection) <= thread->now_s ? &counters->idle_timeouts
                                                                : &counters->frame_timeouts;
}

// A timer may be early, never late: it is set anew when it fires.
static void set_timer(struct stream_thread *thread, const struct stream_connection *connection)
{
    uint32_t index = index_of(thread, connection);
    uint32_t due_s = deadline_s(thread, connection);

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
    if (deadline_s(thread, connection) > thread->now_s)
        set_timer(thread, connection);
    else
        close_for(thread, connection, expiry_counter(thread, connection));
}

// What it waits for.

static uint32_t wanted_events(const struct stream_connection *connection)
{
    bool reads = !connection->is_blocked && !connection->is_binding;
    bool writes = out_len(connection) > 0 || stream_socket_wants_write(&connection->socket);

    return (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
}

static uint64_t tag_of(const struct stream_thread *thread,
                       const struct stream_connection *connection, enum stream_tag tag)
{
    const struct stream_tagged tagged = {index_of(thread, connection), connection->generation, tag};

    return stream_tag_write(&tagged);
}

static void settle(struct stream_thread *thread, struct stream_connection *connection)
{
    struct epoll_event event = {
        .events = wanted_events(connection),
        .data.u64 = tag_of(thread, connection, STREAM_TAG_CLIENT),
    };

    if (event.events != connection->interest)
        epoll_ctl(thread->epoll, EPOLL_CTL_MOD, connection->socket.fd, &event);
    connection->interest = event.events;
    set_timer(thread, connection);
}

// Messages of the client's.

enum cut {
    CUT_ALL,  // whole messages, that is
    CUT_WAIT, // for a worker to make room, or for the answer to a ConnectionBind
    CUT_BAD,
};

static bool is_of_type(struct span message, uint16_t type)
{
    return message.len >= STUN_HEADER_LEN && load_be16(message.data) == type;
}

// 0, also for what is dropped; else try again.
static int pass_on(struct stream_thread *thread, struct stream_connection *connection,
                   struct span message)
{
    const struct client_key *client = &connection->client;
    uint16_t worker = client_home(client->address.ip.bytes, client->address.port,
                                  thread->plane->config.worker_count);
    int error = stream_send_message(thread->plane, thread->index, worker, client, message);

    if (error == -EMSGSIZE) {
        stream_count(&thread->counters.too_long, 1);
        return 0;
    }
    if (error)
        return error;
    connection->has_spoken = true;
    stream_count(&thread->counters.messages_in, 1);
    stream_count(&thread->counters.bytes_in, message.len);
    return 0;
}

static size_t message_max_len(const struct stream_connection *connection)
{
    return connection->has_allocation ? STREAM_FRAME_MAX_LEN : STRANGERS_MESSAGE_MAX_LEN;
}

// *ret_len: bytes that are done with.
static enum cut cut_messages(struct stream_thread *thread, struct stream_connection *connection,
                             struct span bytes, size_t *ret_len)
{
    struct stream_frame frame;
    enum stream_frame_verdict verdict;

    for (*ret_len = 0; *ret_len < bytes.len; *ret_len += frame.framed_len) {
        struct span rest = {bytes.data + *ret_len, bytes.len - *ret_len};

        if (connection->is_binding)
            return CUT_WAIT;
        verdict = stream_frame_next(rest, message_max_len(connection),
                                    thread->plane->config.rfc5766_channels, &frame);
        if (verdict != STREAM_FRAME_WHOLE)
            return verdict == STREAM_FRAME_BAD ? CUT_BAD : CUT_ALL;
        connection->is_blocked = pass_on(thread, connection, frame.message) != 0;
        if (connection->is_blocked)
            return CUT_WAIT;
        connection->frame_s = thread->now_s;
        if (is_of_type(frame.message, STUN_CONNECTION_BIND_REQUEST_TYPE)) {
            connection->is_binding = true;
            connection->bound_s = thread->now_s;
        }
    }
    return CUT_ALL;
}

// Bytes that begin with what waits already. Those that are not done with wait from here on.
static enum cut take_bytes(struct stream_thread *thread, struct stream_connection *connection,
                           struct span bytes)
{
    size_t len, waited_len = connection->in.len;
    enum cut cut = cut_messages(thread, connection, bytes, &len);
    struct span rest = {bytes.data + len, bytes.len - len};

    if (cut == CUT_BAD) {
        stream_count(&thread->counters.bad_framing, 1);
        return cut;
    }
    if (len == 0 && waited_len > 0)
        rest = (struct span){bytes.data + waited_len, bytes.len - waited_len};
    else
        stream_buffer_done(&connection->in);
    if (waited_len == 0 || len > 0)
        connection->frame_s = thread->now_s;
    if (stream_buffer_append(&connection->in, rest, 0) != 0) {
        stream_count(&thread->counters.no_memory, 1);
        return CUT_BAD;
    }
    if (connection->is_blocked)
        wait_for_turn(thread, connection);
    return cut;
}

// Whatever waits is given to the workers first. False: it has to wait on, or the connection is bad.
static enum cut take_waiting(struct stream_thread *thread, struct stream_connection *connection)
{
    struct span bytes = stream_buffer_bytes(&connection->in);
    size_t len;
    enum cut cut;

    connection->is_blocked = false;
    cut = cut_messages(thread, connection, bytes, &len);
    if (len > 0) {
        stream_buffer_consume(&connection->in, len);
        connection->frame_s = thread->now_s;
    }
    if (cut == CUT_BAD)
        stream_count(&thread->counters.bad_framing, 1);
    if (connection->is_blocked)
        wait_for_turn(thread, connection);
    return cut;
}

// 0: done for now; else the connection is over.
static int receive(struct stream_thread *thread, struct stream_connection *connection)
{
    size_t taken_len = 0;

    while (taken_len < TURN_LEN) {
        size_t start = connection->in.len, room = STREAM_RECEIVE_LEN - start, len;
        int error = stream_socket_read(&connection->socket, thread->received + start, room, &len);
        enum cut cut;

        stream_count(&thread->counters.reads, 1);
        if (error == -EAGAIN)
            return 0;
        if (error || len == 0)
            return error ? error : -ECONNRESET;
        if (start > 0)
            memcpy(thread->received, stream_buffer_bytes(&connection->in).data, start);
        connection->heard_s = thread->now_s;
        taken_len += len;
        cut = take_bytes(thread, connection, (struct span){thread->received, start + len});
        if (cut == CUT_BAD)
            return -EPROTO;
        if (cut == CUT_WAIT)
            return 0;
        if (!connection->socket.ssl && len < room)
            return 0;
    }
    // What OpenSSL has read already, no event tells of.
    if (stream_socket_has_pending(&connection->socket)) {
        thread->hurries = true;
        wait_for_turn(thread, connection);
    }
    return 0;
}

// Joined with a peer (RFC 6062 section 4.3).

static void watch_joined(struct stream_thread *thread, int fd, bool is_done, uint64_t tag,
                         uint32_t events, uint32_t *interest)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};

    if (is_done)
        epoll_ctl(thread->epoll, EPOLL_CTL_DEL, fd, NULL);
    else if (events != *interest)
        epoll_ctl(thread->epoll, EPOLL_CTL_MOD, fd, &event);
    *interest = events;
}

static int carry_joined(struct stream_thread *thread, struct stream_join *join)
{
    const struct stream_join_room room = {thread->received, STREAM_RECEIVE_LEN, &thread->pipe};
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
                 tag_of(thread, connection, STREAM_TAG_CLIENT), stream_join_client_events(join),
                 &connection->interest);
    watch_joined(thread, join->peer.fd, stream_join_peer_is_done(join),
                 tag_of(thread, connection, STREAM_TAG_PEER), stream_join_peer_events(join),
                 &join->interest);
    set_timer(thread, connection);
    if ((connection->interest & EPOLLIN) && stream_socket_has_pending(&connection->socket)) {
        thread->hurries = true;
        wait_for_turn(thread, connection);
    }
}

// The answer to the ConnectionBind has gone; what the client has sent behind it is the peer's.
static void begin_joined(struct stream_thread *thread, struct stream_connection *connection)
{
    struct stream_join *join = connection->join;
    struct epoll_event event = {.data.u64 = tag_of(thread, connection, STREAM_TAG_PEER)};

    leave_quiet(thread, connection);
    connection->phase = STREAM_PHASE_JOINED;
    join->to_peer.waiting = connection->in;
    join->to_peer.bytes = connection->in.len;
    stream_count(&thread->counters.joined, 1);
    stream_count(&thread->counters.joined_to_peer_bytes, connection->in.len);
    connection->in = (struct stream_buffer){0};
    if (epoll_ctl(thread->epoll, EPOLL_CTL_ADD, join->peer.fd, &event) == 0)
        serve_joined(thread, connection);
    else
        close_for(thread, connection, &thread->counters.no_memory);
}

static void flush(struct stream_thread *thread, struct stream_connection *connection)
{
    int error = 0;
    bool is_all = write_out(thread, connection, &error);

    if (is_all && connection->join && connection->is_bound)
        begin_joined(thread, connection);
    else if (is_all || error == -EAGAIN)
        settle(thread, connection);
    else
        stream_connection_close(thread, connection);
}

static void serve_open(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_blocked && !connection->is_binding && receive(thread, connection) != 0) {
        stream_connection_close(thread, connection);
        return;
    }
    flush(thread, connection);
}

void stream_connection_resume(struct stream_thread *thread, struct stream_connection *connection)
{
    enum cut cut;

    if (connection->phase == STREAM_PHASE_JOINED) {
        serve_joined(thread, connection);
        return;
    }
    cut = take_waiting(thread, connection);
    if (cut == CUT_BAD)
        stream_connection_close(thread, connection);
    else if (cut == CUT_WAIT)
        settle(thread, connection);
    else
        serve_open(thread, connection);
}

// The beginning.

static void enter(struct stream_thread *thread, struct stream_connection *connection,
                  enum stream_phase phase)
{
    connection->phase = (uint8_t)phase;
    connection->since_s = thread->now_s;
    connection->heard_s = thread->now_s;
}

static void open_connection(struct stream_thread *thread, struct stream_connection *connection)
{
    leave_half_open(thread, connection);
    enter(thread, connection, STREAM_PHASE_OPEN);
    TAILQ_INSERT_TAIL(&thread->quiet, connection, age);
    connection->is_quiet = true;
    serve_open(thread, connection);
}

static void shake(struct stream_thread *thread, struct stream_connection *connection)
{
    int error = stream_socket_shake(&connection->socket);

    if (error == -EAGAIN) {
        settle(thread, connection);
    } else if (error) {
        close_for(thread, connection, &thread->counters.handshake_failures);
    } else {
        stream_count(&thread->counters.handshakes, 1);
        open_connection(thread, connection);
    }
}

static bool secure(struct stream_thread *thread, struct stream_connection *connection)
{
    SSL *ssl = tls_contexts_new_ssl(thread->tls, TLS_STREAM);

    if (ssl && stream_socket_secure(&connection->socket, ssl))
        return true;
    SSL_free(ssl);
    return false;
}

// Its client is known.
static void begin_content(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_tls) {
        open_connection(thread, connection);
    } else if (!secure(thread, connection)) {
        close_for(thread, connection, &thread->counters.handshake_failures);
    } else {
        enter(thread, connection, STREAM_PHASE_HANDSHAKE);
        shake(thread, connection);
    }
}

// One client has one connection. Where the kernel says who a client is, the older one is dead, and
// it is only that we have not heard so yet; a proxy may be wrong, or lie.
static bool replaces(struct stream_thread *thread, const struct stream_connection *connection)
{
    struct stream_connection *older = stream_table_find(&thread->table, &connection->client);

    if (!older)
        return true;
    if (older->phase == STREAM_PHASE_GONE || older->is_proxied || connection->is_proxied)
        return false;
    stream_connection_close(thread, older);
    return stream_table_find(&thread->table, &connection->client) == NULL;
}

// False: it is not to be served.
static bool identify(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!replaces(thread, connection)) {
        stream_count(&thread->counters.refused_proxy, 1);
        return false;
    }
    if (!stream_sources_take(&thread->sources, &connection->client.address.ip)) {
        stream_count(&thread->counters.refused_full, 1);
        return false;
    }
    connection->is_counted = true;
    stream_table_insert(&thread->table, connection);
    connection->is_listed = true;
    return true;
}

// The header of a proxy.

static bool is_zero(const uint8_t *bytes, unsigned len)
{
    unsigned set = 0;

    for (unsigned i = 0; i < len; i++)
        set |= bytes[i];
    return set == 0;
}

// Could somebody's connection come from there? An IPv4 address in IPv6's clothes would be a second
// name for a client.
static bool is_somebody(const struct transport_address *address)
{
    const uint8_t *bytes = address->ip.bytes;

    if (address->port == 0 || is_zero(bytes, ip_address_len(&address->ip)))
        return false;
    if (address->ip.family == IP_FAMILY_V4)
        return bytes[0] < 224;
    return bytes[0] != 0xFF && !(is_zero(bytes, 10) && bytes[10] == 0xFF && bytes[11] == 0xFF);
}

static void take_proxy_header(struct stream_thread *thread, struct stream_connection *connection,
                              enum proxy_header_verdict verdict, const struct proxy_header *header)
{
    stream_buffer_done(&connection->in);
    if (verdict == PROXY_HEADER_PROXIED) {
        connection->client.address = header->source;
        connection->is_proxied = true;
    }
    if (verdict == PROXY_HEADER_BAD || !is_somebody(&connection->client.address))
        close_for(thread, connection, &thread->counters.refused_proxy);
    else if (!identify(thread, connection))
        stream_connection_close(thread, connection);
    else
        begin_content(thread, connection);
}

// Not a byte more than the header is read: what follows is TLS's, or the kernel's to keep.
static void read_proxy_header(struct stream_thread *thread, struct stream_connection *connection)
{
    for (;;) {
        struct proxy_header header = {0};
        enum proxy_header_verdict verdict =
            proxy_header_parse(stream_buffer_bytes(&connection->in), &header);
        struct span more = {.data = thread->received};
        int error;

        if (verdict != PROXY_HEADER_NEED_MORE) {
            take_proxy_header(thread, connection, verdict, &header);
            return;
        }
        error = stream_socket_read(&connection->socket, thread->received,
                                   header.len - connection->in.len, &more.len);
        if (error == -EAGAIN) {
            settle(thread, connection);
            return;
        }
        if (error || more.len == 0 || stream_buffer_append(&connection->in, more, 0) != 0) {
            close_for(thread, connection, &thread->counters.refused_proxy);
            return;
        }
    }
}

static bool is_proxy(const struct stream_thread *thread, const struct ip_address *ip)
{
    for (unsigned i = 0; i < thread->proxy_source_count; i++) {
        if (ip_prefix_contains(&thread->proxy_sources[i], ip))
            return true;
    }
    return false;
}

// What has not proved to be a client gives way to what may be one, the oldest first: good
// connections are quick, and so get through a flood.
static void make_room(struct stream_thread *thread)
{
    struct stream_connection *oldest = NULL;

    if (thread->half_open_count >= thread->limits.half_open)
        oldest = TAILQ_FIRST(&thread->half_open);
    else if (index_pool_free(&thread->table.pool) == 0)
        oldest = TAILQ_EMPTY(&thread->half_open) ? TAILQ_FIRST(&thread->quiet)
                                                 : TAILQ_FIRST(&thread->half_open);
    if (oldest)
        close_for(thread, oldest, &thread->counters.gave_way);
}

static bool watch(struct stream_thread *thread, struct stream_connection *connection)
{
    struct epoll_event event = {
        .events = EPOLLIN,
        .data.u64 = tag_of(thread, connection, STREAM_TAG_CLIENT),
    };

    connection->interest = event.events;
    return epoll_ctl(thread->epoll, EPOLL_CTL_ADD, connection->socket.fd, &event) == 0;
}

static uint8_t transport_of(const struct stream_thread *thread, uint16_t listener)
{
    return plane_stream_listener(&thread->plane->config, listener)->transport;
}

void stream_connection_begin(struct stream_thread *thread, int fd,
                             const struct transport_address *source, uint16_t listener)
{
    struct stream_connection *connection;

    stream_count(&thread->counters.accepted, 1);
    make_room(thread);
    connection = stream_table_take(&thread->table);
    if (!connection) {
        stream_count(&thread->counters.refused_full, 1);
        close(fd);
        return;
    }
    stream_count(&thread->counters.connections, 1);
    connection->socket.fd = fd;
    thread->generation = (thread->generation + 1) % STREAM_GENERATIONS;
    connection->generation = thread->generation;
    connection->client = (struct client_key){*source, listener};
    connection->is_tls = transport_of(thread, listener) == STREAM_TLS;
    TAILQ_INSERT_TAIL(&thread->half_open, connection, age);
    connection->is_half_open = true;
    thread->half_open_count++;
    enter(thread, connection, STREAM_PHASE_PROXY);
    if (!watch(thread, connection))
        close_for(thread, connection, &thread->counters.no_memory);
    else if (is_proxy(thread, &source->ip))
        read_proxy_header(thread, connection);
    else if (!identify(thread, connection))
        stream_connection_close(thread, connection);
    else
        begin_content(thread, connection);
}

void stream_connection_serve(struct stream_thread *thread, struct stream_connection *connection,
                             uint32_t events)
{
    bool reads = connection->interest & EPOLLIN;

    // Nobody would read what ended it.
    if ((events & (EPOLLERR | EPOLLHUP)) && !reads)
        stream_connection_close(thread, connection);
    else if (connection->phase == STREAM_PHASE_PROXY)
        read_proxy_header(thread, connection);
    else if (connection->phase == STREAM_PHASE_HANDSHAKE)
        shake(thread, connection);
    else if (connection->phase == STREAM_PHASE_JOINED)
        serve_joined(thread, connection);
    else
        serve_open(thread, connection);
}

void stream_connection_serve_peer(struct stream_thread *thread,
                                  struct stream_connection *connection, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) && !(connection->join->interest & EPOLLIN))
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

// Media, that is: whoever sent it does not count on its coming.
static bool may_be_lost(struct span message)
{
    return (message.data[0] & 0xC0) != 0 || is_of_type(message, STUN_DATA_INDICATION_TYPE);
}

static bool has_room(const struct stream_thread *thread, const struct stream_connection *connection,
                     struct span message)
{
    uint64_t limit = thread->limits.out_len;

    return out_len(connection) + message.len <= (may_be_lost(message) ? limit : 2 * limit);
}

static void notice(struct stream_thread *thread, struct stream_connection *connection,
                   struct span message)
{
    if (is_of_type(message, STUN_ALLOCATE_SUCCESS_TYPE)) {
        connection->has_allocation = true;
        leave_quiet(thread, connection);
    }
    connection->is_bound |= is_of_type(message, STUN_CONNECTION_BIND_SUCCESS_TYPE);
    if (is_of_type(message, STUN_CONNECTION_BIND_ERROR_TYPE)) {
        connection->is_binding = false;
        wait_for_turn(thread, connection);
    }
}

void stream_connection_send(struct stream_thread *thread, struct stream_connection *connection,
                            struct span message)
{
    unsigned padding = channel_data_stream_padding(message.len);

    if (connection->phase != STREAM_PHASE_OPEN) {
        stream_count(&thread->counters.no_connection, 1);
        return;
    }
    notice(thread, connection, message);
    if (!has_room(thread, connection, message)) {
        stream_count(&thread->counters.slow_reader, 1);
        return;
    }
    if (out_len(connection) == 0)
        connection->stuck_s = thread->now_s;
    if (stream_buffer_append(&connection->out, message, padding) != 0) {
        stream_count(&thread->counters.no_memory, 1);
        return;
    }
    stream_count(&thread->counters.messages_out, 1);
    stream_count(&thread->counters.bytes_out, message.len + padding);
    if (!connection->is_touched)
        TAILQ_INSERT_TAIL(&thread->touched, connection, touched);
    connection->is_touched = true;
}

void stream_connection_flush(struct stream_thread *thread, struct stream_connection *connection)
{
    flush(thread, connection);
}
