// SPDX-License-Identifier: BSD-3-Clause
// One header of each kind: nothing that is sent here has options, and what arrives with options or
// extension headers is not ours.
#include "frame.h"

#include "base/checksum.h"

#include <netinet/in.h>

#define HOP_LIMIT        64
#define ICMPV6_ND_FIRST  133 // router solicitation
#define ICMPV6_ND_LAST   137 // redirect
#define ICMPV6_ERROR_MAX 127

static uint64_t pseudo_header_sum(const struct ip_address *source,
                                  const struct ip_address *destination, uint8_t protocol,
                                  size_t len)
{
    uint8_t rest[8] = {0};
    uint64_t sum;

    store_be32(rest, (uint32_t)len);
    rest[7] = protocol;
    // An IPv4 address is followed by zeros.
    sum = checksum_add_16_bytes(0, source->bytes);
    sum = checksum_add_16_bytes(sum, destination->bytes);
    return checksum_add_8_bytes(sum, rest);
}

uint16_t frame_checksum(const struct ip_address *source, const struct ip_address *destination,
                        uint8_t protocol, const uint8_t *bytes, size_t len)
{
    uint64_t sum = pseudo_header_sum(source, destination, protocol, len);

    return checksum_udp_field(checksum_add_bytes(sum, bytes, len));
}

static uint64_t ipv4_header_sum(const uint8_t *header)
{
    return checksum_add_4_bytes(checksum_add_16_bytes(0, header), header + 16);
}

static void write_ipv4(uint8_t *header, const struct ip_address *source,
                       const struct ip_address *destination, size_t payload_len)
{
    uint16_t checksum;

    memset(header, 0, IPV4_HEADER_LEN);
    header[0] = 0x45;
    store_be16(header + 2, (uint16_t)(IPV4_HEADER_LEN + payload_len));
    header[6] = 0x40; // don't fragment
    header[8] = HOP_LIMIT;
    header[9] = IPPROTO_UDP;
    memcpy(header + 12, source->bytes, 4);
    memcpy(header + 16, destination->bytes, 4);
    checksum = checksum_field(ipv4_header_sum(header));
    memcpy(header + 10, &checksum, sizeof(checksum));
}

static void write_ipv6(uint8_t *header, const struct ip_address *source,
                       const struct ip_address *destination, size_t payload_len)
{
    store_be32(header, 6u << 28);
    store_be16(header + 4, (uint16_t)payload_len);
    header[6] = IPPROTO_UDP;
    header[7] = HOP_LIMIT;
    memcpy(header + 8, source->bytes, 16);
    memcpy(header + 24, destination->bytes, 16);
}

size_t frame_write(uint8_t *frame, const struct link *link, const struct transport_address *source,
                   const struct transport_address *destination, size_t payload_len,
                   bool has_checksum)
{
    bool is_v4 = source->ip.family == IP_FAMILY_V4;
    uint8_t *header = frame + ETHERNET_HEADER_LEN;
    uint8_t *udp = header + (is_v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN);
    size_t udp_len = UDP_HEADER_LEN + payload_len;

    memcpy(frame, link->next_hop, ETHERNET_ADDRESS_LEN);
    memcpy(frame + ETHERNET_ADDRESS_LEN, link->own, ETHERNET_ADDRESS_LEN);
    store_be16(frame + 12, is_v4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
    if (is_v4)
        write_ipv4(header, &source->ip, &destination->ip, udp_len);
    else
        write_ipv6(header, &source->ip, &destination->ip, udp_len);
    store_be16(udp, source->port);
    store_be16(udp + 2, destination->port);
    store_be16(udp + 4, (uint16_t)udp_len);
    store_be16(udp + 6, 0);
    if (has_checksum || !is_v4) {
        uint16_t checksum =
            frame_checksum(&source->ip, &destination->ip, IPPROTO_UDP, udp, udp_len);
        memcpy(udp + 6, &checksum, sizeof(checksum));
    }
    return (size_t)(udp - frame) + udp_len;
}

static enum frame_verdict read_udp(const uint8_t *udp, size_t len, struct ip_address source,
                                   struct ip_address destination, struct datagram *ret_datagram)
{
    size_t udp_len = len < UDP_HEADER_LEN ? 0 : load_be16(udp + 4);
    bool has_checksum;

    if (udp_len < UDP_HEADER_LEN || udp_len > len)
        return FRAME_OTHER;
    has_checksum = load_be16(udp + 6) != 0;
    if (!has_checksum && source.family == IP_FAMILY_V6)
        return FRAME_BAD_CHECKSUM;
    // With its checksum a datagram adds up to ones alone.
    if (has_checksum && checksum_fold(checksum_add_bytes(
                            pseudo_header_sum(&source, &destination, IPPROTO_UDP, udp_len), udp,
                            udp_len)) != 0xFFFF)
        return FRAME_BAD_CHECKSUM;
    *ret_datagram = (struct datagram){{source, load_be16(udp)},
                                      {destination, load_be16(udp + 2)},
                                      {udp + UDP_HEADER_LEN, udp_len - UDP_HEADER_LEN}};
    return FRAME_UDP;
}

static bool is_icmp_error(uint8_t type)
{
    return type == 3 || type == 11 || type == 12; // unreachable, out of hops, malformed
}

static enum frame_verdict read_ipv4(const uint8_t *header, size_t len,
                                    struct datagram *ret_datagram)
{
    size_t total_len = len < IPV4_HEADER_LEN ? 0 : load_be16(header + 2);
    const uint8_t *payload = header + IPV4_HEADER_LEN;

    if (total_len < IPV4_HEADER_LEN || total_len > len || header[0] != 0x45)
        return FRAME_OTHER;
    if (checksum_fold(ipv4_header_sum(header)) != 0xFFFF)
        return FRAME_BAD_CHECKSUM;
    if (load_be16(header + 6) & 0x3FFF)
        return FRAME_FRAGMENT;
    total_len -= IPV4_HEADER_LEN;
    if (header[9] == IPPROTO_ICMP)
        return total_len > 0 && is_icmp_error(payload[0]) ? FRAME_ICMP_ERROR : FRAME_OTHER;
    if (header[9] != IPPROTO_UDP)
        return FRAME_OTHER;
    return read_udp(payload, total_len, ip_address_from_bytes(IP_FAMILY_V4, header + 12),
                    ip_address_from_bytes(IP_FAMILY_V4, header + 16), ret_datagram);
}

static enum frame_verdict icmpv6_verdict(const uint8_t *message, size_t len)
{
    if (len == 0)
        return FRAME_OTHER;
    if (message[0] <= ICMPV6_ERROR_MAX)
        return FRAME_ICMP_ERROR;
    return message[0] >= ICMPV6_ND_FIRST && message[0] <= ICMPV6_ND_LAST ? FRAME_NEIGHBOUR
                                                                         : FRAME_OTHER;
}

static enum frame_verdict read_ipv6(const uint8_t *header, size_t len,
                                    struct datagram *ret_datagram)
{
    size_t payload_len = len < IPV6_HEADER_LEN ? 0 : load_be16(header + 4);

    if (len < IPV6_HEADER_LEN || payload_len > len - IPV6_HEADER_LEN || header[0] >> 4 != 6)
        return FRAME_OTHER;
    switch (header[6]) {
    case IPPROTO_FRAGMENT:
        return FRAME_FRAGMENT;
    case IPPROTO_ICMPV6:
        return icmpv6_verdict(header + IPV6_HEADER_LEN, payload_len);
    case IPPROTO_UDP:
        return read_udp(header + IPV6_HEADER_LEN, payload_len,
                        ip_address_from_bytes(IP_FAMILY_V6, header + 8),
                        ip_address_from_bytes(IP_FAMILY_V6, header + 24), ret_datagram);
    default:
        return FRAME_OTHER;
    }
}

enum frame_verdict frame_read(const uint8_t *frame, size_t len, struct datagram *ret_datagram)
{
    if (len < ETHERNET_HEADER_LEN)
        return FRAME_OTHER;
    len -= ETHERNET_HEADER_LEN;
    switch (load_be16(frame + 12)) {
    case ETHERTYPE_IPV4:
        return read_ipv4(frame + ETHERNET_HEADER_LEN, len, ret_datagram);
    case ETHERTYPE_IPV6:
        return read_ipv6(frame + ETHERNET_HEADER_LEN, len, ret_datagram);
    case ETHERTYPE_ARP:
        return FRAME_NEIGHBOUR;
    default:
        return FRAME_OTHER;
    }
}
