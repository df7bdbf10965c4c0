// SPDX-License-Identifier: BSD-3-Clause
// Worker to control plane: one bounded punt ring a worker, single producer, single consumer. What does not fit is
// dropped and counted; media goes on.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "exchange/command.h"

#include <stdint.h>

struct rte_mbuf;

enum punt_kind {
    PUNT_MESSAGE, // a STUN request with a valid nonce
    PUNT_REMOVED, // REMOVE_ALLOCATION or REMOVE_RELAY was carried out; never dropped: the worker retries it
};

// The traffic an allocation has seen. Payload bytes.
struct allocation_traffic {
    uint64_t to_peer_packets;
    uint64_t to_peer_bytes;
    uint64_t to_client_packets;
    uint64_t to_client_bytes;
};

struct punt {
    uint16_t kind;   // enum punt_kind
    uint16_t worker; // that sends it
    uint32_t allocation; // PUNT_REMOVED
    union {
        struct {
            struct rte_mbuf *frame;  // the whole received frame; the control plane owns it, and may answer in it
            struct client_key client;
            uint16_t message_offset; // of the STUN message in the frame's data, bytes
            uint16_t message_len;
        } message;
        struct {
            uint16_t relay; // REMOVE_RELAY: which; RELAY_NONE: the allocation
            uint16_t port;
            struct allocation_traffic traffic; // REMOVE_ALLOCATION
        } removed;
    };
};

static_assert(sizeof(struct punt) <= 64, "one cache line a punt");

// Control plane only, of a PUNT_MESSAGE. The message is borrowed from the frame.
struct span punt_bytes(const struct punt *punt);
// Give the frame back unanswered.
void punt_discard(const struct punt *punt);
