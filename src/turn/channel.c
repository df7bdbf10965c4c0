// SPDX-License-Identifier: BSD-3-Clause
// See turn/channel.h.
#include "turn/channel.h"

#include <assert.h>
#include <stddef.h>

// What a peer's channel is found by lies together.
#define KEY_LEN (offsetof(struct channel, number) - offsetof(struct channel, entry.key))
static_assert(KEY_LEN == sizeof(struct peer_key) + sizeof(uint16_t), "the key has no padding");

int channel_table_init(struct channel_table *table, const struct peer_entry_limits *limits,
                       struct address_store *addresses, const struct siphash_key *key)
{
    return peer_entry_table_init(&table->entries, sizeof(struct channel), KEY_LEN, limits,
                                 addresses, key);
}

void channel_table_done(struct channel_table *table)
{
    peer_entry_table_done(&table->entries);
}

static struct index_tree_nodes nodes_by_number(const struct channel_table *table)
{
    return (struct index_tree_nodes){&channel_at(table, 0)->by_number, sizeof(struct channel)};
}

// A number is a path as it is: there are no more levels than bits.
uint32_t channel_find_number(const struct channel_table *table, const struct allocation *allocation,
                             uint16_t number)
{
    uint64_t path = number;
    uint32_t at = allocation->channel_numbers;
    while (at != INDEX_NONE && channel_at(table, at)->number != number)
        at = index_tree_below(nodes_by_number(table), at, &path);
    return at;
}

uint32_t channel_find_peer(const struct channel_table *table, const struct allocation *allocation,
                           const struct transport_address *peer)
{
    struct channel like = {.peer_port = peer->port};
    if (!peer_key_find(table->entries.addresses, allocation, &peer->ip, &like.entry.key))
        return INDEX_NONE;
    return peer_entry_find(&table->entries, allocation->channels, &like.entry);
}

unsigned channel_find_family(const struct channel_table *table, const struct allocation *allocation,
                             enum ip_family family, uint32_t ret_channels[PEER_ENTRIES_FOUND_MAX])
{
    return peer_entry_find_family(&table->entries, allocation->channels, family, ret_channels);
}

bool channel_table_has_room(const struct channel_table *table, const struct allocation *allocation)
{
    return peer_entry_table_has_room(&table->entries, allocation->worker, allocation->channel_count,
                                     1);
}

uint32_t channel_create(struct channel_table *table, struct allocation *allocation, uint16_t number,
                        const struct transport_address *peer)
{
    struct channel made = {
        .entry.key = peer_key_take(table->entries.addresses, allocation, &peer->ip),
        .peer_port = peer->port,
        .number = number,
    };
    uint32_t channel =
        peer_entry_create(&table->entries, allocation->worker, &allocation->channels, &made.entry);
    bool added =
        index_tree_insert(nodes_by_number(table), &allocation->channel_numbers, channel, number);
    assert(added);
    (void)added;
    allocation->channel_count++;
    return channel;
}

void channel_destroy(struct channel_table *table, struct allocation *allocation, uint32_t channel)
{
    index_tree_remove(nodes_by_number(table), &allocation->channel_numbers, channel,
                      channel_at(table, channel)->number);
    peer_entry_destroy(&table->entries, allocation->worker, &allocation->channels, channel);
    allocation->channel_count--;
}

struct transport_address channel_peer(const struct channel_table *table, uint32_t channel)
{
    const struct channel *at = channel_at(table, channel);
    return (struct transport_address){peer_key_ip(table->entries.addresses, &at->entry.key),
                                      at->peer_port};
}
