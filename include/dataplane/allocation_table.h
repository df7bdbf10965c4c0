// SPDX-License-Identifier: BSD-3-Clause
// The allocations of one worker: whose each is, which relay ports it has, and what else belongs to
// it (RFC 8656 section 3.2). Written and read by that worker alone.
#pragma once

#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "dataplane/token_bucket.h"
#include "exchange/command.h"
#include "exchange/plane.h"
#include "exchange/punt.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct tables;

struct table_relayed {
    uint16_t relay; // RELAY_NONE
    uint16_t port_be;
};

struct allocation {
    uint8_t client_ip[16];
    uint16_t client_port_be;
    uint8_t client_family;
    uint8_t listener;
    uint32_t adjacency; // towards the client
    struct table_relayed relayed[TABLE_FAMILIES];
    struct allocation_traffic
        traffic;                    // and what channels have taken: see dataplane/allowance.h
    struct token_bucket buckets[2]; // bandwidth, by enum direction
    uint32_t guess; // the permission that an indication needed last, TABLE_NONE
    // From here on: commands only.
    uint32_t id;
    uint32_t permissions[TABLE_FAMILIES]; // roots of trees, by the peers' family
    uint32_t next_report;                 // list of those with something to report
    struct table_relayed removed[TABLE_FAMILIES];
    uint8_t reports; // enum removal_report, ORed
} __attribute__((aligned(64)));

static_assert(sizeof(struct allocation) == 128, "two cache lines an allocation");
static_assert(offsetof(struct allocation, buckets) == 64,
              "channels touch no line of it unless there is a limit to bandwidth");

struct allocation_table {
    struct allocation *at;
    struct index_pool pool;
    uint32_t *by_id; // index of each id + 1, 0: none
    uint32_t id_count;
};

// Its part of the tables' block; done twice, see struct table_cutter.
void allocation_table_cut(struct allocation_table *table, const struct plane_config *config,
                          struct table_cutter *cutter);

// 0; -ENOSPC; -EINVAL: an id, listener or relayed address that does not exist, or another client
// than the allocation has. A new one that fails leaves nothing behind.
int allocation_table_install(struct tables *tables, const struct command *command);

// TABLE_NONE.
static inline uint32_t allocation_table_find(const struct allocation_table *table, uint32_t id)
{
    return id < table->id_count ? table->by_id[id] - 1 : TABLE_NONE;
}

// Its relay port of that family leads nowhere from here on.
void allocation_table_clear_relayed(struct tables *tables, uint32_t index,
                                    enum table_family family);
// No packet and no command finds it again; its entry stays for the report.
void allocation_table_forget(struct tables *tables, uint32_t index);
