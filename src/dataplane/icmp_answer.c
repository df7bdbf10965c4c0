// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors to whoever sent a datagram that cannot go on.
#include "dataplane/icmp_answer.h"

#include "base/bytes.h"
#include "dataplane/forward.h"
#include "dataplane/transmit.h"
#include "exchange/reply.h"

#include <netinet/in.h>

#define ICMP_HEADER_LEN 8
// The longest error: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4.
#define ICMP_PACKET_MAX_LEN   576
#define ICMPV6_PACKET_MAX_LEN 1280
#define IPV4_MTU_MIN          68
#define IPV6_MTU_MIN          1280
// What a Data indication takes: RFC 8656 section 13.2 leaves that much for a peer's datagrams.
#define DATA_INDICATION_LEN 48

// RFC 4443 section 2.4 (f) wants a limit; errors matter to path MTU discovery only, which needs
// few.
#define ANSWERS_PER_SECOND 100
#define ANSWERS_BURST      20

struct icmp_kind {
    uint8_t type;
    uint8_t code;
    uint32_t rest; // the four bytes behind the checksum
};

static bool may_answer(struct worker *worker, const struct packet *packet)
{
    if (packet->kind == PACKET_ICMP)
        return false; // never about an error (RFC 4443 section 2.4 (e))
    if (packet->mbuf->port == PACKET_PORT_LOCAL || stream_port_is_inner(packet->mbuf->port))
        return false; // nobody's MAC address is in it
    struct token_rate rate = token_rate_make(ANSWERS_PER_SECOND, ANSWERS_BURST, worker->tsc_hz);
    return token_bucket_take(&worker->icmp_answers, &rate, worker->now_tsc, 1);
}

// Everything from the IP header to the end of the UDP datagram, as far as the error may quote it.
static size_t quoted_len(const struct packet *packet)
{
    size_t len = (size_t)(packet->l4 - packet->ip) + packet->l4_len;
    size_t max_len = packet->family == IP_FAMILY_V4
                         ? ICMP_PACKET_MAX_LEN - PACKET_IPV4_LEN - ICMP_HEADER_LEN
                         : ICMPV6_PACKET_MAX_LEN - PACKET_IPV6_LEN - ICMP_HEADER_LEN;
    return len < max_len ? len : max_len;
}

static void write_ipv4(struct worker *worker, uint8_t *ip, const uint8_t *source,
                       const uint8_t *destination, size_t icmp_len)
{
    memset(ip, 0, PACKET_IPV4_LEN);
    ip[0] = 0x45;
    store_be16(ip + 2, (uint16_t)(PACKET_IPV4_LEN + icmp_len));
    store_be16(ip + 4, worker->ipv4_id++);
    ip[8] = REPLY_TTL;
    ip[9] = IPPROTO_ICMP;
    memcpy(ip + 12, source, 4);
    memcpy(ip + 16, destination, 4);
    uint16_t sum = checksum_field(checksum_add_bytes(0, ip, PACKET_IPV4_LEN));
    memcpy(ip + 10, &sum, sizeof(sum));
}

static void write_ipv6(uint8_t *ip, const uint8_t *source, const uint8_t *destination,
                       size_t icmp_len)
{
    memset(ip, 0, PACKET_IPV6_LEN);
    ip[0] = 0x60;
    store_be16(ip + 4, (uint16_t)icmp_len);
    ip[6] = IPPROTO_ICMPV6;
    ip[7] = REPLY_TTL;
    memcpy(ip + 8, source, 16);
    memcpy(ip + 24, destination, 16);
}

static void write_icmp(uint8_t *icmp, const struct icmp_kind *kind, size_t icmp_len,
                       uint64_t pseudo_sum)
{
    icmp[0] = kind->type;
    icmp[1] = kind->code;
    store_be16(icmp + 2, 0);
    store_be32(icmp + 4, kind->rest);
    uint16_t sum = checksum_field(checksum_add_bytes(pseudo_sum, icmp, icmp_len));
    memcpy(icmp + 2, &sum, sizeof(sum));
}

// The offending packet stays where it is, and the error's headers go in front of it. False: no
// room.
static bool answer(struct worker *worker, const struct packet *packet, const struct icmp_kind *kind)
{
    struct rte_mbuf *frame = packet->mbuf;
    bool is_v4 = packet->family == IP_FAMILY_V4;
    size_t ip_len = is_v4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
    size_t headers_len = PACKET_ETHERNET_LEN + ip_len + ICMP_HEADER_LEN;
    size_t icmp_len = ICMP_HEADER_LEN + quoted_len(packet);
    if ((size_t)(packet->ip - (uint8_t *)frame->buf_addr) < headers_len)
        return false;
    uint8_t macs[12];
    memcpy(macs, packet->ip - PACKET_ETHERNET_LEN, sizeof(macs));
    uint8_t *icmp = packet->ip - ICMP_HEADER_LEN;
    uint8_t *ip = icmp - ip_len;
    uint8_t *ethernet = ip - PACKET_ETHERNET_LEN;
    uint64_t pseudo_sum = 0;
    if (is_v4) {
        write_ipv4(worker, ip, packet_destination_ip(packet), packet->source_ip, icmp_len);
    } else {
        write_ipv6(ip, packet_destination_ip(packet), packet->source_ip, icmp_len);
        pseudo_sum = forward_addresses_sum(htons(IPPROTO_ICMPV6), IP_FAMILY_V6, packet->source_ip) +
                     htons((uint16_t)icmp_len);
    }
    write_icmp(icmp, kind, icmp_len, pseudo_sum);
    memcpy(ethernet, macs + 6, 6);
    memcpy(ethernet + 6, macs, 6);
    store_be16(ethernet + 12, is_v4 ? 0x0800 : 0x86DD);
    frame->data_off = (uint16_t)(ethernet - (uint8_t *)frame->buf_addr);
    frame->data_len = (uint16_t)(PACKET_ETHERNET_LEN + ip_len + icmp_len);
    frame->pkt_len = frame->data_len;
    frame->ol_flags = 0;
    transmit(worker, frame);
    return true;
}

void icmp_answer_time_exceeded(struct worker *worker, const struct packet *packet)
{
    struct icmp_kind kind = {packet->family == IP_FAMILY_V4 ? 11 : 3, 0, 0};
    if (may_answer(worker, packet) && answer(worker, packet, &kind))
        worker_count(worker, COUNTER_TIME_EXCEEDED);
    else
        worker_drop(worker, packet->mbuf, DROP_TTL_EXPIRED);
}

// What the sender's packets may measure for ours to fit: IP headers differ by family (RFC 7915
// sections 4.2, 5.2).
static uint32_t mtu_for_sender(const struct packet *packet, uint8_t family, uint32_t mtu)
{
    bool is_v4 = packet->family == IP_FAMILY_V4;
    if (family != packet->family)
        mtu = is_v4 ? mtu - (PACKET_IPV6_LEN - PACKET_IPV4_LEN)
                    : mtu + (PACKET_IPV6_LEN - PACKET_IPV4_LEN);
    if (packet->kind == PACKET_PEER)
        mtu -= DATA_INDICATION_LEN;
    uint32_t min = is_v4 ? IPV4_MTU_MIN : IPV6_MTU_MIN;
    return mtu < min || mtu > UINT16_MAX ? min : mtu;
}

void icmp_answer_too_big(struct worker *worker, const struct packet *packet, uint8_t family,
                         uint16_t mtu)
{
    struct icmp_kind kind = {packet->family == IP_FAMILY_V4 ? 3 : 2,
                             packet->family == IP_FAMILY_V4 ? 4 : 0,
                             mtu_for_sender(packet, family, mtu)};
    if (may_answer(worker, packet) && answer(worker, packet, &kind))
        worker_count(worker, COUNTER_PACKET_TOO_BIG);
    else
        worker_drop(worker, packet->mbuf, DROP_TOO_BIG);
}
