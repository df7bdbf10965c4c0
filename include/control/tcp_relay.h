// SPDX-License-Identifier: BSD-3-Clause
// The sockets of TCP allocations (RFC 6062 section 5): listens for peers and connects to them as the TURN server says,
// and tells it what comes of it. What a peer sends meanwhile waits in the kernel; once its client has bound, the socket
// is the stream thread's that has the client's data connection. Control thread only.
#pragma once

#include "control/forwarder.h"
#include "control/tcp_relay_counters.h"
#include "exchange/plane.h"
#include "turn/server.h"

#include <stdbool.h>
#include <stdint.h>

struct allocation_traffic;
struct event_base;
struct netns;
struct session_log;
struct tcp_relay;

struct tcp_relay_config { // all borrowed
    struct plane *plane;
    struct turn_server *server;
    struct forwarder *forwarder;
    uint32_t connections; // turn_limits.tcp_connections
    struct session_log *sessions; // NULL: nobody is told of ends
    struct netns *netns; // of the relayed addresses, NULL: ours
};

// 0 or -errno.
int tcp_relay_create(const struct tcp_relay_config *config, struct tcp_relay **ret_relay);
// All sockets are closed; nobody hears of it. Before the event base goes.
void tcp_relay_destroy(struct tcp_relay *relay);

// From now on events of the base serve. 0 or -ENOMEM.
int tcp_relay_start(struct tcp_relay *relay, struct event_base *base);

// For turn_tcp_listener. Logs what is wrong beyond a port that is taken.
int tcp_relay_listen(struct tcp_relay *relay, uint32_t allocation, struct turn_relayed_address address);

// Those of an event's commands that are about TCP. gone: a client whose connection had ended before, and may have been
// made anew since: nothing is to be closed there; NULL: nobody.
void tcp_relay_carry_out(struct tcp_relay *relay, const struct turn_output *output, const struct client_key *gone);

// What the joined connections of a live TCP allocation have carried so far, in bytes: it knows of no packets. False:
// the allocation is none.
bool tcp_relay_get_traffic(const struct tcp_relay *relay, uint32_t allocation, struct allocation_traffic *ret_traffic);

const struct tcp_relay_counters *tcp_relay_counters(const struct tcp_relay *relay);
