// SPDX-License-Identifier: BSD-3-Clause
// Frames that landed on another worker than the owner of their relay port go to it by ring: most
// NICs cannot steer by port.
#pragma once

#include "dataplane/worker_state.h"

// The same as handoff_send(), for a full queue, which goes first.
void handoff_send_behind(struct worker *worker, unsigned owner, struct rte_mbuf *frame);

// The frame is gone for the caller. owner is another worker.
static inline void handoff_send(struct worker *worker, unsigned owner, struct rte_mbuf *frame)
{
    struct worker_queue *queue = &worker->handoffs[owner];
    unsigned count = queue->count;
    if (unlikely(count == WORKER_BURST)) {
        handoff_send_behind(worker, owner, frame);
        return;
    }
    queue->frames[count] = frame;
    queue->count = count + 1;
}

void handoff_flush(struct worker *worker);
// Whether the ring to that worker is, with what is gathered for it.
bool handoff_is_half_empty(const struct worker *worker, unsigned owner);

// Frames that other workers handed to this one, at most WORKER_BURST. Their mbufs are being fetched;
// some time later handoff_fetch() fetches what is in them.
unsigned handoff_gather(struct worker *worker, struct rte_mbuf **ret_frames);
void handoff_fetch(struct rte_mbuf **frames, unsigned count);
