// SPDX-License-Identifier: BSD-3-Clause
// Has a device deliver what is for a relay port to the worker that owns it, by rte_flow rules,
// where it takes them. Where it does not, workers hand on what is others'. The control thread's.
#pragma once

#include "exchange/plane.h"
#include "platform/port_facts.h"

#include <stdbool.h>
#include <stdint.h>

struct steering;

struct steering_config {
    const char *device; // its name, for the log
    uint16_t port;      // ethdev, started, with a queue for each worker
    uint16_t vlan;      // that its frames are on; 0: none
    bool is_isolated;   // it delivers what a rule matches, and nothing else
    const struct plane_config *plane;
};

// The device will deliver what a rule matches, and leave the rest to the kernel's driver. It is not
// configured yet. Logs what went wrong. 0 or -errno: it is none that the kernel keeps.
int steering_isolate(const char *device, uint16_t port);

// All rules or none; what rules there were of others are removed first. Adds a row on what came of
// it to facts. 0; also without rules, *ret_steering is NULL then, unless the device is isolated: it
// would deliver nothing, which is logged and is -errno.
int steering_create(const struct steering_config *config, struct port_facts *facts,
                    struct steering **ret_steering);
// Also takes its rules away. The port is started, still.
void steering_destroy(struct steering *steering);

// Now and then: does the device do as its rules say? Where it does not, that is logged, once, and
// written into the row. Hand-off serves either way. steering NULL: nothing is looked at.
void steering_look(struct steering *steering, const struct plane *plane, struct port_facts *facts);
