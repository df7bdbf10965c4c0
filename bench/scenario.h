// SPDX-License-Identifier: BSD-3-Clause
// What a case of the benchmark is made of: the kinds of packets, and who talks to whom from which address.
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packet_role {
    ROLE_CHANNEL_TO_PEER,
    ROLE_PEER_TO_CHANNEL,
    ROLE_SEND_TO_PEER,
    ROLE_PEER_TO_DATA,
    ROLE_HAIRPIN, // ChannelData to a peer that is another allocation's relayed address
    ROLE_BINDING,
    ROLE_UNAUTHENTICATED, // an Allocate without credentials
    ROLE_COUNT,
};

struct scenario {
    const char *name;
    const char *what;
    uint8_t roles[2]; // enum packet_role, one half of the packets each
    uint8_t client_family;
    uint8_t peer_family;
    bool has_payload;
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;
// Ends the process when there is none.
const struct scenario *scenario_named(const char *name);

// A flow is one allocation with one channel; flows are numbered from 0. A relayed address has this many ports.
#define FLOW_MIN_PORT      1024
#define FLOW_PORTS_A_RELAY (65536 - FLOW_MIN_PORT)

uint16_t flow_relay(uint32_t flow);
struct ip_address flow_relay_ip(enum ip_family family, uint16_t relay);
struct transport_address flow_listener(const struct scenario *scenario);
struct transport_address flow_client(const struct scenario *scenario, uint32_t flow);
struct transport_address flow_relayed(const struct scenario *scenario, uint32_t flow);
// The peer of the flow's channel; in the hairpin, the relayed address of flow_partner().
struct transport_address flow_peer(const struct scenario *scenario, uint32_t flow, uint32_t flow_count);
// Whether it is one of so many in a hundred, the same ones every time, of each worker alike.
bool flow_lands_wrong(uint32_t flow, unsigned percent);
uint32_t flow_partner(uint32_t flow, uint32_t flow_count);
bool scenario_is_hairpin(const struct scenario *scenario);

// Adjacencies: their MAC addresses end in these.
#define HOP_TO_CLIENT 1
#define HOP_TO_PEER   2

// Where a packet leaves to.
uint8_t role_next_hop(enum packet_role role);

// What a packet comes with, and what is expected of it when it leaves.
struct way {
    struct transport_address source;
    struct transport_address destination;
};
struct way way_in(const struct scenario *scenario, enum packet_role role, uint32_t flow, uint32_t flow_count);
struct way way_out(const struct scenario *scenario, enum packet_role role, uint32_t flow, uint32_t flow_count);
