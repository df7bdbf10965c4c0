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

// The sum of the relayed bytes alone: the datagram's, as its sender made it, less everything else
// in it (RFC 1624). Bytes that were damaged on the way here are as damaged on the way on.
static inline uint64_t forward_data_sum(const struct packet *packet)
{
    const uint8_t *payload = packet_payload(packet);
    if (packet->checksum == 0)
        return checksum_add_bytes(0, payload + packet->data_offset, packet->data_len);
    uint64_t other = forward_address_sum(0, packet->family, packet->source_ip);
    other = forward_address_sum(other, packet->family, packet->destination_ip);
    other = checksum_add_u16(other, htons(IPPROTO_UDP));
    uint16_t len_be = htons(packet->l4_len); // twice: in the pseudo-header and in the header
    other = checksum_add_u16(checksum_add_u16(other, len_be), len_be);
    other = checksum_add_u16(checksum_add_u16(other, packet->source_port_be),
                             packet->destination_port_be);
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
    return (uint16_t)~packet->checksum + checksum_negate(other);
}

static inline bool forward_ipv4_dont_fragment(const struct packet *packet, const struct leg *leg,
                                              size_t packet_len)
{
    if (packet->family == IP_FAMILY_V4) // RFC 8656 section 14
        return leg->dont_fragment || (packet->flags & PACKET_DONT_FRAGMENT);
    return !(packet->flags & PACKET_WAS_FRAGMENTED) && packet_len > FORWARD_IPV4_WITHOUT_DF_MAX_LEN;
}

static inline void forward_write_ipv4(struct worker *worker, uint8_t *ip,
                                      const struct packet *packet, const struct leg *leg,
                                      size_t packet_len)
{
    bool dont_fragment = forward_ipv4_dont_fragment(packet, leg, packet_len);
    ip[0] = 0x45;
    ip[1] = packet->traffic_class;
    store_be16(ip + 2, (uint16_t)packet_len);
    store_be16(ip + 4, dont_fragment ? 0 : worker->ipv4_id++); // RFC 6864: only fragments need one
    store_be16(ip + 6, dont_fragment ? FORWARD_IPV4_DONT_FRAGMENT : 0);
    ip[8] = packet->ttl - 1;
    ip[9] = IPPROTO_UDP;
    store_be16(ip + 10, 0);
    memcpy(ip + 12, leg->source_ip, 4);
    memcpy(ip + 16, leg->destination_ip, 4);
    uint16_t sum = checksum_field(checksum_add_16_bytes(checksum_add_4_bytes(0, ip + 16), ip));
    memcpy(ip + 10, &sum, sizeof(sum));
}

// flow: a number that all datagrams of the flow have in common (RFC 8656 section 13.1, RFC 6437
// section 3).
static inline void forward_write_ipv6(uint8_t *ip, const struct packet *packet,
                                      const struct leg *leg, size_t packet_len, uint64_t flow)
{
    uint32_t label = (uint32_t)((flow * 0x9E3779B97F4A7C15u) >> 44);
    store_be32(ip, 6u << 28 | (uint32_t)packet->traffic_class << 20 | label);
    store_be16(ip + 4, (uint16_t)(packet_len - PACKET_IPV6_LEN));
    ip[6] = IPPROTO_UDP;
    ip[7] = packet->ttl - 1;
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
static inline bool forward_to_wire(struct worker *worker, const struct packet *packet,
                                   const struct leg *leg, uint8_t *ip, size_t packet_len)
{
    struct rte_mbuf *frame = packet->mbuf;
    const struct adjacency *adjacency = &worker->adjacencies[leg->adjacency];
    if (unlikely(!adjacency->resolved)) {
        worker_drop(worker, frame, DROP_NO_NEIGHBOUR);
        return false;
    }
    uint8_t *ethernet = ip - PACKET_ETHERNET_LEN;
    memcpy(ethernet, adjacency->destination_mac, 6);
    memcpy(ethernet + 6, adjacency->source_mac, 6);
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
static inline bool forward(struct worker *worker, const struct packet *packet,
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
    memset(data + packet->data_len, 0, padding_len);
    if (prefix_len > 0)
        memcpy(data - prefix_len, prefix, prefix_len);
    uint8_t *udp = data - prefix_len - PACKET_UDP_LEN;
    uint8_t *ip = udp - ip_len;
    uint16_t udp_len_be = htons((uint16_t)udp_len);
    memcpy(udp, &leg->source_port_be, 2);
    memcpy(udp + 2, &leg->destination_port_be, 2);
    memcpy(udp + 4, &udp_len_be, 2);
    uint64_t flow = forward_address_sum(0, leg->family, leg->source_ip) +
                    forward_address_sum(0, leg->family, leg->destination_ip) + leg->source_port_be +
                    leg->destination_port_be;
    uint16_t field = 0;
    if (!absent) {
        sum += flow + htons(IPPROTO_UDP) + udp_len_be + udp_len_be;
        if (prefix_len == 4)
            sum = checksum_add_4_bytes(sum, prefix);
        else if (prefix_len > 0)
            sum = checksum_add_bytes(sum, prefix, prefix_len);
        field = checksum_udp_field(sum);
    }
    memcpy(udp + 6, &field, sizeof(field));
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
