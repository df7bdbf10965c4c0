// SPDX-License-Identifier: BSD-3-Clause
// Bytes between two sockets, by way of a room or a pipe that are there already; what does not go on
// at once gets memory of its own. Few bytes cost less by the room, many by the pipe.
#include "control/stream_join.h"

#include "control/tcp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>

// Reads of one end in one turn.
#define READS_PER_TURN 8
// From so many bytes at a time on the next ones go by the pipe, if both ends are plain TCP.
#define BULK_LEN 32768

struct stream_join *stream_join_create(struct stream_socket *client, int peer,
                                       struct stream_account *account)
{
    struct stream_join *join = calloc(1, sizeof(*join));

    if (!join)
        return NULL;
    fcntl(peer, F_SETFL, O_NONBLOCK);
    // An end that does not read for a while is not gone, and the kernel would take it for that. Who
    // is gone keepalive finds, or in the end what was sent and not acknowledged.
    tcp_socket_set(client->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
    join->client = client;
    join->peer.fd = peer;
    join->account = account;
    join->to_client.direction = DIRECTION_TO_CLIENT;
    stream_account_add_connection(account);
    return join;
}

// Once a turn and way: the account is shared among threads.
static void count_bytes(const struct stream_join *join, struct stream_join_way *way)
{
    stream_account_add_bytes(join->account, way->direction, way->bytes - way->counted);
    way->counted = way->bytes;
}

void stream_join_destroy(struct stream_join *join)
{
    stream_buffer_done(&join->to_peer.waiting);
    stream_buffer_done(&join->to_client.waiting);
    stream_socket_close(&join->peer);
    // What the first turn was to carry, if that did not come.
    count_bytes(join, &join->to_peer);
    stream_account_give(join->account);
    free(join);
}

// 0; -EAGAIN: the rest waits; else -errno.
static int write_waiting(struct stream_join_way *way, struct stream_socket *to)
{
    int error = 0;

    while (!error && way->waiting.len > 0) {
        struct span bytes = stream_buffer_bytes(&way->waiting);
        size_t written;

        error = stream_socket_write(to, bytes.data, bytes.len, &written);
        if (!error)
            stream_buffer_consume(&way->waiting, written);
    }
    return error ? error : stream_socket_flush(to);
}

static int pass_on(struct stream_join_way *way, struct stream_socket *to, struct span bytes)
{
    size_t written;
    int error = stream_socket_write(to, bytes.data, bytes.len, &written);

    if (error && error != -EAGAIN)
        return error;
    if (!error)
        bytes = (struct span){bytes.data + written, bytes.len - written};
    if (bytes.len == 0)
        return 0;
    error = stream_buffer_append(&way->waiting, bytes, 0);
    return error ? error : write_waiting(way, to);
}

// 0: there may be more, of which epoll says nothing.
static int note_taken(struct stream_join_way *way, const struct stream_socket *from, size_t len)
{
    way->bytes += len;
    way->is_bulk = len >= BULK_LEN;
    return way->is_bulk || from->ssl ? 0 : -EAGAIN;
}

// At most that many bytes.
static int carry_by_room(struct stream_join_way *way, struct stream_socket *from,
                         struct stream_socket *to, const struct stream_join_room *room, size_t most)
{
    size_t len;
    int more,
        error = stream_socket_read(from, room->bytes, most < room->len ? most : room->len, &len);

    if (error)
        return error;
    way->is_ended = len == 0;
    if (way->is_ended)
        return 0;
    more = note_taken(way, from, len);
    error = pass_on(way, to, (struct span){room->bytes, len});
    return error ? error : more;
}

static bool goes_by_pipe(const struct stream_join_way *way, const struct stream_socket *from,
                         const struct stream_socket *to)
{
    return way->is_bulk && !from->ssl && !to->ssl;
}

// At most that many bytes. 0, or what the socket that was read or written says.
static int carry_some(struct stream_join_way *way, struct stream_socket *from,
                      struct stream_socket *to, const struct stream_join_room *room, size_t most)
{
    size_t len;

    if (goes_by_pipe(way, from, to)) {
        int error = stream_pipe_carry(room->pipe, from->fd, to->fd, most, &way->waiting, &len);

        if (error != -EAGAIN)
            return error ? error : note_taken(way, from, len);
    }
    return carry_by_room(way, from, to, room, most);
}

static int carry_as_may_be(const struct stream_join *join, struct stream_join_way *way,
                           struct stream_socket *from, struct stream_socket *to,
                           const struct stream_join_room *room)
{
    size_t most = stream_bandwidth_take(room->bandwidth, join->account, way->direction);
    uint64_t bytes = way->bytes;
    int error;

    way->is_paused = most == 0;
    if (way->is_paused)
        return -EAGAIN;
    error = carry_some(way, from, to, room, most);
    stream_bandwidth_give(room->bandwidth, join->account, way->direction,
                          most - (size_t)(way->bytes - bytes));
    return error;
}

static int carry_once(const struct stream_join *join, struct stream_join_way *way,
                      struct stream_socket *from, struct stream_socket *to,
                      const struct stream_join_room *room)
{
    int error = write_waiting(way, to);

    if (!error && way->is_ended)
        error = stream_socket_end(to);
    if (error)
        return error;
    if (way->is_ended) {
        way->is_shut = true;
        return 0;
    }
    return carry_as_may_be(join, way, from, to, room);
}

static int carry(const struct stream_join *join, struct stream_join_way *way,
                 struct stream_socket *from, struct stream_socket *to,
                 const struct stream_join_room *room)
{
    int error = 0;

    for (unsigned i = 0; !error && !way->is_shut && !way->is_paused && i < READS_PER_TURN; i++)
        error = carry_once(join, way, from, to, room);
    count_bytes(join, way);
    return error == -EAGAIN ? 0 : error;
}

int stream_join_carry(struct stream_join *join, const struct stream_join_room *room)
{
    int error = carry(join, &join->to_peer, join->client, &join->peer, room);

    if (!error)
        error = carry(join, &join->to_client, &join->peer, join->client, room);
    if (!error && join->to_peer.is_shut && join->to_client.is_shut)
        error = -ESHUTDOWN;
    return error;
}

bool stream_join_is_paused(const struct stream_join *join)
{
    return join->to_peer.is_paused || join->to_client.is_paused;
}

static bool unpause(const struct stream_join *join, struct stream_join_way *way,
                    struct stream_bandwidth *bandwidth)
{
    bool goes_on =
        way->is_paused && stream_bandwidth_left(bandwidth, join->account, way->direction) > 0;

    if (goes_on)
        way->is_paused = false;
    return goes_on;
}

bool stream_join_unpause(struct stream_join *join, struct stream_bandwidth *bandwidth)
{
    bool goes_on = unpause(join, &join->to_peer, bandwidth);

    return unpause(join, &join->to_client, bandwidth) || goes_on;
}

static uint32_t events_of(const struct stream_join_way *from, const struct stream_socket *from_to,
                          const struct stream_join_way *to, const struct stream_socket *self)
{
    bool reads =
        !from->is_ended && !from->is_paused && from->waiting.len == 0 && from_to->sealed.len == 0;
    bool writes = to->waiting.len > 0 || self->sealed.len > 0 || stream_socket_wants_write(self);

    return (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
}

uint32_t stream_join_client_events(const struct stream_join *join)
{
    return events_of(&join->to_peer, &join->peer, &join->to_client, join->client);
}

uint32_t stream_join_peer_events(const struct stream_join *join)
{
    return events_of(&join->to_client, join->client, &join->to_peer, &join->peer);
}

bool stream_join_client_is_done(const struct stream_join *join)
{
    return join->to_peer.is_ended && join->to_client.is_shut;
}

bool stream_join_peer_is_done(const struct stream_join *join)
{
    return join->to_client.is_ended && join->to_peer.is_shut;
}
