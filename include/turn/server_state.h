// SPDX-License-Identifier: BSD-3-Clause
// What a TURN server holds; known inside the turn layer only. Everything is in arrays and refers by
// index, so that it can be walked and exported.
#pragma once

#include "turn/allocation.h"
#include "turn/channel.h"
#include "turn/expiry.h"
#include "turn/name_table.h"
#include "turn/permission.h"
#include "turn/quota.h"
#include "turn/relay_ports.h"
#include "turn/reservation.h"
#include "turn/server.h"

// Places that one call of a walk looks at: a sparse table is no excuse for a long pause.
#define TURN_WALK_STEPS_MAX 4096

struct turn_server {
    struct turn_config config;
    struct allocation_table allocations;
    struct permission_table permissions;
    struct channel_table channels;
    struct reservation_table reservations;
    struct relay_ports relay_ports;
    struct name_table usernames; // of live allocations
    struct quota quota;
    struct expiry expiry;
    uint32_t pending_removals; // acknowledgements that are awaited
};
