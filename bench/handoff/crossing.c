// SPDX-License-Identifier: BSD-3-Clause
// The floor of the hand-off.
#include "crossing.h"

#include "../fail.h"
#include "../macswap.h"
#include "exchange/plane.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#define BURST 64

static void take_over(const struct plane *plane, uint16_t worker)
{
    struct handoff handed[BURST];
    struct rte_mbuf *frames[BURST];
    unsigned count = rte_ring_sc_dequeue_burst_elem(plane->handoffs[worker ^ 1][worker], handed,
                                                    sizeof(handed[0]), BURST, NULL);
    for (unsigned i = 0; i < count; i++) {
        frames[i] = handed[i].frame;
        rte_prefetch0(frames[i]);
    }
    macswap_send(worker, frames, (uint16_t)count);
}

static void receive(const struct plane *plane, uint16_t worker)
{
    struct rte_mbuf *frames[BURST];
    struct handoff others[BURST];
    unsigned own_count = 0, other_count = 0;
    uint16_t count = rte_eth_rx_burst(worker, 0, frames, BURST);
    for (uint16_t i = 0; i < count; i++) { // without a branch: right and wrong come in no order
        struct rte_mbuf *frame = frames[i];
        uint32_t is_other = frame->hash.usr ^ worker;
        frames[own_count] = frame;
        others[other_count] = (struct handoff){.frame = frame};
        own_count += is_other ^ 1;
        other_count += is_other;
    }
    if (other_count > 0 &&
        rte_ring_sp_enqueue_burst_elem(plane->handoffs[worker][worker ^ 1], others,
                                       sizeof(others[0]), other_count, NULL) != other_count)
        fail("crossing: the ring is full");
    macswap_send(worker, frames, (uint16_t)own_count);
}

void crossing_poll(const struct plane *plane, uint16_t worker)
{
    take_over(plane, worker);
    receive(plane, worker);
}
