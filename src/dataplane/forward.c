// SPDX-License-Identifier: BSD-3-Clause
// The rewrite that all relaying but dataplane/media.h ends in (RFC 8656 sections 13, 14).
#include "dataplane/forward.h"

#include "base/bytes.h"
#include "dataplane/fragmentation.h"
#include "dataplane/hairpin.h"
#include "dataplane/icmp_answer.h"
#include "dataplane/icmp_to_client.h"
#include "dataplane/stream_path.h"
#include "dataplane/transmit.h"

#include <netinet/in.h>
#include <stddef.h>

#define IPV4_DONT_FRAGMENT 0x4000
// RFC 7915 section 5.1: the longest IPv4 packet made of an IPv6 one that is sent without DF.
#define IPV4_WITHOUT_DF_MAX_LEN 1260

static_assert(offsetof(struct adjacency, destination_mac) == 0 &&
                  offsetof(struct adjacency, source_mac) == 6,
              "in the order of an Ethernet header: copied as one");

static bool ipv4_dont_fragment(const struct packet *packet, const struct leg *leg,
                               size_t packet_len)
{
    if (leg->dont_fragment)
        return true;
    if (packet->family == IP_FAMILY_V4) // RFC 8656 section 14
        return packet->flags & PACKET_DONT_FRAGMENT;
    return !(packet->flags & PACKET_WAS_FRAGMENTED) && packet_len > IPV4_WITHOUT_DF_MAX_LEN;
}

// RFC 8656 section 13.2: a datagram that came whole is not cut up over IPv6, nor one with DF over
// IPv4; section 13.1 and RFC 7915 section 4: what came over IPv4 without DF is.
static bool may_fragment(const struct packet *packet, const struct leg *leg, size_t packet_len)
{
    if (leg->family == IP_FAMILY_V4)
        return !ipv4_dont_fragment(packet, leg, packet_len);
    if (leg->dont_fragment)
        return false;
    return packet->family == IP_FAMILY_V6 ? packet->flags & PACKET_WAS_FRAGMENTED
                                          : !(packet->flags & PACKET_DONT_FRAGMENT);
}

// Headers are made in registers and stored in whole words, checksum included.
static void write_ipv4(struct worker *worker, uint8_t *ip, const struct packet *packet,
                       const struct leg *leg, size_t packet_len)
{
    bool dont_fragment = ipv4_dont_fragment(packet, leg, packet_len);
    uint16_t id =
        dont_fragment ? 0 : worker->ipv4_id++; // RFC 6864: only what may be cut up needs one
    uint16_t fragment = dont_fragment ? IPV4_DONT_FRAGMENT : 0;
    uint32_t source, destination;
    memcpy(&source, leg->source_ip, sizeof(source));
    memcpy(&destination, leg->destination_ip, sizeof(destination));
    uint64_t first = 0x45 | (uint64_t)packet->traffic_class << 8 |
                     (uint64_t)htons((uint16_t)packet_len) << 16 | (uint64_t)htons(id) << 32 |
                     (uint64_t)htons(fragment) << 48;
    uint64_t second = (uint64_t)(packet->ttl - 1) | IPPROTO_UDP << 8 | (uint64_t)source << 32;
    uint64_t sum = checksum_carry_u64(checksum_carry_u64(first, second), destination);
    second |= (uint64_t)checksum_field(sum) << 16;
    memcpy(ip, &first, sizeof(first));
    memcpy(ip + 8, &second, sizeof(second));
    memcpy(ip + 16, &destination, sizeof(destination));
}

static void write_ipv6(uint8_t *ip, const struct packet *packet, const struct leg *leg,
                       size_t packet_len, uint32_t flow_label)
{
    uint64_t first = htonl(6u << 28 | (uint32_t)packet->traffic_class << 20 | flow_label) |
                     (uint64_t)htons((uint16_t)(packet_len - PACKET_IPV6_LEN)) << 32 |
                     (uint64_t)IPPROTO_UDP << 48 | (uint64_t)(packet->ttl - 1) << 56;
    memcpy(ip, &first, sizeof(first));
    memcpy(ip + 8, leg->source_ip, 16);
    memcpy(ip + 24, leg->destination_ip, 16);
}

// How long everything gets.
struct lens {
    size_t ip;      // header
    size_t headers; // Ethernet to prefix
    size_t udp;
    size_t packet; // IP
};

static struct lens measure(const struct packet *packet, const struct leg *leg, size_t prefix_len,
                           size_t padding_len)
{
    struct lens lens;
    lens.ip = leg->family == IP_FAMILY_V4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
    lens.headers = PACKET_ETHERNET_LEN + lens.ip + PACKET_UDP_LEN + prefix_len;
    lens.udp = PACKET_UDP_LEN + prefix_len + packet->data_len + padding_len;
    lens.packet = lens.ip + lens.udp;
    return lens;
}

static bool leaves(const struct leg *leg)
{
    return leg->hairpin == TABLE_RELAY_NONE && (!leg->is_stream || leg->is_dtls);
}

static uint16_t mtu_of(const struct leg *leg, const struct adjacency *adjacency)
{
    return leg->path_mtu != 0 && leg->path_mtu < adjacency->mtu ? leg->path_mtu : adjacency->mtu;
}

// The longest packet that fits, as it is written here: a record's head and tag come later.
static uint16_t longest(const struct leg *leg, const struct adjacency *adjacency)
{
    uint16_t record_len = leg->is_dtls ? STREAM_DTLS_RECORD_LEN : 0;
    uint16_t mtu = mtu_of(leg, adjacency);
    if (!leaves(leg))
        return UINT16_MAX;
    return mtu > record_len ? mtu - record_len : 0;
}

// May the datagram go on, and is there room for it? False: it was dropped, or answered with an ICMP
// error; until here the frame is as it came.
static bool check(struct worker *worker, const struct packet *packet, const struct leg *leg,
                  const struct lens *lens, size_t padding_len)
{
    const struct rte_mbuf *frame = packet->mbuf;
    const struct adjacency *adjacency = &worker->adjacencies[leg->adjacency];
    const uint8_t *data = packet_payload(packet) + packet->data_offset;
    size_t room_before = (size_t)(data - (const uint8_t *)frame->buf_addr);
    if (unlikely(packet->ttl <= 1)) {
        icmp_answer_time_exceeded(worker, packet);
        return false;
    }
    if (unlikely(leaves(leg) && !adjacency->resolved)) {
        worker_drop(worker, packet->mbuf, DROP_NO_NEIGHBOUR);
        return false;
    }
    bool is_long = lens->packet > longest(leg, adjacency);
    if (unlikely(is_long &&
                 (lens->packet > UINT16_MAX || !may_fragment(packet, leg, lens->packet)))) {
        if (leg->dont_fragment && lens->packet <= UINT16_MAX)
            icmp_to_client_too_big(worker, packet, leg, longest(leg, adjacency));
        else
            icmp_answer_too_big(worker, packet, leg->family, longest(leg, adjacency));
        return false;
    }
    bool is_padding_out =
        padding_len > 0 && frame->buf_len - room_before < packet->data_len + padding_len;
    if (unlikely(room_before < lens->headers || is_padding_out)) {
        worker_drop(worker, packet->mbuf, DROP_NO_BUFFER);
        return false;
    }
    return true;
}

// Returns the IP header; there is no Ethernet header but for its type.
static uint8_t *write(struct worker *worker, const struct packet *packet, const struct leg *leg,
                      const struct lens *lens, const uint8_t *prefix, size_t prefix_len,
                      uint16_t checksum, uint32_t flow_label)
{
    struct rte_mbuf *frame = packet->mbuf;
    uint8_t *data = packet_payload(packet) + packet->data_offset;
    if (prefix_len > 0)
        memcpy(data - prefix_len, prefix, prefix_len);
    uint8_t *udp = data - prefix_len - PACKET_UDP_LEN;
    uint8_t *ip = udp - lens->ip;
    uint64_t header = leg->source_port_be | (uint64_t)leg->destination_port_be << 16 |
                      (uint64_t)htons((uint16_t)lens->udp) << 32 | (uint64_t)checksum << 48;
    memcpy(udp, &header, sizeof(header));
    if (leg->family == IP_FAMILY_V4)
        write_ipv4(worker, ip, packet, leg, lens->packet);
    else
        write_ipv6(ip, packet, leg, lens->packet, flow_label);
    store_be16(ip - 2, leg->family == IP_FAMILY_V4 ? 0x0800 : 0x86DD);
    frame->data_off = (uint16_t)(ip - PACKET_ETHERNET_LEN - (uint8_t *)frame->buf_addr);
    frame->data_len = (uint16_t)(PACKET_ETHERNET_LEN + lens->packet);
    frame->pkt_len = frame->data_len;
    // Nothing is left to the port, so it reads no tx_offload; that is in the mbuf's second line,
    // which is not touched.
    frame->ol_flags = 0;
    return ip;
}

static void to_wire(struct worker *worker, struct rte_mbuf *frame, const struct leg *leg,
                    uint8_t *ip, size_t packet_len)
{
    const struct adjacency *adjacency = &worker->adjacencies[leg->adjacency];
    uint16_t mtu = mtu_of(leg, adjacency);
    memcpy(ip - PACKET_ETHERNET_LEN, adjacency, 12); // destination, source
    frame->port = adjacency->port;
    if (likely(packet_len <= mtu))
        transmit(worker, frame);
    else
        fragment_and_transmit(worker, frame, mtu);
}

static void to_stream(struct worker *worker, struct rte_mbuf *frame, const struct leg *leg,
                      uint8_t *ip)
{
    const struct adjacency *adjacency = &worker->adjacencies[leg->adjacency];
    if (leg->is_dtls) { // as read_hop() in exchange/stream.c reads it
        memcpy(ip - PACKET_ETHERNET_LEN, adjacency, 12);
        frame->hash.usr = (uint32_t)adjacency->port << 16 | mtu_of(leg, adjacency);
    }
    stream_path_send(worker, frame, leg->listener);
}

// The sum of the relayed bytes alone: the datagram's, as its sender made it, less everything else
// in it (RFC 1624). Bytes that were damaged on the way here are as damaged on the way on. A right
// datagram sums up to nothing, its checksum included: so what is relayed sums up to the negation of
// all the rest.
static uint64_t data_sum(const struct packet *packet)
{
    const uint8_t *payload = packet_payload(packet);
    if (packet->checksum == 0)
        return checksum_add_bytes(0, payload + packet->data_offset, packet->data_len);
    uint64_t other = forward_addresses_sum(0, packet->family, packet->source_ip);
    other = checksum_add_8_bytes(other, packet->l4);
    other += htons(IPPROTO_UDP) + (uint64_t)htons(packet->l4_len);
    other = checksum_add_bytes(other, payload, packet->data_offset);
    size_t end = (size_t)packet->data_offset + packet->data_len;
    uint64_t behind = checksum_add_bytes(0, payload + end, packet_payload_len(packet) - end);
    return checksum_negate(other + (end & 1 ? checksum_shift(behind) : behind));
}

// An absent checksum stays absent, where IP allows it.
static uint16_t checksum_of(const struct packet *packet, const struct leg *leg,
                            const struct lens *lens, const uint8_t *prefix, size_t prefix_len,
                            uint64_t flow_sum)
{
    if (packet->checksum == 0 && leg->family == IP_FAMILY_V4 && !leg->made_here)
        return 0;
    uint64_t sum =
        data_sum(packet) + flow_sum + htons(IPPROTO_UDP) + 2 * (uint64_t)htons((uint16_t)lens->udp);
    return checksum_udp_field(prefix_len > 0 ? checksum_add_bytes(sum, prefix, prefix_len) : sum);
}

bool forward(struct worker *worker, const struct packet *packet, const struct leg *leg,
             const uint8_t *prefix, size_t prefix_len, size_t padding_len)
{
    struct lens lens = measure(packet, leg, prefix_len, padding_len);
    if (!check(worker, packet, leg, &lens, padding_len))
        return false;
    uint64_t flow_sum = leg_flow_sum(leg);
    uint16_t checksum = checksum_of(packet, leg, &lens, prefix, prefix_len, flow_sum);
    memset(packet_payload(packet) + packet->data_offset + packet->data_len, 0, padding_len);
    uint8_t *ip =
        write(worker, packet, leg, &lens, prefix, prefix_len, checksum, leg_flow_label(flow_sum));
    if (leg->is_stream) {
        to_stream(worker, packet->mbuf, leg, ip);
    } else if (leg->hairpin == TABLE_RELAY_NONE) {
        to_wire(worker, packet->mbuf, leg, ip, lens.packet);
    } else {
        memset(ip - PACKET_ETHERNET_LEN, 0, 12);
        hairpin_turn(worker, packet->mbuf, leg->destination_port_be);
    }
    return true;
}
