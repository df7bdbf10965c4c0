// SPDX-License-Identifier: BSD-3-Clause
// Turn a received frame round into the one that answers it, in its own buffer (RFC 8489
// section 6.3.1).
#include "exchange/reply.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <stdbool.h>
#include <string.h>

#define HEADERS_LEN_V4                                                                             \
    (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))
#define HEADERS_LEN_V6                                                                             \
    (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv6_hdr) + sizeof(struct rte_udp_hdr))

// How long the headers of a reply get; 0: there is no UDP datagram.
static size_t headers_len(const struct rte_mbuf *frame, uint16_t message_offset)
{
    const struct rte_ether_hdr *ethernet = rte_pktmbuf_mtod(frame, const struct rte_ether_hdr *);
    if (message_offset < HEADERS_LEN_V4 || message_offset > rte_pktmbuf_data_len(frame))
        return 0;
    if (ethernet->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
        return HEADERS_LEN_V4;
    bool is_v6 = ethernet->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
    return is_v6 && message_offset >= HEADERS_LEN_V6 ? HEADERS_LEN_V6 : 0;
}

// sum: of the message and the addresses. A checksum that comes out as zero is sent as all ones (RFC
// 768).
static void turn_udp(uint8_t *udp, uint16_t udp_len, uint64_t sum)
{
    uint32_t ports;
    memcpy(&ports, udp, sizeof(ports));
    sum += ports + 2 * (uint64_t)htons(udp_len) + htons(IPPROTO_UDP);
    uint64_t header = (ports << 16 | ports >> 16) | (uint64_t)htons(udp_len) << 32 |
                      (uint64_t)checksum_udp_field(sum) << 48;
    memcpy(udp, &header, sizeof(header));
}

// The request's header may lie where the new one goes: it is read first. The identification is the
// request's: as unlikely to be in use between these two as any other. Returns the addresses' sum.
static inline __attribute__((always_inline)) uint64_t
write_ipv4(uint8_t *ip, const uint8_t *request, uint16_t udp_len)
{
    uint32_t source, destination;
    uint16_t id;
    memcpy(&source, request + offsetof(struct rte_ipv4_hdr, src_addr), sizeof(source));
    memcpy(&destination, request + offsetof(struct rte_ipv4_hdr, dst_addr), sizeof(destination));
    memcpy(&id, request + offsetof(struct rte_ipv4_hdr, packet_id), sizeof(id));
    uint64_t dscp = request[1] & RTE_IPV4_HDR_DSCP_MASK;
    uint16_t total_len = (uint16_t)(sizeof(struct rte_ipv4_hdr) + udp_len);
    uint64_t first =
        RTE_IPV4_VHL_DEF | dscp << 8 | (uint64_t)htons(total_len) << 16 | (uint64_t)id << 32;
    uint64_t second = REPLY_TTL | IPPROTO_UDP << 8 | (uint64_t)destination << 32;
    uint64_t addresses = (uint64_t)source + destination;
    uint64_t sum = checksum_add_u64(addresses, first) + (second & UINT32_MAX);
    second |= (uint64_t)checksum_field(sum) << 16;
    memcpy(ip, &first, sizeof(first));
    memcpy(ip + 8, &second, sizeof(second));
    memcpy(ip + 16, &source, sizeof(source));
    return addresses;
}

static uint64_t write_ipv6(uint8_t *ip, const uint8_t *request, uint16_t udp_len)
{
    uint8_t source[16], destination[16];
    memcpy(source, request + offsetof(struct rte_ipv6_hdr, src_addr), sizeof(source));
    memcpy(destination, request + offsetof(struct rte_ipv6_hdr, dst_addr), sizeof(destination));
    uint32_t dscp = load_be32(request) & RTE_IPV6_HDR_DSCP_MASK;
    uint64_t first = htonl(6u << 28 | dscp) | (uint64_t)htons(udp_len) << 32 |
                     (uint64_t)IPPROTO_UDP << 48 | (uint64_t)REPLY_TTL << 56;
    memcpy(ip, &first, sizeof(first));
    memcpy(ip + 8, destination, sizeof(destination));
    memcpy(ip + 24, source, sizeof(source));
    return checksum_add_16_bytes(checksum_add_16_bytes(0, source), destination);
}

// An Ethernet header in two words that overlap: from its start, and to its end.
struct ethernet_words {
    uint64_t first;
    uint64_t last;
};

#define ETHERNET_LAST_OFFSET 6
#define ETHERNET_ADDRESS     UINT64_C(0x0000FFFFFFFFFFFF)

static inline struct ethernet_words read_ethernet(const uint8_t *at)
{
    struct ethernet_words words;
    memcpy(&words.first, at, sizeof(words.first));
    memcpy(&words.last, at + ETHERNET_LAST_OFFSET, sizeof(words.last));
    return words;
}

// The addresses change places.
static inline void write_ethernet(uint8_t *at, struct ethernet_words request)
{
    uint64_t first = (request.last & ETHERNET_ADDRESS) | request.first << 48;
    uint64_t last = (request.first & ETHERNET_ADDRESS) | (request.last & ~ETHERNET_ADDRESS);
    memcpy(at, &first, sizeof(first));
    memcpy(at + ETHERNET_LAST_OFFSET, &last, sizeof(last));
}

// The frame becomes one segment from here to there. Nothing is left to the port, so it reads no
// tx_offload; that is in the mbuf's second line, which is not touched.
static void frame_set(struct rte_mbuf *frame, const uint8_t *start, size_t len)
{
    if (unlikely(frame->nb_segs > 1)) {
        rte_pktmbuf_free(frame->next);
        frame->next = NULL;
        frame->nb_segs = 1;
    }
    frame->data_off = (uint16_t)(start - (const uint8_t *)frame->buf_addr);
    frame->data_len = (uint16_t)len;
    frame->pkt_len = (uint32_t)len;
    frame->ol_flags = 0;
}

static inline bool is_ipv4(const uint8_t *frame)
{
    const struct rte_ether_hdr *ethernet = (const struct rte_ether_hdr *)frame;
    return ethernet->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
}

void reply_in_place(struct rte_mbuf *frame, uint16_t message_offset, size_t response_len,
                    uint64_t response_sum)
{
    const uint8_t *request = rte_pktmbuf_mtod(frame, const uint8_t *);
    const uint8_t *request_ip = request + sizeof(struct rte_ether_hdr);
    uint8_t *message = rte_pktmbuf_mtod_offset(frame, uint8_t *, message_offset);
    uint16_t udp_len = (uint16_t)(sizeof(struct rte_udp_hdr) + response_len);
    size_t len = is_ipv4(request) ? HEADERS_LEN_V4 : HEADERS_LEN_V6;
    uint8_t *start = message - len;
    uint8_t *ip = start + sizeof(struct rte_ether_hdr);
    struct ethernet_words ethernet = read_ethernet(request);
    uint64_t sum;
    if (len == HEADERS_LEN_V4)
        sum = write_ipv4(ip, request_ip, udp_len);
    else
        sum = write_ipv6(ip, request_ip, udp_len);
    turn_udp(message - sizeof(struct rte_udp_hdr), udp_len, sum + response_sum);
    write_ethernet(start, ethernet);
    frame_set(frame, start, len + response_len);
}

// The same where they are, in one step; what follows them is written next.
static inline void turn_ethernet(uint8_t *at)
{
    typedef uint8_t lanes __attribute__((vector_size(16)));
    lanes header;
    memcpy(&header, at, sizeof(header));
    header = __builtin_shufflevector(header, header, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13,
                                     14, 15);
    memcpy(at, &header, sizeof(header));
}

void reply_to_plain(struct rte_mbuf *frame, size_t response_len, uint64_t response_sum)
{
    uint8_t *start = rte_pktmbuf_mtod(frame, uint8_t *);
    uint8_t *ip = start + sizeof(struct rte_ether_hdr);
    uint16_t udp_len = (uint16_t)(sizeof(struct rte_udp_hdr) + response_len);
    turn_ethernet(start);
    uint64_t sum = response_sum + write_ipv4(ip, ip, udp_len);
    turn_udp(ip + sizeof(struct rte_ipv4_hdr), udp_len, sum);
    frame->data_len = (uint16_t)(HEADERS_LEN_V4 + response_len);
    frame->pkt_len = frame->data_len;
    frame->ol_flags = 0;
}

int reply_frame(struct rte_mbuf *frame, uint16_t message_offset, const uint8_t *response,
                size_t response_len)
{
    if (headers_len(frame, message_offset) == 0)
        return -EINVAL;
    if (response_len > (size_t)(frame->buf_len - frame->data_off - message_offset))
        return -ENOSPC;
    memcpy(rte_pktmbuf_mtod_offset(frame, uint8_t *, message_offset), response, response_len);
    reply_in_place(frame, message_offset, response_len,
                   checksum_add_bytes(0, response, response_len));
    return 0;
}
