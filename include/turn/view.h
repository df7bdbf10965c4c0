// SPDX-License-Identifier: BSD-3-Clause
// Looking at a server from outside: all its state said again, its usage, one allocation. Part of
// turn/server.h, which includes it.
#pragma once

#include "base/address.h"
#include "proto/five_tuple.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_output;
struct turn_server;

// Say all live state of the workers again as INSTALL commands, some at each call: for a worker that starts anew, for
// changed routes, for export. *cursor starts at 0. True when more is left.
bool turn_server_walk(const struct turn_server *server, uint64_t *cursor, struct turn_output *output);

// Exactly what is in use; all zero when all is released.
struct turn_usage {
    uint32_t allocations;
    uint32_t permissions;
    uint32_t channels;
    uint32_t reservations;
    uint32_t relay_ports;     // in use, reserved, or waiting for a worker's acknowledgement
    uint32_t pending_removals;
    uint32_t users;           // with at least one allocation
    uint32_t tcp_connections; // to peers, those under way too
    uint32_t tcp_ports;       // that TCP allocations listen at
};
void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage);

// What is known of one live allocation, for logs. False when the id is not live.
struct turn_allocation_view {
    struct five_tuple five_tuple;
    const char *username;
    bool is_tcp; // RFC 6062
    struct transport_address relayed_v4; // advertised; family NONE when absent
    struct transport_address relayed_v6;
    uint64_t expires_ms;
};
bool turn_server_view(const struct turn_server *server, uint32_t allocation, struct turn_allocation_view *ret_view);
