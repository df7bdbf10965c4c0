// SPDX-License-Identifier: BSD-3-Clause
// The flows: one client, its allocation, and the one peer that it talks to over one channel.
#pragma once

#include "base/address.h"
#include "endpoint.h"
#include "proto/stun.h"
#include "sequence.h"

#include <assert.h>
#include <stdint.h>

#define FLOW_NONCE_MAX_LEN 127 // characters (RFC 8489 section 14.10)

enum direction {
    TO_PEER,
    TO_CLIENT,
    DIRECTION_COUNT,
};

enum flow_state {
    FLOW_NONE,
    FLOW_ALLOCATED,
    FLOW_READY, // may carry media
};

struct flow {
    struct transport_address relayed;
    uint32_t sent[DIRECTION_COUNT];
    struct sequence received[DIRECTION_COUNT];
    uint32_t state; // enum flow_state
};

static_assert(sizeof(struct flow) == 64, "a cache line: flows are drawn at random");

struct flow_nonce {
    uint8_t len; // 0: none yet
    char bytes[FLOW_NONCE_MAX_LEN];
};

struct flows {
    uint32_t count;
    struct endpoint_range clients, peers;
    struct transport_address server;
    struct flow *table;
    struct flow_nonce *nonces;
    uint32_t *ready; // numbers of those that may carry media, after flows_gather()
    uint32_t ready_count;
};

// 0, -ENOMEM; -ERANGE when the ranges have fewer clients or peers than count.
int flows_init(struct flows *flows, uint32_t count, const struct transport_address *server,
               const struct endpoint_range *clients, const struct endpoint_range *peers);
void flows_done(struct flows *flows);

void flows_gather(struct flows *flows);

// Where no relay is asked: all may carry media, through relayed addresses that are the server's.
void flows_pretend(struct flows *flows);

// Neighbours in the table have different ones, so that a mix-up shows.
static inline uint16_t flow_channel(uint32_t number)
{
    return (uint16_t)(TURN_CHANNEL_MIN + number % (TURN_CHANNEL_MAX - TURN_CHANNEL_MIN + 1));
}

static inline struct transport_address flow_client(const struct flows *flows, uint32_t number)
{
    return endpoint_at(&flows->clients, number);
}

static inline struct transport_address flow_peer(const struct flows *flows, uint32_t number)
{
    return endpoint_at(&flows->peers, number);
}

// What did not arrive, and how it is spread over the flows.
struct flow_losses {
    uint64_t lost;
    uint32_t flows_used;
    uint32_t flows_with_loss;
    uint32_t flows_with_reordering;
    uint32_t flows_with_duplicates;
    uint32_t worst_flow; // the most packets lost
    uint32_t worst_lost;
};

void flows_count_losses(const struct flows *flows, enum direction direction,
                        struct flow_losses *ret_losses);
