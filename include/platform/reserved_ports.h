// SPDX-License-Identifier: BSD-3-Clause
// Keeps the kernel from giving relay ports to the host's own sockets, whose replies the XDP program
// would then take.
#pragma once

#include "exchange/plane.h"

#include <stddef.h>
#include <stdint.h>

#define PORT_SET_LEN (65536 / 64)

// A bit a port.
struct port_set {
    uint64_t words[PORT_SET_LEN];
};

void port_set_add(struct port_set *set, uint16_t min_port, uint16_t max_port);
// set loses what other has.
void port_set_subtract(struct port_set *set, const struct port_set *other);
void port_set_merge(struct port_set *set, const struct port_set *other);

// The kernel's text form, "1-9,80" and a newline. 0 or -EINVAL.
int port_set_parse(const char *text, struct port_set *ret_set);
// Longest: every other port.
#define PORT_SET_TEXT_LEN (32768 * 6 + 2)
const char *port_set_format(const struct port_set *set, char *text);

struct reserved_ports;

// Add the relay ranges to net.ipv4.ip_local_reserved_ports. What was added is written down under
// /run, so that a relay on the same interface can take it back when this one is killed: call it
// only when there is no other on that interface. What cannot be done is a warning that says what to
// do, no error. NULL only when memory is out.
struct reserved_ports *reserved_ports_add(const struct plane_config *config, const char *interface);
// Take back what was added, and no more, wherever the caller is by then: of the privileges that it
// takes, the control thread keeps CAP_NET_ADMIN, and a thread in another network namespace none.
void reserved_ports_remove(struct reserved_ports *ports);
