// SPDX-License-Identifier: BSD-3-Clause
// What the TURN server tells the forwarding plane to do, in TURN's terms: no MAC addresses, no rings.
#pragma once

#include "base/address.h"
#include "proto/five_tuple.h"

#include <stdbool.h>
#include <stdint.h>

enum turn_command_kind {
    TURN_COMMAND_INSTALL_ALLOCATION, // create it, or update the one of the same id: idempotent
    TURN_COMMAND_REMOVE_ALLOCATION,  // with its permissions and channels; answered by turn_server_removed()
    TURN_COMMAND_REMOVE_RELAY,       // one family of a dual allocation, with its permissions and channels; answered too
    TURN_COMMAND_INSTALL_PERMISSION, // idempotent
    TURN_COMMAND_REMOVE_PERMISSION,
    TURN_COMMAND_INSTALL_CHANNEL,    // idempotent; its permission was installed before it, and may have expired since
    TURN_COMMAND_REMOVE_CHANNEL,
    // Of TCP allocations (RFC 6062), of which no worker knows. Done when they are carried out: nothing answers.
    TURN_COMMAND_TCP_CONNECT,  // answered by turn_server_tcp_connected() or turn_server_tcp_closed()
    TURN_COMMAND_TCP_BIND,     // the response that comes with it is the last message to this client: raw bytes follow
    TURN_COMMAND_TCP_CLOSE,    // the peer's side, or the attempt to reach it, and the client's data connection
    TURN_COMMAND_TCP_UNLISTEN, // with all connections of these relayed addresses, each as by TCP_CLOSE
    TURN_COMMAND_KIND_COUNT,
};

// A relayed transport address: an index into turn_config.relays and a port. port 0: none.
struct turn_relayed_address {
    uint16_t relay;
    uint16_t port;
};

struct turn_command {
    uint16_t kind;   // enum turn_command_kind
    uint16_t worker; // owner of the allocation's relay ports; TCP_*: nobody
    uint32_t allocation; // id, 0..limits.allocations-1; reused only after turn_server_removed(), a TCP one's at once
    union {
        struct {
            struct five_tuple five_tuple;
            uint16_t received_by; // the worker that receives the client's packets; not always the owner
            struct turn_relayed_address relayed_v4;
            struct turn_relayed_address relayed_v6;
            uint32_t user;     // INSTALL: as quotas count users, an index below turn_limits_users()
            uint32_t user_tag; // another one: the index has become another user's
        } allocation_info; // INSTALL_ALLOCATION, REMOVE_ALLOCATION
        struct turn_relayed_address removed_relay; // REMOVE_RELAY
        struct ip_address permission;              // *_PERMISSION: the peer
        struct {
            uint16_t number;
            struct transport_address peer;
        } channel; // *_CHANNEL
        struct {
            uint32_t connection; // CONNECTION-ID: by this one both sides know it, until it is closed
            struct turn_relayed_address from;
            struct transport_address peer; // as this host reaches it: of our own relayed addresses the local one
        } tcp_connect;
        struct {
            uint32_t connection;
            struct five_tuple client; // its data connection
            uint32_t user;            // the allocation's: these two as in allocation_info
            uint32_t user_tag;
        } tcp_bind;
        uint32_t tcp_close; // the connection
        struct {
            struct turn_relayed_address relayed_v4;
            struct turn_relayed_address relayed_v6;
        } tcp_unlisten;
    };
};

// For whoever owns the sockets, not for a worker.
static inline bool turn_command_is_tcp(const struct turn_command *command)
{
    return command->kind >= TURN_COMMAND_TCP_CONNECT;
}
