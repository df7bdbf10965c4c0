// SPDX-License-Identifier: BSD-3-Clause
// Channel bindings, found by allocation and number or by allocation and peer (RFC 8656 section
// 12).
#pragma once

#include "turn/peer_entry.h"

#include <stdbool.h>
#include <stdint.h>

struct channel {
    struct peer_entry entry;
    uint16_t peer_port; // belongs to the key
    uint16_t number;
    struct index_tree_node by_number;
};

// What a million of them cost is this.
static_assert(sizeof(struct channel) == 28, "no padding");

struct channel_table {
    struct peer_entry_table entries;
};

// addresses outlives the table. 0, -ENOMEM.
int channel_table_init(struct channel_table *table, const struct peer_entry_limits *limits,
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
    return peer_entry_is_live(&table->entries, channel);
}

static inline struct channel *channel_at(const struct channel_table *table, uint32_t channel)
{
    return (struct channel *)table->entries.at + channel;
}

// Of a live one, the id.
static inline uint32_t channel_allocation(const struct channel_table *table, uint32_t channel)
{
    return channel_at(table, channel)->entry.key.allocation;
}
