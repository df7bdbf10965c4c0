// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying: answered here without state, or passed to
// the control plane (RFC 8489 sections 6.3, 9.2.4; docs/architecture.md, "Stateless answers").
#pragma once

#include "dataplane/plain.h"
#include "dataplane/worker_state.h"

#include <rte_common.h>
#include <rte_prefetch.h>

// Has brought here what the answer to a message will be written to, and the rest of the request.
// Of its first line the type has been read; those behind it nobody has asked for.
static inline void stateless_answer_fetch(const struct worker *worker, const uint8_t *message,
                                          size_t request_len)
{
    uint8_t type = request_len > 1 ? message[1] : 0;
    size_t len = RTE_MAX(request_len, stateless_usual_len(&worker->stateless, type));
    const uint8_t *line = RTE_PTR_ALIGN_FLOOR(message, RTE_CACHE_LINE_SIZE);
    for (line += RTE_CACHE_LINE_SIZE; line < message + len; line += RTE_CACHE_LINE_SIZE)
        rte_prefetch0(line);
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
