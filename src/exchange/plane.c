// SPDX-License-Identifier: BSD-3-Clause
// The rings between the planes.
#include "exchange/plane.h"

#include "base/random.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool ring_len_is_valid(uint32_t len)
{
    return len >= 2 && len <= RTE_RING_SZ_MASK / 2 && (len & (len - 1)) == 0;
}

static bool streams_are_valid(const struct plane_config *config)
{
    for (uint16_t i = 0; i < config->stream_listener_count && i < PLANE_STREAM_LISTENERS_MAX; i++) {
        if (config->stream_listeners[i].thread >= config->stream_thread_count)
            return false;
    }
    return config->stream_listener_count <= PLANE_STREAM_LISTENERS_MAX &&
           config->stream_thread_count <= PLANE_STREAM_THREADS_MAX &&
           (!config->dtls || config->stream_thread_count > 0) &&
           (config->stream_thread_count == 0 || ring_len_is_valid(config->stream_ring_len));
}

static bool config_is_valid(const struct plane_config *config)
{
    return streams_are_valid(config) && config->worker_count >= 1 &&
           config->worker_count <= PLANE_WORKERS_MAX &&
           config->listener_count <= PLANE_LISTENERS_MAX &&
           config->relay_count <= PLANE_RELAYS_MAX && config->allocations >= 1 &&
           config->allocations_per_worker >= 1 && config->adjacencies >= 1 &&
           (config->user_max_bps == 0 || config->users > 0) &&
           ring_len_is_valid(config->command_ring_len) &&
           ring_len_is_valid(config->punt_ring_len) &&
           ring_len_is_valid(config->handoff_ring_len) &&
           (config->kernel_ring_len == 0 || ring_len_is_valid(config->kernel_ring_len));
}

static size_t users_len(const struct plane_config *config)
{
    return config->users * sizeof(struct shared_bandwidth);
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
        if (doorbell_init(&plane->worker_doorbells[worker]) != 0 ||
            plane->commands[worker] == NULL || plane->punts[worker] == NULL)
            return -ENOMEM;
        for (uint16_t to = 0; to < config->worker_count; to++) {
            if (to == worker)
                continue;
            plane->handoffs[worker][to] =
                ring_create(sizeof(struct handoff), config->handoff_ring_len);
            if (plane->handoffs[worker][to] == NULL)
                return -ENOMEM;
        }
    }
    return 0;
}

static int plane_create_twin(struct plane *plane, unsigned side)
{
    uint32_t len = plane->config.kernel_ring_len;
    plane->from_kernel[side] = ring_create(sizeof(void *), len);
    if (doorbell_init(&plane->twin_doorbells[side]) != 0 || plane->from_kernel[side] == NULL)
        return -ENOMEM;
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        plane->to_kernel[side][worker] = ring_create(sizeof(void *), len);
        if (plane->to_kernel[side][worker] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int plane_create_twins(struct plane *plane)
{
    bool has_twins = plane->config.kernel_ring_len > 0;
    int error = 0;
    for (unsigned side = 0; error == 0 && has_twins && side < plane_side_count(&plane->config);
         side++)
        error = plane_create_twin(plane, side);
    return error;
}

static void plane_destroy_twin(struct plane *plane, unsigned side)
{
    doorbell_done(&plane->twin_doorbells[side]);
    free(plane->from_kernel[side]);
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++)
        free(plane->to_kernel[side][worker]);
}

static int plane_create_stream(struct plane *plane, uint16_t thread)
{
    const struct plane_config *config = &plane->config;
    uint32_t len = config->stream_ring_len;
    plane->stream_news[thread] = ring_create(sizeof(struct stream_news), len);
    plane->stream_orders[thread] = ring_create(sizeof(struct stream_order), len);
    if (doorbell_init(&plane->stream_doorbells[thread]) != 0 ||
        plane->stream_news[thread] == NULL || plane->stream_orders[thread] == NULL)
        return -ENOMEM;
    for (uint16_t worker = 0; worker < config->worker_count; worker++) {
        plane->to_streams[worker][thread] = ring_create(sizeof(void *), len);
        plane->from_streams[thread][worker] = ring_create(sizeof(void *), len);
        if (plane->to_streams[worker][thread] == NULL ||
            plane->from_streams[thread][worker] == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int plane_create_streams(struct plane *plane)
{
    int error = 0;
    for (uint16_t i = 0; error == 0 && i < plane->config.stream_thread_count; i++)
        error = plane_create_stream(plane, i);
    return error;
}

static void plane_destroy_stream(struct plane *plane, uint16_t thread)
{
    doorbell_done(&plane->stream_doorbells[thread]);
    free(plane->stream_news[thread]);
    free(plane->stream_orders[thread]);
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        free(plane->to_streams[worker][thread]);
        free(plane->from_streams[thread][worker]);
    }
}

// Touched as users come: pages of nobody's take no memory.
static int plane_create_users(struct plane *plane)
{
    if (plane->config.users == 0)
        return 0;
    void *memory = mmap(NULL, users_len(&plane->config), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    plane->user_bandwidth = memory;
    return 0;
}

bool plane_relay_has_listener(const struct plane_config *config, const struct plane_relay *relay)
{
    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct transport_address *listener = &config->listeners[i];
        if (ip_address_equal(&listener->ip, &relay->local) && listener->port >= relay->min_port &&
            listener->port <= relay->max_port)
            return true;
    }
    return false;
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
    plane->tsc_hz = rte_get_tsc_hz();
    plane->stream_limits = (struct bandwidth_limits){
        .max_bps = config->max_bps,
        .user_max_bps = config->user_max_bps,
        .total_max_bps = config->total_max_bps,
    };
    random_fill(&random_system, plane->hash_secret, sizeof(plane->hash_secret));
    for (unsigned side = 0; side < PLANE_SIDES_MAX; side++)
        plane->twin_doorbells[side].fd = -1;
    plane->doorbell.fd = -1;
    for (uint16_t i = 0; i < config->stream_thread_count; i++)
        plane->stream_doorbells[i].fd = -1;
    for (uint16_t i = 0; i < config->worker_count; i++)
        plane->worker_doorbells[i].fd = -1;
    plane->counters = take_zeroed(alignof(struct worker_counters),
                                  config->worker_count * sizeof(struct worker_counters));
    if (doorbell_init(&plane->doorbell) != 0 || plane->counters == NULL ||
        plane_create_rings(plane) != 0 || plane_create_twins(plane) != 0 ||
        plane_create_streams(plane) != 0 || plane_create_users(plane) != 0) {
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
        doorbell_done(&plane->worker_doorbells[worker]);
        free(plane->commands[worker]);
        free(plane->punts[worker]);
        for (uint16_t to = 0; to < plane->config.worker_count; to++)
            free(plane->handoffs[worker][to]);
    }
    for (uint16_t i = 0; i < plane->config.stream_thread_count; i++)
        plane_destroy_stream(plane, i);
    for (unsigned side = 0; side < PLANE_SIDES_MAX; side++)
        plane_destroy_twin(plane, side);
    doorbell_done(&plane->doorbell);
    free(plane->counters);
    if (plane->user_bandwidth != NULL)
        munmap(plane->user_bandwidth, users_len(&plane->config));
    free(plane);
}

uint32_t plane_command_room(const struct plane *plane, uint16_t worker)
{
    return rte_ring_free_count(plane->commands[worker]);
}

int plane_command_send(struct plane *plane, uint16_t worker, const struct command *command)
{
    int error = rte_ring_sp_enqueue_elem(plane->commands[worker], (void *)(uintptr_t)command,
                                         sizeof(*command));
    if (error == 0)
        doorbell_ring(&plane->worker_doorbells[worker]);
    return error;
}

unsigned plane_punt_receive(struct plane *plane, uint16_t worker, struct punt *ret_punts,
                            unsigned max)
{
    return rte_ring_sc_dequeue_burst_elem(plane->punts[worker], ret_punts, sizeof(*ret_punts), max,
                                          NULL);
}

bool plane_doorbell_arm(struct plane *plane)
{
    struct rte_ring *rings[PLANE_WORKERS_MAX + PLANE_STREAM_THREADS_MAX];
    unsigned count = 0;
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++)
        rings[count++] = plane->punts[worker];
    for (uint16_t thread = 0; thread < plane->config.stream_thread_count; thread++)
        rings[count++] = plane->stream_news[thread];
    return doorbell_arm(&plane->doorbell, rings, count);
}

bool plane_twin_doorbell_arm(struct plane *plane, unsigned side)
{
    return doorbell_arm(&plane->twin_doorbells[side], plane->to_kernel[side],
                        plane->config.worker_count);
}

bool plane_worker_doorbell_arm(struct plane *plane, uint16_t worker)
{
    struct rte_ring *rings[1 + PLANE_STREAM_THREADS_MAX] = {plane->commands[worker]};
    unsigned count = 1;
    for (uint16_t thread = 0; thread < plane->config.stream_thread_count; thread++)
        rings[count++] = plane->from_streams[thread][worker];
    return doorbell_arm(&plane->worker_doorbells[worker], rings, count);
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

unsigned plane_to_kernel_send(struct plane *plane, unsigned side, uint16_t worker,
                              struct rte_mbuf **frames, unsigned count)
{
    unsigned sent =
        rte_ring_sp_enqueue_burst(plane->to_kernel[side][worker], (void **)frames, count, NULL);
    if (sent > 0)
        doorbell_ring(&plane->twin_doorbells[side]);
    return sent;
}

unsigned plane_to_kernel_receive(struct plane *plane, unsigned side, uint16_t worker,
                                 struct rte_mbuf **ret_frames, unsigned max)
{
    return rte_ring_sc_dequeue_burst(plane->to_kernel[side][worker], (void **)ret_frames, max,
                                     NULL);
}

int plane_from_kernel_send(struct plane *plane, unsigned side, struct rte_mbuf *frame)
{
    return rte_ring_sp_enqueue(plane->from_kernel[side], frame);
}

uint32_t plane_from_kernel_room(const struct plane *plane, unsigned side)
{
    return rte_ring_free_count(plane->from_kernel[side]);
}

unsigned plane_from_kernel_receive(struct plane *plane, unsigned side, struct rte_mbuf **ret_frames,
                                   unsigned max)
{
    return rte_ring_sc_dequeue_burst(plane->from_kernel[side], (void **)ret_frames, max, NULL);
}
