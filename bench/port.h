// SPDX-License-Identifier: BSD-3-Clause
// A port without a wire: it delivers frames from an array and puts what is sent into another, at the cost that the
// receive function of a driver has in any case.
#pragma once

#include <stdint.h>

struct rte_mbuf;

#define PORT_ID 0 // of the one that most use

struct port_arrival {
    struct rte_mbuf *frame;
    uint16_t len;
};

struct port {
    const struct port_arrival *arrivals;
    uint32_t arrival_count;
    uint32_t delivered;
    uint32_t burst; // frames delivered at once
    uint64_t rx_flags; // what a device says of each frame: ol_flags
    uint16_t rx_tag;   // the 802.1Q tag that it has taken off, if these say so
    uint16_t id;
    struct rte_mbuf **sent;
    uint32_t sent_count;
    uint32_t sent_capacity;
    void *queues[1];
    void *callbacks[1];
};

// From now on the port of that id is this one, queue 0. No device of the EAL has that id. capacity: frames sent.
void port_open(struct port *port, uint16_t id, uint32_t capacity);
void port_close(struct port *port);

// Deliver these next, in bursts; nothing has been sent. arrivals: borrowed until all are delivered.
void port_load(struct port *port, const struct port_arrival *arrivals, uint32_t count, uint32_t burst);

static inline int port_has_more(const struct port *port)
{
    return port->delivered < port->arrival_count;
}
