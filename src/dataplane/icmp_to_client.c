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
#define IPV4_DONT_FRAGMENT        0x4000

// RFC 8656 section 11.5 knows no limit, but everyone on the way can make as many as they like. ICE
// tries some twenty candidates a second.
#define TOLD_PER_SECOND 20
#define TOLD_BURST      20

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
    uint16_t whole_len; // of the IP packet; 0 unless it was sent whole, never to be cut up
};

// What we send has no options, and its lengths fit.
static uint16_t whole_ipv4_len(const uint8_t *ip, const uint8_t *udp)
{
    uint16_t len = load_be16(ip + 2);
    bool is_whole =
        load_be16(ip + 6) == IPV4_DONT_FRAGMENT && (uint32_t)(udp - ip) + load_be16(udp + 4) == len;
    return is_whole ? len : 0;
}

static bool quoted_ipv4(const uint8_t *ip, size_t len, struct quoted *ret_quoted)
{
    if (len < PACKET_IPV4_LEN || ip[0] >> 4 != 4)
        return false;
    size_t header_len = (size_t)(ip[0] & 0xF) * 4;
    if (header_len < PACKET_IPV4_LEN || len < header_len + PACKET_UDP_LEN || ip[9] != IPPROTO_UDP ||
        (load_be16(ip + 6) & IPV4_FRAGMENT_OFFSET) != 0)
        return false;
    const uint8_t *udp = ip + header_len;
    *ret_quoted = (struct quoted){ip + 12, ip + 16, udp, whole_ipv4_len(ip, udp)};
    return true;
}

static uint16_t whole_ipv6_len(const uint8_t *ip, const uint8_t *udp)
{
    uint16_t payload_len = load_be16(ip + 4);
    bool is_whole = udp == ip + PACKET_IPV6_LEN && load_be16(udp + 4) == payload_len &&
                    payload_len <= UINT16_MAX - PACKET_IPV6_LEN;
    return is_whole ? PACKET_IPV6_LEN + payload_len : 0;
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
    *ret_quoted = (struct quoted){ip + 8, ip + 24, next, whole_ipv6_len(ip, next)};
    return true;
}

static bool is_too_big(const struct packet *packet)
{
    if (packet->family == IP_FAMILY_V6)
        return packet->l4[0] == ICMPV6_PACKET_TOO_BIG;
    return packet->l4[0] == ICMP_UNREACHABLE && packet->l4[1] == ICMP_FRAGMENTATION_NEEDED;
}

static uint32_t error_data(const struct packet *packet)
{
    if (!is_too_big(packet))
        return 0;
    return packet->family == IP_FAMILY_V6 ? load_be32(packet->l4 + 4) : load_be16(packet->l4 + 6);
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
    if (local == NULL || (local->kind != LOCAL_RELAY && !is_too_big(packet)))
        return false;
    *ret_error = (struct icmp_error){
        .peer_ip = quoted.destination_ip,
        .peer_port = load_be16(quoted.udp + 2),
        .relay_port = relay_port,
        .relay = local->index,
        .is_to_client = local->kind == LOCAL_LISTENER,
        .family = packet->family,
        .type = packet->l4[0],
        .code = packet->l4[1],
        .data = error_data(packet),
    };
    if (is_too_big(packet))
        ret_error->path_mtu = path_mtu_told(packet->family, ret_error->data, quoted.whole_len);
    return true;
}

static struct token_bucket *bucket_of(struct worker *worker, uint32_t allocation)
{
    return &worker->icmp_told[allocation % ICMP_TO_CLIENT_BUCKETS];
}

void icmp_to_client_begin(struct worker *worker, uint32_t index)
{
    *bucket_of(worker, index) = (struct token_bucket){0};
}

static bool may_tell(struct worker *worker, uint32_t allocation)
{
    struct token_rate rate = token_rate_make(TOLD_PER_SECOND, TOLD_BURST, worker->tsc_hz);
    return token_bucket_take(bucket_of(worker, allocation), &rate, worker->now_tsc, 1);
}

void icmp_to_client(struct worker *worker, struct packet *packet, const struct icmp_error *error)
{
    if (!may_tell(worker, packet->allocation)) {
        worker_drop(worker, packet->mbuf, DROP_ICMP_RATE);
        return;
    }
    const struct allocation *allocation = &worker->tables.allocations.at[packet->allocation];
    struct leg leg = client_leg_of_allocation(worker, allocation);
    leg.made_here = true;
    uint8_t message[DATA_INDICATION_HEAD_MAX_LEN];
    size_t len =
        data_indication_icmp(&worker->tokens, error->family, error->peer_ip, error->peer_port,
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

void icmp_to_client_too_big(struct worker *worker, const struct packet *packet,
                            const struct leg *leg, uint16_t mtu)
{
    bool is_v4 = leg->family == IP_FAMILY_V4;
    const struct icmp_error error = {
        .peer_ip = leg->destination_ip,
        .peer_port = ntohs(leg->destination_port_be),
        .family = leg->family,
        .type = is_v4 ? ICMP_UNREACHABLE : ICMPV6_PACKET_TOO_BIG,
        .code = is_v4 ? ICMP_FRAGMENTATION_NEEDED : 0,
        .data = mtu,
    };
    struct packet told = *packet;
    icmp_to_client(worker, &told, &error);
}
