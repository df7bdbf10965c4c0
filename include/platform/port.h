// SPDX-License-Identifier: BSD-3-Clause
// The packet buffers and the AF_XDP ports: one port of one queue for each worker.
#pragma once

#include "base/port_slice.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

struct port_config {
    const char *interface;
    uint16_t queue_count;
    uint16_t mtu; // of the interface
    uint32_t buffer_count;
};

struct ports {
    struct rte_mempool
        *pool; // of all queues: a frame that changes workers is still sent without a copy
    uint16_t count;
    uint16_t ids[PORT_SLICE_COUNT]; // ethdev port of each worker, which has queue 0 of it
};

// The largest IP packet that fits into a buffer, for an interface of this MTU.
uint16_t ports_usable_mtu(uint16_t mtu);

// Bytes of memory that the buffers take.
uint64_t ports_memory_len(uint16_t mtu, uint32_t buffer_count);

// The EAL is up and the XDP filter attached. Logs what went wrong. 0 or -errno, with nothing left
// open.
int ports_open(const struct port_config *config, struct ports *ret_ports);
void ports_close(struct ports *ports);

// Packet buffers in use beyond those that wait in the receive rings: a few that are being sent, if
// no leak is.
uint32_t ports_buffers_in_use(const struct ports *ports);
