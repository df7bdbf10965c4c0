// SPDX-License-Identifier: BSD-3-Clause
// The channels of one worker's allocations, each entry holding all that a rewrite needs (RFC 8656
// section 12). Written and read by that worker alone.
#pragma once

#include "base/index_tree.h"
#include "dataplane/flow_table.h"
#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "exchange/command.h"
#include "exchange/plane.h"
#include "exchange/punt.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tables;

// One direction of a channel.
struct channel_way {
    uint32_t adjacency;
    int32_t allowance;  // see dataplane/allowance.h
    uint16_t packets;   // the same
    uint16_t ip_change; // what a rewrite adds to IPv4's checksum, in memory's order: for the
                        // addresses, the length of ChannelData's header, a hop
};

// One line forwards IPv4 in both directions, says whether the entry is the one that was asked for,
// and counts.
struct channel {
    uint64_t client[2]; // the key that leads here from the client, but for IPv6 addresses
    // What the peer's packets say: IPv4 source and destination, source port, our port; and the
    // allocation.
    uint64_t peer[2];
    struct channel_way to_peer;
    struct channel_way to_client;
    // What a rewrite adds to UDP's checksum, but for the payload's length, as a number.
    uint16_t udp_change_to_peer;
    uint16_t udp_change_to_client;
    uint8_t relay;
    uint8_t hairpin;           // index of the relay that has the peer's address, TABLE_RELAY_NONE
    uint8_t peer_family;       // enum ip_family; IP_FAMILY_NONE: the channel is gone
    bool permitted : 1;        // its permission is live
    bool is_narrow : 1;        // its permission's
    bool is_client_narrow : 1; // its allocation's
    bool is_plain : 1;         // permitted, and nothing about it is special: see dataplane/media.h
} __attribute__((aligned(64)));

static_assert(sizeof(struct channel) == 64, "one cache line a channel");

// Which permission a channel hangs on, and where in the tree of those that do, by the peer's port.
struct channel_place {
    struct index_tree_node node;
    uint32_t permission;
    uint16_t peer_port_be;
} __attribute__((aligned(16)));

static_assert(sizeof(struct channel_place) == 16, "four a cache line");

// IPv6 addresses are too long for that line.
struct channel_ips {
    uint8_t client[16];
    uint8_t peer[16];
};

struct channel_table {
    struct channel *at;
    struct channel_place *places; // of the same index
    struct channel_ips *ips;      // the same; NULL without any IPv6 in the configuration
    struct index_pool pool;
};

// What an entry's words hold.

static inline uint8_t channel_client_family(const struct channel *channel)
{
    return flow_key_family(channel->client[1]);
}

static inline uint16_t channel_number_be(const struct channel *channel)
{
    return (uint16_t)(channel->client[1] >> FLOW_KEY_NUMBER_SHIFT);
}

static inline uint16_t channel_number(const struct channel *channel)
{
    return __builtin_bswap16(channel_number_be(channel));
}

static inline uint16_t channel_client_port_be(const struct channel *channel)
{
    return (uint16_t)channel->client[1];
}

static inline uint16_t channel_listener_port_be(const struct channel *channel)
{
    return (uint16_t)(channel->client[1] >> 16);
}

static inline uint16_t channel_peer_port_be(const struct channel *channel)
{
    return (uint16_t)channel->peer[1];
}

static inline uint16_t channel_relay_port_be(const struct channel *channel)
{
    return (uint16_t)(channel->peer[1] >> 16);
}

static inline bool channel_is_of_stream(const struct channel *channel)
{
    return flow_key_kind(channel->client[1]) == FLOW_KEY_STREAM;
}

// Its index. Over IPv4 and UDP the entry has its address instead.
static inline unsigned channel_listener(const struct channel *channel)
{
    return (unsigned)(channel->client[0] >> 32);
}

static inline const uint8_t *channel_listener_ip(const struct plane_config *config,
                                                 const struct channel *channel)
{
    return channel_client_family(channel) == IP_FAMILY_V6 || channel_is_of_stream(channel)
               ? config->listeners[channel_listener(channel)].ip.bytes
               : (const uint8_t *)channel->client + 4;
}

// Its index.
static inline uint32_t channel_allocation(const struct channel *channel)
{
    return (uint32_t)(channel->peer[1] >> 32);
}

// As many bytes as the family has; an IPv4 address comes first in its words.
static inline const uint8_t *channel_client_ip(const struct channel_table *table,
                                               const struct channel *channel)
{
    return channel_client_family(channel) == IP_FAMILY_V6 ? table->ips[channel - table->at].client
                                                          : (const uint8_t *)channel->client;
}

static inline const uint8_t *channel_peer_ip(const struct channel_table *table,
                                             const struct channel *channel)
{
    return channel->peer_family == IP_FAMILY_V6 ? table->ips[channel - table->at].peer
                                                : (const uint8_t *)channel->peer;
}

// Its part of the tables' block; done twice, see struct table_cutter.
void channel_table_cut(struct channel_table *table, const struct plane_config *config,
                       struct table_cutter *cutter);

// 0; -ENOSPC; -ENOENT: no such allocation, or nothing to remove; -EINVAL: not a channel's number,
// peer or relay, or either number or peer is bound otherwise. A failed install leaves nothing
// behind.
int channel_table_install(struct tables *tables, const struct command *command);
int channel_table_remove(struct tables *tables, const struct command *command);

// The channel of that port among those of a permission, whose root it is; TABLE_NONE. A port has
// sixteen bits, and so many steps it takes at most.
static inline uint32_t channel_table_of_port(const struct channel_table *table, uint32_t root,
                                             uint16_t peer_port_be)
{
    uint32_t at = root;
    uint16_t path = __builtin_bswap16(peer_port_be);
    for (; at != TABLE_NONE && table->places[at].peer_port_be != peer_port_be; path >>= 1)
        at = table->places[at].node.children[path & 1];
    return at;
}

// What it has not used of its allowance goes back. Its permission goes with it unless something
// else keeps that.
void channel_table_drop(struct tables *tables, uint32_t index);
// Of all of a permission, whose root it is.
void channel_table_set_client_adjacency(const struct channel_table *table, uint32_t root,
                                        uint32_t adjacency);
void channel_table_set_client_narrow(const struct channel_table *table, uint32_t root,
                                     bool is_narrow);
void channel_table_set_permitted(const struct channel_table *table, uint32_t root, bool permitted);
void channel_table_set_narrow(const struct channel_table *table, uint32_t root, bool is_narrow);
