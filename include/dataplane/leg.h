// SPDX-License-Identifier: BSD-3-Clause
// One leg of a relayed path: where a datagram goes, and as whose. What all its datagrams have in
// common is summed up once.
#pragma once

#include "base/address.h"
#include "base/checksum.h"

#include <stdbool.h>
#include <stdint.h>

struct leg {
    const uint8_t *source_ip;
    const uint8_t *destination_ip;
    uint16_t source_port_be;
    uint16_t destination_port_be;
    uint8_t family;
    uint8_t hairpin;    // index of the relay that has the destination, TABLE_RELAY_NONE: the wire
    bool dont_fragment; // the client asked for DF, and is to be heard
    bool made_here;     // not a relayed datagram: its checksum is never left out
    uint32_t adjacency; // on the wire
    uint16_t path_mtu;  // if smaller than the link's; 0: as far as is known, it is not
    bool is_stream;     // towards a client with a connection, by way of its listener
    bool is_dtls; // of those, one over DTLS: its thread makes a record of the datagram for the wire
    uint8_t listener;
};

static inline uint64_t leg_address_sum(uint64_t sum, uint8_t family, const uint8_t *ip)
{
    return family == IP_FAMILY_V4 ? checksum_add_4_bytes(sum, ip) : checksum_add_16_bytes(sum, ip);
}

// What addresses and ports add to a UDP checksum, through pseudo-header and header.
static inline uint64_t leg_flow_sum(const struct leg *leg)
{
    uint64_t sum = leg_address_sum(0, leg->family, leg->source_ip);
    sum = leg_address_sum(sum, leg->family, leg->destination_ip);
    return sum + leg->source_port_be + leg->destination_port_be;
}

// The IPv6 flow label of a leg: the same for all its datagrams, of no meaning to anyone (RFC 8656
// section 13.1, RFC 6437 section 3).
static inline uint32_t leg_flow_label(uint64_t flow_sum)
{
    return (uint32_t)((flow_sum * 0x9E3779B97F4A7C15u) >> 44);
}
