// SPDX-License-Identifier: BSD-3-Clause
// The kernel's twins of all devices that the relay owns: one of each, in their order.
#pragma once

#include "exchange/plane.h"
#include "platform/interface.h"
#include "platform/port.h"
#include "platform/twin.h"

struct twins {
    unsigned count; // 0: the relay owns no device
    struct twin *at[PORT_DEVICES_MAX];
    struct interface interfaces[PORT_DEVICES_MAX]; // as at the start, with the addresses of now
};

struct twins_config { // borrowed
    struct plane *plane;
    struct ports *ports; // to whose facts is added which way frames go
    const char *names[PORT_DEVICES_MAX]; // of the interfaces
};

// Where the twins shall be: in the network namespace of the caller's thread. Logs what went wrong.
// 0, or -errno with none left.
int twins_create(const struct twins_config *config, struct twins *ret_twins);
void twins_destroy(struct twins *twins);

// Whatever addresses they have, as far as there is room: the first twin, with all of them.
void twins_get_interface(const struct twins *twins, struct interface *ret_interface);
