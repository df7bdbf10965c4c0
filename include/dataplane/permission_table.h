// SPDX-License-Identifier: BSD-3-Clause
// The permissions of one worker's allocations (RFC 8656 section 9). Written and read by that worker
// alone.
#pragma once

#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "exchange/command.h"
#include "exchange/plane.h"

#include <assert.h>
#include <stdint.h>

struct tables;

// Alive while the client's permission is; kept for as long as channels to that peer are.
struct permission {
    uint8_t peer_ip[16];
    uint32_t allocation;
    uint32_t adjacency; // towards the peer
    uint8_t hairpin;    // index of the relay that has the peer's address, TABLE_RELAY_NONE
    uint8_t peer_family;
    uint8_t live;
    uint32_t next; // of the allocation's
    uint32_t previous;
    uint32_t channels; // first of a list
} __attribute__((aligned(64)));

static_assert(sizeof(struct permission) == 64, "one cache line a permission");

struct permission_table {
    struct permission *at;
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

// The permission of that peer; one that is not live is made when there is none. 0 or -ENOSPC.
int permission_table_reach(struct tables *tables, uint32_t allocation,
                           const struct ip_address *peer, uint32_t *ret_index);
// Gone, unless it is live or has channels.
void permission_table_release(struct tables *tables, uint32_t index);
// Live no longer, so that its channels rest; gone when it has none.
void permission_table_drop(struct tables *tables, uint32_t index);
