// SPDX-License-Identifier: BSD-3-Clause
// The permissions of one worker's allocations (RFC 8656 section 9). Written and read by that worker
// alone.
#pragma once

#include "base/index_tree.h"
#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "exchange/command.h"
#include "exchange/plane.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct tables;

// Alive while the client's permission is; kept for as long as channels to that peer are.
struct permission {
    uint32_t peer_ipv4; // as in memory; an IPv6 address has another place
    union {
        uint32_t adjacency; // towards the peer
        uint32_t relay;     // is_hairpin: index of the one that has the peer's address
    };
    uint32_t channels;        // root of a tree, TABLE_NONE
    uint32_t allocation : 28; // index
    uint32_t is_narrow : 1;   // see dataplane/path_mtu.h; what has the bit goes the long way
    uint32_t is_live : 1;
    uint32_t is_hairpin : 1;
    uint32_t is_ipv6 : 1; // of the peer
} __attribute__((aligned(16)));

static_assert(sizeof(struct permission) == 16, "four a cache line");
static_assert(TABLE_ENTRIES_MAX < 1 << 28, "an index fits");

struct permission_table {
    struct permission *at;
    // Of the same index: where it stands in the tree of its allocation's, by a hash of the address;
    // and a peer's IPv6 address, NULL without any IPv6 in the configuration.
    struct index_tree_node *nodes;
    uint8_t (*ips)[16];
    struct index_pool pool;
    uint32_t live_count;
};

// Its part of the tables' block; done twice, see struct table_cutter.
void permission_table_cut(struct permission_table *table, const struct plane_config *config,
                          struct table_cutter *cutter);

// 0; -ENOSPC; -ENOENT: no such allocation, or nothing to remove; -EINVAL: a relay that does not
// exist. A failed install leaves nothing behind.
int permission_table_install(struct tables *tables, const struct command *command);
int permission_table_remove(struct tables *tables, const struct command *command);

// The permission of a peer's address, TABLE_NONE. ip: as many bytes as the family has.
uint32_t permission_table_find(const struct tables *tables, uint32_t allocation, uint8_t family,
                               const uint8_t *ip);
// The permission of that peer; one that is not live is made when there is none. 0 or -ENOSPC.
int permission_table_reach(struct tables *tables, uint32_t allocation,
                           const struct ip_address *peer, uint32_t *ret_index);
// Of all channels of all in a tree, whose root it is.
void permission_table_set_client_adjacency(struct tables *tables, uint32_t root,
                                           uint32_t adjacency);
void permission_table_set_client_narrow(struct tables *tables, uint32_t root, bool is_narrow);
// The MTU of the path to its peer is known, or no longer is; of all its channels alike.
void permission_table_set_narrow(struct tables *tables, uint32_t index, bool is_narrow);
// Gone, unless it is live or has channels.
void permission_table_release(struct tables *tables, uint32_t index);
// Live no longer, so that its channels rest; gone when it has none.
void permission_table_drop(struct tables *tables, uint32_t index);
