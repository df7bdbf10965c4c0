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
    index_pool_init_in(&table->pool, table_cut(cutter, sizeof(uint32_t), capacity), capacity);
    table->by_id = table_cut(cutter, sizeof(uint32_t), config->allocations);
    table->id_count = config->allocations;
}

static bool relayed_is_valid(const struct tables *tables, uint16_t relay, uint16_t port)
{
    return relay == RELAY_NONE ||
           (relay < tables->config->relay_count && port >= tables->relay_ports[relay].min_port &&
            port <= tables->relay_ports[relay].max_port);
}

static void relay_port_set(struct tables *tables, const struct table_relayed *relayed,
                           uint32_t allocation)
{
    if (relayed->relay == RELAY_NONE)
        return;
    struct relay_slot *slot =
        tables_relay_slot(tables, relayed->relay, __builtin_bswap16(relayed->port_be));
    slot->allocation = allocation;
    slot->guess = TABLE_NONE;
}

static void set_relayed(struct tables *tables, uint32_t index, enum table_family family,
                        uint16_t relay, uint16_t port)
{
    struct table_relayed *relayed = &tables->allocations.at[index].relayed[family];
    relay_port_set(tables, relayed, TABLE_NONE);
    relayed->relay = relay;
    relayed->port_be = __builtin_bswap16(port);
    relay_port_set(tables, relayed, index);
}

void allocation_table_clear_relayed(struct tables *tables, uint32_t index, enum table_family family)
{
    set_relayed(tables, index, family, RELAY_NONE, 0);
}

static void set_adjacency(struct tables *tables, struct allocation *entry, uint32_t adjacency)
{
    if (entry->adjacency == adjacency)
        return;
    entry->adjacency = adjacency;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++)
        permission_table_set_client_adjacency(tables, entry->permissions[family], adjacency);
}

static int add(struct tables *tables, uint32_t id, const struct client_key *client,
               uint32_t *ret_index)
{
    uint32_t index = index_pool_take(&tables->allocations.pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct allocation *entry = &tables->allocations.at[index];
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->client_ip, client->address.ip.bytes, sizeof(entry->client_ip));
    entry->client_port_be = __builtin_bswap16(client->address.port);
    entry->client_family = (uint8_t)client->address.ip.family;
    entry->listener = (uint8_t)client->listener;
    entry->id = id;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        entry->permissions[family] = TABLE_NONE;
        entry->relayed[family].relay = RELAY_NONE;
    }
    entry->next_report = TABLE_NONE;
    entry->guess = TABLE_NONE;
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
    tables->allocations.by_id[tables->allocations.at[index].id] = 0;
}

static bool is_of(const struct allocation *entry, const struct client_key *client)
{
    return entry->listener == client->listener &&
           entry->client_family == client->address.ip.family &&
           entry->client_port_be == __builtin_bswap16(client->address.port) &&
           memcmp(entry->client_ip, client->address.ip.bytes, sizeof(entry->client_ip)) == 0;
}

int allocation_table_install(struct tables *tables, const struct command *command)
{
    const struct client_key *client = &command->install_allocation.client;
    uint16_t relay_v4 = command->install_allocation.relay_v4;
    uint16_t relay_v4_port = command->install_allocation.relay_v4_port;
    uint16_t relay_v6 = command->install_allocation.relay_v6;
    uint16_t relay_v6_port = command->install_allocation.relay_v6_port;
    if (command->allocation >= tables->allocations.id_count ||
        client->listener >= PLANE_LISTENERS_MAX ||
        !relayed_is_valid(tables, relay_v4, relay_v4_port) ||
        !relayed_is_valid(tables, relay_v6, relay_v6_port))
        return -EINVAL;
    uint32_t index = allocation_table_find(&tables->allocations, command->allocation);
    if (index == TABLE_NONE) {
        int error = add(tables, command->allocation, client, &index);
        if (error != 0)
            return error;
    } else if (!is_of(&tables->allocations.at[index], client)) {
        return -EINVAL;
    }
    set_relayed(tables, index, TABLE_V4, relay_v4, relay_v4_port);
    set_relayed(tables, index, TABLE_V6, relay_v6, relay_v6_port);
    set_adjacency(tables, &tables->allocations.at[index], command->install_allocation.adjacency);
    return 0;
}
