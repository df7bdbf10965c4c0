// SPDX-License-Identifier: BSD-3-Clause
// What goes from a worker to the control plane.
#include "dataplane/punting.h"

#include "proto/stun.h"

#include <string.h>

void punt_message(struct worker *worker, const struct packet *packet,
                  const struct transport_address *client, uint16_t method, uint16_t message_len)
{
    struct punt punt;
    memset(&punt, 0, sizeof(punt));
    punt.kind = PUNT_MESSAGE;
    punt.worker = worker->id;
    punt.message.frame = packet->mbuf;
    punt.message.client.address = *client;
    punt.message.client.listener = packet->local;
    punt.message.message_offset =
        (uint16_t)(packet_payload(packet) - rte_pktmbuf_mtod(packet->mbuf, uint8_t *));
    punt.message.message_len = message_len;
    // Under overload, those who have an allocation keep it before others get one.
    bool is_late = method == STUN_METHOD_ALLOCATE &&
                   plane_punt_room(worker->plane, worker->id) < worker->config->punt_ring_len / 2;
    // What is removed is free only once it has been reported: that is not to wait for the flood's
    // end.
    bool is_pushing = worker->tables.reports.first != TABLE_NONE;
    if (is_late || is_pushing || plane_punt_send(worker->plane, worker->id, &punt) != 0) {
        worker_drop(worker, packet->mbuf, DROP_PUNT_FULL);
        return;
    }
    worker_count(worker, COUNTER_PUNTED);
}

void punt_reports(struct worker *worker)
{
    struct punt punt;
    while (removal_next_report(&worker->tables, &punt)) {
        punt.worker = worker->id;
        if (plane_punt_send(worker->plane, worker->id, &punt) != 0)
            return;
        removal_reported(&worker->tables);
    }
}
