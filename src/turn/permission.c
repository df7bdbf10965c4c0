// SPDX-License-Identifier: BSD-3-Clause
// See turn/permission.h.
#include "turn/permission.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int permission_table_init(struct permission_table *table, uint32_t limit_per_worker,
                          uint32_t limit_per_allocation, uint16_t worker_count,
                          struct address_store *addresses, const struct siphash_key *key)
{
    uint32_t capacity = limit_per_worker * worker_count;
    struct permission_table made = {
        .at = calloc(capacity ? capacity : 1, sizeof(*made.at)),
        .count_by_worker = calloc(worker_count, sizeof(*made.count_by_worker)),
        .limit_per_worker = limit_per_worker,
        .limit_per_allocation = limit_per_allocation,
        .addresses = addresses,
    };
    if (made.at == NULL || made.count_by_worker == NULL ||
        index_pool_init(&made.pool, capacity) != 0 ||
        index_lists_init(&made.lists, capacity) != 0 ||
        index_map_init(&made.by_peer, capacity, key) != 0) {
        permission_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void permission_table_done(struct permission_table *table)
{
    free(table->at);
    free(table->count_by_worker);
    index_pool_done(&table->pool);
    index_lists_done(&table->lists);
    index_map_done(&table->by_peer);
    memset(table, 0, sizeof(*table));
}

static uint32_t hash_of(const struct permission_table *table, const struct peer_key *key)
{
    return index_map_hash(&table->by_peer, key, sizeof(*key));
}

uint32_t permission_find(const struct permission_table *table, const struct allocation *allocation,
                         const struct ip_address *peer)
{
    struct peer_key key;
    if (!peer_key_find(table->addresses, allocation, peer, &key))
        return INDEX_NONE;
    struct index_map_walk walk;
    uint32_t at = index_map_first(&table->by_peer, hash_of(table, &key), &walk);
    while (at != INDEX_NONE && memcmp(&table->at[at].key, &key, sizeof(key)) != 0)
        at = index_map_next(&table->by_peer, &walk);
    return at;
}

bool permission_table_has_room(const struct permission_table *table,
                               const struct allocation *allocation, uint32_t count)
{
    return count <= index_pool_free(&table->pool) &&
           count <= table->limit_per_worker - table->count_by_worker[allocation->worker] &&
           count <= table->limit_per_allocation - allocation->permission_count;
}

uint32_t permission_create(struct permission_table *table, struct allocation *allocation,
                           const struct ip_address *peer)
{
    uint32_t permission = index_pool_take(&table->pool);
    assert(permission != INDEX_NONE);
    struct peer_key *key = &table->at[permission].key;
    *key = peer_key_take(table->addresses, allocation, peer);
    index_lists_add(&table->lists, &allocation->permissions, permission);
    allocation->permission_count++;
    table->count_by_worker[allocation->worker]++;
    index_map_insert(&table->by_peer, hash_of(table, key), permission);
    return permission;
}

void permission_destroy(struct permission_table *table, struct allocation *allocation,
                        uint32_t permission)
{
    struct peer_key *key = &table->at[permission].key;
    index_map_remove(&table->by_peer, hash_of(table, key), permission);
    index_lists_remove(&table->lists, &allocation->permissions, permission);
    peer_key_give(table->addresses, key);
    allocation->permission_count--;
    table->count_by_worker[allocation->worker]--;
    index_pool_give(&table->pool, permission);
}

struct ip_address permission_peer(const struct permission_table *table, uint32_t permission)
{
    return peer_key_ip(table->addresses, &table->at[permission].key);
}
