// SPDX-License-Identifier: BSD-3-Clause
// What an allocation has for its peers: permissions, and channels (RFC 8656 sections 9, 12). Each
// kind is an array of elements that begin alike, found in a tree of their allocation's.
#pragma once

#include "base/index_tree.h"
#include "turn/peer_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How an element begins.
struct peer_entry {
    struct index_tree_node node;
    struct peer_key key;
};

struct peer_entry_table {
    void *at; // the elements
    size_t element_len;
    size_t key_len; // bytes of an element from its key on that it is found by
    struct index_pool pool;
    struct siphash_key key;          // of the paths in a tree
    struct address_store *addresses; // borrowed
    uint32_t *count_by_worker;
    uint32_t limit_per_worker;
    uint32_t limit_per_allocation;
};

struct peer_entry_limits {
    uint32_t per_worker;
    uint32_t per_allocation;
    uint16_t worker_count;
};

// addresses outlives the table. 0, -ENOMEM.
int peer_entry_table_init(struct peer_entry_table *table, size_t element_len, size_t key_len,
                          const struct peer_entry_limits *limits, struct address_store *addresses,
                          const struct siphash_key *key);
void peer_entry_table_done(struct peer_entry_table *table);

static inline struct peer_entry *peer_entry_at(const struct peer_entry_table *table, uint32_t index)
{
    return (struct peer_entry *)((uint8_t *)table->at + index * table->element_len);
}

// For any index.
static inline bool peer_entry_is_live(const struct peer_entry_table *table, uint32_t index)
{
    return index < table->pool.fresh && peer_entry_at(table, index)->key.is_live;
}

// The one in this tree with the key of such an element. INDEX_NONE when there is none.
uint32_t peer_entry_find(const struct peer_entry_table *table, uint32_t root,
                         const struct peer_entry *like);

// Room for count more of an allocation that has allocation_count?
bool peer_entry_table_has_room(const struct peer_entry_table *table, uint16_t worker,
                               uint32_t allocation_count, uint32_t count);
// There is room, and none with this key in the tree. element is copied; its key was taken by
// peer_key_take().
uint32_t peer_entry_create(struct peer_entry_table *table, uint16_t worker, uint32_t *root,
                           const struct peer_entry *element);
// Gives the key back, too.
void peer_entry_destroy(struct peer_entry_table *table, uint16_t worker, uint32_t *root,
                        uint32_t index);

#define PEER_ENTRIES_FOUND_MAX 64

// Of a tree those for peers of one family, so many at the most. Returns how many.
unsigned peer_entry_find_family(const struct peer_entry_table *table, uint32_t root,
                                enum ip_family family,
                                uint32_t ret_indices[PEER_ENTRIES_FOUND_MAX]);
