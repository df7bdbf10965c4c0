// SPDX-License-Identifier: BSD-3-Clause
// A received frame as classify() understood it: where its headers are, what they say that a rewrite
// must keep.
#pragma once

#include "base/address.h"
#include "exchange/counters.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

#define PACKET_ETHERNET_LEN      14
#define PACKET_IPV4_LEN          20 // without options
#define PACKET_IPV6_LEN          40
#define PACKET_IPV6_FRAGMENT_LEN 8
#define PACKET_UDP_LEN           8
#define PACKET_PORT_LOCAL                                                                          \
    UINT16_MAX // mbuf->port of a frame that came through the hairpin and no wire

enum packet_kind {
    PACKET_DROP,         // drop says why
    PACKET_CHANNEL_DATA, // to a listener
    PACKET_SEND,         // to a listener, by its first two bytes
    PACKET_STUN,         // to a listener: any other STUN message
    PACKET_PEER,         // to a relay port
    PACKET_ICMP,         // an error, to an address of ours
    PACKET_FRAGMENT,     // to an address of ours
    PACKET_DTLS,         // to a listener, by its first byte
    PACKET_KIND_COUNT,
};

enum packet_flag {
    PACKET_DONT_FRAGMENT = 1, // IPv4's DF
    PACKET_WAS_FRAGMENTED =
        2, // IPv6 with a Fragment header: an atomic fragment, or put together from several
};

struct packet {
    struct rte_mbuf *mbuf;
    uint8_t *ip;              // header
    uint8_t *l4;              // UDP or ICMP header; what a fragment carries
    const uint8_t *source_ip; // the destination's follows it
    uint16_t l4_len;          // UDP: as its header says; otherwise what the IP header leaves
    uint16_t source_port_be;
    uint16_t destination_port_be;
    uint16_t checksum;     // UDP's, as in the frame; 0: absent
    uint8_t kind;          // enum packet_kind
    uint8_t drop;          // enum drop
    uint8_t family;        // enum ip_family
    uint8_t traffic_class; // DSCP and ECN
    uint8_t ttl;
    uint8_t flags; // enum packet_flag, ORed
    uint8_t local; // index of the listener or the relay
    uint8_t fragment_more;
    uint32_t allocation; // index; set by lookups
    union {
        struct {
            uint16_t data_offset; // of what is relayed, from the UDP payload's start
            uint16_t data_len;
        };
        struct {
            uint16_t fragment_offset;   // bytes
            uint16_t fragment_protocol; // of the whole datagram
        };
    };
    union {
        uint32_t fragment_id;
        uint32_t guess; // channel; set by lookups
    };
} __attribute__((aligned(64)));

static_assert(sizeof(struct packet) == 64, "one cache line a packet in flight");

static inline const uint8_t *packet_destination_ip(const struct packet *packet)
{
    return packet->source_ip + (packet->family == IP_FAMILY_V4 ? 4 : 16);
}

static inline uint8_t *packet_payload(const struct packet *packet)
{
    return packet->l4 + PACKET_UDP_LEN;
}

static inline uint16_t packet_payload_len(const struct packet *packet)
{
    return (uint16_t)(packet->l4_len - PACKET_UDP_LEN);
}

// Sources that nobody can have (RFC 1122 section 3.2.1.3).
static inline bool packet_ipv4_source_is_possible(uint8_t first_byte)
{
    return first_byte != 0 && first_byte != 127 && first_byte < 224;
}
