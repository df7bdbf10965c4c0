// SPDX-License-Identifier: BSD-3-Clause
// Frames that landed on another worker than the owner of their relay port go to it by ring: most
// NICs cannot steer by port.
#pragma once

#include "dataplane/worker_state.h"

// What is gathered for that worker goes now.
void handoff_flush_to(struct worker *worker, unsigned owner);

// Of a frame that was handed here: it keeps the time of the worker that received it.
static inline void handoff_send_on(struct worker *worker, unsigned owner, struct handoff handoff)
{
    struct worker_handoffs *queue = &worker->handoffs[owner];
    if (unlikely(queue->count == WORKER_BURST))
        handoff_flush_to(worker, owner);
    queue->at[queue->count++] = handoff;
}

// The frame is gone for the caller. owner is another worker.
static inline void handoff_send(struct worker *worker, unsigned owner, struct handoff handoff)
{
    handoff.frame->hash.fdir.hi = round_time_stamp(worker->now_tsc);
    handoff_send_on(worker, owner, handoff);
}

static inline struct handoff handoff_unsorted(struct rte_mbuf *frame)
{
    return (struct handoff){.frame = frame, .kind = HANDOFF_UNSORTED};
}

// A plain datagram, see enum handoff_kind. bucket: its number; tag: what it would have there.
static inline struct handoff handoff_client(enum ip_family family, struct rte_mbuf *frame,
                                            uint32_t bucket, uint16_t tag)
{
    return (struct handoff){
        .frame = frame,
        .place = bucket,
        .kind = HANDOFF_CLIENT,
        .family = (uint8_t)family,
        .tag = tag,
    };
}

void handoff_flush(struct worker *worker);
// Whether the ring to that worker is, with what is gathered for it.
bool handoff_is_half_empty(const struct worker *worker, unsigned owner);

// Frames that other workers handed to this one, at most WORKER_BURST. Their mbufs are being
// fetched; some time later handoff_fetch() fetches what is in them.
unsigned handoff_gather(struct worker *worker, struct handoff *ret_handed);
void handoff_fetch(const struct handoff *handed, unsigned count);
