// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way out, gathered and sent together.
#include "dataplane/transmit.h"

#include <rte_ethdev.h>

void transmit_flush(struct worker *worker)
{
    struct worker_queue *tx = &worker->tx;
    if (tx->count == 0)
        return;
    uint64_t bytes = worker->tx_bytes;
    unsigned sent = rte_eth_tx_burst(worker->port, worker->queue, tx->frames, (uint16_t)tx->count);
    for (unsigned i = sent; i < tx->count; i++) {
        bytes -= rte_pktmbuf_pkt_len(tx->frames[i]);
        worker_drop(worker, tx->frames[i], DROP_TX_FULL);
    }
    worker_count_add(worker, COUNTER_TX_PACKETS, sent);
    worker_count_add(worker, COUNTER_TX_BYTES, bytes);
    tx->count = 0;
    worker->tx_bytes = 0;
}

void transmit_behind(struct worker *worker, struct rte_mbuf *frame)
{
    transmit_flush(worker);
    transmit(worker, frame);
}
