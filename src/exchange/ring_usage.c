// SPDX-License-Identifier: BSD-3-Clause
// See exchange/ring_usage.h.
#include "exchange/ring_usage.h"

#include <assert.h>
#include <rte_ring.h>

const char *plane_ring_name(enum plane_ring ring)
{
    static const char *const names[PLANE_RING_COUNT] = {
        [PLANE_RING_COMMANDS] = "commands",         [PLANE_RING_PUNTS] = "punts",
        [PLANE_RING_HANDOFFS] = "handoffs",         [PLANE_RING_TO_KERNEL] = "to_kernel",
        [PLANE_RING_FROM_KERNEL] = "from_kernel",   [PLANE_RING_TO_STREAMS] = "to_streams",
        [PLANE_RING_FROM_STREAMS] = "from_streams",
    };
    assert(ring < PLANE_RING_COUNT);
    return names[ring];
}

static void add(const struct rte_ring *ring, struct ring_usage *usage)
{
    if (ring == NULL)
        return;
    usage->entries += rte_ring_count(ring);
    usage->capacity += rte_ring_get_capacity(ring);
}

bool ring_usage_get(const struct plane *plane, enum plane_ring ring, uint16_t worker,
                    struct ring_usage *ret_usage)
{
    struct ring_usage usage = {0};

    switch (ring) {
    case PLANE_RING_COMMANDS:
        add(plane->commands[worker], &usage);
        break;
    case PLANE_RING_PUNTS:
        add(plane->punts[worker], &usage);
        break;
    case PLANE_RING_HANDOFFS:
        for (uint16_t from = 0; from < plane->config.worker_count; from++)
            add(plane->handoffs[from][worker], &usage);
        break;
    case PLANE_RING_TO_KERNEL:
        for (unsigned side = 0; side < PLANE_SIDES_MAX; side++)
            add(plane->to_kernel[side][worker], &usage);
        break;
    case PLANE_RING_FROM_KERNEL:
        for (unsigned side = 0; side < PLANE_SIDES_MAX && worker == 0; side++)
            add(plane->from_kernel[side], &usage);
        break;
    case PLANE_RING_TO_STREAMS:
        for (uint16_t thread = 0; thread < plane->config.stream_thread_count; thread++)
            add(plane->to_streams[worker][thread], &usage);
        break;
    default:
        for (uint16_t thread = 0; thread < plane->config.stream_thread_count; thread++)
            add(plane->from_streams[thread][worker], &usage);
        break;
    }
    if (usage.capacity == 0)
        return false;
    *ret_usage = usage;
    return true;
}
