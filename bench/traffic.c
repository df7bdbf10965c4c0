// SPDX-License-Identifier: BSD-3-Clause
// The packets of a case, as clients and peers would send them.
#include "traffic.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "fail.h"
#include "proto/builder.h"
#include "proto/channel_data.h"

#include <math.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

// As the relay's own pool: see src/platform/port.c.
#define PRIVATE_LEN  16
#define MATERIAL_LEN 65536
#define HEAD_MAX_LEN 64
#define TTL          64

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)((random_next() >> 32) * limit >> 32);
}

// The rank of a flow by Zipf's law with exponent 1, from 1 on: a rank is drawn by ln((n + 1) / n),
// which is near 1/n, and kept as often as makes it right.
static uint32_t zipf_rank(uint32_t count)
{
    for (;;) {
        double uniform = (double)(random_next() >> 11) * 0x1p-53;
        double rank = floor(exp(uniform * log((double)count + 1)));
        double keep = 1 / (rank * log1p(1 / rank)) * M_LN2;
        if (rank <= count && (double)(random_next() >> 11) * 0x1p-53 < keep)
            return (uint32_t)rank;
    }
}

// Ranks that follow each other are not to be neighbours in memory. The factor is a prime above any
// count, so this is a permutation.
static uint32_t flow_of_rank(uint32_t rank, uint32_t count)
{
    return (uint32_t)(rank * UINT64_C(2654435761) % count);
}

static uint32_t draw_flow(const struct traffic *traffic)
{
    return traffic->draw == TRAFFIC_UNIFORM
               ? random_below(traffic->flow_count)
               : flow_of_rank(zipf_rank(traffic->flow_count), traffic->flow_count);
}

// Buffers.

static void pool_create(struct traffic *traffic)
{
    struct rte_pktmbuf_pool_private private_data = {
        .mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE,
        .mbuf_priv_size = PRIVATE_LEN,
    };
    uint32_t element_len = sizeof(struct rte_mbuf) + PRIVATE_LEN + RTE_MBUF_DEFAULT_BUF_SIZE;
    size_t len = (size_t)(traffic->count + 1) * rte_mempool_calc_obj_size(element_len, 0, NULL);
    if (table_memory_take(len, SOCKET_ID_ANY, &traffic->memory) != 0)
        fail("no memory for %u buffers", traffic->count);
    traffic->pool =
        rte_mempool_create_empty("bench", traffic->count, element_len, 0, sizeof(private_data),
                                 SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (traffic->pool == NULL ||
        rte_mempool_set_ops_byname(traffic->pool, RTE_MBUF_DEFAULT_MEMPOOL_OPS, NULL) != 0)
        fail("no pool for %u buffers", traffic->count);
    rte_pktmbuf_pool_init(traffic->pool, &private_data);
    int populated = rte_mempool_populate_iova(traffic->pool, traffic->memory.bytes,
                                              (rte_iova_t)traffic->memory.bytes, len, NULL, NULL);
    if (populated != (int)traffic->count)
        fail("no memory for %u buffers", traffic->count);
    rte_mempool_obj_iter(traffic->pool, rte_pktmbuf_init, NULL);
}

// In no order, as buffers are after a while of coming and going.
static void shuffle(struct port_arrival *arrivals, uint32_t count)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = random_below(i + 1);
        struct port_arrival arrival = arrivals[i];
        arrivals[i] = arrivals[other];
        arrivals[other] = arrival;
    }
}

static void *allocate(size_t count, size_t len)
{
    void *memory = calloc(count, len);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

void traffic_create(struct traffic *traffic, uint32_t count)
{
    memset(traffic, 0, sizeof(*traffic));
    traffic->count = count;
    pool_create(traffic);
    traffic->packets = allocate(count, sizeof(*traffic->packets));
    traffic->arrivals = allocate(count, sizeof(*traffic->arrivals));
    traffic->seen = allocate(count, sizeof(*traffic->seen));
    traffic->material = allocate(1, MATERIAL_LEN);
    for (uint32_t i = 0; i < MATERIAL_LEN; i++)
        traffic->material[i] = (uint8_t)random_next();
    for (uint32_t i = 0; i < count; i++)
        traffic->arrivals[i].frame = rte_pktmbuf_alloc(traffic->pool);
    shuffle(traffic->arrivals, count);
    for (uint32_t i = 0; i < count; i++)
        memcpy(rte_mbuf_to_priv(traffic->arrivals[i].frame), &i, sizeof(i));
}

void traffic_destroy(struct traffic *traffic)
{
    rte_mempool_free(traffic->pool);
    table_memory_give(&traffic->memory);
    free(traffic->packets);
    free(traffic->arrivals);
    free(traffic->seen);
    free(traffic->material);
}

// What stands between the UDP header and the payload.

static size_t write_send_head(const struct traffic *traffic, const struct traffic_packet *packet,
                              uint8_t *head)
{
    struct transport_address peer = flow_peer(traffic->scenario, packet->flow, traffic->flow_count);
    struct stun_builder builder;
    uint64_t transaction_id[2] = {random_next(), random_next()};
    stun_builder_init(&builder, head, HEAD_MAX_LEN, STUN_CLASS_INDICATION, STUN_METHOD_SEND,
                      (const uint8_t *)transaction_id);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    size_t len = stun_builder_finish(&builder);
    store_be16(head + len, STUN_ATTRIBUTE_DATA);
    store_be16(head + len + 2, (uint16_t)traffic->payload_len);
    store_be16(head + 2, (uint16_t)(len + 4 - STUN_HEADER_LEN + traffic->payload_len));
    return len + 4;
}

static size_t write_request(enum packet_role role, uint8_t *head)
{
    struct stun_builder builder;
    uint64_t transaction_id[2] = {random_next(), random_next()};
    stun_builder_init(&builder, head, HEAD_MAX_LEN, STUN_CLASS_REQUEST,
                      role == ROLE_BINDING ? STUN_METHOD_BINDING : STUN_METHOD_ALLOCATE,
                      (const uint8_t *)transaction_id);
    if (role == ROLE_UNAUTHENTICATED)
        stun_add_requested_transport(&builder, IPPROTO_UDP);
    stun_add_fingerprint(&builder); // so that the answer has one too
    return stun_builder_finish(&builder);
}

static size_t write_head(const struct traffic *traffic, const struct traffic_packet *packet,
                         uint8_t *head)
{
    switch ((enum packet_role)packet->role) {
    case ROLE_CHANNEL_TO_PEER:
    case ROLE_HAIRPIN:
        channel_data_write_header(head, TURN_CHANNEL_MIN, (uint16_t)traffic->payload_len);
        return CHANNEL_DATA_HEADER_LEN;
    case ROLE_SEND_TO_PEER:
        return write_send_head(traffic, packet, head);
    case ROLE_BINDING:
    case ROLE_UNAUTHENTICATED:
        return write_request((enum packet_role)packet->role, head);
    default:
        return 0;
    }
}

// Headers.

static uint8_t *write_ipv4(uint8_t *ip, const struct way *way, size_t udp_len)
{
    memset(ip, 0, 20);
    ip[0] = 0x45;
    store_be16(ip + 2, (uint16_t)(20 + udp_len));
    ip[6] = 0x40; // DF
    ip[8] = TTL;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, way->source.ip.bytes, 4);
    memcpy(ip + 16, way->destination.ip.bytes, 4);
    uint16_t checksum = checksum_field(checksum_add_bytes(0, ip, 20));
    memcpy(ip + 10, &checksum, sizeof(checksum));
    return ip + 20;
}

static uint8_t *write_ipv6(uint8_t *ip, const struct way *way, size_t udp_len)
{
    memset(ip, 0, 8);
    ip[0] = 0x60;
    store_be16(ip + 4, (uint16_t)udp_len);
    ip[6] = IPPROTO_UDP;
    ip[7] = TTL;
    memcpy(ip + 8, way->source.ip.bytes, 16);
    memcpy(ip + 24, way->destination.ip.bytes, 16);
    return ip + 40;
}

static void write_udp(uint8_t *udp, const struct way *way, size_t udp_len, size_t head_len,
                      uint64_t payload_sum)
{
    store_be16(udp, way->source.port);
    store_be16(udp + 2, way->destination.port);
    store_be16(udp + 4, (uint16_t)udp_len);
    store_be16(udp + 6, 0);
    uint64_t sum = checksum_add_bytes(payload_sum, udp, 8 + head_len);
    sum = checksum_add_16_bytes(sum, way->source.ip.bytes);
    sum = checksum_add_16_bytes(sum, way->destination.ip.bytes);
    sum += htons(IPPROTO_UDP) + (uint64_t)htons((uint16_t)udp_len);
    uint16_t checksum = checksum_udp_field(sum);
    memcpy(udp + 6, &checksum, sizeof(checksum));
}

uint8_t *traffic_frame(const struct traffic *traffic, uint32_t i)
{
    return (uint8_t *)traffic->arrivals[i].frame->buf_addr + RTE_PKTMBUF_HEADROOM;
}

// Returns where the IP header begins.
static uint8_t *write_ethernet(uint8_t *ethernet, uint16_t tag, bool is_v4)
{
    uint8_t *type = ethernet + 12;
    memcpy(ethernet, "\2\0\0\0\1\0\2\0\0\0\0\7", 12);
    if (tag != 0) {
        store_be16(type, 0x8100);
        store_be16(type + 2, tag);
        type += 4;
    }
    store_be16(type, is_v4 ? 0x0800 : 0x86DD);
    return type + 2;
}

static void write_packet(struct traffic *traffic, uint32_t i)
{
    const struct scenario *scenario = traffic->scenario;
    const struct traffic_packet *packet = &traffic->packets[i];
    struct way way =
        way_in(scenario, (enum packet_role)packet->role, packet->flow, traffic->flow_count);
    uint8_t head[HEAD_MAX_LEN];
    size_t head_len = write_head(traffic, packet, head);
    size_t udp_len = 8 + head_len + traffic->payload_len;
    bool is_v4 = way.source.ip.family == IP_FAMILY_V4;
    uint8_t *ethernet = traffic_frame(traffic, i);
    uint8_t *ip = write_ethernet(ethernet, traffic->tag, is_v4);
    uint8_t *udp = is_v4 ? write_ipv4(ip, &way, udp_len) : write_ipv6(ip, &way, udp_len);
    memcpy(udp + 8, head, head_len);
    write_udp(udp, &way, udp_len, head_len, packet->payload_sum);
    traffic->arrivals[i].len = (uint16_t)(udp + udp_len - ethernet);
}

static void place_payload(struct traffic *traffic, uint32_t i)
{
    uint8_t *end = traffic_frame(traffic, i) + traffic->arrivals[i].len;
    memcpy(end - traffic->payload_len, traffic->packets[i].payload, traffic->payload_len);
}

void traffic_restore(struct traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->count; i++)
        place_payload(traffic, i);
}

// The payload stands where it will be until the case is over: no relaying moves it.
static void write_payload(struct traffic *traffic, uint32_t i)
{
    struct traffic_packet *packet = &traffic->packets[i];
    size_t len = traffic->payload_len;
    packet->payload = traffic->material + random_below((uint32_t)(MATERIAL_LEN - len));
    packet->payload_sum = checksum_add_bytes(0, packet->payload, len);
    packet->flow = 0;
    write_packet(traffic, i);
    place_payload(traffic, i);
}

void traffic_begin(struct traffic *traffic, const struct scenario *scenario, uint32_t flow_count,
                   size_t payload_len, enum traffic_draw draw)
{
    traffic->scenario = scenario;
    traffic->flow_count = flow_count;
    traffic->payload_len = scenario->has_payload ? payload_len : 0;
    traffic->draw = draw;
    for (uint32_t i = 0; i < traffic->count; i++) {
        traffic->packets[i].role = scenario->roles[random_next() >> 63];
        write_payload(traffic, i);
    }
}

void traffic_draw(struct traffic *traffic)
{
    for (uint32_t i = 0; i < traffic->count; i++) {
        traffic->packets[i].flow = draw_flow(traffic);
        write_packet(traffic, i);
    }
}

void traffic_walk_begin(struct traffic *traffic)
{
    memset(traffic->walked, 0, sizeof(traffic->walked));
}

bool traffic_walk(struct traffic *traffic)
{
    const uint8_t *roles = traffic->scenario->roles;
    uint64_t *walked = traffic->walked;
    bool second_is_walked = roles[0] == roles[1] || walked[1] >= traffic->flow_count;
    if (walked[0] >= traffic->flow_count && second_is_walked)
        return false;
    for (uint32_t i = 0; i < traffic->count; i++) {
        struct traffic_packet *packet = &traffic->packets[i];
        uint64_t *at = packet->role == roles[0] ? &walked[0] : &walked[1];
        packet->flow = (uint32_t)((*at)++ % traffic->flow_count);
        write_packet(traffic, i);
    }
    return true;
}
