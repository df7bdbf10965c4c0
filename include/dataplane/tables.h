// SPDX-License-Identifier: BSD-3-Clause
// What one worker knows, as a whole: its allocations, permissions, channels and steerings, and the
// ways to find them. Written and read by that worker alone. Ports are in network order throughout,
// to be copied.
#pragma once

#include "dataplane/allocation_table.h"
#include "dataplane/channel_table.h"
#include "dataplane/flow_table.h"
#include "dataplane/permission_table.h"
#include "dataplane/removal.h"
#include "dataplane/steering_table.h"
#include "exchange/plane.h"

#include <stdbool.h>
#include <stdint.h>

// A relay port. Most have one busy peer: its channel is tried before the hash is computed. A guess
// needs no upkeep: the channel itself says whether it is the one.
struct relay_slot {
    uint32_t allocation; // TABLE_NONE
    uint32_t guess;      // the channel that was found last, TABLE_NONE
};

struct relay_ports {
    struct relay_slot *slots; // by port - min_port
    uint16_t min_port;
    uint16_t max_port;
};

struct tables {
    struct flow_table flows; // the way to all of them
    struct allocation_table allocations;
    struct permission_table permissions;
    struct channel_table channels;
    struct steering_table steerings;
    struct relay_ports relay_ports[PLANE_RELAYS_MAX];
    struct removal_reports reports;
    const struct plane_config *config; // borrowed
    struct table_memory memory;
};

// Is any of our addresses an IPv6 one? What only those need has no memory otherwise.
bool tables_have_ipv6(const struct plane_config *config);

// All at full size. 0, -ENOMEM, -EINVAL (a size above TABLE_ENTRIES_MAX, a relay range upside
// down). config outlives the tables.
int tables_init(struct tables *tables, const struct plane_config *config, int socket);
void tables_done(struct tables *tables);

// Keys. ip: as many bytes as the family has.

static inline struct flow_end tables_listener_end(const struct tables *tables, uint8_t listener)
{
    const struct transport_address *address = &tables->config->listeners[listener];
    struct flow_end end = {listener, __builtin_bswap16(address->port)};
    if (address->ip.family == IP_FAMILY_V4 && !plane_listener_is_stream(tables->config, listener))
        memcpy(&end.scope, address->ip.bytes, sizeof(end.scope));
    return end;
}

static inline void tables_client_key(const struct tables *tables, struct flow_key *key,
                                     uint8_t listener, uint8_t family, const uint8_t *ip,
                                     uint16_t port_be, uint16_t channel)
{
    enum flow_key_kind kind =
        plane_listener_is_stream(tables->config, listener) ? FLOW_KEY_STREAM : FLOW_KEY_CLIENT;
    flow_key_set(key, kind, family, tables_listener_end(tables, listener), ip, port_be,
                 __builtin_bswap16(channel));
}

static inline void tables_steering_key(const struct tables *tables, struct flow_key *key,
                                       uint8_t listener, uint8_t family, const uint8_t *ip,
                                       uint16_t port_be)
{
    flow_key_set(key, FLOW_KEY_STEERING, family, tables_listener_end(tables, listener), ip, port_be,
                 FLOW_STEERING_NUMBER_BE);
}

// The flow_match of these tables.
bool tables_match(const void *context, uint32_t value, const struct flow_key *key);
uint32_t tables_lookup(const struct tables *tables, const struct flow_key *key);
// The same for a caller that knows of which kind it is: the entry's index, TABLE_NONE.
static inline uint32_t tables_find(const struct tables *tables, const struct flow_key *key)
{
    uint32_t value = tables_lookup(tables, key);
    return value == FLOW_NONE ? TABLE_NONE : table_value_index(value);
}

// The index in a value of that kind, of which there are so many; 0 of any other.
static inline uint32_t tables_index(uint32_t value, enum table_value_kind kind, uint32_t capacity)
{
    return table_guess(value ^ table_value(kind, 0), capacity);
}

// The first step of a lookup in a burst: the index that the first value with this hash's tag has,
// which may be another key's, or 0 when it is of another kind. Whether it is the one, its entry
// says. bucket: the hash's home. capacity: of that kind.
static inline uint32_t tables_guess(const struct flow_bucket *bucket, uint64_t hash,
                                    enum table_value_kind kind, uint32_t capacity)
{
    return tables_index(flow_bucket_first(bucket, flow_table_tag(hash)), kind, capacity);
}

// An entry is found from here on, by the key that it holds, and until it is removed. It is not in
// yet: 0 or -ENOSPC.
int tables_insert(struct tables *tables, enum table_value_kind kind, uint32_t index);
void tables_remove(struct tables *tables, enum table_value_kind kind, uint32_t index);

// The slot of this relayed port. The relay has it.
static inline struct relay_slot *tables_relay_slot(const struct tables *tables, unsigned relay,
                                                   uint16_t port)
{
    const struct relay_ports *ports = &tables->relay_ports[relay];
    return &ports->slots[port - ports->min_port];
}

// A slot's number, of whichever relay: the same on all workers of a plane, whose tables are cut
// alike.
static inline uint32_t tables_slot_number(const struct tables *tables,
                                          const struct relay_slot *slot)
{
    uintptr_t first = (uintptr_t)tables->relay_ports[0].slots;
    return (uint32_t)(((uintptr_t)slot - first) / sizeof(*slot));
}

static inline const struct relay_slot *tables_numbered_slot(const struct tables *tables,
                                                            uint32_t number)
{
    return (const void *)((uintptr_t)tables->relay_ports[0].slots +
                          number * sizeof(struct relay_slot));
}

// The root of the tree of an allocation's permissions for peers of that family.
static inline uint32_t *tables_permissions(const struct tables *tables, uint32_t allocation,
                                           uint8_t family)
{
    return &tables->allocations.at[allocation].permissions[table_family(family)];
}

// Is a channel the one that a client key asks for, or that a peer sends to?
static inline bool channel_is_of_client(const struct channel_table *table,
                                        const struct channel *channel, const struct flow_key *key)
{
    return channel->client[0] == key->words[0] && channel->client[1] == key->words[1] &&
           (channel_client_family(channel) == IP_FAMILY_V4 ||
            memcmp(table->ips[channel - table->at].client, key->ip, sizeof(key->ip)) == 0);
}

// Of lengths that the compiler knows: a hairpin's source was stored a moment ago, and what libc's
// memcmp() loads at once would have to wait until that is in the cache.
static inline bool channel_has_peer_ip(const struct channel_table *table,
                                       const struct channel *channel, const uint8_t *ip)
{
    return channel->peer_family == IP_FAMILY_V4
               ? memcmp(channel->peer, ip, 4) == 0
               : memcmp(table->ips[channel - table->at].peer, ip, 16) == 0;
}

static inline bool channel_is_of_peer(const struct channel_table *table,
                                      const struct channel *channel, uint32_t allocation,
                                      uint8_t family, const uint8_t *ip, uint16_t port_be)
{
    return channel->peer_family == family && channel_allocation(channel) == allocation &&
           channel_peer_port_be(channel) == port_be && channel_has_peer_ip(table, channel, ip);
}

// Do these tables hold addresses of that family?
static inline bool tables_know_family(const struct tables *tables, uint16_t family)
{
    return family == IP_FAMILY_V4 || (family == IP_FAMILY_V6 && tables->allocations.ips != NULL);
}

// Is the path's relay one that there is?
static inline bool tables_path_is_valid(const struct tables *tables, const struct peer_path *path)
{
    return path->relay == RELAY_NONE || path->relay < tables->config->relay_count;
}

// As entries hold it.
static inline uint8_t tables_path_hairpin(const struct peer_path *path)
{
    return path->relay == RELAY_NONE ? TABLE_RELAY_NONE : (uint8_t)path->relay;
}
