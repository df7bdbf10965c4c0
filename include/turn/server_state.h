// SPDX-License-Identifier: BSD-3-Clause
// What a TURN server holds; known inside the turn layer only. Everything is in arrays and refers by
// index, so that it can be walked and exported.
#pragma once

#include "turn/allocation.h"
#include "turn/channel.h"
#include "turn/counters.h"
#include "turn/expiry.h"
#include "turn/identity.h"
#include "turn/permission.h"
#include "turn/quota.h"
#include "turn/relay_ports.h"
#include "turn/reservation.h"
#include "turn/server.h"
#include "turn/tcp_connection.h"

// Places that one call of a walk looks at: a sparse table is no excuse for a long pause.
#define TURN_WALK_STEPS_MAX 4096

// Whom a server serves that is to end (turn/drain.h).
enum turn_drain {
    TURN_DRAIN_NONE,      // everybody
    TURN_DRAIN_NEWCOMERS, // who is there, and who brings the token of a reservation
    TURN_DRAIN_ALL,       // nobody for long
};

struct turn_server {
    struct turn_config config;
    struct stateless_answers stateless; // the configuration's policy
    struct address_store addresses;
    struct allocation_table allocations;
    struct permission_table permissions;
    struct channel_table channels;
    struct reservation_table reservations;
    struct relay_ports relay_ports;
    struct tcp_connection_table tcp_connections;
    struct relay_ports tcp_ports; // of TCP allocations, all of one slice; without them of no relay
    struct identity_table identities; // of live allocations, and of Connects without a response
    struct quota quota;
    struct expiry expiry;
    uint32_t pending_removals; // acknowledgements that are awaited
    enum turn_drain drain;
    struct turn_alternates alternates; // unless nobody is turned away
    struct turn_counters counters;
};

// A walk over all that a server holds, places never used left out. *cursor starts at 0 and is a
// table and an index, so that it stays good while things come and go. False at the end.
enum server_table {
    SERVER_ALLOCATIONS,
    SERVER_PERMISSIONS,
    SERVER_CHANNELS,
    SERVER_TCP_CONNECTIONS,
    SERVER_TABLE_COUNT,
};

struct server_place {
    enum server_table table;
    uint32_t index;
};

static inline bool server_next_place(const struct turn_server *server, uint64_t *cursor,
                                     struct server_place *ret_place)
{
    const uint32_t ends[SERVER_TABLE_COUNT] = {
        [SERVER_ALLOCATIONS] = server->allocations.ids.fresh,
        [SERVER_PERMISSIONS] = server->permissions.entries.pool.fresh,
        [SERVER_CHANNELS] = server->channels.entries.pool.fresh,
        [SERVER_TCP_CONNECTIONS] = server->tcp_connections.pool.fresh,
    };
    uint64_t table = *cursor >> 32;
    uint32_t index = (uint32_t)*cursor;
    for (; table < SERVER_TABLE_COUNT; table++, index = 0) {
        if (index >= ends[table])
            continue;
        *ret_place = (struct server_place){.table = (enum server_table)table, .index = index};
        *cursor = (table << 32) + index + 1;
        return true;
    }
    *cursor = table << 32;
    return false;
}
