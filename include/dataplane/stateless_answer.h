// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying: answered here without state, or passed to
// the control plane (RFC 8489 sections 6.3, 9.2.4; docs/architecture.md, "Stateless answers").
#pragma once

#include "dataplane/worker_state.h"

#include <rte_common.h>

// Has brought here what the answer to a packet of kind PACKET_STUN will be written to, and the rest
// of the request. Of its first line the type has been read; those behind it nobody has asked for.
static inline void stateless_answer_fetch(const struct worker *worker, const struct packet *packet)
{
    const uint8_t *message = packet_payload(packet);
    size_t request_len = packet_payload_len(packet);
    size_t answer_len = stateless_usual_len(&worker->stateless, request_len > 1 ? message[1] : 0);
    const uint8_t *end = message + RTE_MAX(request_len, answer_len);
    const uint8_t *line = RTE_PTR_ALIGN_FLOOR(message, RTE_CACHE_LINE_SIZE);
    for (line += RTE_CACHE_LINE_SIZE; line < end; line += RTE_CACHE_LINE_SIZE)
        __builtin_prefetch(line, 1);
}

// Packets of kind PACKET_STUN. They are gone for the caller.
void stateless_answer(struct worker *worker, const struct worker_packets *list);
