// SPDX-License-Identifier: BSD-3-Clause
// A DPDK device that the relay owns whole: a card by its PCI address ("0000:03:00.0"), or a virtual
// device by its name and arguments ("net_memif0,role=server,id=0").
#pragma once

#include "exchange/counters.h"
#include "exchange/plane.h"
#include "platform/port_facts.h"
#include "platform/steering.h"
#include "platform/vlan.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

// Of the packets of any device; what is longer is no frame that hardware sends.
#define DEVICE_MTU_MAX 16000
// What a card has that nobody told otherwise.
#define DEVICE_MTU_DEFAULT 1500

bool device_is_pci(const char *device);
// A PCI address, or the name of a virtual network device, whatever its arguments.
bool device_is_valid(const char *device);
// One device, however it is written and with whatever arguments. Both are valid.
bool device_is_same(const char *device, const char *other);

struct device_config {
    const char *name; // as configured
    uint16_t queue_count;
    uint16_t mtu;                     // 0: the device's own
    uint16_t vlan;                    // 0: none
    struct worker_counters *counters; // of the workers; where there is a VLAN
    const struct plane_config *plane; // whose relay ports are steered; NULL: none are
    bool is_isolated;                 // the kernel keeps the device, and what is not ours; plane is not NULL
};

// How long frames may be that its driver puts into a buffer, as far as is known before the EAL is
// up: of a card, that nobody has told otherwise.
uint16_t device_expect_frame_len(const struct device_config *config);

// The NUMA node that the kernel has a card on; negative: none, or it is no card.
int device_expect_node(const char *device);

struct device {
    const char *name; // borrowed: as configured
    uint16_t port;    // ethdev
    uint16_t queue_count;
    uint8_t mac[6];
    uint16_t mtu;       // bytes
    uint16_t own_mtu;   // that it came with
    uint16_t mtu_limit; // of the device and its driver
    uint16_t frame_len; // bytes that its driver may put into a buffer
    int node;           // of its memory; negative: none
    struct vlan *vlan;  // NULL: it is on none
    struct steering *steering; // NULL: its driver takes no rules
};

// In two steps, for the buffers between them have the length that the device needs. The EAL is up;
// of a card it knows. Logs what went wrong. 0 or -errno.
int device_find(const struct device_config *config, struct device *ret_device);
// With a pair of queues for each worker. Adds what is used of it to facts. config as before.
int device_start(struct device *device, const struct device_config *config,
                 struct rte_mempool *pool, struct port_facts *facts);
// net_af_packet says that it has a link whatever becomes of the interface below: this is that one's.
// Of other devices true, for their drivers know. Control thread.
bool device_has_carrier(const struct device *device);
// Started or not.
void device_close(const struct device *device);
