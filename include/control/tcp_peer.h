// SPDX-License-Identifier: BSD-3-Clause
// A connection between a TCP allocation and a peer (RFC 6062 sections 5.2 and 5.3), as its socket shows it: under way,
// waiting for its client, given to the client's thread, or over and still to be told. Control thread only.
#pragma once

#include "control/tcp_relay_state.h"
#include "turn/command.h"

#include <stdbool.h>
#include <stdint.h>

// 0 or -ENOMEM; done closes what is open, after either.
int tcp_peers_init(struct tcp_relay *relay);
void tcp_peers_done(struct tcp_relay *relay);

// NULL: its socket has been given up.
struct tcp_peer *tcp_peer_find(const struct tcp_relay *relay, uint32_t id);
// NULL: there are too many.
struct tcp_peer *tcp_peer_take(struct tcp_relay *relay, struct tcp_listening *listening, uint32_t id, int fd,
                               enum tcp_peer_phase phase);

// TURN commands. What goes wrong at once is told later.
void tcp_peer_connect(struct tcp_relay *relay, const struct turn_command *command);
void tcp_peer_bind(struct tcp_relay *relay, const struct turn_command *command);
// At the TURN server's word: the peer's side, and the client's data connection. gone: as for tcp_relay_carry_out().
// unmade: counts it where it does not stand yet.
void tcp_peer_end(struct tcp_relay *relay, struct tcp_peer *connection, const struct client_key *gone,
                  uint64_t *unmade);

// epoll's events of its socket.
void tcp_peer_note(struct tcp_relay *relay, struct tcp_peer *connection, uint32_t events);
// Its socket is of no more use; the TURN server will hear of it.
void tcp_peer_is_over(struct tcp_relay *relay, struct tcp_peer *connection);

// To the threads of streams. True: all are sent.
bool tcp_peer_send_orders(struct tcp_relay *relay);
// To the TURN server. False: there is more to tell.
bool tcp_peer_tell_all(struct tcp_relay *relay);
