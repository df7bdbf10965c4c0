// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about what was relayed to a peer (RFC 8656 sections 11.5, 18.13; RFC 792, RFC 4443,
// RFC 1191 section 4).
#include "dataplane/icmp_to_client.h"

#include "dataplane/client_leg.h"
#include "dataplane/data_indication.h"
#include "dataplane/forward.h"
#include "exchange/reply.h"

#define ICMP_HEADER_LEN           8
#define ICMP_UNREACHABLE          3
#define ICMP_TIME_EXCEEDED        11
#define ICMP_FRAGMENTATION_NEEDED 4 // code of unreachable
#define ICMPV6_UNREACHABLE        1
#define ICMPV6_PACKET_TOO_BIG     2
#define ICMPV6_TIME_EXCEEDED      3
#define IPV4_FRAGMENT_OFFSET      0x1FFF

static bool type_is_relayed(const struct packet *packet, uint8_t type)
{
    if (packet->family == IP_FAMILY_V4)
        return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED;
    return type >= ICMPV6_UNREACHABLE && type <= ICMPV6_TIME_EXCEEDED;
}

static bool sum_is_good(const struct packet *packet)
{
    uint64_t sum = checksum_add_bytes(0, packet->l4, packet->l4_len);
    if (packet->family == IP_FAMILY_V6) {
        sum = forward_addresses_sum(sum, IP_FAMILY_V6, packet->source_ip);
        sum = checksum_add_u16(sum, htons(IPPROTO_ICMPV6));
        sum = checksum_add_u16(sum, htons(packet->l4_len));
    }
    return checksum_fold(sum) == 0xFFFF;
}

// The datagram that was sent, as much of it as came back.
struct quoted {
    const uint8_t *source_ip;
    const uint8_t *destination_ip;
    const uint8_t *udp;
};

static bool quoted_ipv4(const uint8_t *ip, size_t len, struct quoted *ret_quoted)
{
    if (len < PACKET_IPV4_LEN || ip[0] >> 4 != 4)
        return false;
    size_t header_len = (size_t)(ip[0] & 0xF) * 4;
    if (header_len < PACKET_IPV4_LEN || len < header_len + PACKET_UDP_LEN || ip[9] != IPPROTO_UDP ||
        (load_be16(ip + 6) & IPV4_FRAGMENT_OFFSET) != 0)
        return false;
    *ret_quoted = (struct quoted){ip + 12, ip + 16, ip + header_len};
    return true;
}

// We send no extension header but Fragment.
static bool quoted_ipv6(const uint8_t *ip, size_t len, struct quoted *ret_quoted)
{
    if (len < PACKET_IPV6_LEN + PACKET_UDP_LEN || ip[0] >> 4 != 6)
        return false;
    const uint8_t *next = ip + PACKET_IPV6_LEN;
    uint8_t protocol = ip[6];
    if (protocol == IPPROTO_FRAGMENT) {
        if (len < PACKET_IPV6_LEN + PACKET_IPV6_FRAGMENT_LEN + PACKET_UDP_LEN ||
            load_be16(next + 2) >= 8)
            return false;
        protocol = next[0];
        next += PACKET_IPV6_FRAGMENT_LEN;
    }
    if (protocol != IPPROTO_UDP)
        return false;
    *ret_quoted = (struct quoted){ip + 8, ip + 24, next};
    return true;
}

static uint32_t error_data(const struct packet *packet, uint8_t type, uint8_t code)
{
    if (packet->family == IP_FAMILY_V6)
        return type == ICMPV6_PACKET_TOO_BIG ? load_be32(packet->l4 + 4) : 0;
    return type == ICMP_UNREACHABLE && code == ICMP_FRAGMENTATION_NEEDED ? load_be16(packet->l4 + 6)
                                                                         : 0;
}

bool icmp_error_read(const struct local_addresses *locals, const struct packet *packet,
                     struct icmp_error *ret_error)
{
    if (packet->l4_len < ICMP_HEADER_LEN || !type_is_relayed(packet, packet->l4[0]) ||
        !sum_is_good(packet))
        return false;
    bool is_v4 = packet->family == IP_FAMILY_V4;
    const uint8_t *inner = packet->l4 + ICMP_HEADER_LEN;
    size_t inner_len = (size_t)packet->l4_len - ICMP_HEADER_LEN;
    struct quoted quoted;
    if (is_v4 ? !quoted_ipv4(inner, inner_len, &quoted) : !quoted_ipv6(inner, inner_len, &quoted))
        return false;
    uint16_t relay_port = load_be16(quoted.udp);
    const struct local_address *local =
        local_addresses_find(locals, quoted.source_ip, is_v4 ? 4 : 16, relay_port);
    if (local == NULL || local->kind != LOCAL_RELAY)
        return false;
    *ret_error = (struct icmp_error){
        .peer_ip = quoted.destination_ip,
        .peer_port = load_be16(quoted.udp + 2),
        .relay_port = relay_port,
        .relay = local->index,
        .type = packet->l4[0],
        .code = packet->l4[1],
        .data = error_data(packet, packet->l4[0], packet->l4[1]),
    };
    return true;
}

void icmp_to_client(struct worker *worker, struct packet *packet, const struct icmp_error *error)
{
    const struct allocation *allocation = &worker->tables.allocations.at[packet->allocation];
    struct leg leg = client_leg_of_allocation(worker, allocation);
    leg.made_here = true;
    uint8_t message[DATA_INDICATION_HEAD_MAX_LEN];
    size_t len =
        data_indication_icmp(&worker->tokens, packet->family, error->peer_ip, error->peer_port,
                             error->type, error->code, error->data, message);
    // A datagram of our own, in the buffer of the error: nothing of that is relayed, nor any of its
    // header's fields kept.
    packet->data_offset = 0;
    packet->data_len = 0;
    packet->checksum = 0;
    packet->traffic_class = 0;
    packet->flags = 0;
    packet->ttl = REPLY_TTL + 1;
    if (forward(worker, packet, &leg, message, len, 0))
        worker_count(worker, COUNTER_ICMP_TO_DATA);
}
