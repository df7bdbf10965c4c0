// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way out, gathered and sent together; what the port refuses is dropped and
// counted. Of two ports a frame leaves by the one that its mbuf->port says: that of its adjacency,
// or, of an answer made of what came, the one that it came by.
#pragma once

#include "dataplane/worker_state.h"

void transmit_flush(struct worker *worker);

// The same as transmit(), for a full queue, which is sent first.
void transmit_behind(struct worker *worker, struct rte_mbuf *frame);

// Room for so many in the queue, WORKER_TX_MOST at most.
static inline void transmit_reserve(struct worker *worker, unsigned count)
{
    if (unlikely(worker->tx.count + count > WORKER_TX_MOST))
        transmit_flush(worker);
}

// The frame is gone for the caller.
static inline void transmit(struct worker *worker, struct rte_mbuf *frame)
{
    unsigned count = worker->tx.count;
    if (unlikely(count == WORKER_TX_MOST)) {
        transmit_behind(worker, frame);
        return;
    }
    worker->tx.frames[count] = frame;
    worker->tx.count = count + 1;
    worker->tx_bytes += rte_pktmbuf_pkt_len(frame);
}

// The same for many, for which there is room: where the first goes, the others behind it.
static inline struct rte_mbuf **transmit_begin(struct worker *worker)
{
    return worker->tx.frames + worker->tx.count;
}

// How many are up to there.
static inline unsigned transmit_count(const struct worker *worker, struct rte_mbuf *const *end)
{
    return (unsigned)(end - worker->tx.frames) - worker->tx.count;
}

// They are gone for the caller, and are so many bytes.
static inline void transmit_end(struct worker *worker, struct rte_mbuf *const *end, uint64_t bytes)
{
    worker->tx.count = (unsigned)(end - worker->tx.frames);
    worker->tx_bytes += bytes;
}
