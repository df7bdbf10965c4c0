// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers, and ports for the workers. AF_XDP takes one port a queue: one port with many
// queues would do for drivers with combined channels alone, for the PMD takes an interface whose
// channels are separate, such as veth, to have one.
#include "platform/port.h"

#include "base/log.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <stdio.h>
#include <string.h>

// The kernel puts packets behind this much, and behind the headroom of the mbuf.
#define XDP_HEADROOM 256
#define ETHERNET_LEN 18 // with a checksum
// The kernel takes chunks of at most a page, and the PMD puts the mbuf and all into one.
#define FRAME_LEN_MIN 2048
#define FRAME_LEN_MAX 3328
// Cold packets are faster when prepended bytes are not in a cache line before the data's, and long
// ones are copied faster, by drivers that do, to a multiple of 16.
#define PRIVATE_LEN        16
#define BUFFER_CACHE_COUNT 256
#define RING_LEN           2048
#define PAGE_LEN           4096

static uint16_t frame_len(uint16_t mtu)
{
    unsigned len = (mtu + ETHERNET_LEN + 63u) & ~63u;

    return (uint16_t)(len < FRAME_LEN_MIN   ? FRAME_LEN_MIN
                      : len > FRAME_LEN_MAX ? FRAME_LEN_MAX
                                            : len);
}

static uint16_t data_len(uint16_t mtu)
{
    return (uint16_t)(RTE_PKTMBUF_HEADROOM + XDP_HEADROOM + frame_len(mtu));
}

uint16_t ports_usable_mtu(uint16_t mtu)
{
    return RTE_MIN(mtu, (uint16_t)(frame_len(mtu) - ETHERNET_LEN));
}

static void port_name(char *name, size_t len, unsigned queue)
{
    snprintf(name, len, "net_af_xdp%u", queue);
}

static uint32_t element_len(uint16_t mtu)
{
    return (uint32_t)sizeof(struct rte_mbuf) + PRIVATE_LEN + data_len(mtu);
}

uint64_t ports_memory_len(uint16_t mtu, uint32_t buffer_count)
{
    return (uint64_t)buffer_count * rte_mempool_calc_obj_size(element_len(mtu), 0, NULL);
}

// The PMD tells the kernel of as much memory as the buffers' lengths add up to. Where pages are
// small, DPDK lets no buffer lie across two of them, and the gaps would leave the last third
// outside of what the kernel knows: packets are lost for good that should go there. So each buffer
// has a page, and no gap behind it; that is the memory they take anyway.
static uint32_t buffer_len(const struct port_config *config, unsigned *ret_flags)
{
    uint32_t len = element_len(config->mtu);
    struct rte_mempool_objsz size;

    *ret_flags = 0;
    if (*config->device || rte_eal_has_hugepages())
        return len;
    *ret_flags = RTE_MEMPOOL_F_NO_SPREAD;
    rte_mempool_calc_obj_size(len, *ret_flags, &size);
    return size.total_size < PAGE_LEN ? len + (PAGE_LEN - size.total_size) + size.trailer_size
                                      : len;
}

// As rte_pktmbuf_pool_create(), which lets nobody say how buffers lie.
static struct rte_mempool *buffers_create(const struct port_config *config)
{
    unsigned flags;
    uint32_t len = buffer_len(config, &flags);
    // All of it, as the kernel fills it.
    struct rte_pktmbuf_pool_private layout = {
        .mbuf_data_room_size = (uint16_t)(len - sizeof(struct rte_mbuf) - PRIVATE_LEN),
        .mbuf_priv_size = PRIVATE_LEN,
    };
    struct rte_mempool *pool =
        rte_mempool_create_empty("packets", config->buffer_count, len, BUFFER_CACHE_COUNT,
                                 sizeof(layout), SOCKET_ID_ANY, flags);

    if (!pool)
        return NULL;
    rte_pktmbuf_pool_init(pool, &layout);
    if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) != 0 ||
        rte_mempool_populate_default(pool) < 0) {
        rte_errno = rte_errno ? rte_errno : ENOMEM;
        rte_mempool_free(pool);
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}

static int pool_create(const struct port_config *config, struct rte_mempool **ret_pool)
{
    struct rte_mempool *pool = buffers_create(config);

    if (!pool) {
        log_message(
            LOG_LEVEL_ERROR, "no_memory",
            "no memory for %u packet buffers: %s; raise memory_mb (0: as much as it takes), "
            "or lower packet_buffers",
            config->buffer_count, rte_strerror(rte_errno));
        return -ENOMEM;
    }
    // The AF_XDP PMD registers the first piece with the kernel and takes it for the whole.
    if (!*config->device && pool->nb_mem_chunks != 1) {
        log_message(LOG_LEVEL_ERROR, "no_memory",
                    "no contiguous memory for %u packet buffers: lower packet_buffers, or set "
                    "hugepages = \"off\"",
                    config->buffer_count);
        rte_mempool_free(pool);
        return -ENOMEM;
    }
    *ret_pool = pool;
    return 0;
}

static int port_start(uint16_t id, struct rte_mempool *pool)
{
    struct rte_eth_conf configuration = {};
    int error = rte_eth_dev_configure(id, 1, 1, &configuration);

    if (!error)
        error = rte_eth_rx_queue_setup(id, 0, RING_LEN, SOCKET_ID_ANY, NULL, pool);
    if (!error)
        error = rte_eth_tx_queue_setup(id, 0, RING_LEN, SOCKET_ID_ANY, NULL);
    if (!error)
        error = rte_eth_dev_start(id);
    return error;
}

// A port that could not start is closed.
static int port_open(const struct port_config *config, unsigned queue, struct rte_mempool *pool,
                     uint16_t *ret_id)
{
    char name[RTE_ETH_NAME_MAX_LEN], arguments[128];
    uint16_t id;
    int error;

    port_name(name, sizeof(name), queue);
    // No busy polling: an empty poll then costs no system call, and a worker may sleep.
    snprintf(arguments, sizeof(arguments), "iface=%s,start_queue=%u,queue_count=1,busy_budget=0",
             config->interface, queue);
    error = rte_eal_hotplug_add("vdev", name, arguments);
    if (error)
        return error;
    error = rte_eth_dev_get_port_by_name(name, &id);
    if (!error)
        error = port_start(id, pool);
    if (error) {
        rte_eal_hotplug_remove("vdev", name);
        return error;
    }
    *ret_id = id;
    return 0;
}

// All workers share the port of a device.
static int open_device(const struct port_config *config, struct ports *ports)
{
    uint16_t mtu_max = (uint16_t)(frame_len(config->mtu) - ETHERNET_LEN);
    int error =
        device_open(config->device, config->queue_count, mtu_max, ports->pool, &ports->device);

    if (error)
        return error;
    for (ports->count = 0; ports->count < config->queue_count; ports->count++) {
        ports->ids[ports->count] = ports->device.port;
        ports->queues[ports->count] = ports->count;
    }
    ports->waiting = rte_mempool_in_use_count(ports->pool);
    return 0;
}

static int open_queues(const struct port_config *config, struct ports *ports)
{
    int error = 0;

    if (ports_usable_mtu(config->mtu) < config->mtu)
        log_message(LOG_LEVEL_WARNING, "large_mtu",
                    "%s has an MTU of %u: packets of more than %u bytes are not relayed",
                    config->interface, config->mtu, ports_usable_mtu(config->mtu));
    while (!error && ports->count < config->queue_count) {
        error = port_open(config, ports->count, ports->pool, &ports->ids[ports->count]);
        if (!error)
            ports->count++;
    }
    if (error)
        log_message(LOG_LEVEL_ERROR, "port", "cannot open queue %u of %s for AF_XDP: %s",
                    ports->count, config->interface, strerror(-error));
    ports->waiting = (uint32_t)ports->count * RING_LEN;
    return error;
}

int ports_open(const struct port_config *config, struct ports *ret_ports)
{
    struct ports ports = {};
    int error = pool_create(config, &ports.pool);

    if (error)
        return error;
    error = *config->device ? open_device(config, &ports) : open_queues(config, &ports);
    if (error) {
        ports_close(&ports);
        return error;
    }
    *ret_ports = ports;
    return 0;
}

void ports_close(struct ports *ports)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    if (ports->device.name)
        device_close(&ports->device);
    while (!ports->device.name && ports->count > 0) {
        ports->count--;
        rte_eth_dev_stop(ports->ids[ports->count]);
        port_name(name, sizeof(name), ports->count);
        rte_eal_hotplug_remove("vdev", name);
    }
    rte_mempool_free(ports->pool);
    ports->pool = NULL;
}

uint32_t ports_buffers_in_use(const struct ports *ports)
{
    uint32_t in_use = rte_mempool_in_use_count(ports->pool);

    return in_use > ports->waiting ? in_use - ports->waiting : 0;
}
