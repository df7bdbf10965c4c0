// SPDX-License-Identifier: BSD-3-Clause
// See turn/allocation.h.
#include "turn/allocation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int allocation_table_init(struct allocation_table *table, uint32_t capacity,
                          uint32_t limit_per_worker, uint16_t worker_count,
                          struct address_store *addresses, const struct siphash_key *key)
{
    assert(capacity <= ALLOCATION_IDS_MAX);
    struct allocation_table made = {
        .at = calloc(capacity ? capacity : 1, sizeof(*made.at)),
        .reservation_tokens = calloc(capacity ? capacity : 1, sizeof(*made.reservation_tokens)),
        .count_by_worker = calloc(worker_count, sizeof(*made.count_by_worker)),
        .limit_per_worker = limit_per_worker,
        .addresses = addresses,
    };
    if (made.at == NULL || made.reservation_tokens == NULL || made.count_by_worker == NULL ||
        index_pool_init(&made.ids, capacity) != 0 ||
        index_map_init(&made.by_five_tuple, capacity, key) != 0) {
        allocation_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void allocation_table_done(struct allocation_table *table)
{
    free(table->at);
    free(table->reservation_tokens);
    free(table->count_by_worker);
    index_pool_done(&table->ids);
    index_map_done(&table->by_five_tuple);
    memset(table, 0, sizeof(*table));
}

static uint32_t hash_of(const struct allocation_table *table, const struct allocation_tuple *tuple)
{
    return index_map_hash(&table->by_five_tuple, tuple, sizeof(*tuple));
}

// All but the addresses.
static struct allocation_tuple begin_tuple(const struct five_tuple *five_tuple)
{
    return (struct allocation_tuple){
        .client_port = five_tuple->client.port,
        .server_port = five_tuple->server.port,
        .client_family = (uint8_t)five_tuple->client.ip.family,
        .server_family = (uint8_t)five_tuple->server.ip.family,
        .transport = (uint8_t)five_tuple->transport,
        .thread = (uint8_t)five_tuple->thread,
    };
}

// False when nobody keeps one of the addresses.
static bool find_tuple(const struct allocation_table *table, const struct five_tuple *five_tuple,
                       struct allocation_tuple *ret_tuple)
{
    struct allocation_tuple tuple = begin_tuple(five_tuple);
    if (!address_store_find(table->addresses, &five_tuple->client.ip, &tuple.client) ||
        !address_store_find(table->addresses, &five_tuple->server.ip, &tuple.server))
        return false;
    *ret_tuple = tuple;
    return true;
}

void allocation_prefetch(const struct allocation_table *table, const struct five_tuple *five_tuple)
{
    struct allocation_tuple tuple;
    if (find_tuple(table, five_tuple, &tuple))
        index_map_prefetch(&table->by_five_tuple, hash_of(table, &tuple));
}

struct allocation *allocation_find(const struct allocation_table *table,
                                   const struct five_tuple *five_tuple)
{
    struct allocation_tuple tuple;
    if (!find_tuple(table, five_tuple, &tuple))
        return NULL;
    struct index_map_walk walk;
    uint32_t id = index_map_first(&table->by_five_tuple, hash_of(table, &tuple), &walk);
    while (id != INDEX_NONE && memcmp(&table->at[id].tuple, &tuple, sizeof(tuple)) != 0)
        id = index_map_next(&table->by_five_tuple, &walk);
    return id == INDEX_NONE ? NULL : &table->at[id];
}

struct allocation *allocation_get(const struct allocation_table *table, uint32_t id)
{
    return id < table->ids.fresh && table->at[id].state == ALLOCATION_LIVE ? &table->at[id] : NULL;
}

bool allocation_table_has_room(const struct allocation_table *table, uint16_t worker)
{
    return index_pool_free(&table->ids) > 0 &&
           table->count_by_worker[worker] < table->limit_per_worker;
}

uint32_t allocation_next_id(const struct allocation_table *table)
{
    return index_pool_next(&table->ids);
}

struct allocation *allocation_create(struct allocation_table *table,
                                     const struct five_tuple *five_tuple, uint16_t worker)
{
    uint32_t id = index_pool_take(&table->ids);
    assert(id != INDEX_NONE);
    struct allocation *allocation = &table->at[id];
    *allocation = (struct allocation){
        .tuple = begin_tuple(five_tuple),
        .id = id,
        .worker = (uint8_t)worker,
        .permissions = INDEX_NONE,
        .channels = INDEX_NONE,
        .channel_numbers = INDEX_NONE,
        .state = ALLOCATION_LIVE,
        .sequence = table->next_sequence++,
    };
    allocation->tuple.client = address_store_take(table->addresses, &five_tuple->client.ip);
    allocation->tuple.server = address_store_take(table->addresses, &five_tuple->server.ip);
    index_map_insert(&table->by_five_tuple, hash_of(table, &allocation->tuple), id);
    table->count_by_worker[worker]++;
    table->live_count++;
    return allocation;
}

struct five_tuple allocation_five_tuple(const struct allocation_table *table,
                                        const struct allocation *allocation)
{
    const struct allocation_tuple *tuple = &allocation->tuple;
    return (struct five_tuple){
        .client = {address_store_get(table->addresses, tuple->client_family, tuple->client),
                   tuple->client_port},
        .server = {address_store_get(table->addresses, tuple->server_family, tuple->server),
                   tuple->server_port},
        .transport = tuple->transport,
        .thread = tuple->thread,
    };
}

void allocation_set_tcp(struct allocation_table *table, struct allocation *allocation)
{
    allocation->is_tcp = true;
    table->tcp_count++;
}

void allocation_set_reservation_token(struct allocation_table *table, struct allocation *allocation,
                                      const uint8_t token[RESERVATION_TOKEN_LEN])
{
    allocation->has_reservation = true;
    memcpy(table->reservation_tokens[allocation->id], token, RESERVATION_TOKEN_LEN);
}

const uint8_t *allocation_reservation_token(const struct allocation_table *table,
                                            const struct allocation *allocation)
{
    return allocation->has_reservation ? table->reservation_tokens[allocation->id] : NULL;
}

void allocation_retire(struct allocation_table *table, struct allocation *allocation)
{
    const struct allocation_tuple *tuple = &allocation->tuple;
    index_map_remove(&table->by_five_tuple, hash_of(table, tuple), allocation->id);
    address_store_give(table->addresses, tuple->client_family, tuple->client);
    address_store_give(table->addresses, tuple->server_family, tuple->server);
    allocation->state = ALLOCATION_RETIRED;
    table->live_count--;
    table->tcp_count -= allocation->is_tcp;
}

void allocation_release(struct allocation_table *table, struct allocation *allocation)
{
    allocation->state = ALLOCATION_FREE;
    table->count_by_worker[allocation->worker]--;
    index_pool_give(&table->ids, allocation->id);
}
