// SPDX-License-Identifier: BSD-3-Clause
// Datagrams from one relayed address of this server to another.
#include "dataplane/hairpin.h"

#include "dataplane/handoff.h"

// turned never overflows: a burst adds at most one frame for each of its own, and what has been
// turned is looked up before the next burst.
void hairpin_turn(struct worker *worker, struct rte_mbuf *frame, uint16_t port_be)
{
    frame->port = PACKET_PORT_LOCAL;
    worker_count(worker, COUNTER_HAIRPIN);
    unsigned owner = port_slice_worker(__builtin_bswap16(port_be), worker->config->worker_count);
    if (owner == worker->id)
        worker->turned.frames[worker->turned.count++] = frame;
    else
        handoff_send(worker, owner, handoff_unsorted(frame));
}
