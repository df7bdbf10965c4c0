// SPDX-License-Identifier: BSD-3-Clause
// Control plane to worker: one command ring a worker, single producer, single consumer, applied in order between
// bursts. What was installed before a TRANSMIT is in force when that packet leaves.
#pragma once

#include "base/address.h"
#include "exchange/adjacency.h"
#include "proto/stateless.h"

#include <stdint.h>

struct rte_mbuf;

enum command_kind {
    COMMAND_SET_ADJACENCY,
    COMMAND_INSTALL_ALLOCATION, // or update
    COMMAND_REMOVE_ALLOCATION,  // with all it has; answered with PUNT_REMOVED
    COMMAND_REMOVE_RELAY,       // one family, with that family's permissions and channels; answered with PUNT_REMOVED
    COMMAND_INSTALL_PERMISSION, // or update
    COMMAND_REMOVE_PERMISSION,
    COMMAND_INSTALL_CHANNEL,    // or update
    COMMAND_REMOVE_CHANNEL,
    COMMAND_INSTALL_STEERING,   // packets of this client that land on this worker belong to another
    COMMAND_REMOVE_STEERING,
    COMMAND_TRANSMIT,           // send this frame as it is
    COMMAND_SET_STATELESS,      // new nonce keys, realm, software: the pointed-to policy is copied
    COMMAND_SET_RATES,          // what strangers and allocations get
    COMMAND_KIND_COUNT,
};

#define RELAY_NONE UINT16_MAX

// A client as a worker identifies it: the listener stands for the server half of the 5-tuple.
struct client_key {
    struct transport_address address;
    uint16_t listener; // index into plane_config.listeners
};

// Where packets for a peer go: to the wire, or through the hairpin when relay is one of ours.
struct peer_path {
    uint32_t adjacency;
    uint16_t relay; // index into plane_config.relays of the relay that has this address, RELAY_NONE for the wire
};

struct command {
    uint32_t kind;       // enum command_kind
    uint32_t allocation; // id, where one is meant
    union {
        struct {
            uint32_t index;
            struct adjacency adjacency;
        } set_adjacency;
        struct {
            struct client_key client;
            uint32_t adjacency;      // towards the client
            uint16_t relay_v4;       // index into plane_config.relays, RELAY_NONE
            uint16_t relay_v4_port;
            uint16_t relay_v6;
            uint16_t relay_v6_port;
            uint32_t user; // whose bandwidth it shares, where users have a limit
            uint32_t user_tag;
        } install_allocation;
        struct {
            uint16_t relay;
            uint16_t port;
        } remove_relay;
        struct {
            struct ip_address peer;
            struct peer_path path;
        } permission;
        struct {
            struct transport_address peer;
            uint16_t number;
            struct peer_path path;
        } channel;
        struct {
            struct client_key client;
            uint16_t owner; // worker
        } steering;
        struct {
            struct rte_mbuf *frame; // the worker owns it from here on
        } transmit;
        struct {
            const struct stateless_policy *policy; // lives until plane_policies_are_applied()
        } set_stateless;
        struct {
            uint32_t answers_per_second; // to one source prefix, as in plane_config.rate_limit
            uint32_t burst;
            uint64_t max_bps;      // a limit only where plane_config.max_bps is one
            uint64_t user_max_bps; // and this where plane_config.user_max_bps is
            uint64_t total_max_bps;
        } set_rates;
    };
} __attribute__((aligned(64)));

static_assert(sizeof(struct command) == 64, "one cache line a command");
