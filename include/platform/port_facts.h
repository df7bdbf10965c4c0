// SPDX-License-Identifier: BSD-3-Clause
// What was found of a device, what is used of it, and why: a row an item, for whoever reads the log
// or asks.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_eth_conf;
struct rte_eth_dev_info;

#define PORT_FACT_TEXT_LEN 120
#define PORT_FACTS_MAX     16

struct port_fact {
    const char *item;               // static, of [a-z_]
    char found[PORT_FACT_TEXT_LEN]; // "": nothing to say
    char used[PORT_FACT_TEXT_LEN];
    char why[PORT_FACT_TEXT_LEN];
};

struct port_facts {
    unsigned count;
    struct port_fact at[PORT_FACTS_MAX];
};

// What does not fit is cut. The row that was added, to be filled in.
struct port_fact *port_facts_add(struct port_facts *facts, const char *item);

// Rows that any ethdev has: device, driver, MAC address, link.
void port_facts_add_device(struct port_facts *facts, uint16_t port, const char *name);
// Where memory is, and of which kind; nodes negative: unknown, any. device: its node; pool: that of
// the buffers; away: how many workers have their CPU on another node than the device.
void port_facts_add_memory(struct port_facts *facts, bool hugepages, int device_node, int pool_node,
                           unsigned away);

void port_facts_add_steering(struct port_facts *facts);

// What a device has, by its info, and what it was configured to do.
void port_facts_add_queues(struct port_facts *facts, const struct rte_eth_dev_info *info,
                           uint16_t queue_count);
// The port runs: it may say more than was asked for.
void port_facts_add_spread(struct port_facts *facts, uint16_t port,
                           const struct rte_eth_dev_info *info,
                           const struct rte_eth_conf *configuration, uint16_t queue_count);
void port_facts_add_checksums(struct port_facts *facts, const struct rte_eth_dev_info *info,
                              const struct rte_eth_conf *configuration);
// id: 0: none.
void port_facts_add_vlan(struct port_facts *facts, uint16_t id, const struct rte_eth_dev_info *info,
                         const struct rte_eth_conf *configuration);
// Bytes. own: that it came with; limit: of the device and its driver.
void port_facts_add_mtu(struct port_facts *facts, uint16_t own, uint16_t limit, uint16_t used);

// Names of what devices spread packets by, of RTE_ETH_RSS_*. text: PORT_FACT_TEXT_LEN bytes.
// Returns text.
const char *port_facts_format_rss(uint64_t functions, char *text);
