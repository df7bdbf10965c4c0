// SPDX-License-Identifier: BSD-3-Clause
// The channels of one worker's allocations, each entry holding all that a rewrite needs (RFC 8656
// section 12). Written and read by that worker alone.
#pragma once

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

struct channel_table {
    struct channel *at;
    struct index_pool pool;
};

// Its part of the tables' block; done twice, see struct table_cutter.
void channel_table_cut(struct channel_table *table, const struct plane_config *config,
                       struct table_cutter *cutter);

// 0; -ENOSPC; -ENOENT: no such allocation, or nothing to remove; -EINVAL: not a channel's number,
// peer or relay, or either number or peer is bound otherwise. A failed install leaves nothing
// behind.
int channel_table_install(struct tables *tables, const struct command *command);
int channel_table_remove(struct tables *tables, const struct command *command);

// What it has relayed is counted as its allocation's. Its permission goes with it unless something
// else keeps that.
void channel_table_drop(struct tables *tables, uint32_t index);
// Of all in an allocation's list.
void channel_table_set_client_adjacency(struct channel_table *table, uint32_t first,
                                        uint32_t adjacency);
// Of all in a permission's list.
void channel_table_set_permitted(struct channel_table *table, uint32_t first, bool permitted);
