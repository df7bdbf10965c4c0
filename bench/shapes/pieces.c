// SPDX-License-Identifier: BSD-3-Clause
// Fragments, as hosts and routers make them.
#include "pieces.h"

#include "../fail.h"
#include "base/bytes.h"
#include "base/checksum.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

// As the relay's own: see src/platform/port.c.
#define PRIVATE_LEN      16
#define CACHE_COUNT      256
#define BUFFERS_MIN      1024u // a pool is to be larger than its cache
#define ETHERNET_LEN     14
#define IPV4_LEN         20
#define IPV6_LEN         40
#define FRAGMENT_LEN     8
#define MORE_FRAGMENTS   0x2000
#define CONTENT_MAX_LEN  2048
#define STRANGERS_V4     0x0D000000 // 13.0.0.0/8
#define SOURCE_OFFSET_V4 12
#define SOURCE_OFFSET_V6 8

// An IP datagram: its headers up to IP's, and what they carry.
struct datagram {
    bool is_v4;
    uint8_t headers[PIECES_HEADERS_MAX_LEN];
    uint8_t content[CONTENT_MAX_LEN];
    size_t len; // of content
    uint32_t id;
};

struct piece {
    size_t offset;
    size_t len;
    bool has_more;
};

// Buffers in no order, as they are after a while of coming and going.
static void shuffle(struct pieces *pieces)
{
    struct rte_mbuf **frames = calloc(pieces->pool_size, sizeof(*frames));
    if (frames == NULL)
        fail("out of memory");
    for (uint32_t i = 0; i < pieces->pool_size; i++)
        frames[i] = rte_pktmbuf_alloc(pieces->pool);
    srandom(1);
    for (uint32_t i = pieces->pool_size - 1; i > 0; i--) {
        uint32_t other = (uint32_t)random() % (i + 1);
        struct rte_mbuf *frame = frames[i];
        frames[i] = frames[other];
        frames[other] = frame;
    }
    for (uint32_t i = 0; i < pieces->pool_size; i++)
        rte_pktmbuf_free(frames[i]);
    free(frames);
}

void pieces_create(struct pieces *pieces, const char *name, uint32_t buffers, uint32_t frames)
{
    memset(pieces, 0, sizeof(*pieces));
    pieces->pool_size = RTE_MAX(buffers, BUFFERS_MIN);
    pieces->pool = rte_pktmbuf_pool_create(name, pieces->pool_size, CACHE_COUNT, PRIVATE_LEN,
                                           RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    pieces->arrivals = calloc(frames, sizeof(*pieces->arrivals));
    if (pieces->pool == NULL || pieces->arrivals == NULL)
        fail("no memory for %u fragments", frames);
    shuffle(pieces);
}

void pieces_destroy(struct pieces *pieces)
{
    rte_mempool_free(pieces->pool);
    free(pieces->arrivals);
}

void pieces_check(const struct pieces *pieces)
{
    unsigned there = rte_mempool_avail_count(pieces->pool);
    if (there != pieces->pool_size)
        fail("of %u buffers of fragments the worker gave %u back", pieces->pool_size, there);
}

// Writing.

static size_t ip_len(const struct datagram *datagram)
{
    return datagram->is_v4 ? IPV4_LEN : IPV6_LEN;
}

static void read_datagram(const struct traffic *traffic, uint32_t i, struct datagram *ret_datagram)
{
    const uint8_t *frame = traffic_frame(traffic, i);
    const struct traffic_packet *packet = &traffic->packets[i];
    ret_datagram->is_v4 = load_be16(frame + 12) == 0x0800;
    size_t headers_len = ETHERNET_LEN + ip_len(ret_datagram);
    size_t head_len = traffic->arrivals[i].len - headers_len - traffic->payload_len;
    memcpy(ret_datagram->headers, frame, headers_len);
    memcpy(ret_datagram->content, frame + headers_len, head_len);
    memcpy(ret_datagram->content + head_len, packet->payload, traffic->payload_len);
    ret_datagram->len = head_len + traffic->payload_len;
}

static uint8_t *write_ipv4(const struct datagram *datagram, const struct piece *piece, uint8_t *ip)
{
    uint16_t place = (uint16_t)(piece->offset / 8);
    store_be16(ip + 2, (uint16_t)(IPV4_LEN + piece->len));
    store_be16(ip + 4, (uint16_t)datagram->id);
    store_be16(ip + 6, piece->has_more ? place | MORE_FRAGMENTS : place);
    store_be16(ip + 10, 0);
    uint16_t checksum = checksum_field(checksum_add_bytes(0, ip, IPV4_LEN));
    memcpy(ip + 10, &checksum, sizeof(checksum));
    return ip + IPV4_LEN;
}

static uint8_t *write_ipv6(const struct datagram *datagram, const struct piece *piece, uint8_t *ip)
{
    uint8_t *fragment = ip + IPV6_LEN;
    store_be16(ip + 4, (uint16_t)(FRAGMENT_LEN + piece->len));
    ip[6] = IPPROTO_FRAGMENT;
    fragment[0] = IPPROTO_UDP;
    fragment[1] = 0;
    store_be16(fragment + 2, (uint16_t)(piece->offset | piece->has_more));
    store_be32(fragment + 4, datagram->id);
    return fragment + FRAGMENT_LEN;
}

static void write_piece(const struct datagram *datagram, const struct piece *piece,
                        struct rte_mbuf *frame, struct port_arrival *ret_arrival)
{
    uint8_t *ethernet = (uint8_t *)frame->buf_addr + RTE_PKTMBUF_HEADROOM;
    uint8_t *ip = ethernet + ETHERNET_LEN;
    memcpy(ethernet, datagram->headers, ETHERNET_LEN + ip_len(datagram));
    uint8_t *at =
        datagram->is_v4 ? write_ipv4(datagram, piece, ip) : write_ipv6(datagram, piece, ip);
    memcpy(at, datagram->content + piece->offset, piece->len);
    *ret_arrival = (struct port_arrival){frame, (uint16_t)(at + piece->len - ethernet)};
}

static struct rte_mbuf *take_buffer(struct pieces *pieces)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pieces->pool);
    if (frame == NULL)
        fail("no buffer is left for a fragment");
    return frame;
}

// Cutting.

static struct piece piece_of(size_t len, unsigned number, unsigned which)
{
    size_t share = (len / number + 7) / 8 * 8;
    struct piece piece = {which * share, share, which + 1 < number};
    if (!piece.has_more)
        piece.len = len - piece.offset;
    return piece;
}

// Where the step-th fragment of the i-th datagram comes among all.
static uint32_t place_of(enum pieces_order order, uint32_t i, unsigned number, unsigned step)
{
    if (order != PIECES_IN_TURN)
        return i * number + step;
    return i / PIECES_AT_ONCE * PIECES_AT_ONCE * number + step * PIECES_AT_ONCE +
           i % PIECES_AT_ONCE;
}

static void cut_one(struct pieces *pieces, const struct traffic *traffic, uint32_t i,
                    unsigned number, enum pieces_order order)
{
    struct datagram datagram;
    read_datagram(traffic, i, &datagram);
    datagram.id = pieces->next_id++;
    for (unsigned step = 0; step < number; step++) {
        unsigned which = order == PIECES_REVERSED ? number - 1 - step : step;
        struct piece piece = piece_of(datagram.len, number, which);
        struct rte_mbuf *frame =
            step + 1 == number ? traffic->arrivals[i].frame : take_buffer(pieces);
        write_piece(&datagram, &piece, frame, &pieces->arrivals[place_of(order, i, number, step)]);
    }
}

void pieces_cut(struct pieces *pieces, struct traffic *traffic, unsigned number,
                enum pieces_order order)
{
    for (uint32_t i = 0; i < traffic->count; i++)
        cut_one(pieces, traffic, i, number, order);
    pieces->count = traffic->count * number;
}

void pieces_aim(struct pieces *pieces, const struct traffic *traffic)
{
    memcpy(pieces->stray_headers, traffic_frame(traffic, 0), sizeof(pieces->stray_headers));
}

void pieces_stray(struct pieces *pieces, uint32_t count, uint16_t len)
{
    struct datagram datagram = {.is_v4 = load_be16(pieces->stray_headers + 12) == 0x0800};
    memcpy(datagram.headers, pieces->stray_headers, sizeof(datagram.headers));
    const struct piece piece = {0, len, true};
    uint8_t *source = datagram.headers + ETHERNET_LEN +
                      (datagram.is_v4 ? SOURCE_OFFSET_V4 : SOURCE_OFFSET_V6 + 12);
    for (uint32_t i = 0; i < count; i++) {
        datagram.id = pieces->next_id++;
        store_be32(source, STRANGERS_V4 + (datagram.id & 0xFFFFFF));
        write_piece(&datagram, &piece, take_buffer(pieces), &pieces->arrivals[i]);
    }
    pieces->count = count;
}
