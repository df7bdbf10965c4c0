// SPDX-License-Identifier: BSD-3-Clause
// Bytes between two sockets, by way of a room that is there already; what does not go on at once
// gets memory of its own.
#include "control/stream_join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>

// Reads of one end in one turn.
#define READS_PER_TURN 8

struct stream_join *stream_join_create(struct stream_socket *client, int peer)
{
    struct stream_join *join = calloc(1, sizeof(*join));

    if (!join)
        return NULL;
    fcntl(peer, F_SETFL, O_NONBLOCK);
    join->client = client;
    join->peer.fd = peer;
    return join;
}

void stream_join_destroy(struct stream_join *join)
{
    stream_buffer_done(&join->to_peer.waiting);
    stream_buffer_done(&join->to_client.waiting);
    stream_socket_close(&join->peer);
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

// 0, or what the socket that was read or written says.
static int carry_once(struct stream_join_way *way, struct stream_socket *from,
                      struct stream_socket *to, void *room, size_t room_len)
{
    size_t len;
    int error = write_waiting(way, to);

    if (!error && way->is_ended)
        error = stream_socket_end(to);
    if (error)
        return error;
    if (way->is_ended) {
        way->is_shut = true;
        return 0;
    }
    error = stream_socket_read(from, room, room_len, &len);
    if (error)
        return error;
    way->is_ended = len == 0;
    return len > 0 ? pass_on(way, to, (struct span){room, len}) : 0;
}

static int carry(struct stream_join_way *way, struct stream_socket *from, struct stream_socket *to,
                 void *room, size_t room_len)
{
    int error = 0;

    for (unsigned i = 0; !error && !way->is_shut && i < READS_PER_TURN; i++)
        error = carry_once(way, from, to, room, room_len);
    return error == -EAGAIN ? 0 : error;
}

int stream_join_carry(struct stream_join *join, void *room, size_t room_len)
{
    int error = carry(&join->to_peer, join->client, &join->peer, room, room_len);

    if (!error)
        error = carry(&join->to_client, &join->peer, join->client, room, room_len);
    if (!error && join->to_peer.is_shut && join->to_client.is_shut)
        error = -ESHUTDOWN;
    return error;
}

static uint32_t events_of(const struct stream_join_way *from, const struct stream_socket *from_to,
                          const struct stream_join_way *to, const struct stream_socket *self)
{
    bool reads = !from->is_ended && from->waiting.len == 0 && from_to->sealed.len == 0;
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
