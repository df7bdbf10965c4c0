// SPDX-License-Identifier: BSD-3-Clause
// A port without a wire, behind the table that the EAL's receive and transmit functions go through.
#include "port.h"

#include "fail.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

// What a driver writes: the first cache line of the mbuf. The packet's bytes it leaves alone.
static uint16_t receive(void *queue, struct rte_mbuf **ret_frames, uint16_t count)
{
    struct port *port = queue;
    uint32_t left = port->arrival_count - port->delivered;
    uint32_t received = RTE_MIN(RTE_MIN((uint32_t)count, port->burst), left);
    const struct port_arrival *arrivals = port->arrivals + port->delivered;
    for (uint32_t i = 0; i < received; i++) {
        struct rte_mbuf *frame = arrivals[i].frame;
        frame->data_off = RTE_PKTMBUF_HEADROOM;
        frame->refcnt = 1;
        frame->nb_segs = 1;
        frame->port = port->id;
        frame->ol_flags = port->rx_flags;
        frame->vlan_tci = port->rx_tag;
        frame->packet_type = 0;
        frame->pkt_len = arrivals[i].len;
        frame->data_len = arrivals[i].len;
        ret_frames[i] = frame;
    }
    port->delivered += received;
    return (uint16_t)received;
}

static uint16_t transmit(void *queue, struct rte_mbuf **frames, uint16_t count)
{
    struct port *port = queue;
    if (count > port->sent_capacity - port->sent_count)
        fail("more frames were sent than were received");
    memcpy(port->sent + port->sent_count, frames, count * sizeof(*frames));
    port->sent_count += count;
    return count;
}

void port_open(struct port *port, uint16_t id, uint32_t capacity)
{
    struct rte_eth_fp_ops *functions = &rte_eth_fp_ops[id];
    memset(port, 0, sizeof(*port));
    port->sent = calloc(capacity, sizeof(struct rte_mbuf *));
    if (port->sent == NULL)
        fail("out of memory");
    port->sent_capacity = capacity;
    port->id = id;
    port->queues[0] = port;
    functions->rx_pkt_burst = receive;
    functions->tx_pkt_burst = transmit;
    functions->rxq = (struct rte_ethdev_qdata){port->queues, port->callbacks};
    functions->txq = (struct rte_ethdev_qdata){port->queues, port->callbacks};
}

void port_close(struct port *port)
{
    free(port->sent);
}

void port_load(struct port *port, const struct port_arrival *arrivals, uint32_t count,
               uint32_t burst)
{
    port->arrivals = arrivals;
    port->arrival_count = count;
    port->delivered = 0;
    port->burst = burst;
    port->sent_count = 0;
}
