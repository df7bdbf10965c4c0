// SPDX-License-Identifier: BSD-3-Clause
// One worker's allocations, permissions, channels and steerings, and how commands change them (RFC
// 8656 sections 3, 9, 12).
#include "dataplane/tables.h"

#include "base/bytes.h"
#include "dataplane/leg.h"

#include <errno.h>
#include <string.h>

static uint32_t table_value(enum table_value_kind kind, uint32_t index)
{
    return ((uint32_t)kind << TABLE_VALUE_SHIFT) | index;
}

static enum table_family table_family(uint16_t family)
{
    return family == IP_FAMILY_V4 ? TABLE_V4 : TABLE_V6;
}

// Index pools.

static uint32_t index_take(struct index_pool *pool)
{
    uint32_t index = TABLE_NONE;
    if (pool->returned_count > 0)
        index = pool->returned[--pool->returned_count];
    else if (pool->fresh < pool->capacity)
        index = pool->fresh++;
    if (index != TABLE_NONE)
        pool->used++;
    return index;
}

static void index_give(struct index_pool *pool, uint32_t index)
{
    pool->returned[pool->returned_count++] = index;
    pool->used--;
}

// Memory: one block, cut up.

struct cutter {
    uint8_t *base; // NULL while measuring
    size_t len;
};

static void *cut(struct cutter *cutter, size_t element_len, size_t count)
{
    void *piece = cutter->base == NULL ? NULL : cutter->base + cutter->len;
    cutter->len += (element_len * count + 127) & ~(size_t)127;
    return piece;
}

static void cut_pool(struct cutter *cutter, struct index_pool *pool, uint32_t capacity)
{
    pool->returned = cut(cutter, sizeof(uint32_t), capacity);
    pool->capacity = capacity;
}

// A permission that has expired lives on while channels to its peer do: so many more, at worst.
static uint32_t permission_capacity(const struct plane_config *config)
{
    return config->permissions_per_worker + config->channels_per_worker;
}

static void cut_all(struct tables *tables, const struct plane_config *config, struct cutter *cutter)
{
    uint32_t permissions = permission_capacity(config);
    tables->allocations = cut(cutter, sizeof(struct allocation), config->allocations_per_worker);
    tables->permissions = cut(cutter, sizeof(struct permission), permissions);
    tables->channels = cut(cutter, sizeof(struct channel), config->channels_per_worker);
    tables->steerings = cut(cutter, sizeof(struct steering), config->steerings_per_worker);
    tables->by_id = cut(cutter, sizeof(uint32_t), config->allocations);
    cut_pool(cutter, &tables->allocation_pool, config->allocations_per_worker);
    cut_pool(cutter, &tables->permission_pool, permissions);
    cut_pool(cutter, &tables->channel_pool, config->channels_per_worker);
    cut_pool(cutter, &tables->steering_pool, config->steerings_per_worker);
    for (uint16_t relay = 0; relay < config->relay_count; relay++) {
        struct relay_ports *ports = &tables->relay_ports[relay];
        ports->min_port = config->relays[relay].min_port;
        ports->max_port = config->relays[relay].max_port;
        size_t count = (size_t)(ports->max_port - ports->min_port) + 1;
        ports->slots = cut(cutter, sizeof(struct relay_slot), count);
        if (cutter->base != NULL)
            memset(ports->slots, 0xFF, count * sizeof(struct relay_slot)); // TABLE_NONE
    }
}

static bool sizes_are_valid(const struct plane_config *config)
{
    for (uint16_t relay = 0; relay < config->relay_count; relay++) {
        if (config->relays[relay].min_port > config->relays[relay].max_port)
            return false;
    }
    return config->allocations_per_worker <= TABLE_INDEX_MAX / 4 &&
           config->permissions_per_worker <= TABLE_INDEX_MAX / 4 &&
           config->channels_per_worker <= TABLE_INDEX_MAX / 4 &&
           config->steerings_per_worker <= TABLE_INDEX_MAX / 4;
}

int tables_init(struct tables *tables, const struct plane_config *config, int socket)
{
    memset(tables, 0, sizeof(*tables));
    if (!sizes_are_valid(config))
        return -EINVAL;
    tables->config = config;
    tables->relay_count = config->relay_count;
    tables->id_count = config->allocations;
    tables->first_report = TABLE_NONE;
    tables->last_report = TABLE_NONE;
    struct cutter cutter = {NULL, 0};
    cut_all(tables, config, &cutter);
    int error = table_memory_take(cutter.len, socket, &tables->memory);
    if (error != 0)
        return error;
    cutter = (struct cutter){tables->memory.bytes, 0};
    cut_all(tables, config, &cutter);
    uint32_t keys = config->allocations_per_worker + permission_capacity(config) +
                    2 * config->channels_per_worker + config->steerings_per_worker;
    error = flow_table_init(&tables->flows, keys, socket);
    if (error != 0)
        tables_done(tables);
    return error;
}

void tables_done(struct tables *tables)
{
    flow_table_done(&tables->flows);
    table_memory_give(&tables->memory);
}

// Keys and lookup.

static struct flow_key allocation_key(const struct allocation *entry)
{
    struct flow_key key;
    tables_client_key(&key, entry->listener, entry->client_family, entry->client_ip,
                      entry->client_port_be, 0);
    return key;
}

static struct flow_key permission_key(const struct permission *entry)
{
    struct flow_key key;
    tables_peer_key(&key, entry->allocation, entry->peer_family, entry->peer_ip, 0);
    return key;
}

static struct flow_key channel_client_key(const struct channel *entry)
{
    struct flow_key key;
    tables_client_key(&key, entry->listener, entry->client_family, entry->client_ip,
                      entry->client_port_be, entry->number);
    return key;
}

static struct flow_key channel_peer_key(const struct channel *entry)
{
    struct flow_key key;
    tables_peer_key(&key, entry->allocation, entry->peer_family, entry->peer_ip,
                    entry->peer_port_be);
    return key;
}

static struct flow_key steering_key(const struct steering *entry)
{
    struct flow_key key;
    tables_steering_key(&key, entry->listener, entry->client_family, entry->client_ip,
                        entry->client_port_be);
    return key;
}

bool tables_match(const void *context, uint32_t value, const struct flow_key *key)
{
    const struct tables *tables = context;
    uint32_t index = table_value_index(value);
    struct flow_key found;
    switch (table_value_kind(value)) {
    case TABLE_VALUE_ALLOCATION:
        found = allocation_key(&tables->allocations[index]);
        break;
    case TABLE_VALUE_PERMISSION:
        found = permission_key(&tables->permissions[index]);
        break;
    case TABLE_VALUE_CHANNEL_OF_CLIENT:
        found = channel_client_key(&tables->channels[index]);
        break;
    case TABLE_VALUE_CHANNEL_OF_PEER:
        found = channel_peer_key(&tables->channels[index]);
        break;
    case TABLE_VALUE_STEERING:
        found = steering_key(&tables->steerings[index]);
        break;
    default:
        return false;
    }
    return flow_key_equal(&found, key);
}

static uint64_t key_hash(const struct tables *tables, const struct flow_key *key)
{
    uint64_t hash;
    flow_table_hash(&tables->flows, key, 1, &hash);
    return hash;
}

uint32_t tables_lookup(const struct tables *tables, const struct flow_key *key)
{
    return flow_table_lookup(&tables->flows, key, key_hash(tables, key), tables_match, tables);
}

static int key_insert(struct tables *tables, struct flow_key key, uint32_t value)
{
    return flow_table_insert(&tables->flows, key_hash(tables, &key), value);
}

static void key_remove(struct tables *tables, struct flow_key key, uint32_t value)
{
    flow_table_remove(&tables->flows, key_hash(tables, &key), value);
}

static uint32_t allocation_by_id(const struct tables *tables, uint32_t id)
{
    return id < tables->id_count ? tables->by_id[id] - 1 : TABLE_NONE;
}

// Allocations.

static bool relayed_is_valid(const struct tables *tables, uint16_t relay, uint16_t port)
{
    return relay == RELAY_NONE ||
           (relay < tables->relay_count && port >= tables->relay_ports[relay].min_port &&
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

static void allocation_set_relayed(struct tables *tables, uint32_t index, enum table_family family,
                                   uint16_t relay, uint16_t port)
{
    struct table_relayed *relayed = &tables->allocations[index].relayed[family];
    relay_port_set(tables, relayed, TABLE_NONE);
    relayed->relay = relay;
    relayed->port_be = __builtin_bswap16(port);
    relay_port_set(tables, relayed, index);
}

static void allocation_set_adjacency(struct tables *tables, struct allocation *entry,
                                     uint32_t adjacency)
{
    if (entry->adjacency == adjacency)
        return;
    entry->adjacency = adjacency;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        for (uint32_t at = entry->channels[family]; at != TABLE_NONE;
             at = tables->channels[at].next)
            tables->channels[at].client_adjacency = adjacency;
    }
}

static int allocation_add(struct tables *tables, uint32_t id, const struct client_key *client,
                          uint32_t *ret_index)
{
    uint32_t index = index_take(&tables->allocation_pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct allocation *entry = &tables->allocations[index];
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->client_ip, client->address.ip.bytes, sizeof(entry->client_ip));
    entry->client_port_be = __builtin_bswap16(client->address.port);
    entry->client_family = (uint8_t)client->address.ip.family;
    entry->listener = (uint8_t)client->listener;
    entry->id = id;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        entry->channels[family] = TABLE_NONE;
        entry->permissions[family] = TABLE_NONE;
        entry->relayed[family].relay = RELAY_NONE;
    }
    entry->next_report = TABLE_NONE;
    int error =
        key_insert(tables, allocation_key(entry), table_value(TABLE_VALUE_ALLOCATION, index));
    if (error != 0) {
        index_give(&tables->allocation_pool, index);
        return error;
    }
    tables->by_id[id] = index + 1;
    *ret_index = index;
    return 0;
}

static bool allocation_is_of(const struct allocation *entry, const struct client_key *client)
{
    return entry->listener == client->listener &&
           entry->client_family == client->address.ip.family &&
           entry->client_port_be == __builtin_bswap16(client->address.port) &&
           memcmp(entry->client_ip, client->address.ip.bytes, sizeof(entry->client_ip)) == 0;
}

int tables_install_allocation(struct tables *tables, const struct command *command)
{
    const struct client_key *client = &command->install_allocation.client;
    uint16_t relay_v4 = command->install_allocation.relay_v4;
    uint16_t relay_v4_port = command->install_allocation.relay_v4_port;
    uint16_t relay_v6 = command->install_allocation.relay_v6;
    uint16_t relay_v6_port = command->install_allocation.relay_v6_port;
    if (command->allocation >= tables->id_count || client->listener >= PLANE_LISTENERS_MAX ||
        !relayed_is_valid(tables, relay_v4, relay_v4_port) ||
        !relayed_is_valid(tables, relay_v6, relay_v6_port))
        return -EINVAL;
    uint32_t index = allocation_by_id(tables, command->allocation);
    if (index == TABLE_NONE) {
        int error = allocation_add(tables, command->allocation, client, &index);
        if (error != 0)
            return error;
    } else if (!allocation_is_of(&tables->allocations[index], client)) {
        return -EINVAL;
    }
    allocation_set_relayed(tables, index, TABLE_V4, relay_v4, relay_v4_port);
    allocation_set_relayed(tables, index, TABLE_V6, relay_v6, relay_v6_port);
    allocation_set_adjacency(tables, &tables->allocations[index],
                             command->install_allocation.adjacency);
    return 0;
}

// Permissions.

static uint8_t hairpin_of(const struct peer_path *path)
{
    return path->relay == RELAY_NONE ? TABLE_RELAY_NONE : (uint8_t)path->relay;
}

static bool path_is_valid(const struct tables *tables, const struct peer_path *path)
{
    return path->relay == RELAY_NONE || path->relay < tables->relay_count;
}

static uint32_t permission_find(const struct tables *tables, uint32_t allocation,
                                const struct ip_address *peer)
{
    struct flow_key key;
    tables_peer_key(&key, allocation, (uint8_t)peer->family, peer->bytes, 0);
    uint32_t value = tables_lookup(tables, &key);
    return value == FLOW_NONE ? TABLE_NONE : table_value_index(value);
}

static uint32_t *permission_list(struct tables *tables, const struct permission *entry)
{
    return &tables->allocations[entry->allocation].permissions[table_family(entry->peer_family)];
}

// The permission of that peer; a dead one is made when there is none.
static int permission_reach(struct tables *tables, uint32_t allocation,
                            const struct ip_address *peer, uint32_t *ret_index)
{
    uint32_t index = permission_find(tables, allocation, peer);
    if (index != TABLE_NONE) {
        *ret_index = index;
        return 0;
    }
    index = index_take(&tables->permission_pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct permission *entry = &tables->permissions[index];
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->peer_ip, peer->bytes, sizeof(entry->peer_ip));
    entry->allocation = allocation;
    entry->hairpin = TABLE_RELAY_NONE;
    entry->peer_family = (uint8_t)peer->family;
    entry->channels = TABLE_NONE;
    int error =
        key_insert(tables, permission_key(entry), table_value(TABLE_VALUE_PERMISSION, index));
    if (error != 0) {
        index_give(&tables->permission_pool, index);
        return error;
    }
    uint32_t *first = permission_list(tables, entry);
    entry->previous = TABLE_NONE;
    entry->next = *first;
    if (entry->next != TABLE_NONE)
        tables->permissions[entry->next].previous = index;
    *first = index;
    *ret_index = index;
    return 0;
}

static void permission_set_live(struct tables *tables, struct permission *entry, bool live)
{
    if (entry->live == live)
        return;
    entry->live = live;
    tables->live_permissions += live ? 1 : UINT32_MAX;
    for (uint32_t at = entry->channels; at != TABLE_NONE;
         at = tables->channels[at].next_of_permission)
        tables->channels[at].permitted = live;
}

static void permission_release(struct tables *tables, uint32_t index)
{
    struct permission *entry = &tables->permissions[index];
    if (entry->live || entry->channels != TABLE_NONE)
        return;
    key_remove(tables, permission_key(entry), table_value(TABLE_VALUE_PERMISSION, index));
    if (entry->next != TABLE_NONE)
        tables->permissions[entry->next].previous = entry->previous;
    if (entry->previous != TABLE_NONE)
        tables->permissions[entry->previous].next = entry->next;
    else
        *permission_list(tables, entry) = entry->next;
    index_give(&tables->permission_pool, index);
}

int tables_install_permission(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_by_id(tables, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    if (!path_is_valid(tables, &command->permission.path))
        return -EINVAL;
    uint32_t index;
    int error = permission_reach(tables, allocation, &command->permission.peer, &index);
    if (error != 0)
        return error;
    struct permission *entry = &tables->permissions[index];
    entry->adjacency = command->permission.path.adjacency;
    entry->hairpin = hairpin_of(&command->permission.path);
    permission_set_live(tables, entry, true);
    return 0;
}

int tables_remove_permission(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_by_id(tables, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    uint32_t index = permission_find(tables, allocation, &command->permission.peer);
    if (index == TABLE_NONE || !tables->permissions[index].live)
        return -ENOENT;
    permission_set_live(tables, &tables->permissions[index], false);
    permission_release(tables, index);
    return 0;
}

// Channels.

static void traffic_add(struct allocation_traffic *sum, const struct allocation_traffic *more)
{
    sum->to_peer_packets += more->to_peer_packets;
    sum->to_peer_bytes += more->to_peer_bytes;
    sum->to_client_packets += more->to_client_packets;
    sum->to_client_bytes += more->to_client_bytes;
}

static uint32_t channel_find(const struct tables *tables, const struct allocation *owner,
                             uint16_t number)
{
    struct flow_key key;
    tables_client_key(&key, owner->listener, owner->client_family, owner->client_ip,
                      owner->client_port_be, number);
    uint32_t value = tables_lookup(tables, &key);
    return value == FLOW_NONE ? TABLE_NONE : table_value_index(value);
}

static uint32_t *channel_list(struct tables *tables, const struct channel *entry)
{
    return &tables->allocations[entry->allocation].channels[table_family(entry->peer_family)];
}

static void channel_link(struct tables *tables, uint32_t index)
{
    struct channel *entry = &tables->channels[index];
    uint32_t *first = channel_list(tables, entry);
    struct permission *permission = &tables->permissions[entry->permission];
    entry->previous = TABLE_NONE;
    entry->next = *first;
    if (entry->next != TABLE_NONE)
        tables->channels[entry->next].previous = index;
    *first = index;
    entry->previous_of_permission = TABLE_NONE;
    entry->next_of_permission = permission->channels;
    if (entry->next_of_permission != TABLE_NONE)
        tables->channels[entry->next_of_permission].previous_of_permission = index;
    permission->channels = index;
}

static void channel_unlink(struct tables *tables, const struct channel *entry)
{
    if (entry->next != TABLE_NONE)
        tables->channels[entry->next].previous = entry->previous;
    if (entry->previous != TABLE_NONE)
        tables->channels[entry->previous].next = entry->next;
    else
        *channel_list(tables, entry) = entry->next;
    if (entry->next_of_permission != TABLE_NONE)
        tables->channels[entry->next_of_permission].previous_of_permission =
            entry->previous_of_permission;
    if (entry->previous_of_permission != TABLE_NONE)
        tables->channels[entry->previous_of_permission].next_of_permission =
            entry->next_of_permission;
    else
        tables->permissions[entry->permission].channels = entry->next_of_permission;
}

static int channel_insert_keys(struct tables *tables, uint32_t index)
{
    const struct channel *entry = &tables->channels[index];
    uint32_t of_client = table_value(TABLE_VALUE_CHANNEL_OF_CLIENT, index);
    uint32_t of_peer = table_value(TABLE_VALUE_CHANNEL_OF_PEER, index);
    int error = key_insert(tables, channel_client_key(entry), of_client);
    if (error != 0)
        return error;
    error = key_insert(tables, channel_peer_key(entry), of_peer);
    if (error != 0)
        key_remove(tables, channel_client_key(entry), of_client);
    return error;
}

// A relay port's guess that still leads here fits nobody.
static void channel_give(struct tables *tables, uint32_t index)
{
    tables->channels[index].peer_family = IP_FAMILY_NONE;
    index_give(&tables->channel_pool, index);
}

static void channel_drop(struct tables *tables, uint32_t index)
{
    struct channel *entry = &tables->channels[index];
    key_remove(tables, channel_client_key(entry),
               table_value(TABLE_VALUE_CHANNEL_OF_CLIENT, index));
    key_remove(tables, channel_peer_key(entry), table_value(TABLE_VALUE_CHANNEL_OF_PEER, index));
    channel_unlink(tables, entry);
    traffic_add(&tables->allocations[entry->allocation].traffic, &entry->traffic);
    permission_release(tables, entry->permission);
    channel_give(tables, index);
}

static void channel_set_client(struct channel *entry, const struct allocation *owner)
{
    memcpy(entry->client_ip, owner->client_ip, sizeof(entry->client_ip));
    entry->client_port_be = owner->client_port_be;
    entry->client_family = owner->client_family;
    entry->listener = owner->listener;
    entry->client_adjacency = owner->adjacency;
}

static void channel_set_peer(struct channel *entry, const struct transport_address *peer)
{
    memcpy(entry->peer_ip, peer->ip.bytes, sizeof(entry->peer_ip));
    entry->peer_port_be = __builtin_bswap16(peer->port);
    entry->peer_family = (uint8_t)peer->ip.family;
}

// Everything that a rewrite adds to the UDP checksum, less everything it takes away (RFC 1624).
static void channel_set_sums(const struct tables *tables, struct channel *entry)
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

static int channel_add(struct tables *tables, uint32_t allocation, const struct command *command,
                       uint32_t *ret_index)
{
    const struct transport_address *peer = &command->channel.peer;
    const struct allocation *owner = &tables->allocations[allocation];
    const struct table_relayed *relayed = &owner->relayed[table_family(peer->ip.family)];
    if (relayed->relay == RELAY_NONE)
        return -EINVAL;
    struct flow_key peer_key;
    tables_peer_key(&peer_key, allocation, (uint8_t)peer->ip.family, peer->ip.bytes,
                    __builtin_bswap16(peer->port));
    if (tables_lookup(tables, &peer_key) != FLOW_NONE)
        return -EINVAL; // that peer has another channel: RFC 8656 section 12.2 forbids a second
    uint32_t permission;
    int error = permission_reach(tables, allocation, &peer->ip, &permission);
    if (error != 0)
        return error;
    uint32_t index = index_take(&tables->channel_pool);
    if (index == TABLE_NONE) {
        permission_release(tables, permission);
        return -ENOSPC;
    }
    struct channel *entry = &tables->channels[index];
    memset(entry, 0, sizeof(*entry));
    channel_set_client(entry, owner);
    channel_set_peer(entry, peer);
    entry->number = command->channel.number;
    entry->relay = (uint8_t)relayed->relay;
    entry->relay_port_be = relayed->port_be;
    entry->allocation = allocation;
    entry->permission = permission;
    entry->permitted = tables->permissions[permission].live;
    channel_set_sums(tables, entry);
    error = channel_insert_keys(tables, index);
    if (error != 0) {
        channel_give(tables, index);
        permission_release(tables, permission);
        return error;
    }
    channel_link(tables, index);
    struct relay_slot *slot =
        tables_relay_slot(tables, relayed->relay, __builtin_bswap16(relayed->port_be));
    if (slot->guess == TABLE_NONE)
        slot->guess = index;
    *ret_index = index;
    return 0;
}

static bool channel_is_to(const struct channel *entry, const struct transport_address *peer)
{
    return entry->peer_family == peer->ip.family &&
           entry->peer_port_be == __builtin_bswap16(peer->port) &&
           memcmp(entry->peer_ip, peer->ip.bytes, sizeof(entry->peer_ip)) == 0;
}

static bool channel_command_is_valid(const struct tables *tables, const struct command *command)
{
    const struct transport_address *peer = &command->channel.peer;
    return command->channel.number >= TURN_CHANNEL_MIN &&
           command->channel.number <= TURN_CHANNEL_MAX && peer->port != 0 &&
           (peer->ip.family == IP_FAMILY_V4 || peer->ip.family == IP_FAMILY_V6) &&
           path_is_valid(tables, &command->channel.path);
}

int tables_install_channel(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_by_id(tables, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    if (!channel_command_is_valid(tables, command))
        return -EINVAL;
    uint32_t index =
        channel_find(tables, &tables->allocations[allocation], command->channel.number);
    if (index == TABLE_NONE) {
        int error = channel_add(tables, allocation, command, &index);
        if (error != 0)
            return error;
    } else if (!channel_is_to(&tables->channels[index], &command->channel.peer)) {
        return -EINVAL;
    }
    tables->channels[index].peer_adjacency = command->channel.path.adjacency;
    tables->channels[index].hairpin = hairpin_of(&command->channel.path);
    return 0;
}

int tables_remove_channel(struct tables *tables, const struct command *command)
{
    uint32_t allocation = allocation_by_id(tables, command->allocation);
    if (allocation == TABLE_NONE)
        return -ENOENT;
    uint32_t index =
        channel_find(tables, &tables->allocations[allocation], command->channel.number);
    if (index == TABLE_NONE || command->channel.number == 0)
        return -ENOENT;
    channel_drop(tables, index);
    return 0;
}

// Steerings.

static struct flow_key steering_command_key(const struct command *command)
{
    const struct client_key *client = &command->steering.client;
    struct flow_key key;
    tables_steering_key(&key, (uint8_t)client->listener, (uint8_t)client->address.ip.family,
                        client->address.ip.bytes, __builtin_bswap16(client->address.port));
    return key;
}

int tables_install_steering(struct tables *tables, const struct command *command)
{
    const struct client_key *client = &command->steering.client;
    if (client->listener >= PLANE_LISTENERS_MAX)
        return -EINVAL;
    struct flow_key key = steering_command_key(command);
    uint32_t value = tables_lookup(tables, &key);
    if (value != FLOW_NONE) {
        tables->steerings[table_value_index(value)].owner = command->steering.owner;
        return 0;
    }
    uint32_t index = index_take(&tables->steering_pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    struct steering *entry = &tables->steerings[index];
    memcpy(entry->client_ip, client->address.ip.bytes, sizeof(entry->client_ip));
    entry->client_port_be = __builtin_bswap16(client->address.port);
    entry->client_family = (uint8_t)client->address.ip.family;
    entry->listener = (uint8_t)client->listener;
    entry->owner = command->steering.owner;
    int error = key_insert(tables, key, table_value(TABLE_VALUE_STEERING, index));
    if (error != 0)
        index_give(&tables->steering_pool, index);
    return error;
}

int tables_remove_steering(struct tables *tables, const struct command *command)
{
    if (command->steering.client.listener >= PLANE_LISTENERS_MAX)
        return -EINVAL;
    struct flow_key key = steering_command_key(command);
    uint32_t value = tables_lookup(tables, &key);
    if (value == FLOW_NONE)
        return -ENOENT;
    key_remove(tables, key, value);
    index_give(&tables->steering_pool, table_value_index(value));
    return 0;
}

// Removals.

static void report_append(struct tables *tables, uint32_t index, enum allocation_report report)
{
    struct allocation *entry = &tables->allocations[index];
    bool listed = entry->reports != 0;
    entry->reports |= (uint8_t)report;
    if (listed)
        return;
    entry->next_report = TABLE_NONE;
    if (tables->last_report == TABLE_NONE)
        tables->first_report = index;
    else
        tables->allocations[tables->last_report].next_report = index;
    tables->last_report = index;
}

// Spend the budget on what the allocation has in one family: its channels, then its permissions.
// True when all is gone.
static bool belongings_drop(struct tables *tables, uint32_t allocation, enum table_family family,
                            unsigned *budget)
{
    struct allocation *owner = &tables->allocations[allocation];
    for (; owner->channels[family] != TABLE_NONE; (*budget)--) {
        if (*budget == 0)
            return false;
        channel_drop(tables, owner->channels[family]);
    }
    for (; owner->permissions[family] != TABLE_NONE; (*budget)--) {
        if (*budget == 0)
            return false;
        uint32_t index = owner->permissions[family];
        permission_set_live(tables, &tables->permissions[index], false);
        permission_release(tables, index);
    }
    return true;
}

bool tables_remove_allocation(struct tables *tables, const struct command *command,
                              unsigned *budget, int *ret_error)
{
    uint32_t index = allocation_by_id(tables, command->allocation);
    if (index == TABLE_NONE) {
        *ret_error = -ENOENT;
        return true;
    }
    struct allocation *entry = &tables->allocations[index];
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        allocation_set_relayed(tables, index, (enum table_family)family, RELAY_NONE, 0);
        if (!belongings_drop(tables, index, (enum table_family)family, budget))
            return false;
    }
    key_remove(tables, allocation_key(entry), table_value(TABLE_VALUE_ALLOCATION, index));
    tables->by_id[entry->id] = 0;
    report_append(tables, index, ALLOCATION_REPORT_REMOVED);
    *ret_error = 0;
    return true;
}

bool tables_remove_relay(struct tables *tables, const struct command *command, unsigned *budget,
                         int *ret_error)
{
    uint32_t index = allocation_by_id(tables, command->allocation);
    int family = -1;
    struct table_relayed wanted = {command->remove_relay.relay,
                                   __builtin_bswap16(command->remove_relay.port)};
    for (int at = TABLE_V4; index != TABLE_NONE && at < TABLE_FAMILIES; at++) {
        const struct table_relayed *has = &tables->allocations[index].relayed[at];
        if (has->relay == wanted.relay && has->port_be == wanted.port_be)
            family = at;
    }
    if (family < 0) {
        *ret_error = -ENOENT;
        return true;
    }
    if (!belongings_drop(tables, index, (enum table_family)family, budget))
        return false;
    allocation_set_relayed(tables, index, (enum table_family)family, RELAY_NONE, 0);
    tables->allocations[index].removed[family] = wanted;
    report_append(tables, index, (enum allocation_report)(1 << family));
    *ret_error = 0;
    return true;
}

// Relays are reported before the allocation they were of.
static enum allocation_report report_of(const struct allocation *entry)
{
    return (enum allocation_report)(entry->reports & -entry->reports);
}

bool tables_next_report(const struct tables *tables, struct punt *ret_punt)
{
    if (tables->first_report == TABLE_NONE)
        return false;
    const struct allocation *entry = &tables->allocations[tables->first_report];
    memset(ret_punt, 0, sizeof(*ret_punt));
    ret_punt->kind = PUNT_REMOVED;
    ret_punt->allocation = entry->id;
    if (report_of(entry) == ALLOCATION_REPORT_REMOVED) {
        ret_punt->removed.relay = RELAY_NONE;
        ret_punt->removed.traffic = entry->traffic;
    } else {
        enum table_family family =
            report_of(entry) == ALLOCATION_REPORT_RELAY_V4 ? TABLE_V4 : TABLE_V6;
        ret_punt->removed.relay = entry->removed[family].relay;
        ret_punt->removed.port = __builtin_bswap16(entry->removed[family].port_be);
    }
    return true;
}

void tables_reported(struct tables *tables)
{
    uint32_t index = tables->first_report;
    struct allocation *entry = &tables->allocations[index];
    enum allocation_report reported = report_of(entry);
    entry->reports &= (uint8_t)~reported;
    if (entry->reports != 0)
        return;
    tables->first_report = entry->next_report;
    if (tables->first_report == TABLE_NONE)
        tables->last_report = TABLE_NONE;
    if (reported == ALLOCATION_REPORT_REMOVED)
        index_give(&tables->allocation_pool, index);
}
