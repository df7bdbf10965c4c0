// SPDX-License-Identifier: BSD-3-Clause
// A DPDK device that the relay owns whole: a card by its PCI address ("0000:03:00.0"), or a virtual
// device by its name and arguments ("net_memif0,role=server,id=0").
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

bool device_is_pci(const char *device);
// A PCI address, or the name of a virtual network device, whatever its arguments.
bool device_is_valid(const char *device);

struct device {
    const char *name; // borrowed: as configured
    uint16_t port;    // ethdev
    uint8_t mac[6];
    uint16_t mtu; // bytes
};

// Opens and starts it with so many pairs of queues, and an MTU of at most mtu_max. The EAL is up;
// of a card it knows. Logs what went wrong. 0 or -errno.
int device_open(const char *name, uint16_t queue_count, uint16_t mtu_max, struct rte_mempool *pool,
                struct device *ret_device);
void device_close(const struct device *device);
