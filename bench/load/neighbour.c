// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes ARP packets, neighbour solicitations and advertisements.
#include "neighbour.h"

#include <netinet/in.h>

#define ARP_LEN           28
#define ARP_REQUEST       1
#define ARP_REPLY         2
#define SOLICITATION      135
#define ADVERTISEMENT     136
#define ND_LEN            24 // without options
#define ND_OPTION_LEN     8  // a link-layer address of Ethernet
#define OPTION_SOURCE_MAC 1
#define OPTION_TARGET_MAC 2
#define IS_SOLICITED      0x40000000u
#define IS_OVERRIDE       0x20000000u

static const uint8_t broadcast[ETHERNET_ADDRESS_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static uint8_t *write_ethernet(uint8_t *frame, const uint8_t *to, const uint8_t *from,
                               uint16_t type)
{
    memcpy(frame, to, ETHERNET_ADDRESS_LEN);
    memcpy(frame + ETHERNET_ADDRESS_LEN, from, ETHERNET_ADDRESS_LEN);
    store_be16(frame + 12, type);
    return frame + ETHERNET_HEADER_LEN;
}

static size_t write_arp(uint8_t *frame, uint16_t operation, const uint8_t *own_mac,
                        const uint8_t *own_ip, const uint8_t *their_mac, const uint8_t *their_ip)
{
    uint8_t *arp = write_ethernet(frame, operation == ARP_REQUEST ? broadcast : their_mac, own_mac,
                                  ETHERTYPE_ARP);

    store_be16(arp, 1); // Ethernet
    store_be16(arp + 2, ETHERTYPE_IPV4);
    arp[4] = ETHERNET_ADDRESS_LEN;
    arp[5] = 4;
    store_be16(arp + 6, operation);
    memcpy(arp + 8, own_mac, ETHERNET_ADDRESS_LEN);
    memcpy(arp + 14, own_ip, 4);
    if (operation == ARP_REQUEST)
        memset(arp + 18, 0, ETHERNET_ADDRESS_LEN);
    else
        memcpy(arp + 18, their_mac, ETHERNET_ADDRESS_LEN);
    memcpy(arp + 24, their_ip, 4);
    return ETHERNET_HEADER_LEN + ARP_LEN;
}

// RFC 4861 sections 4.3, 4.4: from us, with our link-layer address.
static size_t write_nd(uint8_t *frame, uint8_t type, uint32_t flags, const uint8_t *to_mac,
                       const uint8_t *own_mac, const struct ip_address *source,
                       const struct ip_address *destination, const uint8_t *target)
{
    uint8_t *header = write_ethernet(frame, to_mac, own_mac, ETHERTYPE_IPV6);
    uint8_t *message = header + IPV6_HEADER_LEN;
    size_t len = ND_LEN + ND_OPTION_LEN;
    uint16_t checksum;

    store_be32(header, 6u << 28);
    store_be16(header + 4, (uint16_t)len);
    header[6] = IPPROTO_ICMPV6;
    header[7] = 255;
    memcpy(header + 8, source->bytes, 16);
    memcpy(header + 24, destination->bytes, 16);
    message[0] = type;
    message[1] = 0;
    store_be16(message + 2, 0);
    store_be32(message + 4, flags);
    memcpy(message + 8, target, 16);
    message[ND_LEN] = type == SOLICITATION ? OPTION_SOURCE_MAC : OPTION_TARGET_MAC;
    message[ND_LEN + 1] = 1; // in units of 8 bytes
    memcpy(message + ND_LEN + 2, own_mac, ETHERNET_ADDRESS_LEN);
    checksum = frame_checksum(source, destination, IPPROTO_ICMPV6, message, len);
    memcpy(message + 2, &checksum, sizeof(checksum));
    return ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + len;
}

size_t neighbour_write_question(uint8_t *frame, const uint8_t own_mac[ETHERNET_ADDRESS_LEN],
                                const struct ip_address *source, const struct ip_address *target)
{
    // RFC 4291 section 2.7.1: the solicited-node address; RFC 2464 section 7: and its group.
    struct ip_address group = {{0xFF, 0x02, [11] = 0x01, [12] = 0xFF}, IP_FAMILY_V6};
    uint8_t group_mac[ETHERNET_ADDRESS_LEN] = {0x33, 0x33, 0xFF};

    if (target->family == IP_FAMILY_V4)
        return write_arp(frame, ARP_REQUEST, own_mac, source->bytes, broadcast, target->bytes);
    memcpy(group.bytes + 13, target->bytes + 13, 3);
    memcpy(group_mac + 3, target->bytes + 13, 3);
    return write_nd(frame, SOLICITATION, 0, group_mac, own_mac, source, &group, target->bytes);
}

static bool is_own(const struct neighbour_own *own, const struct ip_address *ip)
{
    for (unsigned i = 0; i < own->count; i++) {
        if (ip_prefix_contains(&own->prefixes[i], ip))
            return true;
    }
    return false;
}

// The ARP packet of a frame, NULL when there is none.
static const uint8_t *find_arp(const uint8_t *frame, size_t len, uint16_t operation)
{
    const uint8_t *arp = frame + ETHERNET_HEADER_LEN;
    bool is_arp = len >= ETHERNET_HEADER_LEN + ARP_LEN && load_be16(frame + 12) == ETHERTYPE_ARP &&
                  load_be16(arp) == 1 && load_be16(arp + 2) == ETHERTYPE_IPV4 &&
                  load_be16(arp + 6) == operation;

    return is_arp ? arp : NULL;
}

// The ICMPv6 message, NULL when there is none of the type.
static const uint8_t *find_nd(const uint8_t *frame, size_t len, uint8_t type)
{
    const uint8_t *header = frame + ETHERNET_HEADER_LEN;
    const uint8_t *message = header + IPV6_HEADER_LEN;
    bool is_nd = len >= ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + ND_LEN &&
                 load_be16(frame + 12) == ETHERTYPE_IPV6 && header[6] == IPPROTO_ICMPV6 &&
                 header[7] == 255 && message[0] == type;

    return is_nd ? message : NULL;
}

static size_t answer_arp(const struct neighbour_own *own, const uint8_t *own_mac,
                         const uint8_t *arp, uint8_t *reply)
{
    struct ip_address target = ip_address_from_bytes(IP_FAMILY_V4, arp + 24);

    if (!is_own(own, &target))
        return 0;
    return write_arp(reply, ARP_REPLY, own_mac, target.bytes, arp + 8, arp + 14);
}

static size_t answer_nd(const struct neighbour_own *own, const uint8_t *own_mac,
                        const uint8_t *message, uint8_t *reply)
{
    const uint8_t *header = message - IPV6_HEADER_LEN;
    struct ip_address source = ip_address_from_bytes(IP_FAMILY_V6, header + 8);
    struct ip_address target = ip_address_from_bytes(IP_FAMILY_V6, message + 8);
    static const uint8_t unspecified[16];

    // Who has no address yet looks for others that have the same: not our concern.
    if (!is_own(own, &target) || memcmp(source.bytes, unspecified, 16) == 0)
        return 0;
    return write_nd(reply, ADVERTISEMENT, IS_SOLICITED | IS_OVERRIDE,
                    header - ETHERNET_HEADER_LEN + ETHERNET_ADDRESS_LEN, own_mac, &target, &source,
                    target.bytes);
}

size_t neighbour_answer(const struct neighbour_own *own,
                        const uint8_t own_mac[ETHERNET_ADDRESS_LEN], const uint8_t *frame,
                        size_t len, uint8_t *reply)
{
    const uint8_t *found = find_arp(frame, len, ARP_REQUEST);

    if (found)
        return answer_arp(own, own_mac, found, reply);
    found = find_nd(frame, len, SOLICITATION);
    return found ? answer_nd(own, own_mac, found, reply) : 0;
}

static bool learn_nd(const uint8_t *message, size_t options_len, const struct ip_address *target,
                     uint8_t *ret_mac)
{
    if (memcmp(message + 8, target->bytes, 16) != 0 || options_len < ND_OPTION_LEN ||
        message[ND_LEN] != OPTION_TARGET_MAC)
        return false;
    memcpy(ret_mac, message + ND_LEN + 2, ETHERNET_ADDRESS_LEN);
    return true;
}

bool neighbour_learn(const uint8_t *frame, size_t len, const struct ip_address *target,
                     uint8_t ret_mac[ETHERNET_ADDRESS_LEN])
{
    const uint8_t *found;

    if (target->family == IP_FAMILY_V4) {
        found = find_arp(frame, len, ARP_REPLY);
        if (!found || memcmp(found + 14, target->bytes, 4) != 0)
            return false;
        memcpy(ret_mac, found + 8, ETHERNET_ADDRESS_LEN);
        return true;
    }
    found = find_nd(frame, len, ADVERTISEMENT);
    return found && learn_nd(found, (size_t)(frame + len - found) - ND_LEN, target, ret_mac);
}
