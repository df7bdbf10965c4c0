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
        .key = *key,
    };
    if (made.at == NULL || made.count_by_worker == NULL ||
        index_pool_init(&made.pool, capacity) != 0) {
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
    memset(table, 0, sizeof(*table));
}

static struct index_tree_nodes nodes_of(const struct permission_table *table)
{
    return (struct index_tree_nodes){table->at, sizeof(table->at[0])};
}

static uint64_t path_of(const struct permission_table *table, const struct peer_key *key)
{
    return siphash(&table->key, key, sizeof(*key));
}

uint32_t permission_find(const struct permission_table *table, const struct allocation *allocation,
                         const struct ip_address *peer)
{
    struct peer_key key;
    if (!peer_key_find(table->addresses, allocation, peer, &key))
        return INDEX_NONE;
    uint64_t path = path_of(table, &key);
    uint32_t at = allocation->permissions;
    while (at != INDEX_NONE && memcmp(&table->at[at].entry.key, &key, sizeof(key)) != 0)
        at = index_tree_below(nodes_of(table), at, &path);
    return at;
}

unsigned permission_find_family(const struct permission_table *table,
                                const struct allocation *allocation, enum ip_family family,
                                uint32_t ret_permissions[PEER_ENTRIES_FOUND_MAX])
{
    return peer_entries_find(nodes_of(table), allocation->permissions, family, ret_permissions);
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
    struct peer_key *key = &table->at[permission].entry.key;
    *key = peer_key_take(table->addresses, allocation, peer);
    // A keyed hash does not yield sixty-four paths that each begin as the ones before.
    bool added = index_tree_insert(nodes_of(table), &allocation->permissions, permission,
                                   path_of(table, key));
    assert(added);
    (void)added;
    allocation->permission_count++;
    table->count_by_worker[allocation->worker]++;
    return permission;
}

void permission_destroy(struct permission_table *table, struct allocation *allocation,
                        uint32_t permission)
{
    struct peer_key *key = &table->at[permission].entry.key;
    index_tree_remove(nodes_of(table), &allocation->permissions, permission, path_of(table, key));
    peer_key_give(table->addresses, key);
    allocation->permission_count--;
    table->count_by_worker[allocation->worker]--;
    index_pool_give(&table->pool, permission);
}

struct ip_address permission_peer(const struct permission_table *table, uint32_t permission)
{
    return peer_key_ip(table->addresses, &table->at[permission].entry.key);
}
