// SPDX-License-Identifier: BSD-3-Clause
// See turn/permission.h.
#include "turn/permission.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN offsetof(struct permission, next)
static_assert(KEY_LEN == 12, "the key has no hidden padding");

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
    index_map_done(&table->by_peer);
    memset(table, 0, sizeof(*table));
}

uint32_t permission_find(const struct permission_table *table, const struct allocation *allocation,
                         const struct ip_address *peer)
{
    struct permission key = {.allocation = allocation->id, .family = peer->family};
    if (!address_store_find(table->addresses, peer, &key.peer))
        return INDEX_NONE;
    struct index_map_walk walk;
    uint32_t at =
        index_map_first(&table->by_peer, index_map_hash(&table->by_peer, &key, KEY_LEN), &walk);
    while (at != INDEX_NONE && memcmp(&table->at[at], &key, KEY_LEN) != 0)
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
    struct permission *at = &table->at[permission];
    *at = (struct permission){
        .allocation = allocation->id,
        .peer = address_store_take(table->addresses, peer),
        .family = peer->family,
        .next = allocation->permissions,
        .previous = INDEX_NONE,
    };
    if (at->next != INDEX_NONE)
        table->at[at->next].previous = permission;
    allocation->permissions = permission;
    allocation->permission_count++;
    table->count_by_worker[allocation->worker]++;
    index_map_insert(&table->by_peer, index_map_hash(&table->by_peer, at, KEY_LEN), permission);
    return permission;
}

void permission_destroy(struct permission_table *table, struct allocation *allocation,
                        uint32_t permission)
{
    struct permission *at = &table->at[permission];
    index_map_remove(&table->by_peer, index_map_hash(&table->by_peer, at, KEY_LEN), permission);
    if (at->next != INDEX_NONE)
        table->at[at->next].previous = at->previous;
    if (at->previous != INDEX_NONE)
        table->at[at->previous].next = at->next;
    else
        allocation->permissions = at->next;
    address_store_give(table->addresses, (uint16_t)at->family, at->peer);
    at->allocation = INDEX_NONE;
    allocation->permission_count--;
    table->count_by_worker[allocation->worker]--;
    index_pool_give(&table->pool, permission);
}

struct ip_address permission_peer(const struct permission_table *table, uint32_t permission)
{
    const struct permission *at = &table->at[permission];
    return address_store_get(table->addresses, (uint16_t)at->family, at->peer);
}
