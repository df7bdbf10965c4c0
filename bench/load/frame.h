// SPDX-License-Identifier: BSD-3-Clause
// UDP datagrams in Ethernet frames, whole: headers are written in front of a payload, and read off
// a frame with both checksums verified (RFC 768, RFC 791, RFC 8200).
#pragma once

#include "base/address.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETHERNET_HEADER_LEN  14
#define ETHERNET_ADDRESS_LEN 6
#define ETHERTYPE_IPV4       0x0800
#define ETHERTYPE_ARP        0x0806
#define ETHERTYPE_IPV6       0x86DD
#define IPV4_HEADER_LEN      20
#define IPV6_HEADER_LEN      40
#define UDP_HEADER_LEN       8

struct link {
    uint8_t own[ETHERNET_ADDRESS_LEN];
    uint8_t next_hop[ETHERNET_ADDRESS_LEN];
};

enum frame_verdict {
    FRAME_UDP,
    FRAME_NEIGHBOUR,    // ARP, or ICMPv6 neighbour discovery
    FRAME_ICMP_ERROR,   // somebody refuses a datagram
    FRAME_BAD_CHECKSUM, // of UDP, or of the IPv4 header
    FRAME_FRAGMENT,
    FRAME_OTHER,
};

struct datagram {
    struct transport_address source, destination;
    struct span payload;
};

// Ethernet, IP and UDP.
static inline size_t frame_headers_len(uint16_t family)
{
    return ETHERNET_HEADER_LEN + (family == IP_FAMILY_V4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN) +
           UDP_HEADER_LEN;
}

// The payload is in its place behind the headers. Source and destination are of one family. Without
// a checksum, which IPv6 does not allow, its field is zero. Returns the frame's length.
size_t frame_write(uint8_t *frame, const struct link *link, const struct transport_address *source,
                   const struct transport_address *destination, size_t payload_len,
                   bool has_checksum);

// The payload stays in the frame. *ret_datagram is written when it is FRAME_UDP only.
enum frame_verdict frame_read(const uint8_t *frame, size_t len, struct datagram *ret_datagram);

// The ICMPv6 and UDP checksum: over pseudo-header and bytes.
uint16_t frame_checksum(const struct ip_address *source, const struct ip_address *destination,
                        uint8_t protocol, const uint8_t *bytes, size_t len);
