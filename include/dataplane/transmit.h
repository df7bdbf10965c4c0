// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way out, gathered and sent together; what the port refuses is dropped and
// counted. Of two ports a frame leaves by the one that its mbuf->port says: that of its adjacency,
// or, of an answer made of what came, the one that it came by.
#pragma once

#include "dataplane/worker_state.h"

void transmit_flush(struct worker *worker);

// The same as transmit(), for a full queue, which is sent first.
void transmit_behind(struct worker *worker, struct rte_mbuf *frame);

// Room for so many in the queue, WORKER_BURST at most.
static inline void transmit_reserve(struct worker *worker, unsigned count)
{
    if (unlikely(worker->tx.count + count > WORKER_BURST))
        transmit_flush(worker);
}

// The frame is gone for the caller.
static inline void transmit(struct worker *worker, struct rte_mbuf *frame)
{
    unsigned count = worker->tx.count;
    if (unlikely(count == WORKER_BURST)) {
        transmit_behind(worker, frame);
        return;
    }
    worker->tx.frames[count] = frame;
    worker->tx.count = count + 1;
    worker->tx_bytes += rte_pktmbuf_pkt_len(frame);
}
