// SPDX-License-Identifier: BSD-3-Clause
// Datagrams that are larger than their link go out in fragments, each in a buffer of its own.
#include "dataplane/fragmentation.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "dataplane/transmit.h"

#include <netinet/in.h>

#define IPV6_FRAGMENTS_MTU  1280
#define IPV4_MORE_FRAGMENTS 0x2000
#define BLOCK_LEN           8u

// How a datagram is cut up.
struct cut_plan {
    const struct rte_mbuf *frame; // in one buffer or several, with the headers in the first
    const uint8_t *headers; // Ethernet and IP, as the frame has them; behind them is what is cut
    uint32_t payload_len;
    uint32_t chunk_len; // payload of each fragment but the last
    uint32_t headers_len;
    uint32_t id; // IPv6
    bool is_v4;
};

static struct cut_plan plan(struct worker *worker, const struct rte_mbuf *frame, uint16_t mtu)
{
    struct cut_plan cut;
    cut.frame = frame;
    cut.headers = rte_pktmbuf_mtod(frame, const uint8_t *);
    cut.is_v4 = cut.headers[PACKET_ETHERNET_LEN] >> 4 == 4;
    uint32_t ip_len = cut.is_v4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
    uint32_t extra_len = cut.is_v4 ? 0 : PACKET_IPV6_FRAGMENT_LEN;
    if (!cut.is_v4 && mtu > IPV6_FRAGMENTS_MTU)
        mtu = IPV6_FRAGMENTS_MTU;
    cut.headers_len = PACKET_ETHERNET_LEN + ip_len;
    cut.payload_len = rte_pktmbuf_pkt_len(frame) - cut.headers_len;
    uint32_t outside_len = ip_len + extra_len;
    uint32_t room = mtu > outside_len ? mtu - outside_len : 0;
    cut.chunk_len = room / BLOCK_LEN * BLOCK_LEN;
    cut.id = cut.is_v4 ? 0 : (uint32_t)token_stream_next(&worker->tokens);
    return cut;
}

static void write_ipv4(uint8_t *ip, uint32_t offset, uint32_t len, bool more)
{
    store_be16(ip + 2, (uint16_t)(PACKET_IPV4_LEN + len));
    store_be16(ip + 6, (uint16_t)(offset / BLOCK_LEN | (more ? IPV4_MORE_FRAGMENTS : 0)));
    store_be16(ip + 10, 0);
    uint16_t sum = checksum_field(checksum_add_bytes(0, ip, PACKET_IPV4_LEN));
    memcpy(ip + 10, &sum, sizeof(sum));
}

static void write_ipv6(uint8_t *ip, uint32_t id, uint32_t offset, uint32_t len, bool more)
{
    uint8_t *header = ip + PACKET_IPV6_LEN;
    header[0] = ip[6];
    header[1] = 0;
    store_be16(header + 2, (uint16_t)(offset | more));
    store_be32(header + 4, id);
    store_be16(ip + 4, (uint16_t)(PACKET_IPV6_FRAGMENT_LEN + len));
    ip[6] = IPPROTO_FRAGMENT;
}

static void write_fragment(struct rte_mbuf *fragment, const struct cut_plan *cut, uint32_t offset)
{
    bool more = cut->payload_len - offset > cut->chunk_len;
    uint32_t len = more ? cut->chunk_len : cut->payload_len - offset;
    uint32_t extra_len = cut->is_v4 ? 0 : PACKET_IPV6_FRAGMENT_LEN;
    uint8_t *bytes = rte_pktmbuf_mtod(fragment, uint8_t *);
    memcpy(bytes, cut->headers, cut->headers_len);
    if (cut->is_v4)
        write_ipv4(bytes + PACKET_ETHERNET_LEN, offset, len, more);
    else
        write_ipv6(bytes + PACKET_ETHERNET_LEN, cut->id, offset, len, more);
    uint8_t *chunk = bytes + cut->headers_len + extra_len;
    const void *found = rte_pktmbuf_read(cut->frame, cut->headers_len + offset, len, chunk);
    if (found != chunk)
        memcpy(chunk, found, len);
    fragment->data_len = (uint16_t)(cut->headers_len + extra_len + len);
    fragment->pkt_len = fragment->data_len;
}

void fragment_and_transmit(struct worker *worker, struct rte_mbuf *frame, uint16_t mtu)
{
    struct cut_plan cut = plan(worker, frame, mtu);
    if (cut.chunk_len == 0) {
        worker_drop(worker, frame, DROP_TOO_BIG);
        return;
    }
    struct rte_mbuf *fragments[UINT16_MAX / 256];
    uint32_t count = (cut.payload_len + cut.chunk_len - 1) / cut.chunk_len;
    if (count > RTE_DIM(fragments)) {
        worker_drop(worker, frame, DROP_TOO_BIG);
        return;
    }
    if (rte_pktmbuf_alloc_bulk(worker->pool, fragments, count) != 0) {
        worker_drop(worker, frame, DROP_NO_BUFFER);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        write_fragment(fragments[i], &cut, i * cut.chunk_len);
        fragments[i]->port = frame->port;
        transmit(worker, fragments[i]);
    }
    worker_count(worker, COUNTER_FRAGMENTED);
    worker_count_add(worker, COUNTER_FRAGMENTS_MADE, count - 1);
    rte_pktmbuf_free(frame);
}
