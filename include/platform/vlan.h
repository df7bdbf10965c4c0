// SPDX-License-Identifier: BSD-3-Clause
// 802.1Q tags of a device that is on one VLAN: off what comes in, onto what goes out, at the port's
// edge. Nobody behind it sees a tag, and without a VLAN nobody pays for it.
#pragma once

#include "exchange/counters.h"

#include <stdbool.h>
#include <stdint.h>

#define VLAN_ID_MAX 4094

struct vlan_config {
    uint16_t port;
    uint16_t queue_count;
    uint16_t id;                      // 1..VLAN_ID_MAX
    bool device_inserts;              // as the port was configured
    struct worker_counters *counters; // of the workers, one a queue; borrowed
};

struct vlan;

// The port is configured; nobody uses it yet. 0 or -ENOMEM.
int vlan_create(const struct vlan_config *config, struct vlan **ret_vlan);
// Nobody uses the port any more.
void vlan_destroy(struct vlan *vlan);
