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
    table->nodes = table_cut(cutter, sizeof(struct index_tree_node), capacity);
    if (tables_have_ipv6(config))
        table->ips = table_cut(cutter, sizeof(table->ips[0]), capacity);
    index_pool_init_in(&table->pool, table->nodes, sizeof(table->nodes[0]), capacity);
}

static struct index_tree_nodes nodes_of(const struct permission_table *table)
{
    return (struct index_tree_nodes){table->nodes, sizeof(table->nodes[0])};
}

// A client chooses its peers: without a key, the tree would have the shape it wants.
static uint64_t path_of(const struct tables *tables, uint32_t allocation, uint8_t family,
                        const uint8_t *ip)
{
    struct flow_key key;
    flow_key_set(&key, FLOW_KEY_PEER, family, (struct flow_end){allocation, 0}, ip, 0, 0);
    return flow_table_hash_of(&tables->flows, &key);
}

static bool is_of(const struct permission_table *table, uint32_t index, uint8_t family,
                  const uint8_t *ip)
{
    return family == IP_FAMILY_V4
               ? memcmp(&table->at[index].peer_ipv4, ip, sizeof(table->at[index].peer_ipv4)) == 0
               : memcmp(table->ips[index], ip, sizeof(table->ips[index])) == 0;
}

// Most have one peer, and nothing to hash.
uint32_t permission_table_find(const struct tables *tables, uint32_t allocation, uint8_t family,
                               const uint8_t *ip)
{
    const struct permission_table *table = &tables->permissions;
    uint32_t at = *tables_permissions(tables, allocation, family);
    if (at == TABLE_NONE || is_of(table, at, family, ip))
        return at;
    uint64_t path = path_of(tables, allocation, family, ip);
    do {
        at = index_tree_below(nodes_of(table), at, &path);
    } while (at != TABLE_NONE && !is_of(table, at, family, ip));
    return at;
}

static int insert(struct tables *tables, uint32_t index, uint32_t allocation, uint8_t family,
                  const uint8_t *ip)
{
    return index_tree_insert(nodes_of(&tables->permissions),
                             tables_permissions(tables, allocation, family), index,
                             path_of(tables, allocation, family, ip))
               ? 0
               : -ENOSPC;
}

static void remove_entry(struct tables *tables, uint32_t index)
{
    const struct permission_table *table = &tables->permissions;
    const struct permission *entry = &table->at[index];
    uint8_t family = entry->is_ipv6 ? IP_FAMILY_V6 : IP_FAMILY_V4;
    const uint8_t *ip = entry->is_ipv6 ? table->ips[index] : (const uint8_t *)&entry->peer_ipv4;
    index_tree_remove(nodes_of(table), tables_permissions(tables, entry->allocation, family), index,
                      path_of(tables, entry->allocation, family, ip));
}

static void set_peer(struct permission_table *table, uint32_t index, const struct ip_address *peer)
{
    struct permission *entry = &table->at[index];
    entry->is_ipv6 = peer->family == IP_FAMILY_V6;
    if (entry->is_ipv6)
        memcpy(table->ips[index], peer->bytes, sizeof(table->ips[index]));
    else
        memcpy(&entry->peer_ipv4, peer->bytes, sizeof(entry->peer_ipv4));
}

int permission_table_reach(struct tables *tables, uint32_t allocation,
                           const struct ip_address *peer, uint32_t *ret_index)
{
    uint8_t family = (uint8_t)peer->family;
    uint32_t index = permission_table_find(tables, allocation, family, peer->bytes);
    if (index != TABLE_NONE) {
        *ret_index = index;
        return 0;
    }
    index = index_pool_take(&tables->permissions.pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct permission *entry = &tables->permissions.at[index];
    memset(entry, 0, sizeof(*entry));
    set_peer(&tables->permissions, index, peer);
    entry->allocation = allocation;
    entry->channels = TABLE_NONE;
    int error = insert(tables, index, allocation, family, peer->bytes);
    if (error != 0) {
        index_pool_give(&tables->permissions.pool, index);
        return error;
    }
    *ret_index = index;
    return 0;
}

void permission_table_set_client_adjacency(struct tables *tables, uint32_t root, uint32_t adjacency)
{
    const struct permission_table *table = &tables->permissions;
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes_of(table))) != TABLE_NONE;)
        channel_table_set_client_adjacency(&tables->channels, table->at[at].channels, adjacency);
}

void permission_table_set_client_narrow(struct tables *tables, uint32_t root, bool is_narrow)
{
    const struct permission_table *table = &tables->permissions;
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes_of(table))) != TABLE_NONE;)
        channel_table_set_client_narrow(&tables->channels, table->at[at].channels, is_narrow);
}

static void set_live(struct tables *tables, uint32_t index, bool live)
{
    struct permission *entry = &tables->permissions.at[index];
    if (entry->is_live == live)
        return;
    entry->is_live = live;
    tables->permissions.live_count += live ? 1 : UINT32_MAX;
    channel_table_set_permitted(&tables->channels, entry->channels, live);
}

void permission_table_set_narrow(struct tables *tables, uint32_t index, bool is_narrow)
{
    struct permission *entry = &tables->permissions.at[index];
    if (entry->is_narrow == is_narrow)
        return;
    entry->is_narrow = is_narrow;
    channel_table_set_narrow(&tables->channels, entry->channels, is_narrow);
}

void permission_table_release(struct tables *tables, uint32_t index)
{
    const struct permission *entry = &tables->permissions.at[index];
    if (entry->is_live || entry->channels != TABLE_NONE)
        return;
    remove_entry(tables, index);
    index_pool_give(&tables->permissions.pool, index);
}

void permission_table_drop(struct tables *tables, uint32_t index)
{
    set_live(tables, index, false);
    permission_table_release(tables, index);
}

// Another way is another path: what was known of the old one says nothing of it.
static void set_path(struct tables *tables, uint32_t index, const struct peer_path *path)
{
    struct permission *entry = &tables->permissions.at[index];
    bool is_hairpin = path->relay != RELAY_NONE;
    uint32_t way = is_hairpin ? path->relay : path->adjacency;
    if (entry->is_hairpin != is_hairpin || entry->adjacency != way)
        permission_table_set_narrow(tables, index, false);
    entry->is_hairpin = is_hairpin;
    if (is_hairpin)
        entry->relay = way;
    else
        entry->adjacency = way;
}

int permission_table_install(struct tables *tables, const struct command *command)
{
    const struct ip_address *peer = &command->permission.peer;
    uint32_t allocation = allocation_table_find(&tables->allocations, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    const struct peer_path *path = &command->permission.path;
    if (!tables_path_is_valid(tables, path) || !tables_know_family(tables, peer->family))
        return -EINVAL;
    uint32_t index;
    int error = permission_table_reach(tables, allocation, peer, &index);
    if (error != 0)
        return error;
    set_path(tables, index, path);
    set_live(tables, index, true);
    return 0;
}

int permission_table_remove(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_table_find(&tables->allocations, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    const struct ip_address *peer = &command->permission.peer;
    if (!tables_know_family(tables, peer->family))
        return -ENOENT;
    uint32_t index = permission_table_find(tables, allocation, (uint8_t)peer->family, peer->bytes);
    if (index == TABLE_NONE || !tables->permissions.at[index].is_live)
        return -ENOENT;
    permission_table_drop(tables, index);
    return 0;
}
