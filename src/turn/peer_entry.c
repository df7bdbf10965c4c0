// SPDX-License-Identifier: BSD-3-Clause
// See turn/peer_entry.h.
#include "turn/peer_entry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int peer_entry_table_init(struct peer_entry_table *table, size_t element_len, size_t key_len,
                          const struct peer_entry_limits *limits, struct address_store *addresses,
                          const struct siphash_key *key)
{
    uint32_t capacity = limits->per_worker * limits->worker_count;
    struct peer_entry_table made = {
        .at = calloc(capacity ? capacity : 1, element_len),
        .element_len = element_len,
        .key_len = key_len,
        .key = *key,
        .addresses = addresses,
        .count_by_worker = calloc(limits->worker_count, sizeof(*made.count_by_worker)),
        .limit_per_worker = limits->per_worker,
        .limit_per_allocation = limits->per_allocation,
    };
    if (made.at == NULL || made.count_by_worker == NULL ||
        index_pool_init(&made.pool, capacity) != 0) {
        peer_entry_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void peer_entry_table_done(struct peer_entry_table *table)
{
    free(table->at);
    free(table->count_by_worker);
    index_pool_done(&table->pool);
    memset(table, 0, sizeof(*table));
}

static struct index_tree_nodes nodes_of(const struct peer_entry_table *table)
{
    return (struct index_tree_nodes){table->at, table->element_len};
}

static uint64_t path_of(const struct peer_entry_table *table, const struct peer_entry *entry)
{
    return siphash(&table->key, &entry->key, table->key_len);
}

uint32_t peer_entry_find(const struct peer_entry_table *table, uint32_t root,
                         const struct peer_entry *like)
{
    uint64_t path = path_of(table, like);
    uint32_t at = root;
    while (at != INDEX_NONE &&
           memcmp(&peer_entry_at(table, at)->key, &like->key, table->key_len) != 0)
        at = index_tree_below(nodes_of(table), at, &path);
    return at;
}

bool peer_entry_table_has_room(const struct peer_entry_table *table, uint16_t worker,
                               uint32_t allocation_count, uint32_t count)
{
    // What it has may be above the limit, which was another one then.
    uint32_t left = table->limit_per_allocation > allocation_count
                        ? table->limit_per_allocation - allocation_count
                        : 0;
    return count <= index_pool_free(&table->pool) &&
           count <= table->limit_per_worker - table->count_by_worker[worker] && count <= left;
}

uint32_t peer_entry_create(struct peer_entry_table *table, uint16_t worker, uint32_t *root,
                           const struct peer_entry *element)
{
    uint32_t index = index_pool_take(&table->pool);
    assert(index != INDEX_NONE);
    memcpy(peer_entry_at(table, index), element, table->element_len);
    // A keyed hash does not yield sixty-four paths that each begin as the ones before.
    bool added = index_tree_insert(nodes_of(table), root, index, path_of(table, element));
    assert(added);
    (void)added;
    table->count_by_worker[worker]++;
    return index;
}

void peer_entry_destroy(struct peer_entry_table *table, uint16_t worker, uint32_t *root,
                        uint32_t index)
{
    struct peer_entry *entry = peer_entry_at(table, index);
    index_tree_remove(nodes_of(table), root, index, path_of(table, entry));
    peer_key_give(table->addresses, &entry->key);
    table->count_by_worker[worker]--;
    index_pool_give(&table->pool, index);
}

unsigned peer_entry_find_family(const struct peer_entry_table *table, uint32_t root,
                                enum ip_family family, uint32_t ret_indices[PEER_ENTRIES_FOUND_MAX])
{
    struct index_tree_walk walk;
    unsigned count = 0;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; count < PEER_ENTRIES_FOUND_MAX &&
                      (at = index_tree_walk_next(&walk, nodes_of(table))) != INDEX_NONE;) {
        if (peer_key_family(&peer_entry_at(table, at)->key) == family)
            ret_indices[count++] = at;
    }
    return count;
}
