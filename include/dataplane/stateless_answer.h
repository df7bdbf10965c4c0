// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying: answered here without state, or passed to
// the control plane (RFC 8489 sections 6.3, 9.2.4; docs/architecture.md, "Stateless answers").
#pragma once

#include "dataplane/worker_state.h"

#include <rte_common.h>
#include <rte_prefetch.h>

// To be written to: one that was fetched to be read is asked for once more when it is. Older
// processors take the first instruction for none.
// (Not by the compiler's builtin: to gcc 12 a function of nothing else does nothing, and goes.)
static inline void stateless_answer_fetch_line(const uint8_t *line)
{
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*line));
#endif
    rte_prefetch0(line);
}

// Has brought here what the answer to a packet of kind PACKET_STUN will be written to, and the rest
// of the request. Of its first line the type has been read; those behind it nobody has asked for.
static inline void stateless_answer_fetch(const struct worker *worker, const struct packet *packet)
{
    const uint8_t *message = packet_payload(packet);
    size_t request_len = packet_payload_len(packet);
    size_t answer_len = stateless_usual_len(&worker->stateless, request_len > 1 ? message[1] : 0);
    size_t len = RTE_MAX(request_len, answer_len);
    for (size_t offset = RTE_CACHE_LINE_SIZE; offset < len; offset += RTE_CACHE_LINE_SIZE)
        stateless_answer_fetch_line(message + offset);
    stateless_answer_fetch_line(message + len - 1);
}

// Packets of kind PACKET_STUN. They are gone for the caller.
void stateless_answer(struct worker *worker, const struct worker_packets *list);
