// SPDX-License-Identifier: BSD-3-Clause
// Looking at a server from outside: all its state said again, its usage, one allocation. Part of
// turn/server.h, which includes it.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "proto/five_tuple.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_counters;
struct turn_output;
struct turn_relayed_address;
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
    uint32_t tcp_allocations; // of the allocations (RFC 6062)
    uint32_t tcp_connections; // to peers, those under way too
    uint32_t tcp_ports;       // that TCP allocations listen at
};
void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage);

// What has happened since the server was made. Lives as long as the server, and goes on counting.
const struct turn_counters *turn_server_counters(const struct turn_server *server);

// Allocations that take a place in this worker's table: live ones, and those that it has yet to remove.
uint32_t turn_server_worker_allocations(const struct turn_server *server, uint16_t worker);

// Relay ports of all relayed addresses of a family: of UDP those of one worker, of TCP all.
struct turn_port_usage {
    uint32_t taken; // in use, reserved, or waiting for the worker's acknowledgement
    uint32_t capacity;
};
void turn_server_relay_ports(const struct turn_server *server, enum ip_family family, uint16_t worker,
                             struct turn_port_usage *ret_usage);
void turn_server_tcp_ports(const struct turn_server *server, enum ip_family family, struct turn_port_usage *ret_usage);

// Whether there is a place for an allocation, and a port for it.
bool turn_server_has_room(const struct turn_server *server);

// How many allocations there may be at once: by limits.allocations, or by bps_capacity where that is for fewer. There
// may be more, after new limits.
uint32_t turn_server_allocations_max(const struct turn_server *server);

// A user as quotas count: of a REST name the part behind the timestamp.
struct turn_user_view {
    const char *name;     // until the next event
    uint32_t user;        // by which workers know the user: see allocation_info
    uint32_t allocations; // one at least
};

// False when nobody of this index, or of this name, has an allocation.
bool turn_server_user(const struct turn_server *server, uint32_t user, struct turn_user_view *ret_view);
bool turn_server_find_user(const struct turn_server *server, struct span name, struct turn_user_view *ret_view);

// Users with allocations, at most max, in no order; a call looks at some thousand places. *cursor starts at 0 and goes
// on across events: who is there all the time is met once. True when there may be more: call again, however few came.
bool turn_server_walk_users(const struct turn_server *server, uint32_t *cursor, struct turn_user_view *ret_views,
                            unsigned max, unsigned *ret_count);

// What is known of one live allocation, for logs. False when the id is not live.
struct turn_allocation_view {
    uint64_t session_id; // turn/session_id.h
    uint32_t id;
    struct five_tuple five_tuple;
    const char *username;
    const char *realm; // the server's
    bool is_tcp; // RFC 6062
    struct transport_address relayed_v4; // advertised; family NONE when absent
    struct transport_address relayed_v6;
    uint64_t started_ms; // monotonic, to a tenth of a second, rounded down
    uint64_t expires_ms;
    uint16_t worker; // owner of its relay ports; of a TCP one nobody
    uint16_t permissions;
    uint16_t channels; // of a TCP one, connections to peers
};
bool turn_server_view(const struct turn_server *server, uint32_t allocation, struct turn_allocation_view *ret_view);
// Where a TCP allocation listens, by IPv4 if by both. False when the id is not that of a live one.
bool turn_server_tcp_relayed(const struct turn_server *server, uint32_t allocation,
                             struct turn_relayed_address *ret_relayed);
// The id of the live allocation with this session id (turn/session_id.h). False when it lives no more, or never did.
bool turn_server_find_session(const struct turn_server *server, uint64_t session_id, uint32_t *ret_allocation);
