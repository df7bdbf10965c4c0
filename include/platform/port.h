// SPDX-License-Identifier: BSD-3-Clause
// The packet buffers and the ports: either an AF_XDP port of one queue for each worker, or one
// device, or two, with a pair of queues for each.
#pragma once

#include "base/port_slice.h"
#include "platform/device.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

// The device, and a second one for what is reached through relay_device.
#define PORT_DEVICES_MAX 2

struct port_config {
    const char *interface; // to share with the kernel
    uint16_t mtu;          // of the interface
    uint16_t queue_count;
    uint32_t buffer_count;
    // To own instead: their names, MTUs and VLANs; what else they have is that of all.
    struct device_config devices[PORT_DEVICES_MAX];
    unsigned device_count;            // 0: none
    struct worker_counters *counters; // of the workers; where there is a VLAN
    const struct plane_config *plane; // whose relay ports devices steer
    bool flow_isolation;              // the kernel keeps the device
};

struct ports {
    struct rte_mempool
        *pool;      // of all queues: a frame that changes workers is still sent without a copy
    uint16_t count; // of workers
    uint16_t ids[PORT_DEVICES_MAX][PORT_SLICE_COUNT]; // ethdev port of each, of each device,
    uint16_t queues[PORT_SLICE_COUNT];                // and its queue there
    uint32_t waiting;                                 // packet buffers in the receive rings
    uint16_t mtu;          // the largest IP packet that every port takes, bytes
    unsigned device_count; // 0: the ports are AF_XDP's
    struct device devices[PORT_DEVICES_MAX];
    struct port_facts facts[PORT_DEVICES_MAX]; // what was found, what is used, and why
};

// The largest IP packet that fits into a buffer, for an interface of this MTU.
uint16_t ports_usable_mtu(uint16_t mtu);

// Bytes of memory that the buffers take: for an interface, and for a device with frames that long.
uint64_t ports_memory_len(uint16_t mtu, uint32_t buffer_count);
uint64_t ports_device_memory_len(uint16_t frame_len, uint32_t buffer_count);
// The same, as far as is known before the EAL is up.
uint64_t ports_expect_memory_len(const struct port_config *config);

// The NUMA node of the first device, or of the interface, as the kernel knows it before the EAL is
// up; negative: none.
int ports_expect_node(const struct port_config *config);

// The EAL is up and, for an interface, the XDP filter attached. Logs what went wrong. 0 or -errno,
// with nothing left open.
int ports_open(const struct port_config *config, struct ports *ret_ports);
void ports_close(struct ports *ports);

// Packet buffers in use beyond those that wait in the receive rings: a few that are being sent, if
// no leak is.
uint32_t ports_buffers_in_use(const struct ports *ports);

// Whether a device delivers datagrams by their relay port; and now and then, on the control thread,
// whether devices do so as they were told.
bool ports_steer(const struct ports *ports);
void ports_look(struct ports *ports, const struct plane *plane);
