// SPDX-License-Identifier: BSD-3-Clause
// One ethdev port with one queue each way: whole frames out and in.
#pragma once

#include "frame.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define DEVICE_BURST  64
#define DEVICE_QUEUED 256

struct device {
    uint16_t port;
    char name[RTE_ETH_NAME_MAX_LEN];
    char driver[RTE_ETH_NAME_MAX_LEN];
    uint8_t mac[ETHERNET_ADDRESS_LEN];
    struct rte_mempool *pool;
    struct rte_mbuf *queued[DEVICE_QUEUED]; // not yet taken by the port
    unsigned queued_count;
    uint64_t sent, received; // frames
    uint64_t refused;        // times that the port took less than it was given
};

// The EAL runs. Says on stderr what went wrong. 0 or -errno.
int device_open(struct device *device, uint16_t port, uint16_t ring_len);
void device_close(struct device *device);

// Frames that can be queued now.
static inline unsigned device_room(const struct device *device)
{
    return DEVICE_QUEUED - device->queued_count;
}

// An empty frame to write into, NULL when buffers are short; then queue it. There is room.
struct rte_mbuf *device_take(struct device *device);
void device_queue(struct device *device, struct rte_mbuf *frame, size_t len);

// Copies a whole frame; lost when there is neither room nor buffer.
void device_send(struct device *device, const uint8_t *bytes, size_t len);

// Gives the port what is queued. What it does not take stays queued.
void device_flush(struct device *device);

// At most DEVICE_BURST frames, for the caller to free.
unsigned device_receive(struct device *device, struct rte_mbuf **ret_frames);
