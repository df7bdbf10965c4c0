// SPDX-License-Identifier: BSD-3-Clause
// One worker's tables as a whole: their memory, and which key leads to which entry (RFC 8656
// sections 3.2, 9, 12).
#include "dataplane/tables.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

// The short way looks into a key's first bucket alone. With so much room to spare, one key in two
// hundred lies elsewhere; without, one in fifty.
#define FLOW_ROOM_PERCENT 30

// Memory: one block, cut up.

static void cut_relay_ports(struct tables *tables, struct table_cutter *cutter)
{
    for (uint16_t relay = 0; relay < tables->config->relay_count; relay++) {
        struct relay_ports *ports = &tables->relay_ports[relay];
        ports->min_port = tables->config->relays[relay].min_port;
        ports->max_port = tables->config->relays[relay].max_port;
        size_t count = (size_t)(ports->max_port - ports->min_port) + 1;
        ports->slots = table_cut(cutter, sizeof(struct relay_slot), count);
        if (ports->slots != NULL)
            memset(ports->slots, 0xFF, count * sizeof(struct relay_slot)); // TABLE_NONE
    }
}

static size_t cut_all(struct tables *tables, void *memory)
{
    struct table_cutter cutter = {memory, 0};
    allocation_table_cut(&tables->allocations, tables->config, &cutter);
    permission_table_cut(&tables->permissions, tables->config, &cutter);
    channel_table_cut(&tables->channels, tables->config, &cutter);
    steering_table_cut(&tables->steerings, tables->config, &cutter);
    cut_relay_ports(tables, &cutter);
    return cutter.len;
}

static bool sizes_are_valid(const struct plane_config *config)
{
    for (uint16_t relay = 0; relay < config->relay_count; relay++) {
        if (config->relays[relay].min_port > config->relays[relay].max_port)
            return false;
    }
    return config->allocations_per_worker <= TABLE_ENTRIES_MAX &&
           config->permissions_per_worker <= TABLE_ENTRIES_MAX &&
           config->channels_per_worker <= TABLE_ENTRIES_MAX &&
           config->steerings_per_worker <= TABLE_ENTRIES_MAX;
}

bool tables_have_ipv6(const struct plane_config *config)
{
    for (unsigned i = 0; i < plane_listener_total(config); i++) {
        if (config->listeners[i].ip.family == IP_FAMILY_V6)
            return true;
    }
    for (unsigned i = 0; i < config->relay_count; i++) {
        if (config->relays[i].local.family == IP_FAMILY_V6)
            return true;
    }
    return config->proxied_clients;
}

int tables_init(struct tables *tables, const struct plane_config *config, int socket)
{
    memset(tables, 0, sizeof(*tables));
    if (!sizes_are_valid(config))
        return -EINVAL;
    tables->config = config;
    removal_reports_init(&tables->reports);
    int error = table_memory_take(cut_all(tables, NULL), socket, &tables->memory);
    if (error != 0)
        return error;
    cut_all(tables, tables->memory.bytes);
    uint32_t keys = tables->allocations.pool.capacity + tables->channels.pool.capacity +
                    tables->steerings.pool.capacity;
    error = flow_table_init(&tables->flows, keys + keys / 100 * FLOW_ROOM_PERCENT, socket);
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

static void allocation_key(const struct tables *tables, struct flow_key *key,
                           const struct allocation *entry)
{
    tables_client_key(tables, key, entry->listener, entry->client_family,
                      allocation_client_ip(&tables->allocations, entry), entry->client_port_be, 0);
}

static void channel_key(struct flow_key *key, const struct channel_table *table,
                        const struct channel *entry)
{
    memset(key->ip, 0, sizeof(key->ip));
    memcpy(key->words, entry->client, sizeof(key->words));
    if (channel_client_family(entry) == IP_FAMILY_V6)
        memcpy(key->ip, channel_client_ip(table, entry), sizeof(key->ip));
}

// False: the value leads to no entry.
static inline bool key_of(const struct tables *tables, uint32_t value, struct flow_key *ret_key)
{
    uint32_t index = table_value_index(value);
    switch (table_value_kind(value)) {
    case TABLE_VALUE_ALLOCATION:
        allocation_key(tables, ret_key, &tables->allocations.at[index]);
        return true;
    case TABLE_VALUE_CHANNEL:
        channel_key(ret_key, &tables->channels, &tables->channels.at[index]);
        return true;
    case TABLE_VALUE_STEERING:
        *ret_key = steering_key(&tables->steerings.at[index]);
        return true;
    default:
        return false;
    }
}

bool tables_match(const void *context, uint32_t value, const struct flow_key *key)
{
    struct flow_key found;
    return key_of(context, value, &found) && flow_key_equal(&found, key);
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

static uint64_t entry_hash(const struct tables *tables, uint32_t value)
{
    struct flow_key key;
    bool is_entry = key_of(tables, value, &key);
    assert(is_entry);
    (void)is_entry;
    return key_hash(tables, &key);
}

int tables_insert(struct tables *tables, enum table_value_kind kind, uint32_t index)
{
    uint32_t value = table_value(kind, index);
    return flow_table_insert(&tables->flows, entry_hash(tables, value), value);
}

void tables_remove(struct tables *tables, enum table_value_kind kind, uint32_t index)
{
    uint32_t value = table_value(kind, index);
    flow_table_remove(&tables->flows, entry_hash(tables, value), value);
}
