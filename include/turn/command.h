// SPDX-License-Identifier: BSD-3-Clause
// What the TURN server tells the forwarding plane to do, in TURN's terms: no MAC addresses, no rings.
#pragma once

#include "base/address.h"
#include "proto/five_tuple.h"

#include <stdint.h>

enum turn_command_kind {
    TURN_COMMAND_INSTALL_ALLOCATION, // create it, or update the one of the same id: idempotent
    TURN_COMMAND_REMOVE_ALLOCATION,  // with its permissions and channels; answered by turn_server_removed()
    TURN_COMMAND_REMOVE_RELAY,       // one family of a dual allocation, with its permissions and channels; answered too
    TURN_COMMAND_INSTALL_PERMISSION, // idempotent
    TURN_COMMAND_REMOVE_PERMISSION,
    TURN_COMMAND_INSTALL_CHANNEL,    // idempotent; its permission was installed before it, and may have expired since
    TURN_COMMAND_REMOVE_CHANNEL,
    TURN_COMMAND_KIND_COUNT,
};

// A relayed transport address: an index into turn_config.relays and a port. port 0: none.
struct turn_relayed_address {
    uint16_t relay;
    uint16_t port;
};

struct turn_command {
    uint16_t kind;   // enum turn_command_kind
    uint16_t worker; // owner of the allocation's relay ports
    uint32_t allocation; // id, 0..limits.allocations-1; reused only after turn_server_removed()
    union {
        struct {
            struct five_tuple five_tuple;
            uint16_t received_by; // the worker that receives the client's packets; not always the owner
            struct turn_relayed_address relayed_v4;
            struct turn_relayed_address relayed_v6;
        } allocation_info; // INSTALL_ALLOCATION, REMOVE_ALLOCATION
        struct turn_relayed_address removed_relay; // REMOVE_RELAY
        struct ip_address permission;              // *_PERMISSION: the peer
        struct {
            uint16_t number;
            struct transport_address peer;
        } channel; // *_CHANNEL
    };
};
