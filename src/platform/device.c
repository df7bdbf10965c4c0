// SPDX-License-Identifier: BSD-3-Clause
// Opens any device that DPDK drives, with a pair of queues for each worker.
#include "platform/device.h"

#include "base/log.h"

#include <errno.h>
#include <rte_bus_pci.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define RING_LEN 2048
// Of what a device can spread over its queues, what keeps the packets of a flow together. Devices
// differ in what they call UDP, so each takes what it knows.
#define SPREAD_BY                                                                                  \
    (RTE_ETH_RSS_IP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |                \
     RTE_ETH_RSS_IPV6_UDP_EX)
#define VIRTUAL_PREFIX "net_"

bool device_is_pci(const char *device)
{
    struct rte_pci_addr address;

    return rte_pci_addr_parse(device, &address) == 0;
}

bool device_is_valid(const char *device)
{
    size_t name_len = strcspn(device, ",");

    return device_is_pci(device) ||
           (strncmp(device, VIRTUAL_PREFIX, strlen(VIRTUAL_PREFIX)) == 0 &&
            name_len > strlen(VIRTUAL_PREFIX) && name_len < RTE_ETH_NAME_MAX_LEN);
}

// The name under which DPDK knows it; of a virtual device the arguments too.
static const char *split(const char *device, char name[RTE_ETH_NAME_MAX_LEN])
{
    size_t len = strcspn(device, ",");
    struct rte_pci_addr address;

    if (rte_pci_addr_parse(device, &address) == 0)
        rte_pci_device_name(&address, name, RTE_ETH_NAME_MAX_LEN);
    else
        snprintf(name, RTE_ETH_NAME_MAX_LEN, "%.*s", (int)len, device);
    return device[len] == ',' ? device + len + 1 : "";
}

// A card was found when the EAL started.
static int attach(const char *device, uint16_t *ret_port)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    const char *arguments = split(device, name);
    int error = 0;

    if (!device_is_pci(device))
        error = rte_eal_hotplug_add("vdev", name, arguments);
    if (!error)
        error = rte_eth_dev_get_port_by_name(name, ret_port);
    if (error)
        log_message(LOG_LEVEL_ERROR, "device", "DPDK has no device %s: %s%s", device,
                    strerror(-error),
                    device_is_pci(device) ? "; is it bound to vfio-pci (dpdk-devbind.py)?" : "");
    return error;
}

static void detach(const char *device)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    (void)split(device, name);
    rte_eal_hotplug_remove(device_is_pci(device) ? "pci" : "vdev", name);
}

static int check_queues(const char *device, const struct rte_eth_dev_info *info,
                        uint16_t queue_count)
{
    uint16_t pairs = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

    if (pairs >= queue_count)
        return 0;
    log_message(LOG_LEVEL_ERROR, "queues",
                "%s has %u pairs of queues, and each of %u workers needs one: set workers = %u%s",
                device, pairs, queue_count, pairs,
                device_is_pci(device) ? "" : ", or give the device more in its arguments");
    return -EINVAL;
}

static int start_queues(uint16_t port, uint16_t queue_count, struct rte_mempool *pool)
{
    uint16_t rx_len = RING_LEN, tx_len = RING_LEN;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_len, &tx_len);

    for (uint16_t queue = 0; !error && queue < queue_count; queue++) {
        error = rte_eth_rx_queue_setup(port, queue, rx_len, SOCKET_ID_ANY, NULL, pool);
        if (!error)
            error = rte_eth_tx_queue_setup(port, queue, tx_len, SOCKET_ID_ANY, NULL);
    }
    return error ? error : rte_eth_dev_start(port);
}

// The kernel behind the twin listens to groups that the device knows nothing of.
static void receive_groups(uint16_t port)
{
    if (rte_eth_allmulticast_enable(port) != 0)
        (void)rte_eth_promiscuous_enable(port);
}

static int start(uint16_t port, const struct rte_eth_dev_info *info, uint16_t queue_count,
                 uint16_t mtu, struct rte_mempool *pool)
{
    struct rte_eth_conf configuration = {.rxmode.mtu = mtu};
    int error;

    if (queue_count > 1 && (info->flow_type_rss_offloads & SPREAD_BY)) {
        configuration.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        configuration.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & SPREAD_BY;
    }
    error = rte_eth_dev_configure(port, queue_count, queue_count, &configuration);
    if (!error)
        error = start_queues(port, queue_count, pool);
    if (!error)
        receive_groups(port);
    return error;
}

static int open_port(const char *name, uint16_t queue_count, uint16_t mtu_max,
                     struct rte_mempool *pool, struct device *device)
{
    struct rte_ether_addr mac;
    struct rte_eth_dev_info info;
    int error = rte_eth_dev_info_get(device->port, &info);

    if (!error)
        error = rte_eth_macaddr_get(device->port, &mac);
    if (!error)
        error = rte_eth_dev_get_mtu(device->port, &device->mtu);
    if (!error && check_queues(name, &info, queue_count) < 0)
        return -EINVAL;
    device->mtu = RTE_MIN(device->mtu, mtu_max);
    if (!error)
        error = start(device->port, &info, queue_count, device->mtu, pool);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "device", "cannot start %s: %s", name, strerror(-error));
        return error;
    }
    memcpy(device->mac, mac.addr_bytes, sizeof(device->mac));
    return 0;
}

int device_open(const char *name, uint16_t queue_count, uint16_t mtu_max, struct rte_mempool *pool,
                struct device *ret_device)
{
    struct device device = {.name = name};
    int error = attach(name, &device.port);

    if (error)
        return error;
    error = open_port(name, queue_count, mtu_max, pool, &device);
    if (error) {
        detach(name);
        return error;
    }
    *ret_device = device;
    return 0;
}

void device_close(const struct device *device)
{
    (void)rte_eth_promiscuous_disable(device->port);
    rte_eth_dev_stop(device->port);
    detach(device->name);
}
