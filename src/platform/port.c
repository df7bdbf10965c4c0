// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers, and ports for the workers. AF_XDP takes one port a queue: one port with many
// queues would do for drivers with combined channels alone, for the PMD takes an interface whose
// channels are separate, such as veth, to have one.
#include "platform/port.h"

#include "base/log.h"
#include "platform/eal.h"
#include "platform/node.h"

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
// Cards take lengths of buffers in such steps.
#define DEVICE_FRAME_LEN_STEP 1024
// Cold packets are faster when prepended bytes are not in a cache line before the data's, and long
// ones are copied faster, by drivers that do, to a multiple of 16.
#define PRIVATE_LEN        16
#define BUFFER_CACHE_COUNT 256
#define RING_LEN           2048
#define PAGE_LEN           4096

static uint16_t xdp_frame_len(uint16_t mtu)
{
    unsigned len = (mtu + ETHERNET_LEN + 63u) & ~63u;

    return (uint16_t)(len < FRAME_LEN_MIN   ? FRAME_LEN_MIN
                      : len > FRAME_LEN_MAX ? FRAME_LEN_MAX
                                            : len);
}

static uint16_t device_frame_len(uint16_t len)
{
    return (uint16_t)RTE_MAX(RTE_ALIGN_CEIL((uint32_t)len, DEVICE_FRAME_LEN_STEP), FRAME_LEN_MIN);
}

uint16_t ports_usable_mtu(uint16_t mtu)
{
    return RTE_MIN(mtu, (uint16_t)(xdp_frame_len(mtu) - ETHERNET_LEN));
}

static void port_name(char *name, size_t len, unsigned queue)
{
    snprintf(name, len, "net_af_xdp%u", queue);
}

static uint32_t element_len(uint16_t frame)
{
    return (uint32_t)sizeof(struct rte_mbuf) + PRIVATE_LEN + RTE_PKTMBUF_HEADROOM + XDP_HEADROOM +
           frame;
}

static uint64_t memory_len(uint16_t frame, uint32_t buffer_count)
{
    return (uint64_t)buffer_count * rte_mempool_calc_obj_size(element_len(frame), 0, NULL);
}

uint64_t ports_memory_len(uint16_t mtu, uint32_t buffer_count)
{
    return memory_len(xdp_frame_len(mtu), buffer_count);
}

uint64_t ports_device_memory_len(uint16_t frame_len, uint32_t buffer_count)
{
    return memory_len(device_frame_len(frame_len), buffer_count);
}

uint64_t ports_expect_memory_len(const struct port_config *config)
{
    uint16_t frame_len = 0;

    if (config->device_count == 0)
        return ports_memory_len(config->mtu, config->buffer_count);
    for (unsigned i = 0; i < config->device_count; i++)
        frame_len = RTE_MAX(frame_len, device_expect_frame_len(&config->devices[i]));
    return ports_device_memory_len(frame_len, config->buffer_count);
}

int ports_expect_node(const struct port_config *config)
{
    return config->device_count > 0 ? device_expect_node(config->devices[0].name)
                                    : node_of_interface(config->interface);
}

// The PMD tells the kernel of as much memory as the buffers' lengths add up to. Where pages are
// small, DPDK lets no buffer lie across two of them, and the gaps would leave the last third
// outside of what the kernel knows: packets are lost for good that should go there. So each buffer
// has a page, and no gap behind it; that is the memory they take anyway.
static uint32_t page_len(uint32_t len, unsigned flags)
{
    struct rte_mempool_objsz size;

    rte_mempool_calc_obj_size(len, flags, &size);
    return size.total_size < PAGE_LEN ? len + (PAGE_LEN - size.total_size) + size.trailer_size
                                      : len;
}

struct buffers {
    uint32_t count;
    uint32_t len; // of an element, with its mbuf
    unsigned flags;
    int node;
};

// As rte_pktmbuf_pool_create(), which lets nobody say how buffers lie.
static struct rte_mempool *pool_make(const struct buffers *buffers)
{
    // All of it, as the kernel fills it.
    struct rte_pktmbuf_pool_private layout = {
        .mbuf_data_room_size = (uint16_t)(buffers->len - sizeof(struct rte_mbuf) - PRIVATE_LEN),
        .mbuf_priv_size = PRIVATE_LEN,
    };
    struct rte_mempool *pool =
        rte_mempool_create_empty("packets", buffers->count, buffers->len, BUFFER_CACHE_COUNT,
                                 sizeof(layout), buffers->node, buffers->flags);

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

// On the device's node, or where there is room; without hugepages all of it is where the kernel
// puts it.
static int pool_create(struct buffers *buffers, struct rte_mempool **ret_pool)
{
    struct rte_mempool *pool;

    if (!rte_eal_has_hugepages())
        buffers->node = SOCKET_ID_ANY;
    pool = pool_make(buffers);
    if (!pool && buffers->node >= 0) {
        buffers->node = SOCKET_ID_ANY;
        pool = pool_make(buffers);
    }
    if (!pool) {
        log_message(
            LOG_LEVEL_ERROR, "no_memory",
            "no memory for %u packet buffers: %s; raise memory_mb (0: as much as it takes), "
            "or lower packet_buffers",
            buffers->count, rte_strerror(rte_errno));
        return -ENOMEM;
    }
    *ret_pool = pool;
    return 0;
}

static void add_buffers(const struct rte_mempool *pool, struct port_facts *facts)
{
    struct port_fact *fact = port_facts_add(facts, "buffers");

    snprintf(fact->used, sizeof(fact->used), "%u for frames of %u bytes", pool->size,
             rte_pktmbuf_data_room_size((struct rte_mempool *)pool) - RTE_PKTMBUF_HEADROOM);
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

static unsigned count_away(uint16_t worker_count, int node)
{
    unsigned away = 0;

    for (uint16_t i = 0; node >= 0 && i < worker_count; i++)
        away += eal_worker_node(i) != node;
    return away;
}

static void add_memory(const struct port_config *config, const char *name, int node, int pool_node,
                       struct port_facts *facts)
{
    unsigned away = count_away(config->queue_count, node);

    port_facts_add_memory(facts, rte_eal_has_hugepages(), node, pool_node, away);
    if (away > 0)
        log_message(LOG_LEVEL_WARNING, "other_node",
                    "%s is on NUMA node %d, and the CPUs of %u of %u workers on another: give them "
                    "some of that node (cpus)",
                    name, node, away, config->queue_count);
    if (node >= 0 && rte_eal_has_hugepages() && pool_node < 0)
        log_message(LOG_LEVEL_WARNING, "other_node",
                    "%s is on NUMA node %d, which has too few hugepages free for packet buffers",
                    name, node);
}

static struct device_config device_config_of(const struct port_config *config, unsigned index)
{
    struct device_config device = config->devices[index];

    device.queue_count = config->queue_count;
    device.counters = config->counters;
    device.plane = config->plane;
    device.is_isolated = config->flow_isolation;
    return device;
}

static int find_devices(const struct port_config *config, struct ports *ports)
{
    int error = 0;

    while (!error && ports->device_count < config->device_count) {
        const struct device_config device = device_config_of(config, ports->device_count);

        error = device_find(&device, &ports->devices[ports->device_count]);
        if (!error)
            ports->device_count++;
    }
    return error;
}

// As long as the frames of any of them, and on the node of the first. Buffers of virtual devices
// may lie across pages; they have no addresses for a card then.
static struct buffers buffers_for(const struct port_config *config, const struct ports *ports)
{
    struct buffers buffers = {
        .count = config->buffer_count,
        .flags = RTE_MEMPOOL_F_NO_IOVA_CONTIG,
        .node = ports->devices[0].node,
    };
    uint16_t frame_len = 0;

    for (unsigned i = 0; i < ports->device_count; i++) {
        frame_len = RTE_MAX(frame_len, ports->devices[i].frame_len);
        if (device_is_pci(ports->devices[i].name))
            buffers.flags = 0;
    }
    buffers.len = element_len(device_frame_len(frame_len));
    return buffers;
}

// All workers share the port of a device.
static int start_device(const struct port_config *config, struct ports *ports, unsigned index,
                        int pool_node)
{
    struct device *device = &ports->devices[index];
    struct port_facts *facts = &ports->facts[index];
    const struct device_config wanted = device_config_of(config, index);
    int error = device_start(device, &wanted, ports->pool, facts);

    if (error)
        return error;
    for (uint16_t worker = 0; worker < config->queue_count; worker++)
        ports->ids[index][worker] = device->port;
    ports->mtu = index == 0 ? device->mtu : RTE_MIN(ports->mtu, device->mtu);
    snprintf(port_facts_add(facts, "mode")->used, PORT_FACT_TEXT_LEN, "%s",
             config->flow_isolation
                 ? "isolated: the kernel keeps the interface, and what is its own"
                 : "owned: the kernel is behind a twin");
    add_memory(config, device->name, device->node, pool_node, facts);
    return 0;
}

static int open_devices(const struct port_config *config, struct ports *ports)
{
    struct buffers buffers;
    int error = find_devices(config, ports);

    if (error)
        return error;
    buffers = buffers_for(config, ports);
    error = pool_create(&buffers, &ports->pool);
    for (unsigned i = 0; !error && i < ports->device_count; i++)
        error = start_device(config, ports, i, buffers.node);
    if (error)
        return error;
    for (ports->count = 0; ports->count < config->queue_count; ports->count++)
        ports->queues[ports->count] = ports->count;
    ports->waiting = rte_mempool_in_use_count(ports->pool);
    return 0;
}

static int create_frames(const struct port_config *config, struct buffers *buffers,
                         struct rte_mempool **ret_pool)
{
    struct rte_mempool *pool = NULL;
    int error;

    *buffers = (struct buffers){.count = config->buffer_count,
                                .len = element_len(xdp_frame_len(config->mtu)),
                                .node = node_of_interface(config->interface)};
    if (!rte_eal_has_hugepages()) {
        buffers->flags = RTE_MEMPOOL_F_NO_SPREAD;
        buffers->len = page_len(buffers->len, buffers->flags);
    }
    error = pool_create(buffers, &pool);
    if (error)
        return error;
    // The AF_XDP PMD registers the first piece with the kernel and takes it for the whole.
    if (pool->nb_mem_chunks != 1) {
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

static void add_interface(const struct port_config *config, const struct buffers *buffers,
                          struct ports *ports)
{
    struct port_facts *facts = &ports->facts[0];
    struct port_fact *fact;
    int node;

    port_facts_add_device(facts, ports->ids[0][0], config->interface);
    fact = port_facts_add(facts, "queues");
    snprintf(fact->used, sizeof(fact->used), "%u", config->queue_count);
    snprintf(fact->why, sizeof(fact->why), "one for each worker");
    fact = port_facts_add(facts, "rss");
    snprintf(fact->used, sizeof(fact->used), "the kernel's");
    snprintf(fact->why, sizeof(fact->why), "the interface is set up by ethtool -N and -X");
    port_facts_add_steering(facts);
    fact = port_facts_add(facts, "mtu");
    snprintf(fact->found, sizeof(fact->found), "%u", config->mtu);
    snprintf(fact->used, sizeof(fact->used), "%u", ports->mtu);
    snprintf(fact->why, sizeof(fact->why), "%s",
             ports->mtu < config->mtu ? "AF_XDP has a page for a packet" : "the interface's");
    snprintf(port_facts_add(facts, "mode")->used, PORT_FACT_TEXT_LEN,
             "shared: the kernel keeps the interface");
    node = node_of_interface(config->interface);
    add_memory(config, config->interface, node, buffers->node, facts);
}

static int open_queues(const struct port_config *config, struct ports *ports)
{
    struct buffers buffers;
    int error = create_frames(config, &buffers, &ports->pool);

    if (error)
        return error;
    ports->mtu = ports_usable_mtu(config->mtu);
    if (ports->mtu < config->mtu)
        log_message(LOG_LEVEL_WARNING, "large_mtu",
                    "%s has an MTU of %u: packets of more than %u bytes are not relayed",
                    config->interface, config->mtu, ports->mtu);
    while (!error && ports->count < config->queue_count) {
        error = port_open(config, ports->count, ports->pool, &ports->ids[0][ports->count]);
        if (!error)
            ports->count++;
    }
    if (error) {
        log_message(LOG_LEVEL_ERROR, "port", "cannot open queue %u of %s for AF_XDP: %s",
                    ports->count, config->interface, strerror(-error));
        return error;
    }
    ports->waiting = (uint32_t)ports->count * RING_LEN;
    add_interface(config, &buffers, ports);
    return 0;
}

int ports_open(const struct port_config *config, struct ports *ret_ports)
{
    struct ports ports = {};
    int error =
        config->device_count > 0 ? open_devices(config, &ports) : open_queues(config, &ports);

    if (error) {
        ports_close(&ports);
        return error;
    }
    add_buffers(ports.pool, &ports.facts[0]);
    *ret_ports = ports;
    return 0;
}

void ports_close(struct ports *ports)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    for (unsigned i = 0; i < ports->device_count; i++)
        device_close(&ports->devices[i]);
    while (ports->device_count == 0 && ports->count > 0) {
        ports->count--;
        rte_eth_dev_stop(ports->ids[0][ports->count]);
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

bool ports_steer(const struct ports *ports)
{
    for (unsigned i = 0; i < ports->device_count; i++) {
        if (ports->devices[i].steering)
            return true;
    }
    return false;
}

// Of what a worker counts nobody knows by which device it came.
static bool all_steer(const struct ports *ports)
{
    for (unsigned i = 0; i < ports->device_count; i++) {
        if (!ports->devices[i].steering)
            return false;
    }
    return true;
}

void ports_look(struct ports *ports, const struct plane *plane)
{
    for (unsigned i = 0; all_steer(ports) && i < ports->device_count; i++)
        steering_look(ports->devices[i].steering, plane, &ports->facts[i]);
}
