// SPDX-License-Identifier: BSD-3-Clause
// Tags by DPDK's hooks around the bursts of a port: rte_eth_rx_burst() looks for them anyway. What
// the device takes off or puts on itself is left to it, frame by frame, for drivers differ in what
// they do without being asked.
#include "platform/vlan.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <stdlib.h>

struct edge {
    uint16_t id;
    bool device_inserts;
    struct worker_counters *counters;
    const struct rte_eth_rxtx_callback *receive;
    const struct rte_eth_rxtx_callback *transmit;
};

struct vlan {
    uint16_t port;
    uint16_t queue_count;
    struct edge edges[];
};

// False: there was none. Where it was software that took it off, its bytes count as received.
static bool take_tag(struct edge *edge, struct rte_mbuf *frame)
{
    if (frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
        return true;
    if (rte_pktmbuf_data_len(frame) < RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN ||
        rte_vlan_strip(frame) != 0)
        return false;
    edge->counters->counters[COUNTER_RX_BYTES] += RTE_VLAN_HLEN;
    return true;
}

// The worker that receives never sees the frame, so it is accounted for here, on its thread.
static void drop(struct edge *edge, struct rte_mbuf *frame)
{
    edge->counters->counters[COUNTER_RX_PACKETS]++;
    edge->counters->counters[COUNTER_RX_BYTES] += rte_pktmbuf_pkt_len(frame);
    edge->counters->drops[DROP_OTHER_VLAN]++;
    rte_pktmbuf_free(frame);
}

static uint16_t receive(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count,
                        uint16_t max, void *context)
{
    struct edge *edge = context;
    uint16_t kept = 0;

    (void)port;
    (void)queue;
    (void)max;
    for (uint16_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = frames[i];

        if (take_tag(edge, frame) && (frame->vlan_tci & RTE_VLAN_ID_MASK) == edge->id)
            frames[kept++] = frame;
        else
            drop(edge, frame);
    }
    return kept;
}

static bool put_tag(struct edge *edge, struct rte_mbuf **frame)
{
    (*frame)->vlan_tci = edge->id;
    if (edge->device_inserts) {
        (*frame)->ol_flags |= RTE_MBUF_F_TX_VLAN;
        return true;
    }
    if (rte_vlan_insert(frame) != 0)
        return false;
    edge->counters->counters[COUNTER_TX_BYTES] += RTE_VLAN_HLEN;
    return true;
}

// A frame without room for a tag goes behind the others, and back to the worker as one that the
// port has not taken.
static uint16_t transmit(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count,
                         void *context)
{
    struct edge *edge = context;
    uint16_t ready = 0;

    (void)port;
    (void)queue;
    for (uint16_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = frames[i];

        if (!put_tag(edge, &frame))
            continue;
        frames[i] = frames[ready];
        frames[ready++] = frame;
    }
    return ready;
}

static int hook(uint16_t port, uint16_t queue, struct edge *edge)
{
    edge->receive = rte_eth_add_rx_callback(port, queue, receive, edge);
    edge->transmit = rte_eth_add_tx_callback(port, queue, transmit, edge);
    return edge->receive && edge->transmit ? 0 : -ENOMEM;
}

int vlan_create(const struct vlan_config *config, struct vlan **ret_vlan)
{
    struct vlan *vlan =
        calloc(1, sizeof(*vlan) + (size_t)config->queue_count * sizeof(vlan->edges[0]));
    int error = 0;

    if (!vlan)
        return -ENOMEM;
    vlan->port = config->port;
    for (; !error && vlan->queue_count < config->queue_count; vlan->queue_count++) {
        struct edge *edge = &vlan->edges[vlan->queue_count];

        *edge = (struct edge){.id = config->id,
                              .device_inserts = config->device_inserts,
                              .counters = &config->counters[vlan->queue_count]};
        error = hook(vlan->port, vlan->queue_count, edge);
    }
    if (error) {
        vlan_destroy(vlan);
        return error;
    }
    *ret_vlan = vlan;
    return 0;
}

// Whoever takes a hook away has to free it.
static void unhook(uint16_t port, uint16_t queue, const struct edge *edge)
{
    if (edge->receive && rte_eth_remove_rx_callback(port, queue, edge->receive) == 0)
        rte_free((void *)(uintptr_t)edge->receive);
    if (edge->transmit && rte_eth_remove_tx_callback(port, queue, edge->transmit) == 0)
        rte_free((void *)(uintptr_t)edge->transmit);
}

void vlan_destroy(struct vlan *vlan)
{
    for (uint16_t queue = 0; queue < vlan->queue_count; queue++)
        unhook(vlan->port, queue, &vlan->edges[queue]);
    free(vlan);
}
