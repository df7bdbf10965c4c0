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
    __asm__("" : "+r"(queue)); // or it is computed once for each of its members
    if (unlikely(queue->count == WORKER_BURST))
        handoff_flush_to(worker, owner);
    queue->at[queue->count++] = handoff;
}

// Of one that this worker received in this round.
static inline uint32_t handoff_stamp(const struct worker *worker)
{
    return round_time_stamp(worker->now_tsc);
}

static inline void handoff_send_stamped(struct worker *worker, unsigned owner,
                                        struct handoff handoff, uint32_t stamp)
{
    handoff.frame->hash.fdir.hi = stamp;
    handoff_send_on(worker, owner, handoff);
}

// The frame is gone for the caller. owner is another worker.
static inline void handoff_send(struct worker *worker, unsigned owner, struct handoff handoff)
{
    handoff_send_stamped(worker, owner, handoff, handoff_stamp(worker));
}

static inline struct handoff handoff_unsorted(struct rte_mbuf *frame)
{
    return (struct handoff){.frame = frame, .kind = HANDOFF_UNSORTED};
}

static __rte_always_inline enum handoff_kind handoff_client_kind(enum ip_family family)
{
    return family == IP_FAMILY_V4 ? HANDOFF_CLIENT_V4 : HANDOFF_CLIENT_V6;
}

static __rte_always_inline enum handoff_kind handoff_peer_kind(enum ip_family family)
{
    return family == IP_FAMILY_V4 ? HANDOFF_PEER_V4 : HANDOFF_PEER_V6;
}

// Not a plain datagram of that family.
static __rte_always_inline bool handoff_is_other(const struct handoff *handoff,
                                                 enum ip_family family)
{
    return handoff->kind != handoff_client_kind(family) &&
           handoff->kind != handoff_peer_kind(family);
}

// A plain datagram, see enum handoff_kind. bucket: its number; tag: what it would have there.
static inline struct handoff handoff_client(enum ip_family family, struct rte_mbuf *frame,
                                            uint32_t bucket, uint16_t tag)
{
    return (struct handoff){
        .frame = frame,
        .place = bucket,
        .tag = tag,
        .kind = (uint16_t)handoff_client_kind(family),
    };
}

// The same. slot: its number.
static inline struct handoff handoff_peer(enum ip_family family, struct rte_mbuf *frame,
                                          uint32_t slot)
{
    return (struct handoff){
        .frame = frame,
        .place = slot,
        .kind = (uint16_t)handoff_peer_kind(family),
    };
}

void handoff_flush(struct worker *worker);
// Whether the ring to that worker is, with what is gathered for it.
bool handoff_is_half_empty(const struct worker *worker, unsigned owner);

// Frames that other workers handed to this one, at most WORKER_BURST. Their mbufs are being
// fetched, what is in them is not.
unsigned handoff_gather(struct worker *worker, struct handoff *ret_handed);
