// SPDX-License-Identifier: BSD-3-Clause
// The next hops, as workers see them. The control plane numbers them and says each change with a command; every worker
// keeps its own copy, so no packet reads memory that another thread writes.
#pragma once

#include <stdint.h>

#define ADJACENCY_NONE 0u // index 0 is never resolved: packets to it are dropped and counted

struct adjacency {
    uint8_t destination_mac[6];
    uint8_t source_mac[6];
    uint16_t mtu;     // of the IP packet, bytes
    uint8_t port;     // ethdev port id; from the next hops to the forwarder, the place of the interface
    uint8_t resolved; // 0: the neighbour is unknown or has failed
};
