// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way out, gathered and sent together.
#include "dataplane/transmit.h"

#include <rte_ethdev.h>

// The bytes of what the port refuses are taken off what is in the queue.
static void send_burst(struct worker *worker, uint16_t port, struct rte_mbuf **frames,
                       unsigned count)
{
    unsigned sent = rte_eth_tx_burst(port, worker->queue, frames, (uint16_t)count);
    for (unsigned i = sent; i < count; i++) {
        worker->tx_bytes -= rte_pktmbuf_pkt_len(frames[i]);
        worker_drop(worker, frames[i], DROP_TX_FULL);
    }
    worker_count_add(worker, COUNTER_TX_PACKETS, sent);
}

// In their order, each by its own port. A port is not asked where there is nothing for it.
static __rte_noinline void send_by_port(struct worker *worker, struct worker_tx *tx)
{
    struct rte_mbuf *relay[WORKER_TX_MOST];
    unsigned relay_count = 0, count = 0;
    for (unsigned i = 0; i < tx->count; i++) {
        struct rte_mbuf *frame = tx->frames[i];
        bool is_relay = frame->port == worker->relay_port;
        relay[relay_count] = frame;
        tx->frames[count] = frame;
        relay_count += is_relay;
        count += !is_relay;
    }
    if (count > 0)
        send_burst(worker, worker->port, tx->frames, count);
    if (relay_count > 0)
        send_burst(worker, worker->relay_port, relay, relay_count);
}

void transmit_flush(struct worker *worker)
{
    struct worker_tx *tx = &worker->tx;
    if (tx->count == 0)
        return;
    if (unlikely(worker_has_two_ports(worker)))
        send_by_port(worker, tx);
    else
        send_burst(worker, worker->port, tx->frames, tx->count);
    worker_count_add(worker, COUNTER_TX_BYTES, worker->tx_bytes);
    tx->count = 0;
    worker->tx_bytes = 0;
}

void transmit_behind(struct worker *worker, struct rte_mbuf *frame)
{
    transmit_flush(worker);
    transmit(worker, frame);
}
