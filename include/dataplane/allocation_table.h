// SPDX-License-Identifier: BSD-3-Clause
// The allocations of one worker: whose each is, which relay ports it has, and what else belongs to
// it (RFC 8656 section 3.2). Written and read by that worker alone.
#pragma once

#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "exchange/token_bucket.h"
#include "exchange/command.h"
#include "exchange/plane.h"
#include "exchange/punt.h"

#include <assert.h>
#include <rte_prefetch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tables;

struct table_relayed {
    uint16_t relay; // RELAY_NONE; with TABLE_RELAYED_WAS: it leads nowhere, and is to be reported
    uint16_t port_be;
};

#define TABLE_RELAYED_WAS 0x8000

static_assert(PLANE_RELAYS_MAX <= TABLE_RELAYED_WAS, "an index is none of these");

static inline bool table_relayed_is_there(const struct table_relayed *relayed)
{
    return relayed->relay < TABLE_RELAYED_WAS;
}

struct allocation {
    uint32_t client_ipv4; // as in memory; an IPv6 address has another place
    uint16_t client_port_be;
    uint8_t client_family : 7;
    uint8_t is_narrow : 1; // the path to the client: see dataplane/path_mtu.h
    uint8_t listener;
    uint32_t adjacency; // towards the client
    uint32_t guess;     // the permission that an indication needed last, TABLE_NONE
    struct table_relayed relayed[TABLE_FAMILIES];
    uint32_t permissions[TABLE_FAMILIES]; // roots of trees, by the peers' family; TABLE_NONE
    struct allocation_traffic traffic;    // and what channels have taken: see dataplane/allowance.h
} __attribute__((aligned(64)));

static_assert(sizeof(struct allocation) == 64, "one cache line an allocation");

// What only commands need.
struct allocation_record {
    uint32_t id;
    uint32_t next_report : 28; // list of those with something to report
    uint32_t reports : 4;      // enum removal_report, ORed
};

static_assert(sizeof(struct allocation_record) == 8, "eight a cache line");
static_assert(TABLE_ENTRIES_MAX <= 1 << 28, "an index fits");

// Of the bandwidth of the user whose it is.
struct allocation_share {
    uint32_t user;
    uint32_t stock[2]; // bytes taken already and not spent, by enum direction
};

struct allocation_table {
    struct allocation *at;
    // Of the same index: records; bandwidth by enum direction, NULL without a limit; what there is
    // of users' bandwidth, NULL without a limit of these; clients' IPv6 addresses, NULL without any
    // IPv6 in the configuration.
    struct allocation_record *records;
    struct token_bucket (*buckets)[2];
    struct allocation_share *shares;
    uint8_t (*ips)[16];
    struct index_pool pool;
    uint32_t *by_id; // index of each id + 1, 0: none
    uint32_t id_count;
};

// As many bytes as the family has.
static inline const uint8_t *allocation_client_ip(const struct allocation_table *table,
                                                  const struct allocation *allocation)
{
    return allocation->client_family == IP_FAMILY_V6 ? table->ips[allocation - table->at]
                                                     : (const uint8_t *)&allocation->client_ipv4;
}

// All that an indication needs of it.
static inline void allocation_prefetch(const struct allocation_table *table, uint32_t index)
{
    rte_prefetch0(&table->at[index]);
    if (table->buckets != NULL)
        rte_prefetch0(&table->buckets[index]);
}

// Its part of the tables' block; done twice, see struct table_cutter.
void allocation_table_cut(struct allocation_table *table, const struct plane_config *config,
                          struct table_cutter *cutter);

// 0; -ENOSPC; -EINVAL: an id, listener or relayed address that does not exist, another client than
// the allocation has, or a relayed address in place of one whose end is still to be reported. A new
// one that fails leaves nothing behind.
int allocation_table_install(struct tables *tables, const struct command *command);

// TABLE_NONE.
static inline uint32_t allocation_table_find(const struct allocation_table *table, uint32_t id)
{
    return id < table->id_count ? table->by_id[id] - 1 : TABLE_NONE;
}

// The MTU of the path to its client is known, or no longer is; of all its channels alike.
void allocation_table_set_narrow(struct tables *tables, uint32_t index, bool is_narrow);
// Its relay port of that family leads nowhere from here on; it is kept for a report, or not.
void allocation_table_clear_relayed(struct tables *tables, uint32_t index, enum table_family family,
                                    bool is_reported);
// No packet and no command finds it again; its entry stays for the report.
void allocation_table_forget(struct tables *tables, uint32_t index);
