// SPDX-License-Identifier: BSD-3-Clause
// The cases, and the addresses of their flows.
#include "scenario.h"

#include "base/bytes.h"
#include "fail.h"

#include <string.h>

#define ALL_OF(role)                                                                               \
    {                                                                                              \
        role, role                                                                                 \
    }

const struct scenario scenarios[] = {
    {"channel-to-peer", "ChannelData from clients to peers", ALL_OF(ROLE_CHANNEL_TO_PEER), 4, 4,
     true},
    {"peer-to-channel", "datagrams from peers to clients as ChannelData",
     ALL_OF(ROLE_PEER_TO_CHANNEL), 4, 4, true},
    {"mixed",
     "half channel-to-peer, half peer-to-channel",
     {ROLE_CHANNEL_TO_PEER, ROLE_PEER_TO_CHANNEL},
     4,
     4,
     true},
    {"send-to-peer", "Send indications from clients to peers", ALL_OF(ROLE_SEND_TO_PEER), 4, 4,
     true},
    {"peer-to-data", "datagrams from peers to clients as Data indications",
     ALL_OF(ROLE_PEER_TO_DATA), 4, 4, true},
    {"mixed-v6",
     "mixed, clients and peers with IPv6",
     {ROLE_CHANNEL_TO_PEER, ROLE_PEER_TO_CHANNEL},
     6,
     6,
     true},
    {"mixed-v4-v6",
     "mixed, clients with IPv4 and peers with IPv6",
     {ROLE_CHANNEL_TO_PEER, ROLE_PEER_TO_CHANNEL},
     4,
     6,
     true},
    {"hairpin", "ChannelData from clients to clients of the same relay", ALL_OF(ROLE_HAIRPIN), 4, 4,
     true},
    {"binding", "Binding requests, answered", ALL_OF(ROLE_BINDING), 4, 4, false},
    {"unauthenticated", "Allocate requests without credentials, answered 401",
     ALL_OF(ROLE_UNAUTHENTICATED), 4, 4, false},
};

const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

const struct scenario *scenario_named(const char *name)
{
    for (unsigned i = 0; i < scenario_count; i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    fail("no case '%s'", name);
}

// The port of a peer that has the permission of the channel's peer, and no channel.
#define PEER_PORT           5000
#define PEER_PORT_UNCHANNEL 5001

static struct ip_address ip(enum ip_family family, uint32_t v4)
{
    uint8_t bytes[16] = {0x20, 0x01, 0x0D, 0xB8};
    store_be32(family == IP_FAMILY_V4 ? bytes : bytes + 12, v4);
    return ip_address_from_bytes(family, bytes);
}

uint16_t flow_relay(uint32_t flow)
{
    return (uint16_t)(flow / FLOW_PORTS_A_RELAY);
}

struct ip_address flow_relay_ip(enum ip_family family, uint16_t relay)
{
    return ip(family, 0x0A000001u + relay);
}

struct transport_address flow_listener(const struct scenario *scenario)
{
    return (struct transport_address){ip(scenario->client_family, 0xCB007101), 3478};
}

struct transport_address flow_client(const struct scenario *scenario, uint32_t flow)
{
    return (struct transport_address){ip(scenario->client_family, 0x0B000000 + flow / 8),
                                      (uint16_t)(2000 + flow % 8)};
}

struct transport_address flow_relayed(const struct scenario *scenario, uint32_t flow)
{
    return (struct transport_address){flow_relay_ip(scenario->peer_family, flow_relay(flow)),
                                      (uint16_t)(FLOW_MIN_PORT + flow % FLOW_PORTS_A_RELAY)};
}

bool flow_lands_wrong(uint32_t flow, unsigned percent)
{
    uint32_t hash = flow * UINT32_C(0x9E3779B1);
    hash = (hash ^ hash >> 15) * UINT32_C(0x85EBCA6B);
    return (hash >> 16) % 100 < percent;
}

uint32_t flow_partner(uint32_t flow, uint32_t flow_count)
{
    return (flow ^ 1) < flow_count ? flow ^ 1 : flow;
}

bool scenario_is_hairpin(const struct scenario *scenario)
{
    return scenario->roles[0] == ROLE_HAIRPIN;
}

uint8_t role_next_hop(enum packet_role role)
{
    bool is_to_peer = role == ROLE_CHANNEL_TO_PEER || role == ROLE_SEND_TO_PEER;
    return is_to_peer ? HOP_TO_PEER : HOP_TO_CLIENT;
}

struct transport_address flow_peer(const struct scenario *scenario, uint32_t flow,
                                   uint32_t flow_count)
{
    if (scenario_is_hairpin(scenario))
        return flow_relayed(scenario, flow_partner(flow, flow_count));
    return (struct transport_address){ip(scenario->peer_family, 0x17000000 + flow), PEER_PORT};
}

struct way way_in(const struct scenario *scenario, enum packet_role role, uint32_t flow,
                  uint32_t flow_count)
{
    if (role != ROLE_PEER_TO_CHANNEL && role != ROLE_PEER_TO_DATA)
        return (struct way){flow_client(scenario, flow), flow_listener(scenario)};
    struct way way = {flow_peer(scenario, flow, flow_count), flow_relayed(scenario, flow)};
    if (role == ROLE_PEER_TO_DATA)
        way.source.port = PEER_PORT_UNCHANNEL;
    return way;
}

struct way way_out(const struct scenario *scenario, enum packet_role role, uint32_t flow,
                   uint32_t flow_count)
{
    if (role == ROLE_CHANNEL_TO_PEER || role == ROLE_SEND_TO_PEER)
        return (struct way){flow_relayed(scenario, flow), flow_peer(scenario, flow, flow_count)};
    uint32_t to = role == ROLE_HAIRPIN ? flow_partner(flow, flow_count) : flow;
    return (struct way){flow_listener(scenario), flow_client(scenario, to)};
}
