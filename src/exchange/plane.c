// SPDX-License-Identifier: BSD-3-Clause
// The rings between the planes, and the doorbell that lets the control plane sleep while no worker
// has anything to say.
#include "exchange/plane.h"

#include <errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool ring_len_is_valid(uint32_t len)
{
    return len >= 2 && len <= RTE_RING_SZ_MASK / 2 && (len & (len - 1)) == 0;
}

static bool config_is_valid(const struct plane_config *config)
{
    return config->worker_count >= 1 && config->worker_count <= PLANE_WORKERS_MAX &&
           config->listener_count <= PLANE_LISTENERS_MAX &&
           config->relay_count <= PLANE_RELAYS_MAX && config->allocations >= 1 &&
           config->allocations_per_worker >= 1 && config->adjacencies >= 1 &&
           ring_len_is_valid(config->command_ring_len) &&
           ring_len_is_valid(config->punt_ring_len) && ring_len_is_valid(config->handoff_ring_len);
}

static void *take_zeroed(size_t alignment, size_t len)
{
    size_t rounded = (len + alignment - 1) & ~(alignment - 1);
    void *memory = aligned_alloc(alignment, rounded);
    if (memory != NULL)
        memset(memory, 0, rounded);
    return memory;
}

// The rings stand in ordinary memory: a memzone each would need a name that no other plane has, and
// 64 workers make more hand-off rings (64 * 63) than DPDK has memzones.
static struct rte_ring *ring_create(unsigned element_len, uint32_t len)
{
    ssize_t memory_len = rte_ring_get_memsize_elem(element_len, len);
    if (memory_len < 0)
        return NULL;
    struct rte_ring *ring = take_zeroed(RTE_CACHE_LINE_SIZE * 2, (size_t)memory_len);
    if (ring == NULL)
        return NULL;
    if (rte_ring_init(ring, "plane", len, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
        free(ring);
        return NULL;
    }
    return ring;
}

static int plane_create_rings(struct plane *plane)
{
    const struct plane_config *config = &plane->config;
    for (uint16_t worker = 0; worker < config->worker_count; worker++) {
        plane->commands[worker] = ring_create(sizeof(struct command), config->command_ring_len);
        plane->punts[worker] = ring_create(sizeof(struct punt), config->punt_ring_len);
        if (plane->commands[worker] == NULL || plane->punts[worker] == NULL)
            return -ENOMEM;
        for (uint16_t to = 0; to < config->worker_count; to++) {
            if (to == worker)
                continue;
            plane->handoffs[worker][to] = ring_create(sizeof(void *), config->handoff_ring_len);
            if (plane->handoffs[worker][to] == NULL)
                return -ENOMEM;
        }
    }
    return 0;
}

int plane_create(const struct plane_config *config, struct plane **ret_plane)
{
    if (!config_is_valid(config))
        return -EINVAL;
    struct plane *plane = take_zeroed(alignof(struct plane), sizeof(*plane));
    if (plane == NULL)
        return -ENOMEM;
    plane->config = *config;
    plane->running = 1;
    plane->doorbell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    plane->counters = take_zeroed(alignof(struct worker_counters),
                                  config->worker_count * sizeof(struct worker_counters));
    if (plane->doorbell.fd < 0 || plane->counters == NULL || plane_create_rings(plane) != 0) {
        plane_destroy(plane);
        return -ENOMEM;
    }
    *ret_plane = plane;
    return 0;
}

void plane_destroy(struct plane *plane)
{
    if (plane == NULL)
        return;
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        free(plane->commands[worker]);
        free(plane->punts[worker]);
        for (uint16_t to = 0; to < plane->config.worker_count; to++)
            free(plane->handoffs[worker][to]);
    }
    if (plane->doorbell.fd >= 0)
        close(plane->doorbell.fd);
    free(plane->counters);
    free(plane);
}

uint32_t plane_command_room(const struct plane *plane, uint16_t worker)
{
    return rte_ring_free_count(plane->commands[worker]);
}

int plane_command_send(struct plane *plane, uint16_t worker, const struct command *command)
{
    return rte_ring_sp_enqueue_elem(plane->commands[worker], (void *)(uintptr_t)command,
                                    sizeof(*command));
}

unsigned plane_punt_receive(struct plane *plane, uint16_t worker, struct punt *ret_punts,
                            unsigned max)
{
    return rte_ring_sc_dequeue_burst_elem(plane->punts[worker], ret_punts, sizeof(*ret_punts), max,
                                          NULL);
}

// Two threads each store, then load what the other stores: the control plane says that it waits and
// looks at the rings; a worker fills a ring and looks whether the control plane waits. With a full
// fence between store and load on both sides, at least one of them sees the other, so no punt is
// left lying while the control plane sleeps.
bool plane_doorbell_arm(struct plane *plane)
{
    struct plane_doorbell *doorbell = &plane->doorbell;
    uint64_t rung;
    ssize_t ignored =
        read(doorbell->fd, &rung, sizeof(rung)); // what was rung before is being seen to now
    (void)ignored;
    __atomic_store_n(&doorbell->waiting, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        if (rte_ring_empty(plane->punts[worker]))
            continue;
        __atomic_store_n(&doorbell->waiting, 0, __ATOMIC_RELAXED);
        return false;
    }
    return true;
}

static void doorbell_ring(struct plane_doorbell *doorbell)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&doorbell->waiting, __ATOMIC_RELAXED) == 0 ||
        __atomic_exchange_n(&doorbell->waiting, 0, __ATOMIC_RELAXED) == 0)
        return;
    uint64_t one = 1;
    ssize_t ignored = write(doorbell->fd, &one, sizeof(one)); // full means rung already
    (void)ignored;
}

int plane_punt_send(struct plane *plane, uint16_t worker, const struct punt *punt)
{
    int error =
        rte_ring_sp_enqueue_elem(plane->punts[worker], (void *)(uintptr_t)punt, sizeof(*punt));
    if (error == 0)
        doorbell_ring(&plane->doorbell);
    return error;
}

uint32_t plane_punt_room(const struct plane *plane, uint16_t worker)
{
    return rte_ring_free_count(plane->punts[worker]);
}
