// SPDX-License-Identifier: BSD-3-Clause
// The kernel's twin of a device that the relay owns whole: a TAP with the device's MAC address and
// MTU, whose frames vhost-net carries where it can be had. Addresses, routes and neighbours are on
// it, so ARP, ping, SSH and the host's own sockets go on as ever.
#pragma once

#include "exchange/plane.h"

#include <stdbool.h>
#include <stdint.h>

struct port_facts;
struct rte_mempool;
struct twin;

struct twin_config {
    struct plane *plane; // borrowed; has rings to and from the kernel
    unsigned side;       // which of them: the first device's, or the second's
    const char *setting; // that names it, for who reads the log
    struct rte_mempool *pool;
    const char *name; // of the interface: a new one, or a TAP that nobody holds open
    uint8_t mac[6];
    uint16_t mtu;             // bytes
    const char *vhost_net;    // VHOST_NET_PATH; what cannot be opened is done without
    struct port_facts *facts; // a row is added: which way frames go, and why; NULL: none
};

// The interface is up, and a thread of its own carries frames between it and the plane's rings.
// Logs what went wrong. 0 or -errno.
int twin_create(const struct twin_config *config, struct twin **ret_twin);
// As the device's link is; the control thread.
void twin_set_carrier(const struct twin *twin, bool is_up);
// The thread has ended. The interface goes too, unless it was there before.
void twin_destroy(struct twin *twin);
