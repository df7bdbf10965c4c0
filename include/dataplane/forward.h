// SPDX-License-Identifier: BSD-3-Clause
// The rewrite that all relaying ends in: new headers in front of a payload that stays where it is
// (RFC 8656 sections 13, 14; RFC 7915 sections 4, 5). Inlined into each path, where half of it is
// constant.
#pragma once

#include "base/bytes.h"
#include "dataplane/checksum.h"
#include "dataplane/fragmentation.h"
#include "dataplane/hairpin.h"
#include "dataplane/transmit.h"
#include "dataplane/worker_state.h"

#include <netinet/in.h>

#define FORWARD_IPV4_DONT_FRAGMENT 0x4000
// RFC 7915 section 5.1: the longest IPv4 packet made of an IPv6 one that is sent without DF.
#define FORWARD_IPV4_WITHOUT_DF_MAX_LEN 1260

static_assert(offsetof(struct adjacency, destination_mac) == 0 &&
                  offsetof(struct adjacency, source_mac) == 6,
              "in the order of an Ethernet header: copied as one");

// Where a datagram goes, and as whose.
struct leg {
    const uint8_t *source_ip;
    const uint8_t *destination_ip;
    uint16_t source_port_be;
    uint16_t destination_port_be;
    uint8_t family;
    uint8_t hairpin;    // index of the relay that has the destination, TABLE_RELAY_NONE: the wire
    bool dont_fragment; // the client asked for DF
    bool made_here;     // not a relayed datagram: its checksum is never left out
    uint32_t adjacency; // on the wire
};

static inline uint64_t forward_address_sum(uint64_t sum, uint8_t family, const uint8_t *ip)
{
    return family == IP_FAMILY_V4 ? checksum_add_4_bytes(sum, ip) : checksum_add_16_bytes(sum, ip);
}

// Source and destination, one behind the other.
static inline uint64_t forward_addresses_sum(uint64_t sum, uint8_t family, const uint8_t *ips)
{
    if (family == IP_FAMILY_V4)
        return checksum_add_8_bytes(sum, ips);
    return checksum_add_16_bytes(checksum_add_16_bytes(sum, ips), ips + 16);
}

// The sum of the relayed bytes alone: the datagram's, as its sender made it, less everything else
// in it (RFC 1624). Bytes that were damaged on the way here are as damaged on the way on. A right
// datagram sums up to nothing, its checksum included: so what is relayed sums up to the negation of
// all the rest.
static __rte_always_inline uint64_t forward_data_sum(const struct packet *packet)
{
    const uint8_t *payload = packet_payload(packet);
    if (unlikely(packet->checksum == 0))
        return checksum_add_bytes(0, payload + packet->data_offset, packet->data_len);
    uint64_t other = forward_addresses_sum(0, packet->family, packet->source_ip);
    other = checksum_add_8_bytes(other, packet->l4);
    other += htons(IPPROTO_UDP) + (uint64_t)htons(packet->l4_len);
    if (packet->data_offset == 4)
        other = checksum_add_4_bytes(other, payload);
    else if (packet->data_offset > 0)
        other = checksum_add_bytes(other, payload, packet->data_offset);
    size_t end = (size_t)packet->data_offset + packet->data_len;
    size_t behind_len = packet_payload_len(packet) - end;
    if (unlikely(behind_len > 0)) {
        uint64_t behind = checksum_add_bytes(0, payload + end, behind_len);
        other += end & 1 ? checksum_shift(behind) : behind;
    }
    return checksum_negate(other);
}

static inline bool forward_ipv4_dont_fragment(const struct packet *packet, const struct leg *leg,
                                              size_t packet_len)
{
    if (packet->family == IP_FAMILY_V4) // RFC 8656 section 14
        return leg->dont_fragment || (packet->flags & PACKET_DONT_FRAGMENT);
    return !(packet->flags & PACKET_WAS_FRAGMENTED) && packet_len > FORWARD_IPV4_WITHOUT_DF_MAX_LEN;
}

// Headers are made in registers and stored in whole words, checksum included.
static __rte_always_inline void forward_write_ipv4(struct worker *worker, uint8_t *ip,
                                      const struct packet *packet, const struct leg *leg,
                                      size_t packet_len)
{
    bool dont_fragment = forward_ipv4_dont_fragment(packet, leg, packet_len);
    uint16_t id =
        dont_fragment ? 0 : worker->ipv4_id++; // RFC 6864: only what may be cut up needs one
    uint16_t fragment = dont_fragment ? FORWARD_IPV4_DONT_FRAGMENT : 0;
    uint32_t source, destination;
    memcpy(&source, leg->source_ip, sizeof(source));
    memcpy(&destination, leg->destination_ip, sizeof(destination));
    uint64_t first = 0x45 | (uint64_t)packet->traffic_class << 8 |
                     (uint64_t)htons((uint16_t)packet_len) << 16 | (uint64_t)htons(id) << 32 |
                     (uint64_t)htons(fragment) << 48;
    uint64_t second = (uint64_t)(packet->ttl - 1) | IPPROTO_UDP << 8 | (uint64_t)source << 32;
    uint64_t sum = checksum_add_u64(checksum_add_u64(destination, first), second);
    second |= (uint64_t)checksum_field(sum) << 16;
    memcpy(ip, &first, sizeof(first));
    memcpy(ip + 8, &second, sizeof(second));
    memcpy(ip + 16, &destination, sizeof(destination));
}

// flow: a number that all datagrams of the flow have in common (RFC 8656 section 13.1, RFC 6437
// section 3).
static __rte_always_inline void forward_write_ipv6(uint8_t *ip, const struct packet *packet,
                                      const struct leg *leg, size_t packet_len, uint64_t flow)
{
    uint32_t label = (uint32_t)((flow * 0x9E3779B97F4A7C15u) >> 44);
    uint64_t first = htonl(6u << 28 | (uint32_t)packet->traffic_class << 20 | label) |
                     (uint64_t)htons((uint16_t)(packet_len - PACKET_IPV6_LEN)) << 32 |
                     (uint64_t)IPPROTO_UDP << 48 | (uint64_t)(packet->ttl - 1) << 56;
    memcpy(ip, &first, sizeof(first));
    memcpy(ip + 8, leg->source_ip, 16);
    memcpy(ip + 24, leg->destination_ip, 16);
}

// RFC 8656 section 13.2: a datagram that came whole is not cut up over IPv6, nor one with DF over
// IPv4; section 13.1 and RFC 7915 section 4: what came over IPv4 without DF is.
static inline bool forward_may_fragment(const struct packet *packet, const struct leg *leg,
                                        const uint8_t *ip)
{
    if (leg->family == IP_FAMILY_V4)
        return (load_be16(ip + 6) & FORWARD_IPV4_DONT_FRAGMENT) == 0;
    return packet->family == IP_FAMILY_V6 ? packet->flags & PACKET_WAS_FRAGMENTED
                                          : !(packet->flags & PACKET_DONT_FRAGMENT);
}

// To the adjacency, whose MAC addresses go in front of ip. True when the frame went on.
static __rte_always_inline bool forward_to_wire(struct worker *worker, const struct packet *packet,
                                   const struct leg *leg, uint8_t *ip, size_t packet_len)
{
    struct rte_mbuf *frame = packet->mbuf;
    const struct adjacency *adjacency = &worker->adjacencies[leg->adjacency];
    if (unlikely(!adjacency->resolved)) {
        worker_drop(worker, frame, DROP_NO_NEIGHBOUR);
        return false;
    }
    memcpy(ip - PACKET_ETHERNET_LEN, adjacency, 12); // destination, source
    if (likely(packet_len <= adjacency->mtu)) {
        transmit(worker, frame);
        return true;
    }
    if (!forward_may_fragment(packet, leg, ip)) {
        worker_drop(worker, frame, DROP_TOO_BIG);
        return false;
    }
    fragment_and_transmit(worker, frame, adjacency->mtu);
    return true;
}

// prefix goes in front of the relayed bytes, an even number of bytes; padding zeros go behind them.
// prefix is not in the frame, nor is anything that leg points to. The frame is gone for the caller;
// true when it went on.
static __rte_always_inline bool forward(struct worker *worker, const struct packet *packet,
                           const struct leg *leg, const uint8_t *prefix, size_t prefix_len,
                           size_t padding_len)
{
    struct rte_mbuf *frame = packet->mbuf;
    if (unlikely(packet->ttl <= 1)) {
        worker_drop(worker, frame, DROP_TTL_EXPIRED);
        return false;
    }
    uint8_t *data = packet_payload(packet) + packet->data_offset;
    size_t ip_len = leg->family == IP_FAMILY_V4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
    size_t headers_len = PACKET_ETHERNET_LEN + ip_len + PACKET_UDP_LEN + prefix_len;
    size_t udp_len = PACKET_UDP_LEN + prefix_len + packet->data_len + padding_len;
    size_t room_before = (size_t)(data - (uint8_t *)frame->buf_addr);
    size_t room = frame->buf_len - room_before;
    if (unlikely(ip_len + udp_len > UINT16_MAX)) {
        worker_drop(worker, frame, DROP_TOO_BIG);
        return false;
    }
    if (unlikely(room_before < headers_len || room < packet->data_len + padding_len)) {
        worker_drop(worker, frame, DROP_NO_BUFFER);
        return false;
    }
    // An absent checksum stays absent, where IP allows it.
    bool absent = packet->checksum == 0 && leg->family == IP_FAMILY_V4 && !leg->made_here;
    uint64_t sum = absent ? 0 : forward_data_sum(packet);

    // From here on the old headers are overwritten.
    if (padding_len > 0)
        memset(data + packet->data_len, 0, padding_len);
    if (prefix_len > 0)
        memcpy(data - prefix_len, prefix, prefix_len);
    uint8_t *udp = data - prefix_len - PACKET_UDP_LEN;
    uint8_t *ip = udp - ip_len;
    uint16_t udp_len_be = htons((uint16_t)udp_len);
    uint64_t flow = forward_address_sum(0, leg->family, leg->source_ip) +
                    forward_address_sum(0, leg->family, leg->destination_ip) + leg->source_port_be +
                    leg->destination_port_be;
    uint16_t field = 0;
    if (!absent) {
        sum += flow + htons(IPPROTO_UDP) + 2 * (uint64_t)udp_len_be;
        if (prefix_len == 4)
            sum = checksum_add_4_bytes(sum, prefix);
        else if (prefix_len > 0)
            sum = checksum_add_bytes(sum, prefix, prefix_len);
        field = checksum_udp_field(sum);
    }
    uint64_t header = leg->source_port_be | (uint64_t)leg->destination_port_be << 16 |
                      (uint64_t)udp_len_be << 32 | (uint64_t)field << 48;
    memcpy(udp, &header, sizeof(header));
    if (leg->family == IP_FAMILY_V4)
        forward_write_ipv4(worker, ip, packet, leg, ip_len + udp_len);
    else
        forward_write_ipv6(ip, packet, leg, ip_len + udp_len, flow);
    store_be16(ip - 2, leg->family == IP_FAMILY_V4 ? 0x0800 : 0x86DD);

    frame->data_off = (uint16_t)(ip - PACKET_ETHERNET_LEN - (uint8_t *)frame->buf_addr);
    frame->data_len = (uint16_t)(PACKET_ETHERNET_LEN + ip_len + udp_len);
    frame->pkt_len = frame->data_len;
    frame->ol_flags = 0;
    frame->tx_offload = PACKET_ETHERNET_LEN |
                        (uint64_t)ip_len << RTE_MBUF_L2_LEN_BITS; // one store: bit fields are slow
    if (unlikely(leg->hairpin != TABLE_RELAY_NONE)) {
        memset(ip - PACKET_ETHERNET_LEN, 0, 12);
        hairpin_turn(worker, frame, leg->destination_port_be);
        return true;
    }
    return forward_to_wire(worker, packet, leg, ip, ip_len + udp_len);
}
