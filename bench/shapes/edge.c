// SPDX-License-Identifier: BSD-3-Clause
// The relay's own hooks, on a port that has no wire.
#include "edge.h"

#include "../fail.h"
#include "platform/vlan.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

static struct vlan *vlan; // NULL: on none
static enum edge_tag current;

static void start_device(const struct traffic *traffic)
{
    const struct rte_eth_conf configuration = {};
    uint16_t id;
    if (rte_eal_hotplug_add("vdev", "net_ring0", "") != 0 ||
        rte_eth_dev_get_port_by_name("net_ring0", &id) != 0 || id != PORT_ID ||
        rte_eth_dev_configure(id, 1, 1, &configuration) != 0 ||
        rte_eth_rx_queue_setup(id, 0, 128, SOCKET_ID_ANY, NULL, traffic->pool) != 0 ||
        rte_eth_tx_queue_setup(id, 0, 128, SOCKET_ID_ANY, NULL) != 0 || rte_eth_dev_start(id) != 0)
        fail("no device that hooks can be put on");
}

void edge_open(struct port *port, const struct traffic *traffic, uint32_t capacity)
{
    struct rte_eth_fp_ops *functions = &rte_eth_fp_ops[PORT_ID];
    start_device(traffic);
    void **receive_hooks = functions->rxq.clbk, **transmit_hooks = functions->txq.clbk;
    port_open(port, PORT_ID, capacity);
    functions->rxq.clbk = receive_hooks;
    functions->txq.clbk = transmit_hooks;
}

void edge_join(struct port *port, struct traffic *traffic, enum edge_tag tag,
               struct worker_counters *counters)
{
    const struct vlan_config config = {
        .port = PORT_ID,
        .queue_count = 1,
        .id = EDGE_VLAN,
        .device_inserts = tag == EDGE_BY_DEVICE,
        .counters = counters,
    };
    current = tag;
    if (tag == EDGE_UNTAGGED)
        return;
    if (vlan_create(&config, &vlan) != 0)
        fail("no hooks");
    traffic->tag = tag == EDGE_BY_SOFTWARE ? EDGE_VLAN : 0;
    if (tag == EDGE_BY_DEVICE) {
        port->rx_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
        port->rx_tag = EDGE_VLAN;
    }
}

void edge_leave(struct port *port, struct traffic *traffic)
{
    if (vlan != NULL)
        vlan_destroy(vlan);
    vlan = NULL;
    current = EDGE_UNTAGGED;
    traffic->tag = 0;
    port->rx_flags = 0;
    port->rx_tag = 0;
}

static bool bears_its_tag(struct rte_mbuf *frame)
{
    if (current == EDGE_BY_SOFTWARE)
        return rte_vlan_strip(frame) == 0 && frame->vlan_tci == EDGE_VLAN;
    return (frame->ol_flags & RTE_MBUF_F_TX_VLAN) != 0 && frame->vlan_tci == EDGE_VLAN;
}

static uint64_t counted(const struct worker_counters *before, const struct worker_counters *after,
                        enum counter counter)
{
    return after->counters[counter] - before->counters[counter];
}

void edge_check(const struct port *port, const struct traffic *traffic,
                const struct worker_counters *before, const struct worker_counters *after)
{
    uint64_t received = 0, sent = 0;
    if (current == EDGE_UNTAGGED)
        return;
    for (uint32_t i = 0; i < traffic->count; i++)
        received += traffic->arrivals[i].len;
    for (uint32_t i = 0; i < port->sent_count; i++) {
        sent += port->sent[i]->pkt_len;
        if (!bears_its_tag(port->sent[i]))
            fail("%s: a packet left without its tag", traffic->scenario->name);
    }
    if (counted(before, after, COUNTER_RX_BYTES) != received ||
        counted(before, after, COUNTER_TX_BYTES) != sent)
        fail("%s: tags are not counted", traffic->scenario->name);
}
