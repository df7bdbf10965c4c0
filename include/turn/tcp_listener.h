// SPDX-License-Identifier: BSD-3-Clause
// Relayed transport addresses of TCP allocations: ports of the relays' ranges that the kernel
// listens at (RFC 6062 section 5.1). TCP's ports are none of UDP's, and no worker's.
#pragma once

#include "turn/server_state.h"

#include <stdbool.h>
#include <stdint.h>

// At a random free port of this relay, for the allocation of this id. False: there is none, or the
// kernel gives none.
bool tcp_listener_open(struct turn_server *server, uint32_t allocation, uint16_t relay,
                       uint16_t *ret_port);
// The kernel has been told, or is by the command that is being written.
void tcp_listener_close(struct turn_server *server, struct turn_relayed_address address);

// A peer at one of our own relayed addresses is known by the advertised one, and reached, and seen,
// by the local one. False: it is one of our relays', but nobody listens there for us.
bool tcp_listener_localize(const struct turn_server *server, struct transport_address *peer);
void tcp_listener_advertise(const struct turn_server *server, struct transport_address *peer);
