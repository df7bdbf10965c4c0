// SPDX-License-Identifier: BSD-3-Clause
// The first look at a received frame (RFC 791, RFC 8200 section 4, RFC 768, RFC 8656 section 12).
#include "dataplane/classify.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "dataplane/tables.h"
#include "proto/channel_data.h"
#include "proto/message.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#define ETHERNET_TYPE_OFFSET 12
#define ETHERNET_TYPE_IPV4   0x0800
#define ETHERNET_TYPE_IPV6   0x86DD

#define IPV4_MORE_FRAGMENTS  0x2000
#define IPV4_FRAGMENT_OFFSET 0x1FFF
#define IPV4_OPTION_END      0
#define IPV4_OPTION_NOP      1
#define IPV4_OPTION_LSRR     131
#define IPV4_OPTION_SSRR     137

static inline void refuse(struct packet *packet, enum drop drop)
{
    packet->kind = PACKET_DROP;
    packet->drop = (uint8_t)drop;
}

// RFC 7983 section 7.
static inline bool is_dtls(uint8_t first_byte)
{
    return first_byte >= 20 && first_byte <= 63;
}

// A datagram for a listener: STUN and ChannelData differ in their first byte (RFC 8656 section 12).
static __rte_always_inline void classify_client(const struct local_addresses *locals,
                                                struct packet *packet)
{
    const uint8_t *payload = packet_payload(packet);
    uint16_t len = packet_payload_len(packet);
    if (len == 0) {
        refuse(packet, DROP_UNKNOWN_PROTOCOL);
    } else if (channel_data_first_byte(payload[0], locals->rfc5766_channels)) {
        // RFC 8656 section 12.6: a datagram too short for the claimed length is discarded; padding
        // may follow.
        if (len < CHANNEL_DATA_HEADER_LEN ||
            load_be16(payload + 2) > len - CHANNEL_DATA_HEADER_LEN) {
            refuse(packet, DROP_BAD_CHANNEL_DATA);
            return;
        }
        packet->kind = PACKET_CHANNEL_DATA;
        packet->data_offset = CHANNEL_DATA_HEADER_LEN;
        packet->data_len = load_be16(payload + 2);
    } else if (stun_first_byte(payload[0])) {
        bool is_send = len >= 2 && load_be16(payload) == STUN_SEND_INDICATION_TYPE;
        packet->kind = is_send ? PACKET_SEND : PACKET_STUN;
    } else if (locals->dtls && is_dtls(payload[0]) && !stream_port_is_inner(packet->mbuf->port)) {
        packet->kind = PACKET_DTLS;
    } else {
        refuse(packet, DROP_UNKNOWN_PROTOCOL);
    }
}

// A message of a stream's client (exchange/stream.h): from the inner wire, with headers of our own.
static void classify_stream(const struct local_addresses *locals, struct packet *packet)
{
    packet->local = (uint8_t)(packet->mbuf->port - STREAM_PORT_BASE);
    packet->l4_len = load_be16(packet->l4 + 4);
    // RFC 8656 section 15: what a peer gets of it may be cut up.
    packet->flags |= packet->family == IP_FAMILY_V6 ? PACKET_WAS_FRAGMENTED : 0;
    classify_client(locals, packet);
}

static __rte_always_inline void classify_udp(const struct local_addresses *locals, size_t ip_len,
                                             struct packet *packet)
{
    if (packet->l4_len < PACKET_UDP_LEN) {
        refuse(packet, DROP_BAD_UDP);
        return;
    }
    uint64_t udp; // ports, length, checksum
    memcpy(&udp, packet->l4, sizeof(udp));
    uint16_t port = __builtin_bswap16((uint16_t)(udp >> 16));
    uint16_t udp_len = __builtin_bswap16((uint16_t)(udp >> 32));
    packet->source_port_be = (uint16_t)udp;
    packet->destination_port_be = (uint16_t)(udp >> 16);
    packet->checksum = (uint16_t)(udp >> 48);
    if (unlikely(stream_port_is_inner(packet->mbuf->port))) {
        classify_stream(locals, packet);
        return;
    }
    // First whose it is: how another's datagram has to look is not ours to judge.
    const struct local_address *local =
        local_addresses_find(locals, packet->source_ip + ip_len, ip_len, port);
    if (unlikely(local == NULL)) {
        refuse(packet,
               packet->mbuf->port == PACKET_PORT_LOCAL ? DROP_NO_RELAYED_ADDRESS : DROP_NOT_OURS);
        return;
    }
    // Port 0 as a source asks for no answer (RFC 768): no client and no peer.
    if (udp_len < PACKET_UDP_LEN || udp_len > packet->l4_len || packet->source_port_be == 0) {
        refuse(packet, DROP_BAD_UDP);
        return;
    }
    packet->l4_len = udp_len;
    bool absent = packet->checksum == 0;
    uint64_t verdict = packet->mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (absent ? packet->family == IP_FAMILY_V6 : verdict == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
        refuse(packet, DROP_BAD_CHECKSUM);
        return;
    }
    if (local->kind == LOCAL_RELAY) {
        // The first of three loads that each depend on the one before.
        rte_prefetch0((const void *)((uintptr_t)local->slots +
                                     (size_t)(port - local->min_port) * sizeof(*local->slots)));
        packet->local = local->index;
        packet->kind = PACKET_PEER;
        packet->data_offset = 0;
        packet->data_len = packet_payload_len(packet);
    } else if (packet->mbuf->port == PACKET_PORT_LOCAL) {
        refuse(packet, DROP_NO_RELAYED_ADDRESS); // the hairpin leads to relayed addresses only
    } else {
        packet->local = local->index;
        classify_client(locals, packet);
    }
}

static void classify_icmp(const struct local_addresses *locals, size_t ip_len,
                          struct packet *packet)
{
    if (!local_addresses_has(locals, packet_destination_ip(packet), ip_len))
        refuse(packet, DROP_NOT_OURS);
    else
        packet->kind = PACKET_ICMP;
}

static void classify_fragment(const struct local_addresses *locals, size_t ip_len,
                              struct packet *packet)
{
    if (!local_addresses_has(locals, packet_destination_ip(packet), ip_len))
        refuse(packet, DROP_NOT_OURS);
    else
        packet->kind = PACKET_FRAGMENT;
}

// Options are skipped, but for a source route: that would make us a hop on someone else's way (RFC
// 7126 section 4.3).
static enum packet_kind check_options(const uint8_t *options, size_t len, enum drop *ret_drop)
{
    size_t at = 0;
    while (at < len && options[at] != IPV4_OPTION_END) {
        if (options[at] == IPV4_OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 2 > len || options[at + 1] < 2 || options[at + 1] > len - at) {
            *ret_drop = DROP_BAD_IP_HEADER;
            return PACKET_DROP;
        }
        if (options[at] == IPV4_OPTION_LSRR || options[at] == IPV4_OPTION_SSRR) {
            *ret_drop = DROP_IP_OPTIONS;
            return PACKET_DROP;
        }
        at += options[at + 1];
    }
    return PACKET_PEER;
}

// In the first eight bytes of an IPv4 header, as they are loaded: DF; all that is the same in a
// whole datagram without options.
#define IPV4_WORD_DONT_FRAGMENT (UINT64_C(0x40) << 48)
#define IPV4_WORD_MASK          UINT64_C(0xFF3F0000000000FF)
#define IPV4_WORD_COMMON        UINT64_C(0x45)

// An IPv4 header without options, read in three loads.
struct ipv4_words {
    uint64_t first;  // version and length, class, total length, id, fragment
    uint64_t second; // TTL, protocol, checksum, source
    uint32_t third;  // destination
};

static inline struct ipv4_words ipv4_load(const uint8_t *ip)
{
    struct ipv4_words words;
    memcpy(&words.first, ip, 8);
    memcpy(&words.second, ip + 8, 8);
    memcpy(&words.third, ip + 16, 4);
    return words;
}

static inline bool ipv4_header_sum_is_good(const struct rte_mbuf *frame,
                                           const struct ipv4_words *words, const uint8_t *ip,
                                           size_t header_len)
{
    uint64_t verdict = frame->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    if (verdict == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
        return true;
    if (verdict == RTE_MBUF_F_RX_IP_CKSUM_BAD)
        return false;
    if (unlikely(header_len > PACKET_IPV4_LEN))
        return checksum_fold(checksum_add_bytes(0, ip, header_len)) == 0xFFFF;
    uint64_t sum = checksum_carry_u64(words->first, words->second);
    return checksum_fold(checksum_carry_u64(sum, words->third)) == 0xFFFF;
}

static inline bool ipv6_source_is_possible(const uint8_t *ip)
{
    static const uint8_t zeros[15];
    return ip[0] != 0xFF &&
           (memcmp(ip, zeros, sizeof(zeros)) != 0 || ip[15] > 1); // neither :: nor ::1
}

// False: refused.
static __rte_always_inline bool ipv4_read(size_t available, const struct ipv4_words *words,
                                          size_t header_len, struct packet *packet)
{
    const uint8_t *ip = packet->ip;
    size_t total_len = __builtin_bswap16(
        (uint16_t)(words->first >> 16)); // what follows it in the frame is padding
    if (unlikely(total_len < header_len || total_len > available ||
                 !ipv4_header_sum_is_good(packet->mbuf, words, ip, header_len) ||
                 !packet_ipv4_source_is_possible((uint8_t)(words->second >> 32)))) {
        refuse(packet, DROP_BAD_IP_HEADER);
        return false;
    }
    packet->family = IP_FAMILY_V4;
    packet->traffic_class = (uint8_t)(words->first >> 8);
    packet->ttl = (uint8_t)words->second;
    packet->flags = words->first & IPV4_WORD_DONT_FRAGMENT ? PACKET_DONT_FRAGMENT : 0;
    packet->source_ip = ip + 12;
    packet->l4 = packet->ip + header_len;
    packet->l4_len = (uint16_t)(total_len - header_len);
    return true;
}

// Options, fragments, and what is not UDP.
static __rte_noinline void classify_ipv4_uncommon(const struct local_addresses *locals,
                                                  size_t available, struct packet *packet)
{
    const uint8_t *ip = packet->ip;
    if (available < PACKET_IPV4_LEN || ip[0] >> 4 != 4 || (ip[0] & 0xF) < PACKET_IPV4_LEN / 4) {
        refuse(packet, DROP_BAD_IP_HEADER);
        return;
    }
    struct ipv4_words words = ipv4_load(ip);
    size_t header_len = (words.first & 0xF) * 4;
    if (!ipv4_read(available, &words, header_len, packet))
        return;
    uint16_t fragment = __builtin_bswap16((uint16_t)(words.first >> 48));
    uint8_t protocol = (uint8_t)(words.second >> 8);
    if (header_len > PACKET_IPV4_LEN) {
        enum drop drop;
        if (check_options(ip + PACKET_IPV4_LEN, header_len - PACKET_IPV4_LEN, &drop) ==
            PACKET_DROP) {
            refuse(packet, drop);
            return;
        }
    }
    if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) {
        packet->fragment_more = (fragment & IPV4_MORE_FRAGMENTS) != 0;
        packet->fragment_offset = (uint16_t)((fragment & IPV4_FRAGMENT_OFFSET) * 8);
        packet->fragment_protocol = protocol;
        packet->fragment_id = load_be16(ip + 4);
        classify_fragment(locals, 4, packet);
    } else if (protocol == IPPROTO_UDP) {
        classify_udp(locals, 4, packet);
    } else if (protocol == IPPROTO_ICMP) {
        classify_icmp(locals, 4, packet);
    } else {
        refuse(packet, DROP_NOT_UDP);
    }
}

static __rte_always_inline void classify_ipv4(const struct local_addresses *locals,
                                              size_t available, struct packet *packet)
{
    if (likely(available >= PACKET_IPV4_LEN)) {
        struct ipv4_words words = ipv4_load(packet->ip);
        bool is_common = (words.first & IPV4_WORD_MASK) == IPV4_WORD_COMMON &&
                         (uint8_t)(words.second >> 8) == IPPROTO_UDP;
        if (likely(is_common)) {
            if (ipv4_read(available, &words, PACKET_IPV4_LEN, packet))
                classify_udp(locals, 4, packet);
            return;
        }
    }
    classify_ipv4_uncommon(locals, available, packet);
}

// Where the walk over the extension headers stands: at a header of type next, with so many bytes
// from it on.
struct extension_walk {
    uint8_t *at;
    size_t left;
    uint8_t next;
    bool is_fragment;
};

// One extension header; false when the packet has been refused.
static bool walk_extension(struct extension_walk *walk, struct packet *packet)
{
    if (walk->left < 8) {
        refuse(packet, DROP_BAD_IP_HEADER);
        return false;
    }
    size_t len = walk->next == IPPROTO_FRAGMENT ? 8 : ((size_t)walk->at[1] + 1) * 8;
    if (len > walk->left) {
        refuse(packet, DROP_BAD_IP_HEADER);
        return false;
    }
    if (walk->next == IPPROTO_ROUTING && walk->at[3] != 0) { // segments left: someone else's way
        refuse(packet, DROP_IP_OPTIONS);
        return false;
    }
    // At most one (RFC 8200 section 4.1): a fragment in a datagram that was put together would be
    // put together again, and again.
    if (walk->next == IPPROTO_FRAGMENT && packet->flags & PACKET_WAS_FRAGMENTED) {
        refuse(packet, DROP_IP_OPTIONS);
        return false;
    }
    if (walk->next == IPPROTO_FRAGMENT) {
        uint16_t fragment = load_be16(walk->at + 2);
        packet->flags |= PACKET_WAS_FRAGMENTED;
        packet->fragment_offset = fragment & 0xFFF8;
        packet->fragment_more = fragment & 1;
        packet->fragment_protocol = walk->at[0];
        packet->fragment_id = load_be32(walk->at + 4);
        // An atomic fragment is a whole datagram (RFC 6946).
        walk->is_fragment = packet->fragment_offset != 0 || packet->fragment_more;
    }
    walk->next = walk->at[0];
    walk->at += len;
    walk->left -= len;
    return true;
}

static bool is_walked(uint8_t next)
{
    return next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING ||
           next == IPPROTO_FRAGMENT;
}

static bool is_other_extension(uint8_t next)
{
    return next == IPPROTO_AH || next == IPPROTO_ESP || next == 135 || next == 139 || next == 140;
}

// Extension headers, fragments, and what is not UDP.
static __rte_noinline void classify_ipv6_uncommon(const struct local_addresses *locals,
                                                  size_t payload_len, struct packet *packet)
{
    struct extension_walk walk = {packet->ip + PACKET_IPV6_LEN, payload_len, packet->ip[6], false};
    for (unsigned i = 0; is_walked(walk.next) && !walk.is_fragment; i++) {
        // Hop-by-hop options stand first or not at all (RFC 8200 section 4.1).
        if (i == CLASSIFY_EXTENSIONS_MAX || (i > 0 && walk.next == IPPROTO_HOPOPTS)) {
            refuse(packet, DROP_IP_OPTIONS);
            return;
        }
        if (!walk_extension(&walk, packet))
            return;
    }
    packet->l4 = walk.at;
    packet->l4_len = (uint16_t)walk.left;
    if (walk.is_fragment)
        classify_fragment(locals, 16, packet);
    else if (walk.next == IPPROTO_UDP)
        classify_udp(locals, 16, packet);
    else if (walk.next == IPPROTO_ICMPV6)
        classify_icmp(locals, 16, packet);
    else
        refuse(packet, is_other_extension(walk.next) ? DROP_IP_OPTIONS : DROP_NOT_UDP);
}

static __rte_always_inline void classify_ipv6(const struct local_addresses *locals,
                                              size_t available, struct packet *packet)
{
    const uint8_t *ip = packet->ip;
    size_t payload_len = available < PACKET_IPV6_LEN ? 0 : load_be16(ip + 4);
    if (available < PACKET_IPV6_LEN || ip[0] >> 4 != 6 ||
        payload_len > available - PACKET_IPV6_LEN || !ipv6_source_is_possible(ip + 8)) {
        refuse(packet, DROP_BAD_IP_HEADER);
        return;
    }
    packet->family = IP_FAMILY_V6;
    packet->traffic_class = (uint8_t)(load_be16(ip) >> 4);
    packet->ttl = ip[7];
    packet->source_ip = ip + 8;
    packet->flags = 0;
    if (unlikely(ip[6] != IPPROTO_UDP)) {
        classify_ipv6_uncommon(locals, payload_len, packet);
        return;
    }
    packet->l4 = packet->ip + PACKET_IPV6_LEN;
    packet->l4_len = (uint16_t)payload_len;
    classify_udp(locals, 16, packet);
}

void classify(const struct local_addresses *v4, const struct local_addresses *v6,
              struct rte_mbuf *frame, struct packet *ret_packet)
{
    uint8_t *ethernet = rte_pktmbuf_mtod(frame, uint8_t *);
    size_t len = rte_pktmbuf_data_len(frame);
    ret_packet->mbuf = frame;
    ret_packet->ip = ethernet + PACKET_ETHERNET_LEN;
    if (len < PACKET_ETHERNET_LEN) {
        refuse(ret_packet, DROP_NOT_IP);
        return;
    }
    uint16_t type = load_be16(ethernet + ETHERNET_TYPE_OFFSET);
    if (ethernet[0] & 1) // to a group: not meant for one host (RFC 1122 section 3.3.6)
        refuse(ret_packet, DROP_NOT_OURS);
    else if (type == ETHERNET_TYPE_IPV4)
        classify_ipv4(v4, len - PACKET_ETHERNET_LEN, ret_packet);
    else if (type == ETHERNET_TYPE_IPV6)
        classify_ipv6(v6, len - PACKET_ETHERNET_LEN, ret_packet);
    else
        refuse(ret_packet, DROP_NOT_IP);
}
