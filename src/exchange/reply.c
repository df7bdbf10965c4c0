// SPDX-License-Identifier: BSD-3-Clause
// Turn a received frame round into the one that answers it, in its own buffer (RFC 8489
// section 6.3.1).
#include "exchange/reply.h"

#include <errno.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <stdbool.h>
#include <string.h>

// What a reply needs from the request's headers; taken before they are overwritten.
struct request_headers {
    struct rte_ether_hdr ethernet;
    struct rte_udp_hdr udp;
    union {
        struct rte_ipv4_hdr v4;
        struct rte_ipv6_hdr v6;
    };
    bool is_v4;
};

static bool request_headers_read(const struct rte_mbuf *frame, uint16_t message_offset,
                                 struct request_headers *ret_headers)
{
    const uint8_t *data = rte_pktmbuf_mtod(frame, const uint8_t *);
    struct request_headers headers;
    memset(&headers, 0, sizeof(headers));
    if (message_offset > rte_pktmbuf_data_len(frame))
        return false;
    size_t ip_offset = sizeof(struct rte_ether_hdr);
    size_t udp_len = sizeof(struct rte_udp_hdr);
    if (message_offset < ip_offset + sizeof(headers.v4) + udp_len)
        return false;
    memcpy(&headers.ethernet, data, sizeof(headers.ethernet));
    headers.is_v4 = headers.ethernet.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
    if (headers.is_v4) {
        memcpy(&headers.v4, data + ip_offset, sizeof(headers.v4));
    } else if (headers.ethernet.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6) &&
               message_offset >= ip_offset + sizeof(headers.v6) + udp_len) {
        memcpy(&headers.v6, data + ip_offset, sizeof(headers.v6));
    } else {
        return false;
    }
    memcpy(&headers.udp, data + message_offset - udp_len, sizeof(headers.udp));
    *ret_headers = headers;
    return true;
}

// A checksum that comes out as zero is sent as all ones (RFC 768); DPDK's functions see to that.
static void write_v4(uint8_t *ip_bytes, const struct request_headers *request,
                     struct rte_udp_hdr *udp, uint16_t udp_len)
{
    struct rte_ipv4_hdr ip = {
        .version_ihl = RTE_IPV4_VHL_DEF,
        .type_of_service = request->v4.type_of_service & RTE_IPV4_HDR_DSCP_MASK,
        .total_length = rte_cpu_to_be_16((uint16_t)(sizeof(ip) + udp_len)),
        .packet_id =
            request->v4.packet_id, // as unlikely to be in use between these two as any other
        .time_to_live = REPLY_TTL,
        .next_proto_id = IPPROTO_UDP,
        .src_addr = request->v4.dst_addr,
        .dst_addr = request->v4.src_addr,
    };
    ip.hdr_checksum = rte_ipv4_cksum(&ip);
    memcpy(ip_bytes, &ip, sizeof(ip));
    udp->dgram_cksum = rte_ipv4_udptcp_cksum(&ip, udp);
}

static void write_v6(uint8_t *ip_bytes, const struct request_headers *request,
                     struct rte_udp_hdr *udp, uint16_t udp_len)
{
    uint32_t dscp = rte_be_to_cpu_32(request->v6.vtc_flow) & RTE_IPV6_HDR_DSCP_MASK;
    struct rte_ipv6_hdr ip = {
        .vtc_flow = rte_cpu_to_be_32((6u << 28) | dscp),
        .payload_len = rte_cpu_to_be_16(udp_len),
        .proto = IPPROTO_UDP,
        .hop_limits = REPLY_TTL,
    };
    memcpy(&ip.src_addr, &request->v6.dst_addr, sizeof(ip.src_addr));
    memcpy(&ip.dst_addr, &request->v6.src_addr, sizeof(ip.dst_addr));
    memcpy(ip_bytes, &ip, sizeof(ip));
    udp->dgram_cksum = rte_ipv6_udptcp_cksum(&ip, udp);
}

// The frame becomes one segment of exactly that length. It fits: the caller has looked.
static void frame_set_len(struct rte_mbuf *frame, uint16_t len)
{
    if (frame->next != NULL)
        rte_pktmbuf_free(frame->next);
    frame->next = NULL;
    frame->nb_segs = 1;
    frame->data_len = len;
    frame->pkt_len = len;
    frame->ol_flags = 0;
    frame->tx_offload = 0;
}

int reply_frame(struct rte_mbuf *frame, uint16_t message_offset, const uint8_t *response,
                size_t response_len)
{
    struct request_headers request;
    if (!request_headers_read(frame, message_offset, &request))
        return -EINVAL;
    size_t ip_len = request.is_v4 ? sizeof(request.v4) : sizeof(request.v6);
    size_t headers_len = sizeof(request.ethernet) + ip_len + sizeof(request.udp);
    size_t frame_len = headers_len + response_len;
    if (frame_len > (size_t)(frame->buf_len - frame->data_off))
        return -ENOSPC;
    frame_set_len(frame, (uint16_t)frame_len);

    uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
    struct rte_ether_hdr ethernet = {
        .dst_addr = request.ethernet.src_addr,
        .src_addr = request.ethernet.dst_addr,
        .ether_type = request.ethernet.ether_type,
    };
    memcpy(data, &ethernet, sizeof(ethernet));
    memcpy(data + headers_len, response, response_len);

    uint16_t udp_len = (uint16_t)(sizeof(request.udp) + response_len);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(data + sizeof(ethernet) + ip_len);
    udp->src_port = request.udp.dst_port;
    udp->dst_port = request.udp.src_port;
    udp->dgram_len = rte_cpu_to_be_16(udp_len);
    udp->dgram_cksum = 0;
    if (request.is_v4)
        write_v4(data + sizeof(ethernet), &request, udp, udp_len);
    else
        write_v6(data + sizeof(ethernet), &request, udp, udp_len);
    return 0;
}
