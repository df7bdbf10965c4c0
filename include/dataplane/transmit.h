// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way out, gathered and sent together; what the port refuses is dropped and
// counted.
#pragma once

#include "dataplane/worker_state.h"

void transmit_flush(struct worker *worker);

// The frame is gone for the caller.
static inline void transmit(struct worker *worker, struct rte_mbuf *frame)
{
    if (worker->tx.count == WORKER_BURST)
        transmit_flush(worker);
    worker->tx.frames[worker->tx.count++] = frame;
}
