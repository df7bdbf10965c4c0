// SPDX-License-Identifier: BSD-3-Clause
// Whose allocations there are and where their relay ports lead (RFC 8656 section 3.2).
#include "dataplane/allocation_table.h"

#include "dataplane/tables.h"

#include <errno.h>
#include <string.h>

void allocation_table_cut(struct allocation_table *table, const struct plane_config *config,
                          struct table_cutter *cutter)
{
    uint32_t capacity = config->allocations_per_worker;
    table->at = table_cut(cutter, sizeof(struct allocation), capacity);
    table->records = table_cut(cutter, sizeof(struct allocation_record), capacity);
    if (config->max_bps != 0)
        table->buckets = table_cut(cutter, sizeof(table->buckets[0]), capacity);
    if (config->user_max_bps != 0)
        table->shares = table_cut(cutter, sizeof(table->shares[0]), capacity);
    if (tables_have_ipv6(config))
        table->ips = table_cut(cutter, sizeof(table->ips[0]), capacity);
    index_pool_init_in(&table->pool, table->records, sizeof(table->records[0]), capacity);
    table->by_id = table_cut(cutter, sizeof(uint32_t), config->allocations);
    table->id_count = config->allocations;
}

static bool relayed_is_valid(const struct tables *tables, const struct table_relayed *relayed)
{
    uint16_t port = __builtin_bswap16(relayed->port_be);
    return relayed->relay == RELAY_NONE || (relayed->relay < tables->config->relay_count &&
                                            port >= tables->relay_ports[relayed->relay].min_port &&
                                            port <= tables->relay_ports[relayed->relay].max_port);
}

static void relay_port_set(struct tables *tables, const struct table_relayed *relayed,
                           uint32_t allocation)
{
    struct relay_slot *slot =
        tables_relay_slot(tables, relayed->relay, __builtin_bswap16(relayed->port_be));
    slot->allocation = allocation;
    slot->guess = TABLE_NONE;
}

void allocation_table_clear_relayed(struct tables *tables, uint32_t index, enum table_family family,
                                    bool is_reported)
{
    struct table_relayed *relayed = &tables->allocations.at[index].relayed[family];
    if (!table_relayed_is_there(relayed))
        return;
    relay_port_set(tables, relayed, TABLE_NONE);
    relayed->relay = is_reported ? relayed->relay | TABLE_RELAYED_WAS : RELAY_NONE;
}

static void set_relayed(struct tables *tables, uint32_t index, enum table_family family,
                        struct table_relayed wanted)
{
    struct table_relayed *relayed = &tables->allocations.at[index].relayed[family];
    allocation_table_clear_relayed(tables, index, family, false);
    if (!table_relayed_is_there(&wanted))
        return;
    *relayed = wanted;
    relay_port_set(tables, relayed, index);
}

void allocation_table_set_narrow(struct tables *tables, uint32_t index, bool is_narrow)
{
    struct allocation *entry = &tables->allocations.at[index];
    if (entry->is_narrow == is_narrow)
        return;
    entry->is_narrow = is_narrow;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++)
        permission_table_set_client_narrow(tables, entry->permissions[family], is_narrow);
}

// Another next hop is another path: what was known of the old one says nothing of it.
static void set_adjacency(struct tables *tables, uint32_t index, uint32_t adjacency)
{
    struct allocation *entry = &tables->allocations.at[index];
    if (entry->adjacency == adjacency)
        return;
    entry->adjacency = adjacency;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++)
        permission_table_set_client_adjacency(tables, entry->permissions[family], adjacency);
    allocation_table_set_narrow(tables, index, false);
}

static void set_client_ip(struct tables *tables, uint32_t index, const struct ip_address *ip)
{
    struct allocation *entry = &tables->allocations.at[index];
    if (ip->family == IP_FAMILY_V4)
        memcpy(&entry->client_ipv4, ip->bytes, sizeof(entry->client_ipv4));
    else
        memcpy(tables->allocations.ips[index], ip->bytes, sizeof(tables->allocations.ips[index]));
}

static int add(struct tables *tables, const struct command *command, uint32_t *ret_index)
{
    const struct client_key *client = &command->install_allocation.client;
    uint32_t id = command->allocation;
    uint32_t index = index_pool_take(&tables->allocations.pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct allocation *entry = &tables->allocations.at[index];
    memset(entry, 0, sizeof(*entry));
    set_client_ip(tables, index, &client->address.ip);
    entry->client_port_be = __builtin_bswap16(client->address.port);
    entry->client_family = (uint8_t)client->address.ip.family & 0x7F;
    entry->listener = (uint8_t)client->listener;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        entry->permissions[family] = TABLE_NONE;
        entry->relayed[family].relay = RELAY_NONE;
    }
    entry->guess = TABLE_NONE;
    tables->allocations.records[index] = (struct allocation_record){.id = id};
    if (tables->allocations.buckets != NULL)
        memset(tables->allocations.buckets[index], 0, sizeof(tables->allocations.buckets[index]));
    if (tables->allocations.shares != NULL)
        tables->allocations.shares[index] =
            (struct allocation_share){.user = command->install_allocation.user};
    int error = tables_insert(tables, TABLE_VALUE_ALLOCATION, index);
    if (error != 0) {
        index_pool_give(&tables->allocations.pool, index);
        return error;
    }
    tables->allocations.by_id[id] = index + 1;
    *ret_index = index;
    return 0;
}

void allocation_table_forget(struct tables *tables, uint32_t index)
{
    tables_remove(tables, TABLE_VALUE_ALLOCATION, index);
    tables->allocations.by_id[tables->allocations.records[index].id] = 0;
}

static bool is_of(const struct allocation_table *table, const struct allocation *entry,
                  const struct client_key *client)
{
    return entry->listener == client->listener &&
           entry->client_family == client->address.ip.family &&
           entry->client_port_be == __builtin_bswap16(client->address.port) &&
           memcmp(allocation_client_ip(table, entry), client->address.ip.bytes,
                  ip_address_len(&client->address.ip)) == 0;
}

// Nothing takes the place of what is still to be reported.
static bool may_have(const struct allocation *entry, const struct table_relayed *wanted)
{
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        bool is_free = table_relayed_is_there(&entry->relayed[family]) ||
                       entry->relayed[family].relay == RELAY_NONE;
        if (!is_free && table_relayed_is_there(&wanted[family]))
            return false;
    }
    return true;
}

int allocation_table_install(struct tables *tables, const struct command *command)
{
    const struct client_key *client = &command->install_allocation.client;
    const struct table_relayed wanted[TABLE_FAMILIES] = {
        {command->install_allocation.relay_v4,
         __builtin_bswap16(command->install_allocation.relay_v4_port)},
        {command->install_allocation.relay_v6,
         __builtin_bswap16(command->install_allocation.relay_v6_port)},
    };
    if (command->allocation >= tables->allocations.id_count ||
        client->listener >= plane_listener_total(tables->config) ||
        !tables_know_family(tables, client->address.ip.family) ||
        !relayed_is_valid(tables, &wanted[TABLE_V4]) ||
        !relayed_is_valid(tables, &wanted[TABLE_V6]))
        return -EINVAL;
    uint32_t index = allocation_table_find(&tables->allocations, command->allocation);
    if (index == TABLE_NONE) {
        int error = add(tables, command, &index);
        if (error != 0)
            return error;
    } else if (!is_of(&tables->allocations, &tables->allocations.at[index], client) ||
               !may_have(&tables->allocations.at[index], wanted)) {
        return -EINVAL;
    }
    set_relayed(tables, index, TABLE_V4, wanted[TABLE_V4]);
    set_relayed(tables, index, TABLE_V6, wanted[TABLE_V6]);
    set_adjacency(tables, index, command->install_allocation.adjacency);
    return 0;
}
