// SPDX-License-Identifier: BSD-3-Clause
// See platform/port_counters.h.
#include "platform/port_counters.h"

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(PORT_COUNTERS_NAME_LEN >= RTE_ETH_XSTATS_NAME_SIZE, "and those of statistics");
static_assert(PORT_COUNTERS_NAME_LEN >= RTE_ETH_NAME_MAX_LEN, "DPDK's names fit");

unsigned ports_device_count(const struct ports *ports)
{
    return ports->device_count > 0 ? ports->device_count : ports->count;
}

static uint16_t id_of(const struct ports *ports, unsigned index)
{
    return ports->device_count > 0 ? ports->ids[index][0] : ports->ids[0][index];
}

bool ports_get_counters(const struct ports *ports, unsigned index,
                        struct port_counters *ret_counters)
{
    struct port_counters counters = {};
    struct rte_eth_stats stats;

    if (rte_eth_dev_get_name_by_port(id_of(ports, index), counters.name) != 0 ||
        rte_eth_stats_get(id_of(ports, index), &stats) != 0)
        return false;
    counters.received_packets = stats.ipackets;
    counters.received_bytes = stats.ibytes;
    counters.transmitted_packets = stats.opackets;
    counters.transmitted_bytes = stats.obytes;
    counters.missed = stats.imissed;
    counters.receive_errors = stats.ierrors;
    counters.transmit_errors = stats.oerrors;
    counters.no_buffer = stats.rx_nombuf;
    *ret_counters = counters;
    return true;
}

bool ports_get_link(const struct ports *ports, unsigned index, struct port_link *ret_link)
{
    struct rte_eth_dev_info info;
    struct rte_eth_link link;
    struct port_link answer;

    if (rte_eth_dev_info_get(id_of(ports, index), &info) != 0 ||
        rte_eth_link_get_nowait(id_of(ports, index), &link) != 0)
        return false;
    snprintf(answer.driver, sizeof(answer.driver), "%s", info.driver_name);
    answer.is_up = link.link_status == RTE_ETH_LINK_UP &&
                   (ports->device_count == 0 || device_has_carrier(&ports->devices[index]));
    answer.speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
    *ret_link = answer;
    return true;
}

static bool is_plain(char c)
{
    return c > ' ' && c <= '~' && c != '"' && c != '\\';
}

// Names of today's drivers need nothing done.
static void copy_name(const char *name, char ret_name[PORT_COUNTERS_NAME_LEN])
{
    size_t len = strnlen(name, PORT_COUNTERS_NAME_LEN - 1);

    for (size_t i = 0; i < len; i++)
        ret_name[i] = is_plain(name[i]) ? name[i] : '_';
    ret_name[len] = '\0';
}

// DPDK gives none where there is room for too few.
static unsigned read_statistics(uint16_t port, struct rte_eth_xstat_name *names,
                                struct rte_eth_xstat *values, unsigned count,
                                struct port_statistic *ret_statistics)
{
    unsigned kept = 0;

    if (rte_eth_xstats_get_names(port, names, count) != (int)count ||
        rte_eth_xstats_get(port, values, count) != (int)count)
        return 0;
    for (unsigned i = 0; i < count && kept < PORT_STATISTICS_MAX; i++) {
        if (values[i].id >= count)
            continue;
        copy_name(names[values[i].id].name, ret_statistics[kept].name);
        ret_statistics[kept++].value = values[i].value;
    }
    return kept;
}

unsigned ports_get_statistics(const struct ports *ports, unsigned index,
                              struct port_statistic ret_statistics[PORT_STATISTICS_MAX])
{
    uint16_t port = id_of(ports, index);
    int count = rte_eth_xstats_get_names(port, NULL, 0);
    struct rte_eth_xstat_name *names;
    struct rte_eth_xstat *values;
    unsigned kept = 0;

    if (count <= 0)
        return 0;
    names = calloc((size_t)count, sizeof(*names));
    values = calloc((size_t)count, sizeof(*values));
    if (names && values)
        kept = read_statistics(port, names, values, (unsigned)count, ret_statistics);
    free(names);
    free(values);
    return kept;
}

void ports_get_buffers(const struct ports *ports, struct port_buffers *ret_buffers)
{
    *ret_buffers = (struct port_buffers){
        .used = rte_mempool_in_use_count(ports->pool),
        .capacity = ports->pool->size,
    };
}
