// SPDX-License-Identifier: BSD-3-Clause
// What each channel is bound to, and all that its rewrites need (RFC 8656 section 12).
#include "dataplane/channel_table.h"

#include "dataplane/allowance.h"
#include "dataplane/leg.h"
#include "dataplane/tables.h"
#include "proto/channel_data.h"

#include <errno.h>
#include <string.h>

void channel_table_cut(struct channel_table *table, const struct plane_config *config,
                       struct table_cutter *cutter)
{
    uint32_t capacity = config->channels_per_worker;
    table->at = table_cut(cutter, sizeof(struct channel), capacity);
    table->places = table_cut(cutter, sizeof(struct channel_place), capacity);
    if (tables_have_ipv6(config))
        table->ips = table_cut(cutter, sizeof(struct channel_ips), capacity);
    index_pool_init_in(&table->pool, table->places, sizeof(table->places[0]), capacity);
}

static uint32_t find(const struct tables *tables, const struct allocation *owner, uint16_t number)
{
    struct flow_key key;
    tables_client_key(tables, &key, owner->listener, owner->client_family,
                      allocation_client_ip(&tables->allocations, owner), owner->client_port_be,
                      number);
    return tables_find(tables, &key);
}

static struct index_tree_nodes nodes_of(const struct channel_table *table)
{
    return (struct index_tree_nodes){table->places, sizeof(table->places[0])};
}

static uint64_t path_of(const struct channel_table *table, uint32_t index)
{
    return __builtin_bswap16(table->places[index].peer_port_be);
}

// Where it is found from both sides. Its client, peer and port are set.
static int insert(struct tables *tables, uint32_t index, uint32_t permission)
{
    const struct channel_table *table = &tables->channels;
    struct channel_place *place = &table->places[index];
    place->permission = permission;
    place->peer_port_be = channel_peer_port_be(&table->at[index]);
    int error = tables_insert(tables, TABLE_VALUE_CHANNEL, index);
    if (error != 0)
        return error;
    bool is_in = index_tree_insert(nodes_of(table), &tables->permissions.at[permission].channels,
                                   index, path_of(table, index));
    assert(is_in); // no two have all of their sixteen bits in common
    (void)is_in;
    return 0;
}

// A relay port's guess that still leads here fits nobody.
static void give(struct tables *tables, uint32_t index)
{
    tables->channels.at[index].peer_family = IP_FAMILY_NONE;
    tables->channels.at[index].is_plain = false;
    index_pool_give(&tables->channels.pool, index);
}

void channel_table_drop(struct tables *tables, uint32_t index)
{
    const struct channel_table *table = &tables->channels;
    uint32_t permission = table->places[index].permission;
    tables_remove(tables, TABLE_VALUE_CHANNEL, index);
    index_tree_remove(nodes_of(table), &tables->permissions.at[permission].channels, index,
                      path_of(table, index));
    allowance_settle(tables, &table->at[index]);
    permission_table_release(tables, permission);
    give(tables, index);
}

void channel_table_set_client_adjacency(const struct channel_table *table, uint32_t root,
                                        uint32_t adjacency)
{
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes_of(table))) != TABLE_NONE;)
        table->at[at].to_client.adjacency = adjacency;
}

// After any change to what it depends on.
static void set_plain(struct channel *entry)
{
    entry->is_plain = entry->permitted && !entry->is_narrow && !entry->is_client_narrow &&
                      entry->hairpin == TABLE_RELAY_NONE && !channel_is_of_stream(entry) &&
                      channel_client_family(entry) == entry->peer_family;
}

void channel_table_set_permitted(const struct channel_table *table, uint32_t root, bool permitted)
{
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes_of(table))) != TABLE_NONE;) {
        table->at[at].permitted = permitted;
        set_plain(&table->at[at]);
    }
}

void channel_table_set_narrow(const struct channel_table *table, uint32_t root, bool is_narrow)
{
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes_of(table))) != TABLE_NONE;) {
        table->at[at].is_narrow = is_narrow;
        set_plain(&table->at[at]);
    }
}

void channel_table_set_client_narrow(const struct channel_table *table, uint32_t root,
                                     bool is_narrow)
{
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes_of(table))) != TABLE_NONE;) {
        table->at[at].is_client_narrow = is_narrow;
        set_plain(&table->at[at]);
    }
}

static void set_client(struct tables *tables, uint32_t index, uint16_t number,
                       const struct allocation *owner)
{
    struct flow_key key;
    tables_client_key(tables, &key, owner->listener, owner->client_family,
                      allocation_client_ip(&tables->allocations, owner), owner->client_port_be,
                      number);
    memcpy(tables->channels.at[index].client, key.words, sizeof(key.words));
    if (tables->channels.ips != NULL)
        memcpy(tables->channels.ips[index].client, key.ip, sizeof(key.ip));
}

static void set_peer(struct tables *tables, uint32_t index, uint32_t allocation,
                     const struct transport_address *peer)
{
    struct channel *entry = &tables->channels.at[index];
    const struct table_relayed *relayed =
        &tables->allocations.at[allocation].relayed[table_family(peer->ip.family)];
    uint32_t peer_ipv4 = 0, relay_ipv4 = 0;
    entry->relay = (uint8_t)relayed->relay;
    entry->peer_family = (uint8_t)peer->ip.family;
    if (peer->ip.family == IP_FAMILY_V4) {
        memcpy(&peer_ipv4, peer->ip.bytes, sizeof(peer_ipv4));
        memcpy(&relay_ipv4, tables->config->relays[relayed->relay].local.bytes, sizeof(relay_ipv4));
    } else {
        memcpy(tables->channels.ips[index].peer, peer->ip.bytes, sizeof(peer->ip.bytes));
    }
    entry->peer[0] = peer_ipv4 | (uint64_t)relay_ipv4 << 32;
    entry->peer[1] = __builtin_bswap16(peer->port) | (uint64_t)relayed->port_be << 16 |
                     (uint64_t)allocation << 32;
}

// What changes about every packet of a channel alike (RFC 1624). A checksum is the complement of a
// sum: what goes from that is added to it.
static void set_changes(const struct tables *tables, struct channel *entry, uint8_t listener)
{
    const uint8_t *listener_ip = tables->config->listeners[listener].ip.bytes;
    const uint8_t *relay_ip = tables->config->relays[entry->relay].local.bytes;
    const uint8_t *client_ip = channel_client_ip(&tables->channels, entry);
    const uint8_t *peer_ip = channel_peer_ip(&tables->channels, entry);
    uint8_t client_family = channel_client_family(entry);
    // Sums do not tell source from destination: each leg's is that of its way back, too.
    uint64_t client_ips = leg_address_sum(0, client_family, client_ip);
    uint64_t peer_ips = leg_address_sum(0, entry->peer_family, peer_ip);
    client_ips = leg_address_sum(client_ips, client_family, listener_ip);
    peer_ips = leg_address_sum(peer_ips, entry->peer_family, relay_ip);
    uint64_t hop = 1; // the TTL comes first in its word
    uint64_t header_len = __builtin_bswap16(CHANNEL_DATA_HEADER_LEN);
    uint64_t client_sum = client_ips + channel_client_port_be(entry) +
                          channel_listener_port_be(entry) + channel_number_be(entry) +
                          2 * header_len; // in the header and in the pseudo-header (RFC 768)
    uint64_t peer_sum = peer_ips + channel_peer_port_be(entry) + channel_relay_port_be(entry);
    entry->to_peer.ip_change =
        checksum_fold(client_ips + header_len + hop + checksum_negate(peer_ips));
    entry->to_client.ip_change =
        checksum_fold(peer_ips + hop + checksum_negate(client_ips + header_len));
    entry->udp_change_to_peer =
        __builtin_bswap16(checksum_fold(client_sum + checksum_negate(peer_sum)));
    entry->udp_change_to_client = (uint16_t)~entry->udp_change_to_peer;
}

static int add(struct tables *tables, uint32_t allocation, const struct command *command,
               uint32_t *ret_index)
{
    const struct transport_address *peer = &command->channel.peer;
    const struct allocation *owner = &tables->allocations.at[allocation];
    const struct table_relayed *relayed = &owner->relayed[table_family(peer->ip.family)];
    if (!table_relayed_is_there(relayed))
        return -EINVAL;
    uint32_t permission;
    int error = permission_table_reach(tables, allocation, &peer->ip, &permission);
    if (error != 0)
        return error;
    if (channel_table_of_port(&tables->channels, tables->permissions.at[permission].channels,
                              __builtin_bswap16(peer->port)) != TABLE_NONE)
        return -EINVAL; // that peer has another channel: RFC 8656 section 12.2 forbids a second
    uint32_t index = index_pool_take(&tables->channels.pool);
    if (index == TABLE_NONE) {
        permission_table_release(tables, permission);
        return -ENOSPC;
    }
    struct channel *entry = &tables->channels.at[index];
    memset(entry, 0, sizeof(*entry));
    set_client(tables, index, command->channel.number, owner);
    set_peer(tables, index, allocation, peer);
    entry->to_client.adjacency = owner->adjacency;
    entry->permitted = tables->permissions.at[permission].is_live;
    entry->is_narrow = tables->permissions.at[permission].is_narrow;
    entry->is_client_narrow = owner->is_narrow;
    set_changes(tables, entry, owner->listener);
    error = insert(tables, index, permission);
    if (error != 0) {
        give(tables, index);
        permission_table_release(tables, permission);
        return error;
    }
    struct relay_slot *slot =
        tables_relay_slot(tables, relayed->relay, __builtin_bswap16(relayed->port_be));
    if (slot->guess == TABLE_NONE)
        slot->guess = index;
    *ret_index = index;
    return 0;
}

static bool is_to(const struct tables *tables, const struct channel *entry,
                  const struct transport_address *peer)
{
    return channel_is_of_peer(&tables->channels, entry, channel_allocation(entry),
                              (uint8_t)peer->ip.family, peer->ip.bytes,
                              __builtin_bswap16(peer->port));
}

static bool command_is_valid(const struct tables *tables, const struct command *command)
{
    const struct transport_address *peer = &command->channel.peer;
    return command->channel.number >= TURN_CHANNEL_MIN &&
           command->channel.number <= channel_data_max(tables->config->rfc5766_channels) &&
           peer->port != 0 && tables_know_family(tables, peer->ip.family) &&
           tables_path_is_valid(tables, &command->channel.path);
}

int channel_table_install(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_table_find(&tables->allocations, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    if (!command_is_valid(tables, command))
        return -EINVAL;
    uint32_t index = find(tables, &tables->allocations.at[allocation], command->channel.number);
    if (index == TABLE_NONE) {
        int error = add(tables, allocation, command, &index);
        if (error != 0)
            return error;
    } else if (!is_to(tables, &tables->channels.at[index], &command->channel.peer)) {
        return -EINVAL;
    }
    struct channel *entry = &tables->channels.at[index];
    entry->to_peer.adjacency = command->channel.path.adjacency;
    entry->hairpin = tables_path_hairpin(&command->channel.path);
    set_plain(entry);
    return 0;
}

int channel_table_remove(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_table_find(&tables->allocations, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    uint32_t index = find(tables, &tables->allocations.at[allocation], command->channel.number);
    if (index == TABLE_NONE || command->channel.number == 0)
        return -ENOENT;
    channel_table_drop(tables, index);
    return 0;
}
