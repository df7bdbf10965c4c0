// SPDX-License-Identifier: BSD-3-Clause
// See platform/port_facts.h.
#include "platform/port_facts.h"

#include <assert.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

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

void port_facts_add_memory(struct port_facts *facts, int device_node, int pool_node, unsigned away)
{
    struct port_fact *fact = port_facts_add(facts, "hugepages");

    snprintf(fact->used, sizeof(fact->used), rte_eal_has_hugepages() ? "yes" : "no");
    fact = port_facts_add(facts, "numa");
    if (device_node >= 0)
        format_node(device_node, fact->found);
    format_node(pool_node, fact->used);
    if (device_node < 0)
        snprintf(fact->why, sizeof(fact->why), "the device is on none");
    else if (pool_node != device_node)
        snprintf(fact->why, sizeof(fact->why), "the device's node has too little memory free");
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
