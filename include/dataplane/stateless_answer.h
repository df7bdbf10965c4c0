// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying: answered here without state, or passed to
// the control plane (RFC 8489 sections 6.3, 9.2.4; docs/architecture.md, "Stateless answers").
#pragma once

#include "dataplane/plain.h"
#include "dataplane/worker_state.h"

#include <rte_common.h>
#include <rte_prefetch.h>

// What a request takes and its answer will be written to, behind the line in which the message begins: of that one the
// type has been read.
struct answer_lines {
    const uint8_t *next;
    const uint8_t *end;
};

static inline struct answer_lines answer_lines_of(const struct worker *worker,
                                                  const struct rte_mbuf *frame,
                                                  const uint8_t *message)
{
    const uint8_t *first = RTE_PTR_ALIGN_FLOOR(message, RTE_CACHE_LINE_SIZE);
    const uint8_t *received = rte_pktmbuf_mtod_offset(frame, const uint8_t *, frame->data_len);
    uint8_t type = message + 1 < received ? message[1] : 0;
    const uint8_t *usual = message + stateless_usual_len(&worker->stateless, type);
    const uint8_t *room = (const uint8_t *)frame->buf_addr + frame->buf_len;
    return (struct answer_lines){first + RTE_CACHE_LINE_SIZE,
                                 RTE_MIN(RTE_MAX(received, usual), room)};
}

// Asks for them, while others are sorted.
static inline void answer_lines_prefetch(struct answer_lines lines)
{
    for (; lines.next < lines.end; lines.next += RTE_CACHE_LINE_SIZE)
        rte_prefetch0(lines.next);
}

// Whether this is the type of a request with a method that anyone answers (RFC 8489 section 5): all
// of them are below 16.
static inline bool stateless_answer_is_request(uint16_t type)
{
    return type < 0x10;
}

// Messages of that type in plain datagrams of IPv4 (dataplane/media.h). What is not for a listener,
// or may not be, is added to rest.
void stateless_answer_plain(struct worker *worker, const struct plain_list *requests,
                            struct plain_list *rest);

// Packets of kind PACKET_STUN. They are gone for the caller.
void stateless_answer(struct worker *worker, const struct worker_packets *list);
