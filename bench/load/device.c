// SPDX-License-Identifier: BSD-3-Clause
// Opens whatever port the EAL's arguments have made.
#include "device.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_CACHE_COUNT 256
#define LINK_WAIT_MS       2000
// AF_XDP puts its own headroom and the frame into one chunk of the kernel's.
#define BUFFER_LEN (RTE_PKTMBUF_HEADROOM + 256 + 2048)

static struct rte_mempool *create_pool(uint16_t ring_len)
{
    return rte_pktmbuf_pool_create("frames", 4u * ring_len + DEVICE_QUEUED + 4096,
                                   BUFFER_CACHE_COUNT, 0, BUFFER_LEN, SOCKET_ID_ANY);
}

static int start(const struct device *device, uint16_t ring_len)
{
    struct rte_eth_conf configuration = {};
    uint16_t rx_len = ring_len, tx_len = ring_len;
    int error = rte_eth_dev_configure(device->port, 1, 1, &configuration);

    if (!error)
        error = rte_eth_dev_adjust_nb_rx_tx_desc(device->port, &rx_len, &tx_len);
    if (!error)
        error = rte_eth_rx_queue_setup(device->port, 0, rx_len, SOCKET_ID_ANY, NULL, device->pool);
    if (!error)
        error = rte_eth_tx_queue_setup(device->port, 0, tx_len, SOCKET_ID_ANY, NULL);
    return error ? error : rte_eth_dev_start(device->port);
}

// What is sent before the other side has come is lost. A port that never says so is taken as it is.
static void wait_for_link(uint16_t port)
{
    struct rte_eth_link link = {};

    for (unsigned ms = 0; ms < LINK_WAIT_MS; ms++) {
        if (rte_eth_link_get_nowait(port, &link) < 0 || link.link_status == RTE_ETH_LINK_UP)
            return;
        rte_delay_us_sleep(1000);
    }
}

static void read_identity(struct device *device)
{
    struct rte_ether_addr mac = {};
    struct rte_eth_dev_info info;

    rte_eth_macaddr_get(device->port, &mac);
    memcpy(device->mac, mac.addr_bytes, sizeof(device->mac));
    if (rte_eth_dev_get_name_by_port(device->port, device->name) < 0)
        device->name[0] = '\0';
    if (rte_eth_dev_info_get(device->port, &info) == 0)
        snprintf(device->driver, sizeof(device->driver), "%s", info.driver_name);
}

int device_open(struct device *device, uint16_t port, uint16_t ring_len)
{
    int error;

    *device = (struct device){.port = port};
    if (!rte_eth_dev_is_valid_port(port)) {
        fprintf(stderr, "load: there is no port %u: make one with --vdev or -a before '--'\n",
                port);
        return -ENODEV;
    }
    device->pool = create_pool(ring_len);
    if (!device->pool) {
        fprintf(stderr, "load: no memory for packet buffers: %s\n", rte_strerror(rte_errno));
        return -ENOMEM;
    }
    error = start(device, ring_len);
    if (error) {
        fprintf(stderr, "load: port %u does not start: %s\n", port, rte_strerror(-error));
        rte_mempool_free(device->pool);
        return error;
    }
    read_identity(device);
    // Virtual ports hear everything anyway and often refuse.
    rte_eth_promiscuous_enable(port);
    rte_eth_allmulticast_enable(port);
    wait_for_link(port);
    return 0;
}

void device_close(struct device *device)
{
    rte_pktmbuf_free_bulk(device->queued, device->queued_count);
    device->queued_count = 0;
    rte_eth_dev_stop(device->port);
    rte_eth_dev_close(device->port);
    rte_mempool_free(device->pool);
}

struct rte_mbuf *device_take(struct device *device)
{
    return rte_pktmbuf_alloc(device->pool);
}

void device_queue(struct device *device, struct rte_mbuf *frame, size_t len)
{
    frame->data_len = (uint16_t)len;
    frame->pkt_len = (uint32_t)len;
    device->queued[device->queued_count++] = frame;
}

void device_send(struct device *device, const uint8_t *bytes, size_t len)
{
    struct rte_mbuf *frame;

    if (device_room(device) == 0)
        device_flush(device);
    frame = device_room(device) > 0 ? device_take(device) : NULL;
    if (!frame)
        return;
    memcpy(rte_pktmbuf_mtod(frame, uint8_t *), bytes, len);
    device_queue(device, frame, len);
}

void device_flush(struct device *device)
{
    unsigned sent = 0;

    while (sent < device->queued_count) {
        unsigned burst = RTE_MIN(device->queued_count - sent, (unsigned)DEVICE_BURST);
        unsigned taken = rte_eth_tx_burst(device->port, 0, device->queued + sent, (uint16_t)burst);
        sent += taken;
        if (taken < burst) {
            device->refused++;
            break;
        }
    }
    device->sent += sent;
    device->queued_count -= sent;
    if (sent > 0 && device->queued_count > 0)
        memmove(device->queued, device->queued + sent,
                device->queued_count * sizeof(device->queued[0]));
}

unsigned device_receive(struct device *device, struct rte_mbuf **ret_frames)
{
    unsigned count = rte_eth_rx_burst(device->port, 0, ret_frames, DEVICE_BURST);

    device->received += count;
    return count;
}
