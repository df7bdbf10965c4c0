// SPDX-License-Identifier: BSD-3-Clause
// Takes the relay's packets off a shared interface with an XDP program of our own and leaves the
// rest to the kernel.
#pragma once

#include "exchange/plane.h"

#include <stdbool.h>

enum xdp_filter_mode {
    XDP_FILTER_AUTO,    // in the driver where it can, else generic
    XDP_FILTER_NATIVE,  // in the driver
    XDP_FILTER_GENERIC, // in the kernel's receive path, any driver
};

struct xdp_filter;
struct xdp_filter_rules;

// The program's rules: listeners and relays of the plane.
void xdp_filter_make_rules(const struct plane_config *config, struct xdp_filter_rules *ret_rules);

// Load the program. Logs what went wrong. 0 or -errno.
int xdp_filter_create(const struct plane_config *config, struct xdp_filter **ret_filter);
// Also detaches it.
void xdp_filter_destroy(struct xdp_filter *filter);

// Attach it to the interface. It redirects a queue once a socket of that queue exists; until then
// all goes to the kernel. The kernel detaches it when this process ends, however it ends. One at a
// time in a process: sockets that the AF_XDP driver creates from now on are added to it. Logs what
// went wrong. 0 or -errno; -EBUSY: another program is attached.
int xdp_filter_attach(struct xdp_filter *filter, const char *interface, enum xdp_filter_mode mode);

// From now on an AF_XDP socket gets what is the relay's of a queue. 0 or -errno.
int xdp_filter_add_socket(struct xdp_filter *filter, uint32_t queue, int fd);
// That socket, readable when it has packets; -1: the queue has none.
int xdp_filter_socket(const struct xdp_filter *filter, uint32_t queue);

// File descriptor of the program, owned by the filter.
int xdp_filter_program(const struct xdp_filter *filter);
// XDP_FILTER_NATIVE or _GENERIC: as it was attached. _AUTO: it was not.
enum xdp_filter_mode xdp_filter_mode(const struct xdp_filter *filter);
// Sockets that receive from it, and whether all of them do without copying.
unsigned xdp_filter_socket_count(const struct xdp_filter *filter);
bool xdp_filter_is_zero_copy(const struct xdp_filter *filter);
