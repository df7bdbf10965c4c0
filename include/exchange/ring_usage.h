// SPDX-License-Identifier: BSD-3-Clause
// How full the rings between the planes are: what waits in them says which thread is behind.
#pragma once

#include "exchange/plane.h"

#include <stdbool.h>
#include <stdint.h>

enum plane_ring {
    PLANE_RING_COMMANDS,     // to the worker
    PLANE_RING_PUNTS,        // from it
    PLANE_RING_HANDOFFS,     // to it, of all other workers
    PLANE_RING_TO_KERNEL,    // from it
    PLANE_RING_FROM_KERNEL,  // to it, which is worker 0
    PLANE_RING_TO_STREAMS,   // from it, to all threads
    PLANE_RING_FROM_STREAMS, // to it, of all threads
    PLANE_RING_COUNT,
};

struct ring_usage {
    uint32_t entries;
    uint32_t capacity;
};

// "commands", "to_kernel". Static storage.
const char *plane_ring_name(enum plane_ring ring);

// Of all rings of this kind that the worker has; as of some moment while they change. False: it has none. Any thread.
bool ring_usage_get(const struct plane *plane, enum plane_ring ring, uint16_t worker, struct ring_usage *ret_usage);
