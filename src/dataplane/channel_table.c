// SPDX-License-Identifier: BSD-3-Clause
// What each channel is bound to, and all that its rewrites need (RFC 8656 section 12).
#include "dataplane/channel_table.h"

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
    index_pool_init_in(&table->pool, table_cut(cutter, sizeof(uint32_t), capacity), capacity);
}

static void traffic_add(struct allocation_traffic *sum, const struct allocation_traffic *more)
{
    sum->to_peer_packets += more->to_peer_packets;
    sum->to_peer_bytes += more->to_peer_bytes;
    sum->to_client_packets += more->to_client_packets;
    sum->to_client_bytes += more->to_client_bytes;
}

static uint32_t find(const struct tables *tables, const struct allocation *owner, uint16_t number)
{
    struct flow_key key;
    tables_client_key(&key, owner->listener, owner->client_family, owner->client_ip,
                      owner->client_port_be, number);
    return tables_find(tables, &key);
}

static uint32_t *list_of(struct tables *tables, const struct channel *entry)
{
    return &tables->allocations.at[entry->allocation].channels[table_family(entry->peer_family)];
}

static void link_in(struct tables *tables, uint32_t index)
{
    struct channel *entry = &tables->channels.at[index];
    uint32_t *first = list_of(tables, entry);
    struct permission *permission = &tables->permissions.at[entry->permission];
    entry->previous = TABLE_NONE;
    entry->next = *first;
    if (entry->next != TABLE_NONE)
        tables->channels.at[entry->next].previous = index;
    *first = index;
    entry->previous_of_permission = TABLE_NONE;
    entry->next_of_permission = permission->channels;
    if (entry->next_of_permission != TABLE_NONE)
        tables->channels.at[entry->next_of_permission].previous_of_permission = index;
    permission->channels = index;
}

static void link_out(struct tables *tables, const struct channel *entry)
{
    if (entry->next != TABLE_NONE)
        tables->channels.at[entry->next].previous = entry->previous;
    if (entry->previous != TABLE_NONE)
        tables->channels.at[entry->previous].next = entry->next;
    else
        *list_of(tables, entry) = entry->next;
    if (entry->next_of_permission != TABLE_NONE)
        tables->channels.at[entry->next_of_permission].previous_of_permission =
            entry->previous_of_permission;
    if (entry->previous_of_permission != TABLE_NONE)
        tables->channels.at[entry->previous_of_permission].next_of_permission =
            entry->next_of_permission;
    else
        tables->permissions.at[entry->permission].channels = entry->next_of_permission;
}

static int insert_keys(struct tables *tables, uint32_t index)
{
    int error = tables_insert(tables, TABLE_VALUE_CHANNEL_OF_CLIENT, index);
    if (error != 0)
        return error;
    error = tables_insert(tables, TABLE_VALUE_CHANNEL_OF_PEER, index);
    if (error != 0)
        tables_remove(tables, TABLE_VALUE_CHANNEL_OF_CLIENT, index);
    return error;
}

// A relay port's guess that still leads here fits nobody.
static void give(struct tables *tables, uint32_t index)
{
    tables->channels.at[index].peer_family = IP_FAMILY_NONE;
    index_pool_give(&tables->channels.pool, index);
}

void channel_table_drop(struct tables *tables, uint32_t index)
{
    struct channel *entry = &tables->channels.at[index];
    tables_remove(tables, TABLE_VALUE_CHANNEL_OF_CLIENT, index);
    tables_remove(tables, TABLE_VALUE_CHANNEL_OF_PEER, index);
    link_out(tables, entry);
    traffic_add(&tables->allocations.at[entry->allocation].traffic, &entry->traffic);
    permission_table_release(tables, entry->permission);
    give(tables, index);
}

void channel_table_set_client_adjacency(struct channel_table *table, uint32_t first,
                                        uint32_t adjacency)
{
    for (uint32_t at = first; at != TABLE_NONE; at = table->at[at].next)
        table->at[at].client_adjacency = adjacency;
}

void channel_table_set_permitted(struct channel_table *table, uint32_t first, bool permitted)
{
    for (uint32_t at = first; at != TABLE_NONE; at = table->at[at].next_of_permission)
        table->at[at].permitted = permitted;
}

static void set_client(struct channel *entry, const struct allocation *owner)
{
    memcpy(entry->client_ip, owner->client_ip, sizeof(entry->client_ip));
    entry->client_port_be = owner->client_port_be;
    entry->client_family = owner->client_family;
    entry->listener = owner->listener;
    entry->client_adjacency = owner->adjacency;
}

static void set_peer(struct channel *entry, const struct transport_address *peer)
{
    memcpy(entry->peer_ip, peer->ip.bytes, sizeof(entry->peer_ip));
    entry->peer_port_be = __builtin_bswap16(peer->port);
    entry->peer_family = (uint8_t)peer->ip.family;
}

// Everything that a rewrite adds to the UDP checksum, less everything it takes away (RFC 1624).
static void set_sums(const struct tables *tables, struct channel *entry)
{
    const struct transport_address *listener = &tables->config->listeners[entry->listener];
    uint16_t listener_port_be = __builtin_bswap16(listener->port);
    const uint8_t *relay_ip = tables->config->relays[entry->relay].local.bytes;
    struct leg from_client = {.source_ip = entry->client_ip,
                              .destination_ip = listener->ip.bytes,
                              .source_port_be = entry->client_port_be,
                              .destination_port_be = listener_port_be,
                              .family = entry->client_family};
    struct leg from_peer = {.source_ip = entry->peer_ip,
                            .destination_ip = relay_ip,
                            .source_port_be = entry->peer_port_be,
                            .destination_port_be = entry->relay_port_be,
                            .family = entry->peer_family};
    // Sums do not tell source from destination: each leg's is that of its way back, too.
    uint64_t client_sum = leg_flow_sum(&from_client);
    uint64_t peer_sum = leg_flow_sum(&from_peer);
    uint16_t number_be = __builtin_bswap16(entry->number);
    entry->to_peer_change = checksum_fold(peer_sum + checksum_negate(client_sum + number_be));
    entry->to_client_change = checksum_fold(client_sum + number_be + checksum_negate(peer_sum));
    entry->to_peer_label = leg_flow_label(peer_sum);
    entry->to_client_label = leg_flow_label(client_sum);
}

static int add(struct tables *tables, uint32_t allocation, const struct command *command,
               uint32_t *ret_index)
{
    const struct transport_address *peer = &command->channel.peer;
    const struct allocation *owner = &tables->allocations.at[allocation];
    const struct table_relayed *relayed = &owner->relayed[table_family(peer->ip.family)];
    if (relayed->relay == RELAY_NONE)
        return -EINVAL;
    struct flow_key peer_key;
    tables_peer_key(&peer_key, allocation, (uint8_t)peer->ip.family, peer->ip.bytes,
                    __builtin_bswap16(peer->port));
    if (tables_lookup(tables, &peer_key) != FLOW_NONE)
        return -EINVAL; // that peer has another channel: RFC 8656 section 12.2 forbids a second
    uint32_t permission;
    int error = permission_table_reach(tables, allocation, &peer->ip, &permission);
    if (error != 0)
        return error;
    uint32_t index = index_pool_take(&tables->channels.pool);
    if (index == TABLE_NONE) {
        permission_table_release(tables, permission);
        return -ENOSPC;
    }
    struct channel *entry = &tables->channels.at[index];
    memset(entry, 0, sizeof(*entry));
    set_client(entry, owner);
    set_peer(entry, peer);
    entry->number = command->channel.number;
    entry->relay = (uint8_t)relayed->relay;
    entry->relay_port_be = relayed->port_be;
    entry->allocation = allocation;
    entry->permission = permission;
    entry->permitted = tables->permissions.at[permission].live;
    set_sums(tables, entry);
    error = insert_keys(tables, index);
    if (error != 0) {
        give(tables, index);
        permission_table_release(tables, permission);
        return error;
    }
    link_in(tables, index);
    struct relay_slot *slot =
        tables_relay_slot(tables, relayed->relay, __builtin_bswap16(relayed->port_be));
    if (slot->guess == TABLE_NONE)
        slot->guess = index;
    *ret_index = index;
    return 0;
}

static bool is_to(const struct channel *entry, const struct transport_address *peer)
{
    return entry->peer_family == peer->ip.family &&
           entry->peer_port_be == __builtin_bswap16(peer->port) &&
           memcmp(entry->peer_ip, peer->ip.bytes, sizeof(entry->peer_ip)) == 0;
}

static bool command_is_valid(const struct tables *tables, const struct command *command)
{
    const struct transport_address *peer = &command->channel.peer;
    return command->channel.number >= TURN_CHANNEL_MIN &&
           command->channel.number <= channel_data_max(tables->config->rfc5766_channels) &&
           peer->port != 0 &&
           (peer->ip.family == IP_FAMILY_V4 || peer->ip.family == IP_FAMILY_V6) &&
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
    } else if (!is_to(&tables->channels.at[index], &command->channel.peer)) {
        return -EINVAL;
    }
    tables->channels.at[index].peer_adjacency = command->channel.path.adjacency;
    tables->channels.at[index].hairpin = tables_path_hairpin(&command->channel.path);
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
