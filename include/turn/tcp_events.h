// SPDX-License-Identifier: BSD-3-Clause
// What becomes of the sockets of TCP allocations, as the TURN server is told (RFC 6062 sections 5.2, 5.3 and 5.5). Part
// of turn/server.h, which includes it. A connection to a peer has one name, its CONNECTION-ID: chosen by the server,
// random, no other one's while it lives. An event of one that the server knows no more changes nothing.
#pragma once

#include "base/address.h"
#include "turn/command.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_output;
struct turn_server;
struct turn_time;

// What TCP_CONNECT asked for stands: a response to the Connect. Data from the peer waits until TCP_BIND.
void turn_server_tcp_connected(struct turn_server *server, const struct turn_time *now, uint32_t connection,
                               struct turn_output *output);

// A peer has connected to a relayed address of a TCP allocation. True: it waits for its client, which gets a
// ConnectionAttempt. False: to be closed at once.
bool turn_server_tcp_accepted(struct turn_server *server, const struct turn_time *now, uint32_t allocation,
                              struct turn_relayed_address relayed, const struct transport_address *peer,
                              struct turn_output *output, uint32_t *ret_connection);

// It could not connect, or one of its ends has closed (TCP_BIND's client may be gone before it is carried out), and the
// caller has closed both: there is no command. A Connect that waits for it is answered with 447.
void turn_server_tcp_closed(struct turn_server *server, const struct turn_time *now, uint32_t connection,
                            struct turn_output *output);
