// SPDX-License-Identifier: BSD-3-Clause
// Frames handed between workers, gathered for each owner so that a ring is touched once a poll.
#include "dataplane/handoff.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>

void handoff_flush_to(struct worker *worker, unsigned owner)
{
    struct worker_handoffs *queue = &worker->handoffs[owner];
    if (queue->count == 0)
        return;
    unsigned sent =
        rte_ring_sp_enqueue_burst_elem(worker->plane->handoffs[worker->id][owner], queue->at,
                                       sizeof(struct handoff), queue->count, NULL);
    worker_count_add(worker, COUNTER_HANDOFF_OUT, sent);
    for (unsigned i = sent; i < queue->count; i++)
        worker_drop(worker, queue->at[i].frame, DROP_HANDOFF_FULL);
    queue->count = 0;
}

bool handoff_is_half_empty(const struct worker *worker, unsigned owner)
{
    const struct rte_ring *ring = worker->plane->handoffs[worker->id][owner];
    return rte_ring_count(ring) + worker->handoffs[owner].count <= rte_ring_get_capacity(ring) / 2;
}

void handoff_flush(struct worker *worker)
{
    for (unsigned owner = 0; owner < worker->config->worker_count; owner++)
        handoff_flush_to(worker, owner);
}

// Another core wrote them last, and this one will write them: their lines are asked for as its own.
static unsigned receive(struct worker *worker, unsigned from, unsigned max,
                        struct handoff *ret_handed)
{
    unsigned count = rte_ring_sc_dequeue_burst_elem(worker->plane->handoffs[from][worker->id],
                                                    ret_handed, sizeof(*ret_handed), max, NULL);
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(ret_handed[i].frame, 1);
    worker_count_add(worker, COUNTER_HANDOFF_IN, count);
    return count;
}

// Each is the first by turns, so that none that always has a burst keeps the others waiting.
unsigned handoff_gather(struct worker *worker, struct handoff *ret_handed)
{
    unsigned worker_count = worker->config->worker_count, count = 0;
    unsigned from = worker->handoff_first;
    worker->handoff_first = (uint16_t)(from + 1 == worker_count ? 0 : from + 1);
    for (unsigned i = 0; i < worker_count && count < WORKER_BURST; i++) {
        if (from != worker->id)
            count += receive(worker, from, WORKER_BURST - count, ret_handed + count);
        from = from + 1 == worker_count ? 0 : from + 1;
    }
    return count;
}
