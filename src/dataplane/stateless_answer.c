// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying (RFC 8489 sections 6.3, 9.2.4).
#include "dataplane/stateless_answer.h"

#include "dataplane/fetch.h"
#include "dataplane/forward.h"
#include "dataplane/punting.h"
#include "dataplane/stream_path.h"
#include "dataplane/transmit.h"
#include "exchange/reply.h"
#include "proto/message.h"

#include <netinet/in.h>

static const enum counter answer_counters[] = {
    [STATELESS_BINDING] = COUNTER_BINDING,
    [STATELESS_BAD_REQUEST] = COUNTER_BAD_REQUEST,
    [STATELESS_UNAUTHENTICATED] = COUNTER_UNAUTHENTICATED,
    [STATELESS_UNKNOWN_ATTRIBUTE] = COUNTER_UNKNOWN_ATTRIBUTE,
    [STATELESS_STALE_NONCE] = COUNTER_STALE_NONCE,
};

// Whatever STUN there is has a length that four divides, and is short.
static inline uint64_t add_datagram(uint64_t sum, const uint8_t *at, size_t len)
{
    uint64_t words = 0;
    if (unlikely(len % 4 != 0))
        return checksum_add_bytes(sum, at, len);
    for (; len >= 2 * sizeof(uint64_t); at += 2 * sizeof(uint64_t), len -= 2 * sizeof(uint64_t)) {
        words = checksum_carry_u64(words, plain_load_u64(at));
        words = checksum_carry_u64(words, plain_load_u64(at + sizeof(uint64_t)));
    }
    if (len >= sizeof(uint64_t)) {
        words = checksum_carry_u64(words, plain_load_u64(at));
        at += sizeof(uint64_t);
        len -= sizeof(uint64_t);
    }
    if (len > 0)
        sum = checksum_add_4_bytes(sum, at);
    return checksum_add_u64(sum, words);
}

// What is consumed here must be intact (RFC 1122 section 4.1.3.4); what is relayed keeps its sum
// instead.
static __rte_always_inline bool sum_is_good(const struct packet *packet, enum ip_family family)
{
    if (packet->checksum == 0 ||
        (packet->mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        return true;
    uint64_t sum = htons(IPPROTO_UDP) + (uint64_t)htons(packet->l4_len);
    sum = forward_addresses_sum(sum, family, packet->source_ip);
    return checksum_is_right(add_datagram(sum, packet->l4, packet->l4_len));
}

// Where a client has a connection, its address is proven: nobody else gets the answers.
static __rte_always_inline bool prefix_is_within_rate(struct worker *worker,
                                                      const struct packet *packet,
                                                      enum ip_family family, bool is_plain)
{
    return (!is_plain && stream_port_is_inner(packet->mbuf->port)) ||
           rate_limiter_allows(&worker->rate_limiter, family, packet->source_ip, worker->now_tsc);
}

// Answers to a burst, each written over its request. What they sum up to is known after many steps
// that depend on each other: the headers that need it are written when all have been begun.
struct answer {
    const struct packet *packet;
    struct stateless_reply reply;
};

struct answer_list {
    struct answer at[WORKER_BURST];
    unsigned count;
};

static uint16_t message_offset(const struct packet *packet)
{
    return (uint16_t)(packet_payload(packet) - rte_pktmbuf_mtod(packet->mbuf, uint8_t *));
}

// From where the message is to the end of its buffer.
static size_t answer_room(const struct packet *packet)
{
    const struct rte_mbuf *frame = packet->mbuf;
    return (size_t)((const uint8_t *)frame->buf_addr + frame->buf_len - packet_payload(packet));
}

// In words, as it will be read.
static __rte_always_inline void get_client(const struct packet *packet, enum ip_family family,
                                           struct transport_address *ret_client)
{
    uint64_t words[2] = {0, 0};
    uint32_t v4;
    if (family == IP_FAMILY_V4) {
        memcpy(&v4, packet->source_ip, sizeof(v4));
        words[0] = v4;
    } else {
        memcpy(words, packet->source_ip, sizeof(words));
    }
    memcpy(ret_client->ip.bytes, &words[0], sizeof(words[0]));
    memcpy(ret_client->ip.bytes + 8, &words[1], sizeof(words[1]));
    ret_client->ip.family = (uint16_t)family;
    ret_client->port = ntohs(packet->source_port_be);
}

static bool has_integrity(const struct stun_message *message)
{
    return message->integrity_offset != 0 || message->integrity_sha256_offset != 0;
}

// is_plain: over IPv4, as the wire had it. A constant where this is inlined.
static __rte_always_inline void process(struct worker *worker, const struct packet *packet,
                                        const struct nonce_stamp *stamp, struct answer_list *list,
                                        bool is_plain)
{
    enum ip_family family = is_plain ? IP_FAMILY_V4 : (enum ip_family)packet->family;
    struct answer *answer = &list->at[list->count];
    struct span bytes = {packet_payload(packet), packet_payload_len(packet)};
    struct stun_message message;
    if (!sum_is_good(packet, family)) {
        worker_drop(worker, packet->mbuf, DROP_BAD_CHECKSUM);
        return;
    }
    if (stun_message_parse(bytes, &message) != STUN_VALID) {
        worker_drop(worker, packet->mbuf, DROP_BAD_STUN);
        return;
    }
    // Whoever shows no signed nonce is to be answered, if at all: that is limited before any work
    // is done. A nonce is looked at first, so that a prefix full of good clients is never kept from
    // the control plane.
    bool shows_nonce = has_integrity(&message) && message.method != STUN_METHOD_BINDING &&
                       stun_message_has(&message, STUN_ATTRIBUTE_NONCE);
    bool is_request = message.message_class == STUN_CLASS_REQUEST;
    if (is_request && !shows_nonce && !prefix_is_within_rate(worker, packet, family, is_plain)) {
        worker_drop(worker, packet->mbuf, DROP_RATE_LIMITED);
        return;
    }
    struct transport_address client;
    get_client(packet, family, &client);
    size_t room = answer_room(packet);
    if (room < STATELESS_ANSWER_MAX_LEN) {
        worker_drop(worker, packet->mbuf, DROP_NO_BUFFER);
        return;
    }
    enum stateless_verdict verdict = stateless_reply(&worker->stateless, &message, &client, stamp,
                                                     packet_payload(packet), room, &answer->reply);
    if (verdict == STATELESS_PASS) {
        punt_message(worker, packet, &client, message.method, (uint16_t)message.bytes.len);
    } else if (!stateless_is_answer(verdict)) {
        worker_drop(worker, packet->mbuf, DROP_IGNORED_STUN);
    } else if (shows_nonce && !prefix_is_within_rate(worker, packet, family, is_plain)) {
        worker_drop(worker, packet->mbuf, DROP_RATE_LIMITED);
    } else {
        worker_count(worker, answer_counters[verdict]);
        answer->packet = packet;
        list->count++;
    }
}

// Of nonces that IPv4 clients may get, side by side.
static void make_macs(const struct nonce_stamp *stamp, const struct worker_packets *list,
                      uint64_t ret_macs[WORKER_BURST])
{
    uint64_t clients[WORKER_BURST];
    for (unsigned i = 0; i < list->count; i++) {
        const struct packet *packet = list->packets[i];
        clients[i] =
            nonce_ipv4_client(plain_load_u32(packet->source_ip), ntohs(packet->source_port_be));
    }
    nonce_macs(stamp, clients, list->count, ret_macs);
}

// Whether that is likely to be less work than each when it is wanted: most bursts are of one kind,
// and a Binding request gets no nonce.
static bool wants_macs(const struct worker_packets *list)
{
    return packet_payload(list->packets[0])[1] != STUN_METHOD_BINDING;
}

static __rte_always_inline void begin_answers(struct worker *worker,
                                              const struct worker_packets *list,
                                              struct answer_list *ret_answers, bool is_plain)
{
    struct nonce_stamp stamp;
    uint64_t macs[WORKER_BURST];
    ret_answers->count = 0;
    if (list->count == 0)
        return;
    nonce_stamp_init(&worker->stateless.policy.nonce, worker->now_s,
                     (uint16_t)token_stream_next(&worker->tokens), &stamp);
    bool are_made = is_plain && wants_macs(list);
    if (are_made)
        make_macs(&stamp, list, macs);
    for (unsigned i = 0; i < list->count; i++) {
        if (are_made)
            stamp.made_mac = &macs[i];
        process(worker, list->packets[i], &stamp, ret_answers, is_plain);
    }
}

void stateless_answer(struct worker *worker, const struct worker_packets *list)
{
    struct answer_list answers;
    begin_answers(worker, list, &answers, false);
    for (unsigned i = 0; i < answers.count; i++) {
        const struct answer *answer = &answers.at[i];
        const struct packet *packet = answer->packet;
        reply_in_place(packet->mbuf, message_offset(packet), answer->reply.len, answer->reply.sum);
        stream_path_answer(worker, packet->mbuf);
    }
}

// Most requests of a burst are for one listener.
struct destination {
    uint64_t words; // address and port, as they stand in the headers
    const struct local_address *local;
};

static __rte_always_inline const struct local_address *
local_of(const struct worker *worker, const uint8_t *ip, struct destination *last)
{
    const uint64_t source_port = rte_cpu_to_be_64(0x00000000FFFF0000);
    uint64_t words = plain_load_u64(ip + 16) & ~source_port; // there is no option in between
    if (unlikely(words != last->words)) {
        last->words = words;
        last->local = local_addresses_find(&worker->local_v4, ip + 16, 4, load_be16(ip + 22));
    }
    return last->local;
}

// What is read of a packet here. False: it is for no listener, or has come from a stream's client
// or through the hairpin, or has a port or a source that nobody has. Whatever else classify() asks,
// the short way has.
static __rte_always_inline bool read_plain(const struct worker *worker, struct rte_mbuf *frame,
                                           struct destination *last, struct packet *packet)
{
    uint8_t *ip = plain_ip_of(frame), *udp = ip + PACKET_IPV4_LEN;
    uint64_t header = plain_load_u64(udp); // ports, length, checksum
    uint16_t udp_len = __builtin_bswap16((uint16_t)(header >> 32));
    const struct local_address *local = local_of(worker, ip, last);
    if (unlikely(local == NULL || local->kind != LOCAL_LISTENER || udp_len < PACKET_UDP_LEN ||
                 (uint16_t)header == 0 || frame->port >= STREAM_PORT_BASE ||
                 !packet_ipv4_source_is_possible(ip[12])))
        return false;
    packet->mbuf = frame;
    packet->l4 = udp;
    packet->source_ip = ip + 12;
    packet->l4_len = udp_len;
    packet->source_port_be = (uint16_t)header;
    packet->checksum = (uint16_t)(header >> 48);
    packet->family = IP_FAMILY_V4;
    packet->local = local->index;
    return true;
}

static void fetch_answer_lines(const struct worker *worker, const struct plain_list *requests)
{
    for (unsigned i = 0; i < requests->count; i++) {
        const uint8_t *message =
            plain_ip_of(requests->frames[i]) + PACKET_IPV4_LEN + PACKET_UDP_LEN;
        struct answer_lines lines = answer_lines_of(worker, requests->frames[i], message);
        for (; lines.next < lines.end; lines.next += RTE_CACHE_LINE_SIZE)
            fetch_line(lines.next);
    }
}

// The list is free: the long way has not begun.
void stateless_answer_plain(struct worker *worker, const struct plain_list *requests,
                            struct plain_list *rest)
{
    struct worker_packets *list = &worker->by_kind[PACKET_STUN];
    struct answer_list answers;
    struct destination last = {0, NULL}; // nobody's
    list->count = 0;
    fetch_answer_lines(worker, requests);
    for (unsigned i = 0; i < requests->count; i++) {
        struct packet *packet = &worker->packets[i];
        if (read_plain(worker, requests->frames[i], &last, packet))
            list->packets[list->count++] = packet;
        else
            plain_list_add(rest, requests->frames[i]);
    }
    begin_answers(worker, list, &answers, true);
    for (unsigned i = 0; i < answers.count; i++) {
        const struct answer *answer = &answers.at[i];
        reply_to_plain(answer->packet->mbuf, answer->reply.len, answer->reply.sum);
        transmit(worker, answer->packet->mbuf);
    }
}
