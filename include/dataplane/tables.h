// SPDX-License-Identifier: BSD-3-Clause
// What one worker knows: allocations, permissions, channels and steerings, each entry holding all
// that a rewrite needs, and the ways to find them. Written and read by that worker alone. Ports are
// in network order throughout, to be copied.
#pragma once

#include "dataplane/flow_table.h"
#include "exchange/command.h"
#include "exchange/plane.h"
#include "exchange/punt.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TABLE_NONE       UINT32_MAX
#define TABLE_RELAY_NONE UINT8_MAX

// What a flow table value leads to: the kind in the three highest bits, the entry's index below.
enum table_value_kind {
    TABLE_VALUE_ALLOCATION,
    TABLE_VALUE_PERMISSION,
    TABLE_VALUE_CHANNEL_OF_CLIENT,
    TABLE_VALUE_CHANNEL_OF_PEER,
    TABLE_VALUE_STEERING,
    TABLE_VALUE_NONE = 7, // of FLOW_NONE
};

#define TABLE_VALUE_SHIFT 29
#define TABLE_INDEX_MAX   ((1u << TABLE_VALUE_SHIFT) - 1)

static inline enum table_value_kind table_value_kind(uint32_t value)
{
    return (enum table_value_kind)(value >> TABLE_VALUE_SHIFT);
}

static inline uint32_t table_value_index(uint32_t value)
{
    return value & TABLE_INDEX_MAX;
}

enum table_family {
    TABLE_V4,
    TABLE_V6,
    TABLE_FAMILIES,
};

// What still has to be told to the control plane about an allocation.
enum allocation_report {
    ALLOCATION_REPORT_RELAY_V4 = 1 << TABLE_V4,
    ALLOCATION_REPORT_RELAY_V6 = 1 << TABLE_V6,
    ALLOCATION_REPORT_REMOVED = 1 << TABLE_FAMILIES,
};

struct table_relayed {
    uint16_t relay; // RELAY_NONE
    uint16_t port_be;
};

struct allocation {
    uint8_t client_ip[16];
    uint16_t client_port_be;
    uint8_t client_family;
    uint8_t listener;
    uint32_t adjacency; // towards the client
    struct table_relayed relayed[TABLE_FAMILIES];
    struct allocation_traffic
        traffic; // of Send and Data indications, and of channels that are gone
    // From here on: commands only.
    uint32_t id;
    uint32_t channels[TABLE_FAMILIES];    // firsts of lists, by the peers' family
    uint32_t permissions[TABLE_FAMILIES]; // the same
    uint32_t next_report;                 // list of those with something to report
    struct table_relayed removed[TABLE_FAMILIES];
    uint8_t reports; // enum allocation_report, ORed
} __attribute__((aligned(64)));

static_assert(sizeof(struct allocation) == 128, "two cache lines an allocation");
static_assert(offsetof(struct allocation, id) == 64, "packets touch the first line only");

// Alive while the client's permission is; kept for as long as channels to that peer are.
struct permission {
    uint8_t peer_ip[16];
    uint32_t allocation;
    uint32_t adjacency; // towards the peer
    uint8_t hairpin;    // index of the relay that has the peer's address, TABLE_RELAY_NONE
    uint8_t peer_family;
    uint8_t live;
    uint32_t next; // of the allocation's
    uint32_t previous;
    uint32_t channels; // first of a list
} __attribute__((aligned(64)));

static_assert(sizeof(struct permission) == 64, "one cache line a permission");

// The first line forwards in both directions; the second counts.
struct channel {
    uint8_t client_ip[16];
    uint8_t peer_ip[16];
    uint16_t client_port_be;
    uint16_t peer_port_be;
    uint16_t number;
    uint16_t relay_port_be; // ours towards the peer
    uint8_t relay;
    uint8_t hairpin; // index of the relay that has the peer's address, TABLE_RELAY_NONE
    uint8_t listener;
    uint8_t client_family;
    uint8_t peer_family;
    uint8_t permitted; // its permission is live
    uint32_t peer_adjacency;
    uint32_t client_adjacency;
    uint32_t allocation;
    // What a rewrite changes about the UDP checksum, lengths apart: addresses, ports and channel
    // number.
    uint16_t to_peer_change;
    uint16_t to_client_change;
    struct allocation_traffic traffic;
    uint32_t to_peer_label; // IPv6 flow labels
    uint32_t to_client_label;
    uint32_t permission; // from here on: commands only
    uint32_t next;       // of the allocation's
    uint32_t previous;
    uint32_t next_of_permission;
    uint32_t previous_of_permission;
} __attribute__((aligned(64)));

static_assert(sizeof(struct channel) == 128, "two cache lines a channel");
static_assert(offsetof(struct channel, traffic) == 64, "what forwards is in the first line");

struct steering {
    uint8_t client_ip[16];
    uint16_t client_port_be;
    uint8_t client_family;
    uint8_t listener;
    uint16_t owner;
} __attribute__((aligned(32)));

static_assert(sizeof(struct steering) == 32, "two a cache line");

// Indices of one kind of entry: those that came back first, then those never used, so that
// untouched memory stays so.
struct index_pool {
    uint32_t *returned;
    uint32_t returned_count;
    uint32_t fresh; // the lowest index never given
    uint32_t capacity;
    uint32_t used;
};

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
    struct flow_table flows;
    struct allocation *allocations;
    struct permission *permissions;
    struct channel *channels;
    struct steering *steerings;
    struct relay_ports relay_ports[PLANE_RELAYS_MAX];
    const struct plane_config *config; // borrowed
    uint16_t relay_count;
    uint32_t id_count;
    uint32_t *by_id; // allocation index of each id + 1, 0: none
    struct index_pool allocation_pool;
    struct index_pool permission_pool;
    struct index_pool channel_pool;
    struct index_pool steering_pool;
    uint32_t live_permissions;
    uint32_t first_report;
    uint32_t last_report;
    struct table_memory memory;
};

// All at full size. 0, -ENOMEM, -EINVAL (a size above TABLE_INDEX_MAX, a relay range upside down).
// config outlives the tables.
int tables_init(struct tables *tables, const struct plane_config *config, int socket);
void tables_done(struct tables *tables);

// Keys. ip: as many bytes as the family has.

static inline void tables_client_key(struct flow_key *key, uint8_t listener, uint8_t family,
                                     const uint8_t *ip, uint16_t port_be, uint16_t channel)
{
    flow_key_set(key, FLOW_KEY_CLIENT, family, listener, ip, port_be, channel);
}

static inline void tables_peer_key(struct flow_key *key, uint32_t allocation, uint8_t family,
                                   const uint8_t *ip, uint16_t port_be)
{
    flow_key_set(key, FLOW_KEY_PEER, family, allocation, ip, port_be, 0);
}

static inline void tables_steering_key(struct flow_key *key, uint8_t listener, uint8_t family,
                                       const uint8_t *ip, uint16_t port_be)
{
    flow_key_set(key, FLOW_KEY_STEERING, family, listener, ip, port_be, 0);
}

// The flow_match of these tables.
bool tables_match(const void *context, uint32_t value, const struct flow_key *key);
uint32_t tables_lookup(const struct tables *tables, const struct flow_key *key);

// The slot of this relayed port. The relay has it.
static inline struct relay_slot *tables_relay_slot(const struct tables *tables, unsigned relay,
                                                   uint16_t port)
{
    const struct relay_ports *ports = &tables->relay_ports[relay];
    return &ports->slots[port - ports->min_port];
}

// Is a channel the one that a client key, or a peer key, asks for?
static inline bool channel_is_of_client(const struct channel *channel, const struct flow_key *key)
{
    struct flow_key own;
    tables_client_key(&own, channel->listener, IP_FAMILY_V6, channel->client_ip,
                      channel->client_port_be, channel->number);
    // The family is the listener's.
    return ((own.ip[0] ^ key->ip[0]) | (own.ip[1] ^ key->ip[1]) | (own.place ^ key->place)) == 0;
}

static inline bool channel_is_of_peer(const struct channel *channel, const struct flow_key *key)
{
    struct flow_key own;
    tables_peer_key(&own, channel->allocation, IP_FAMILY_V6, channel->peer_ip,
                    channel->peer_port_be);
    return ((own.ip[0] ^ key->ip[0]) | (own.ip[1] ^ key->ip[1]) | (own.place ^ key->place)) == 0 &&
           channel->peer_family == key->kind >> 8;
}

// Commands. 0; -ENOSPC: a table is full; -ENOENT: no such allocation; -EINVAL: an index that does
// not exist, or an allocation that would change its client. A failed install leaves nothing behind.
int tables_install_allocation(struct tables *tables, const struct command *command);
int tables_install_permission(struct tables *tables, const struct command *command);
int tables_remove_permission(struct tables *tables, const struct command *command);
int tables_install_channel(struct tables *tables, const struct command *command);
int tables_remove_channel(struct tables *tables, const struct command *command);
int tables_install_steering(struct tables *tables, const struct command *command);
int tables_remove_steering(struct tables *tables, const struct command *command);

// Removals go in steps of *budget entries, so that no allocation is too big to be removed between
// two bursts. True when nothing is left of it but the report, or by *ret_error -ENOENT; until then,
// call again with the same command and apply no other.
bool tables_remove_allocation(struct tables *tables, const struct command *command,
                              unsigned *budget, int *ret_error);
bool tables_remove_relay(struct tables *tables, const struct command *command, unsigned *budget,
                         int *ret_error);

// What the control plane must be told next. False: nothing. It stays the next until
// tables_reported().
bool tables_next_report(const struct tables *tables, struct punt *ret_punt);
void tables_reported(struct tables *tables);
