// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying (RFC 8489 sections 6.3, 9.2.4).
#include "dataplane/stateless_answer.h"

#include "dataplane/forward.h"
#include "dataplane/punting.h"
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

// What is consumed here must be intact (RFC 1122 section 4.1.3.4); what is relayed keeps its sum
// instead.
static bool sum_is_good(const struct packet *packet)
{
    if (packet->checksum == 0 ||
        (packet->mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        return true;
    uint64_t sum = htons(IPPROTO_UDP) + (uint64_t)htons(packet->l4_len);
    sum = forward_addresses_sum(sum, packet->family, packet->source_ip);
    return checksum_fold(checksum_add_bytes(sum, packet->l4, packet->l4_len)) == 0xFFFF;
}

static bool prefix_is_within_rate(struct worker *worker, const struct packet *packet)
{
    return rate_limiter_allows(&worker->rate_limiter, packet->family, packet->source_ip,
                               worker->now_tsc);
}

static uint16_t message_offset(const struct packet *packet)
{
    return (uint16_t)(packet_payload(packet) - rte_pktmbuf_mtod(packet->mbuf, uint8_t *));
}

static void send_answer(struct worker *worker, const struct packet *packet,
                        enum stateless_verdict verdict, size_t len)
{
    reply_in_place(packet->mbuf, message_offset(packet), len);
    worker_count(worker, answer_counters[verdict]);
    transmit(worker, packet->mbuf);
}

void stateless_answer(struct worker *worker, const struct packet *packet)
{
    struct span bytes = {packet_payload(packet), packet_payload_len(packet)};
    struct stun_message message;
    if (!sum_is_good(packet)) {
        worker_drop(worker, packet->mbuf, DROP_BAD_CHECKSUM);
        return;
    }
    if (stun_message_parse(bytes, &message) != STUN_VALID) {
        worker_drop(worker, packet->mbuf, DROP_BAD_STUN);
        return;
    }
    // Whoever shows no nonce is to be answered, if at all: that is limited before any work is done.
    // A nonce is looked at first, so that a prefix full of good clients is never kept from the
    // control plane.
    bool shows_nonce =
        message.method != STUN_METHOD_BINDING && stun_message_has(&message, STUN_ATTRIBUTE_NONCE);
    bool is_request = message.message_class == STUN_CLASS_REQUEST;
    if (is_request && !shows_nonce && !prefix_is_within_rate(worker, packet)) {
        worker_drop(worker, packet->mbuf, DROP_RATE_LIMITED);
        return;
    }
    struct transport_address client = {
        ip_address_from_bytes((enum ip_family)packet->family, packet->source_ip),
        ntohs(packet->source_port_be)};
    // Of a nonce, which no Binding answer has.
    uint16_t salt =
        message.method == STUN_METHOD_BINDING ? 0 : (uint16_t)token_stream_next(&worker->tokens);
    size_t room = reply_room(packet->mbuf, message_offset(packet));
    if (room < STATELESS_ANSWER_MAX_LEN) {
        worker_drop(worker, packet->mbuf, DROP_NO_BUFFER);
        return;
    }
    size_t answer_len = 0;
    enum stateless_verdict verdict =
        stateless_process(&worker->stateless, &message, &client, worker->now_s, salt,
                          packet_payload(packet), room, &answer_len);
    if (verdict == STATELESS_PASS)
        punt_message(worker, packet, &client, message.method, (uint16_t)message.bytes.len);
    else if (!stateless_is_answer(verdict))
        worker_drop(worker, packet->mbuf, DROP_IGNORED_STUN);
    else if (shows_nonce && !prefix_is_within_rate(worker, packet))
        worker_drop(worker, packet->mbuf, DROP_RATE_LIMITED);
    else
        send_answer(worker, packet, verdict, answer_len);
}
