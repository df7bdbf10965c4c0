// SPDX-License-Identifier: BSD-3-Clause
// Channel bindings in an array, found by allocation and number or by allocation and peer (RFC 8656
// section 12), in two trees by allocation.
#pragma once

#include "turn/peer_key.h"

#include <stdbool.h>
#include <stdint.h>

struct channel {
    struct peer_entry entry;
    uint16_t peer_port; // with the entry's key what is hashed as bytes
    uint16_t number;
    struct index_tree_node by_number;
};

// What a million of them cost is this.
static_assert(sizeof(struct channel) == 28, "no padding");

struct channel_table {
    struct channel *at;
    struct index_pool pool;
    struct siphash_key key;          // of the paths in a tree by peer
    struct address_store *addresses; // borrowed
    uint32_t *count_by_worker;
    uint32_t limit_per_worker;
    uint32_t limit_per_allocation;
};

// 0, -ENOMEM.
int channel_table_init(struct channel_table *table, uint32_t limit_per_worker,
                       uint32_t limit_per_allocation, uint16_t worker_count,
                       struct address_store *addresses, const struct siphash_key *key);
void channel_table_done(struct channel_table *table);

// INDEX_NONE when the allocation has none of this number, or none to this peer.
uint32_t channel_find_number(const struct channel_table *table, const struct allocation *allocation,
                             uint16_t number);
uint32_t channel_find_peer(const struct channel_table *table, const struct allocation *allocation,
                           const struct transport_address *peer);
// Room for one more in this allocation?
bool channel_table_has_room(const struct channel_table *table, const struct allocation *allocation);
// There is room, and neither number nor peer is bound.
uint32_t channel_create(struct channel_table *table, struct allocation *allocation, uint16_t number,
                        const struct transport_address *peer);
void channel_destroy(struct channel_table *table, struct allocation *allocation, uint32_t channel);

// Of an allocation's those to peers of one family, so many at the most. Returns how many.
unsigned channel_find_family(const struct channel_table *table, const struct allocation *allocation,
                             enum ip_family family, uint32_t ret_channels[PEER_ENTRIES_FOUND_MAX]);

struct transport_address channel_peer(const struct channel_table *table, uint32_t channel);

static inline bool channel_is_live(const struct channel_table *table, uint32_t channel)
{
    return channel < table->pool.fresh && table->at[channel].entry.key.is_live;
}
