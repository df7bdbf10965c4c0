// SPDX-License-Identifier: BSD-3-Clause
// See platform/port_facts.h.
#include "platform/port_facts.h"

#include <assert.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define SPREAD_BY_PORTS                                                                            \
    (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IPV6_UDP_EX)

struct port_fact *port_facts_add(struct port_facts *facts, const char *item)
{
    struct port_fact *fact = &facts->at[facts->count++];

    assert(facts->count <= PORT_FACTS_MAX);
    *fact = (struct port_fact){.item = item};
    return fact;
}

static void format_link(const struct rte_eth_link *link, char text[PORT_FACT_TEXT_LEN])
{
    const char *state = link->link_status == RTE_ETH_LINK_UP ? "up" : "down";

    if (link->link_speed == RTE_ETH_SPEED_NUM_UNKNOWN || link->link_speed == RTE_ETH_SPEED_NUM_NONE)
        snprintf(text, PORT_FACT_TEXT_LEN, "%s", state);
    else
        snprintf(text, PORT_FACT_TEXT_LEN, "%s, %u Mbit/s", state, link->link_speed);
}

void port_facts_add_device(struct port_facts *facts, uint16_t port, const char *name)
{
    struct port_fact *fact = port_facts_add(facts, "device");
    struct rte_eth_dev_info info = {};
    struct rte_ether_addr mac = {};
    struct rte_eth_link link = {};

    (void)rte_eth_dev_info_get(port, &info);
    (void)rte_eth_macaddr_get(port, &mac);
    (void)rte_eth_link_get_nowait(port, &link);
    snprintf(fact->found, sizeof(fact->found), "%s", name);
    fact = port_facts_add(facts, "driver");
    snprintf(fact->found, sizeof(fact->found), "%s", info.driver_name ? info.driver_name : "");
    fact = port_facts_add(facts, "mac");
    snprintf(fact->found, sizeof(fact->found), "%02x:%02x:%02x:%02x:%02x:%02x", mac.addr_bytes[0],
             mac.addr_bytes[1], mac.addr_bytes[2], mac.addr_bytes[3], mac.addr_bytes[4],
             mac.addr_bytes[5]);
    format_link(&link, port_facts_add(facts, "link")->found);
}

static void format_node(int node, char text[PORT_FACT_TEXT_LEN])
{
    if (node < 0)
        snprintf(text, PORT_FACT_TEXT_LEN, "any node");
    else
        snprintf(text, PORT_FACT_TEXT_LEN, "node %d", node);
}

void port_facts_add_memory(struct port_facts *facts, bool hugepages, int device_node, int pool_node,
                           unsigned away)
{
    struct port_fact *fact = port_facts_add(facts, "hugepages");

    snprintf(fact->used, sizeof(fact->used), hugepages ? "yes" : "no");
    fact = port_facts_add(facts, "numa");
    if (device_node >= 0)
        format_node(device_node, fact->found);
    format_node(pool_node, fact->used);
    if (device_node < 0)
        snprintf(fact->why, sizeof(fact->why), "the device is on none");
    else if (!hugepages)
        snprintf(fact->why, sizeof(fact->why), "without hugepages it is the kernel that chooses");
    else if (pool_node < 0)
        snprintf(fact->why, sizeof(fact->why), "the device's node has too little memory free");
    else if (pool_node != device_node)
        snprintf(fact->why, sizeof(fact->why), "packet buffers are where the first device is");
    else if (away > 0)
        snprintf(fact->why, sizeof(fact->why),
                 "the device's; CPUs of %u workers are elsewhere: see the setting cpus", away);
    else
        snprintf(fact->why, sizeof(fact->why), "packet buffers and rings are where the device is");
}

void port_facts_add_steering(struct port_facts *facts)
{
    struct port_fact *fact = port_facts_add(facts, "steering");

    snprintf(fact->used, sizeof(fact->used), "hand-off");
    snprintf(fact->why, sizeof(fact->why), "a packet for another worker's port goes there by ring");
}

const char *port_facts_format_rss(uint64_t functions, char *text)
{
    static const struct {
        uint64_t function;
        const char *name;
    } names[] = {
        {RTE_ETH_RSS_IPV4, "ipv4"},
        {RTE_ETH_RSS_FRAG_IPV4, "ipv4_frag"},
        {RTE_ETH_RSS_NONFRAG_IPV4_OTHER, "ipv4_other"},
        {RTE_ETH_RSS_NONFRAG_IPV4_UDP, "ipv4_udp"},
        {RTE_ETH_RSS_IPV6, "ipv6"},
        {RTE_ETH_RSS_FRAG_IPV6, "ipv6_frag"},
        {RTE_ETH_RSS_NONFRAG_IPV6_OTHER, "ipv6_other"},
        {RTE_ETH_RSS_IPV6_EX, "ipv6_ex"},
        {RTE_ETH_RSS_NONFRAG_IPV6_UDP, "ipv6_udp"},
        {RTE_ETH_RSS_IPV6_UDP_EX, "ipv6_udp_ex"},
    };
    size_t len = 0;

    *text = '\0';
    for (unsigned i = 0; i < RTE_DIM(names); i++) {
        if (functions & names[i].function)
            len += (size_t)snprintf(text + len, PORT_FACT_TEXT_LEN - len, "%s%s", len ? " " : "",
                                    names[i].name);
    }
    return text;
}

void port_facts_add_queues(struct port_facts *facts, const struct rte_eth_dev_info *info,
                           uint16_t queue_count)
{
    struct port_fact *fact = port_facts_add(facts, "queues");

    snprintf(fact->found, sizeof(fact->found), "%u",
             RTE_MIN(info->max_rx_queues, info->max_tx_queues));
    snprintf(fact->used, sizeof(fact->used), "%u", queue_count);
    snprintf(fact->why, sizeof(fact->why), "a pair for each worker");
}

// What the device says once it runs; not every driver does.
static uint64_t spread_in_use(uint16_t port, uint64_t asked)
{
    struct rte_eth_rss_conf rss = {};

    if (!asked)
        return 0;
    return rte_eth_dev_rss_hash_conf_get(port, &rss) == 0 ? rss.rss_hf : asked;
}

void port_facts_add_spread(struct port_facts *facts, uint16_t port,
                           const struct rte_eth_dev_info *info,
                           const struct rte_eth_conf *configuration, uint16_t queue_count)
{
    struct port_fact *fact = port_facts_add(facts, "rss");
    uint64_t used = spread_in_use(port, configuration->rx_adv_conf.rss_conf.rss_hf);
    const char *why = "by addresses and ports: clients behind one NAT come to different workers";

    port_facts_format_rss(info->flow_type_rss_offloads, fact->found);
    port_facts_format_rss(used, fact->used);
    if (queue_count == 1)
        why = "there is one worker";
    else if (!used)
        why = "the device has its own way, or one queue gets all: workers hand on what is others'";
    else if (!(used & SPREAD_BY_PORTS))
        why = "the device knows no UDP: clients behind one NAT come to one worker";
    if (!*fact->found)
        snprintf(fact->found, sizeof(fact->found), "none");
    if (!used)
        snprintf(fact->used, sizeof(fact->used), "no");
    snprintf(fact->why, sizeof(fact->why), "%s", why);
}

static void format_checksums(bool ip, bool udp, const char *neither, char text[PORT_FACT_TEXT_LEN])
{
    snprintf(text, PORT_FACT_TEXT_LEN, "%s%s%s", ip ? "ipv4" : "", ip && udp ? " " : "",
             udp ? "udp" : "");
    if (!ip && !udp)
        snprintf(text, PORT_FACT_TEXT_LEN, "%s", neither);
}

static void format_rx_checksums(uint64_t offloads, const char *neither,
                                char text[PORT_FACT_TEXT_LEN])
{
    format_checksums(offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM,
                     offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM, neither, text);
}

void port_facts_add_checksums(struct port_facts *facts, const struct rte_eth_dev_info *info,
                              const struct rte_eth_conf *configuration)
{
    struct port_fact *fact = port_facts_add(facts, "rx_checksums");
    uint64_t tx = info->tx_offload_capa, used = configuration->rxmode.offloads;
    bool asked = used & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);

    format_rx_checksums(info->rx_offload_capa, "none", fact->found);
    format_rx_checksums(used, "software", fact->used);
    snprintf(fact->why, sizeof(fact->why), "%s",
             asked ? "the device's verdict on IP headers and requests; media keeps its sender's sum"
                   : "a virtual device that is asked for a verdict may leave out the sum");
    fact = port_facts_add(facts, "tx_checksums");
    format_checksums(tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM, "none",
                     fact->found);
    snprintf(fact->used, sizeof(fact->used), "software");
    snprintf(fact->why, sizeof(fact->why),
             "sums are changed by what changes, which is less than to ask for one");
}

void port_facts_add_vlan(struct port_facts *facts, uint16_t id, const struct rte_eth_dev_info *info,
                         const struct rte_eth_conf *configuration)
{
    struct port_fact *fact = port_facts_add(facts, "vlan");
    uint64_t rx = info->rx_offload_capa, tx = info->tx_offload_capa;
    bool strips = configuration->rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
    bool inserts = configuration->txmode.offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT;

    snprintf(fact->found, sizeof(fact->found), "%s%s%s",
             rx & RTE_ETH_RX_OFFLOAD_VLAN_STRIP ? "strip " : "",
             tx & RTE_ETH_TX_OFFLOAD_VLAN_INSERT ? "insert " : "",
             rx & RTE_ETH_RX_OFFLOAD_VLAN_FILTER ? "filter" : "");
    if (id == 0) {
        snprintf(fact->used, sizeof(fact->used), "none");
        snprintf(fact->why, sizeof(fact->why), "frames with a tag are the kernel's");
        return;
    }
    snprintf(fact->used, sizeof(fact->used), "%u", id);
    snprintf(fact->why, sizeof(fact->why), "as configured: tags come off by %s and on by %s",
             strips ? "the device" : "software", inserts ? "the device" : "software");
}

void port_facts_add_mtu(struct port_facts *facts, uint16_t own, uint16_t limit, uint16_t used)
{
    struct port_fact *fact = port_facts_add(facts, "mtu");
    const char *why = "as configured";

    if (used == own)
        why = "the device's";
    else if (used == limit)
        why = "more does not fit";
    snprintf(fact->found, sizeof(fact->found), "%u, at most %u", own, limit);
    snprintf(fact->used, sizeof(fact->used), "%u", used);
    snprintf(fact->why, sizeof(fact->why), "%s", why);
}
