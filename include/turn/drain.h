// SPDX-License-Identifier: BSD-3-Clause
// A server that takes no new allocations any more, and says where else to go (RFC 8656 section 7.2 check 11, RFC 8489
// section 10). Part of turn/server.h, which includes it.
#pragma once

#include "base/address.h"
#include "proto/stun.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_output;
struct turn_server;

// Servers that clients are sent to, one of each family; family NONE: there is none. Port 0: the one that the client
// came to.
struct turn_alternates {
    struct transport_address v4;
    struct transport_address v6;
    char domain[STUN_DOMAIN_MAX_LEN + 1]; // that their certificate is for; empty: the same as here
};

// From now on whoever asks for an allocation gets 300 with the alternates, or 508 when none has the family that the
// client came by: 486 would blame its user. Before that come authentication and whatever makes the request bad. What
// there is goes on, and so does a RESERVATION-TOKEN of a live call. Other alternates replace those before.
void turn_server_drain(struct turn_server *server, const struct turn_alternates *alternates);
// Everybody is served again.
void turn_server_undrain(struct turn_server *server);

// End all allocations of a server that drains, some at each call. *cursor starts at 0. True when more is left.
bool turn_server_end_allocations(struct turn_server *server, uint64_t *cursor, struct turn_output *output);
