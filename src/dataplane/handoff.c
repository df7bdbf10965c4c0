// SPDX-License-Identifier: BSD-3-Clause
// Frames handed between workers, gathered for each owner so that a ring is touched once a poll.
#include "dataplane/handoff.h"

#include <rte_prefetch.h>
#include <rte_ring.h>

static void flush_to(struct worker *worker, unsigned owner)
{
    struct worker_queue *queue = &worker->handoffs[owner];
    if (queue->count == 0)
        return;
    unsigned sent = rte_ring_sp_enqueue_burst(worker->plane->handoffs[worker->id][owner],
                                              (void **)queue->frames, queue->count, NULL);
    worker_count_add(worker, COUNTER_HANDOFF_OUT, sent);
    for (unsigned i = sent; i < queue->count; i++)
        worker_drop(worker, queue->frames[i], DROP_HANDOFF_FULL);
    queue->count = 0;
}

void handoff_send_behind(struct worker *worker, unsigned owner, struct rte_mbuf *frame)
{
    flush_to(worker, owner);
    handoff_send(worker, owner, frame);
}

bool handoff_is_half_empty(const struct worker *worker, unsigned owner)
{
    const struct rte_ring *ring = worker->plane->handoffs[worker->id][owner];
    return rte_ring_count(ring) + worker->handoffs[owner].count <= rte_ring_get_capacity(ring) / 2;
}

void handoff_flush(struct worker *worker)
{
    for (unsigned owner = 0; owner < worker->config->worker_count; owner++)
        flush_to(worker, owner);
}

unsigned handoff_receive(struct worker *worker, unsigned from, struct rte_mbuf **ret_frames)
{
    unsigned count = rte_ring_sc_dequeue_burst(worker->plane->handoffs[from][worker->id],
                                               (void **)ret_frames, WORKER_BURST, NULL);
    // Another core wrote them last.
    for (unsigned i = 0; i < count; i++)
        rte_prefetch0(ret_frames[i]);
    worker_count_add(worker, COUNTER_HANDOFF_IN, count);
    return count;
}
