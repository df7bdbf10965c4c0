// SPDX-License-Identifier: BSD-3-Clause
// Which peers each allocation hears (RFC 8656 section 9).
#include "dataplane/permission_table.h"

#include "dataplane/tables.h"

#include <errno.h>
#include <string.h>

void permission_table_cut(struct permission_table *table, const struct plane_config *config,
                          struct table_cutter *cutter)
{
    // One that is not live any more stays while channels to its peer do: so many more, at worst.
    uint32_t capacity = config->permissions_per_worker + config->channels_per_worker;
    table->at = table_cut(cutter, sizeof(struct permission), capacity);
    index_pool_init_in(&table->pool, table_cut(cutter, sizeof(uint32_t), capacity), capacity);
}

static uint32_t find(const struct tables *tables, uint32_t allocation,
                     const struct ip_address *peer)
{
    struct flow_key key;
    tables_peer_key(&key, allocation, (uint8_t)peer->family, peer->bytes, 0);
    return tables_find(tables, &key);
}

static uint32_t *list_of(struct tables *tables, const struct permission *entry)
{
    return &tables->allocations.at[entry->allocation].permissions[table_family(entry->peer_family)];
}

int permission_table_reach(struct tables *tables, uint32_t allocation,
                           const struct ip_address *peer, uint32_t *ret_index)
{
    uint32_t index = find(tables, allocation, peer);
    if (index != TABLE_NONE) {
        *ret_index = index;
        return 0;
    }
    index = index_pool_take(&tables->permissions.pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct permission *entry = &tables->permissions.at[index];
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->peer_ip, peer->bytes, sizeof(entry->peer_ip));
    entry->allocation = allocation;
    entry->hairpin = TABLE_RELAY_NONE;
    entry->peer_family = (uint8_t)peer->family;
    entry->channels = TABLE_NONE;
    int error = tables_insert(tables, TABLE_VALUE_PERMISSION, index);
    if (error != 0) {
        index_pool_give(&tables->permissions.pool, index);
        return error;
    }
    uint32_t *first = list_of(tables, entry);
    entry->previous = TABLE_NONE;
    entry->next = *first;
    if (entry->next != TABLE_NONE)
        tables->permissions.at[entry->next].previous = index;
    *first = index;
    *ret_index = index;
    return 0;
}

static void set_live(struct tables *tables, uint32_t index, bool live)
{
    struct permission *entry = &tables->permissions.at[index];
    if (entry->live == live)
        return;
    entry->live = live;
    tables->permissions.live_count += live ? 1 : UINT32_MAX;
    channel_table_set_permitted(&tables->channels, entry->channels, live);
}

void permission_table_release(struct tables *tables, uint32_t index)
{
    struct permission *entry = &tables->permissions.at[index];
    if (entry->live || entry->channels != TABLE_NONE)
        return;
    tables_remove(tables, TABLE_VALUE_PERMISSION, index);
    if (entry->next != TABLE_NONE)
        tables->permissions.at[entry->next].previous = entry->previous;
    if (entry->previous != TABLE_NONE)
        tables->permissions.at[entry->previous].next = entry->next;
    else
        *list_of(tables, entry) = entry->next;
    index_pool_give(&tables->permissions.pool, index);
}

void permission_table_drop(struct tables *tables, uint32_t index)
{
    set_live(tables, index, false);
    permission_table_release(tables, index);
}

int permission_table_install(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_table_find(&tables->allocations, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    if (!tables_path_is_valid(tables, &command->permission.path))
        return -EINVAL;
    uint32_t index;
    int error = permission_table_reach(tables, allocation, &command->permission.peer, &index);
    if (error != 0)
        return error;
    struct permission *entry = &tables->permissions.at[index];
    entry->adjacency = command->permission.path.adjacency;
    entry->hairpin = tables_path_hairpin(&command->permission.path);
    set_live(tables, index, true);
    return 0;
}

int permission_table_remove(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_table_find(&tables->allocations, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    uint32_t index = find(tables, allocation, &command->permission.peer);
    if (index == TABLE_NONE || !tables->permissions.at[index].live)
        return -ENOENT;
    permission_table_drop(tables, index);
    return 0;
}
