// SPDX-License-Identifier: BSD-3-Clause
// A router that forwards by exact match, as DPDK's l3fwd example does: what looking a flow up in DPDK's own table and
// rewriting its Ethernet header costs, without relaying.
#pragma once

#include "hash_heap.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_hash;
struct scenario;

struct l3fwd_hop {
    uint8_t macs[12]; // destination and source
};

struct l3fwd {
    struct rte_hash *routes; // IPv4 5-tuple to hop
    struct hash_heap heap;
    struct l3fwd_hop hops[3]; // by the adjacencies' numbers
};

// It is for IPv4.
bool l3fwd_can(const struct scenario *scenario);

// A route for every flow of the case. Calls progress now and then. Anything that goes wrong ends the process.
void l3fwd_create(struct l3fwd *l3fwd, const struct scenario *scenario, uint32_t flow_count,
                  void (*progress)(void));
void l3fwd_destroy(struct l3fwd *l3fwd);

// One burst of PORT_ID.
void l3fwd_poll(const struct l3fwd *l3fwd);
