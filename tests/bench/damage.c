// SPDX-License-Identifier: BSD-3-Clause
// A relay that errs, linked in the place of the right one, and a router: what leaves a burst is
// damaged as DAMAGE says, so that a test sees whether the benchmark notices.
#include "dataplane/burst.h"
#include "l3fwd.h"
#include "port.h"

#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>

void __real_burst_process(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                          bool may_hand_on);
void __wrap_burst_process(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                          bool may_hand_on);

void __real_l3fwd_poll(const struct l3fwd *l3fwd);
void __wrap_l3fwd_poll(const struct l3fwd *l3fwd);

static void flip(struct rte_mbuf *frame, unsigned offset)
{
    rte_pktmbuf_mtod(frame, uint8_t *)[offset] ^= 1;
}

void __wrap_burst_process(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                          bool may_hand_on)
{
    const char *damage = getenv("DAMAGE");
    struct worker_tx *tx = &worker->tx;
    __real_burst_process(worker, frames, count, may_hand_on);
    if (damage == NULL || tx->count == 0)
        return;
    struct rte_mbuf *frame = tx->frames[tx->count - 1];
    if (strcmp(damage, "mac") == 0)
        flip(frame, 5);
    else if (strcmp(damage, "ttl") == 0)
        flip(frame, 14 + 8);
    else if (strcmp(damage, "port") == 0)
        flip(frame, 14 + 20 + 3);
    else if (strcmp(damage, "checksum") == 0)
        flip(frame, 14 + 20 + 6);
    else if (strcmp(damage, "payload") == 0)
        flip(frame, frame->data_len - 1u);
    else if (strcmp(damage, "length") == 0)
        frame->data_len--, frame->pkt_len--;
    else if (strcmp(damage, "lost") == 0)
        tx->count--;
    else if (strcmp(damage, "twice") == 0)
        tx->frames[0] = frame;
    else if (strcmp(damage, "dropped") == 0)
        worker->counters->drops[DROP_NO_PERMISSION]++;
    else if (strcmp(damage, "uncounted") == 0)
        worker->counters->counters[COUNTER_TO_PEER_BYTES]--;
}

void __wrap_l3fwd_poll(const struct l3fwd *l3fwd)
{
    const char *damage = getenv("DAMAGE");
    struct port *port = *rte_eth_fp_ops[PORT_ID].txq.data;
    __real_l3fwd_poll(l3fwd);
    if (damage == NULL)
        return;
    struct rte_mbuf *frame = port->sent[port->sent_count - 1];
    if (strcmp(damage, "router's mac") == 0)
        flip(frame, 5);
    else if (strcmp(damage, "router's ttl") == 0)
        flip(frame, 14 + 8);
    else if (strcmp(damage, "router's header checksum") == 0)
        flip(frame, 14 + 11);
    else if (strcmp(damage, "router's length") == 0)
        frame->data_len--, frame->pkt_len--;
    else if (strcmp(damage, "router's lost") == 0)
        port->sent_count--;
}
