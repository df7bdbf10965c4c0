// SPDX-License-Identifier: BSD-3-Clause
// A relayed address of a TCP allocation that listens for peers (RFC 6062 section 5.1). Control thread only.
#pragma once

#include "control/tcp_relay_state.h"

#include <stdbool.h>
#include <stdint.h>

// 0 or -ENOMEM; done closes what listens, after either.
int tcp_listenings_init(struct tcp_relay *relay);
void tcp_listenings_done(struct tcp_relay *relay);

// For tcp_relay_listen().
int tcp_listening_open(struct tcp_relay *relay, uint32_t allocation, struct turn_relayed_address address);
// With all its connections. gone: as for tcp_relay_carry_out(). An address of port 0 is none.
void tcp_listening_close(struct tcp_relay *relay, struct turn_relayed_address address, const struct client_key *gone);

// One that listens there.
struct tcp_listening *tcp_listening_at(const struct tcp_relay *relay, struct turn_relayed_address address);
// As this host has it.
struct transport_address tcp_listening_address(const struct tcp_relay *relay, struct turn_relayed_address address);

// Peers wait there.
void tcp_listening_note(struct tcp_relay *relay, struct tcp_listening *listening);
// Takes them in, those that are not done coming behind. False: there are some.
bool tcp_listening_accept_all(struct tcp_relay *relay);
