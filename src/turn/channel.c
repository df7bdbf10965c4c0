// SPDX-License-Identifier: BSD-3-Clause
// See turn/channel.h.
#include "turn/channel.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PEER_KEY_LEN offsetof(struct channel, number)
static_assert(PEER_KEY_LEN == 10, "the key has no hidden padding");

int channel_table_init(struct channel_table *table, uint32_t limit_per_worker,
                       uint32_t limit_per_allocation, uint16_t worker_count,
                       struct address_store *addresses, const struct siphash_key *key)
{
    uint32_t capacity = limit_per_worker * worker_count;
    struct channel_table made = {
        .at = calloc(capacity ? capacity : 1, sizeof(*made.at)),
        .count_by_worker = calloc(worker_count, sizeof(*made.count_by_worker)),
        .limit_per_worker = limit_per_worker,
        .limit_per_allocation = limit_per_allocation,
        .addresses = addresses,
    };
    if (made.at == NULL || made.count_by_worker == NULL ||
        index_pool_init(&made.pool, capacity) != 0 ||
        index_lists_init(&made.lists, capacity) != 0 ||
        index_map_init(&made.by_number, capacity, key) != 0 ||
        index_map_init(&made.by_peer, capacity, key) != 0) {
        channel_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void channel_table_done(struct channel_table *table)
{
    free(table->at);
    free(table->count_by_worker);
    index_pool_done(&table->pool);
    index_lists_done(&table->lists);
    index_map_done(&table->by_number);
    index_map_done(&table->by_peer);
    memset(table, 0, sizeof(*table));
}

static uint32_t hash_number(const struct channel_table *table, uint32_t allocation, uint32_t number)
{
    uint32_t key[2] = {allocation, number};
    return index_map_hash(&table->by_number, key, sizeof(key));
}

static uint32_t hash_peer(const struct channel_table *table, const struct channel *key)
{
    return index_map_hash(&table->by_peer, key, PEER_KEY_LEN);
}

uint32_t channel_find_number(const struct channel_table *table, const struct allocation *allocation,
                             uint16_t number)
{
    struct index_map_walk walk;
    uint32_t at =
        index_map_first(&table->by_number, hash_number(table, allocation->id, number), &walk);
    while (at != INDEX_NONE &&
           (table->at[at].key.allocation != allocation->id || table->at[at].number != number))
        at = index_map_next(&table->by_number, &walk);
    return at;
}

uint32_t channel_find_peer(const struct channel_table *table, const struct allocation *allocation,
                           const struct transport_address *peer)
{
    struct channel key = {.peer_port = peer->port};
    if (!peer_key_find(table->addresses, allocation, &peer->ip, &key.key))
        return INDEX_NONE;
    struct index_map_walk walk;
    uint32_t at = index_map_first(&table->by_peer, hash_peer(table, &key), &walk);
    while (at != INDEX_NONE && memcmp(&table->at[at], &key, PEER_KEY_LEN) != 0)
        at = index_map_next(&table->by_peer, &walk);
    return at;
}

bool channel_table_has_room(const struct channel_table *table, const struct allocation *allocation)
{
    return index_pool_free(&table->pool) > 0 &&
           table->count_by_worker[allocation->worker] < table->limit_per_worker &&
           allocation->channel_count < table->limit_per_allocation;
}

uint32_t channel_create(struct channel_table *table, struct allocation *allocation, uint16_t number,
                        const struct transport_address *peer)
{
    uint32_t channel = index_pool_take(&table->pool);
    assert(channel != INDEX_NONE);
    struct channel *at = &table->at[channel];
    *at = (struct channel){
        .key = peer_key_take(table->addresses, allocation, &peer->ip),
        .peer_port = peer->port,
        .number = number,
    };
    index_lists_add(&table->lists, &allocation->channels, channel);
    allocation->channel_count++;
    table->count_by_worker[allocation->worker]++;
    index_map_insert(&table->by_number, hash_number(table, allocation->id, at->number), channel);
    index_map_insert(&table->by_peer, hash_peer(table, at), channel);
    return channel;
}

void channel_destroy(struct channel_table *table, struct allocation *allocation, uint32_t channel)
{
    struct channel *at = &table->at[channel];
    index_map_remove(&table->by_number, hash_number(table, allocation->id, at->number), channel);
    index_map_remove(&table->by_peer, hash_peer(table, at), channel);
    index_lists_remove(&table->lists, &allocation->channels, channel);
    peer_key_give(table->addresses, &at->key);
    allocation->channel_count--;
    table->count_by_worker[allocation->worker]--;
    index_pool_give(&table->pool, channel);
}

struct transport_address channel_peer(const struct channel_table *table, uint32_t channel)
{
    const struct channel *at = &table->at[channel];
    return (struct transport_address){peer_key_ip(table->addresses, &at->key), at->peer_port};
}
