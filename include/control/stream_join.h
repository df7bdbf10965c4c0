// SPDX-License-Identifier: BSD-3-Clause
// A client's data connection and its peer's connection, one behind the other (RFC 6062 section 4.3): bytes go through
// as they come, each way in its own time, and so does the end of either. What one end does not take yet holds the other
// back, and so does bandwidth that has been spent; nothing is kept while nothing waits.
#pragma once

#include "control/stream_account.h"
#include "control/stream_bandwidth.h"
#include "control/stream_buffer.h"
#include "control/stream_pipe.h"
#include "control/stream_socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// For the moment of a call; all borrowed.
struct stream_join_room {
    void *bytes;
    size_t len;
    struct stream_pipe *pipe;
    struct stream_bandwidth *bandwidth;
};

struct stream_join_way {
    struct stream_buffer waiting; // for the end that it goes to
    uint64_t bytes;               // that came
    uint64_t counted;             // of them, on the account
    uint8_t direction;            // enum direction
    bool is_bulk;                 // much has come at a time
    bool is_paused;               // something has come, and there was no bandwidth for it
    bool is_ended;                // nothing more comes
    bool is_shut;                 // and the other end has been told
};

struct stream_join {
    struct stream_socket *client; // borrowed
    struct stream_socket peer;
    struct stream_join_way to_peer;
    struct stream_join_way to_client;
    uint32_t interest; // of epoll's events, in the peer's socket
    struct stream_account *account;
};

// peer and account: a socket, and a share, the join's from here on, if one is made. NULL: no memory.
struct stream_join *stream_join_create(struct stream_socket *client, int peer, struct stream_account *account);
void stream_join_destroy(struct stream_join *join);

// Whatever can be carried now, or much of it; what has come is on the account then. 0; -ESHUTDOWN: both ends are at
// theirs; else -errno: one has failed.
int stream_join_carry(struct stream_join *join, const struct stream_join_room *room);

// A way has found no bandwidth, and goes on after stream_join_unpause() only.
bool stream_join_is_paused(const struct stream_join *join);
// False: there is still none for any.
bool stream_join_unpause(struct stream_join *join, struct stream_bandwidth *bandwidth);

// EPOLLIN and EPOLLOUT, as carrying on waits for the sockets.
uint32_t stream_join_client_events(const struct stream_join *join);
uint32_t stream_join_peer_events(const struct stream_join *join);
// Nothing comes of a socket any more, and nothing goes to it: not even its errors matter.
bool stream_join_client_is_done(const struct stream_join *join);
bool stream_join_peer_is_done(const struct stream_join *join);
