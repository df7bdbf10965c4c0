// SPDX-License-Identifier: BSD-3-Clause
// See turn/channel.h.
#include "turn/channel.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// What a peer's channel is found by lies together.
#define PEER_KEY_OFFSET offsetof(struct channel, entry.key)
#define PEER_KEY_LEN    (offsetof(struct channel, number) - PEER_KEY_OFFSET)
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
        .key = *key,
    };
    if (made.at == NULL || made.count_by_worker == NULL ||
        index_pool_init(&made.pool, capacity) != 0) {
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
    memset(table, 0, sizeof(*table));
}

static struct index_tree_nodes nodes_by_peer(const struct channel_table *table)
{
    return (struct index_tree_nodes){table->at, sizeof(table->at[0])};
}

static struct index_tree_nodes nodes_by_number(const struct channel_table *table)
{
    return (struct index_tree_nodes){&table->at[0].by_number, sizeof(table->at[0])};
}

static const uint8_t *peer_key_bytes(const struct channel *channel)
{
    return (const uint8_t *)channel + PEER_KEY_OFFSET;
}

static uint64_t peer_path(const struct channel_table *table, const struct channel *channel)
{
    return siphash(&table->key, peer_key_bytes(channel), PEER_KEY_LEN);
}

// A number is a path as it is: there are no more levels than bits.
uint32_t channel_find_number(const struct channel_table *table, const struct allocation *allocation,
                             uint16_t number)
{
    uint64_t path = number;
    uint32_t at = allocation->channel_numbers;
    while (at != INDEX_NONE && table->at[at].number != number)
        at = index_tree_below(nodes_by_number(table), at, &path);
    return at;
}

uint32_t channel_find_peer(const struct channel_table *table, const struct allocation *allocation,
                           const struct transport_address *peer)
{
    struct channel key = {.peer_port = peer->port};
    if (!peer_key_find(table->addresses, allocation, &peer->ip, &key.entry.key))
        return INDEX_NONE;
    uint64_t path = peer_path(table, &key);
    uint32_t at = allocation->channels;
    while (at != INDEX_NONE &&
           memcmp(peer_key_bytes(&table->at[at]), peer_key_bytes(&key), PEER_KEY_LEN) != 0)
        at = index_tree_below(nodes_by_peer(table), at, &path);
    return at;
}

unsigned channel_find_family(const struct channel_table *table, const struct allocation *allocation,
                             enum ip_family family, uint32_t ret_channels[PEER_ENTRIES_FOUND_MAX])
{
    return peer_entries_find(nodes_by_peer(table), allocation->channels, family, ret_channels);
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
        .entry.key = peer_key_take(table->addresses, allocation, &peer->ip),
        .peer_port = peer->port,
        .number = number,
    };
    // A keyed hash does not yield sixty-four paths that each begin as the ones before, and numbers
    // have fewer bits.
    bool added =
        index_tree_insert(nodes_by_peer(table), &allocation->channels, channel,
                          peer_path(table, at)) &&
        index_tree_insert(nodes_by_number(table), &allocation->channel_numbers, channel, number);
    assert(added);
    (void)added;
    allocation->channel_count++;
    table->count_by_worker[allocation->worker]++;
    return channel;
}

void channel_destroy(struct channel_table *table, struct allocation *allocation, uint32_t channel)
{
    struct channel *at = &table->at[channel];
    index_tree_remove(nodes_by_peer(table), &allocation->channels, channel, peer_path(table, at));
    index_tree_remove(nodes_by_number(table), &allocation->channel_numbers, channel, at->number);
    peer_key_give(table->addresses, &at->entry.key);
    allocation->channel_count--;
    table->count_by_worker[allocation->worker]--;
    index_pool_give(&table->pool, channel);
}

struct transport_address channel_peer(const struct channel_table *table, uint32_t channel)
{
    const struct channel *at = &table->at[channel];
    return (struct transport_address){peer_key_ip(table->addresses, &at->entry.key), at->peer_port};
}
