// SPDX-License-Identifier: BSD-3-Clause
// Turns quotas into sizes. An average is assumed where every allocation at its limit would take too
// much: who comes too late is then refused (508), and nobody else suffers.
#include "control/sizing.h"

#define PERMISSIONS_ON_AVERAGE 4
#define CHANNELS_ON_AVERAGE    2
// So many allocations may be at their limits, however few there are in all.
#define FULL_ALLOCATIONS 32

#define ADJACENCIES      16384
#define COMMAND_RING_LEN 4096
#define PUNT_RING_LEN    4096
#define HANDOFF_RING_LEN 2048
#define KERNEL_RING_LEN  1024
// Of all stream threads together, and of one at least: what is in their rings are packet buffers.
#define STREAM_RINGS_LEN    4096
#define STREAM_RING_LEN_MIN 1024
#define BUFFERS_PER_WORKER  16384

#define EAL_MEMORY_MB    64
#define WORKER_MEMORY_MB 64

static uint32_t at_most(uint64_t value, uint64_t limit)
{
    return (uint32_t)(value < limit ? value : limit);
}

static uint32_t pool_size(uint32_t allocations, uint32_t on_average, uint32_t limit)
{
    uint64_t full = (uint64_t)at_most(allocations, FULL_ALLOCATIONS) * limit;
    uint64_t average = (uint64_t)allocations * on_average;

    return at_most(full > average ? full : average, (uint64_t)allocations * limit);
}

void sizing_limits(const struct settings *settings, struct turn_limits *ret_limits)
{
    uint32_t total = settings->total_quota;
    // Clients are not spread evenly: each worker can take twice its share.
    uint32_t share =
        at_most(((uint64_t)total * 2 + settings->workers - 1) / settings->workers, total);

    *ret_limits = (struct turn_limits){
        .allocations = total,
        .allocations_per_worker = share,
        .permissions_per_worker =
            pool_size(share, PERMISSIONS_ON_AVERAGE, settings->permissions_per_allocation),
        .channels_per_worker =
            pool_size(share, CHANNELS_ON_AVERAGE, settings->channels_per_allocation),
        .allocations_per_user = settings->user_quota,
        .max_bps = settings->max_bps,
        .bps_capacity = settings->bps_capacity,
        .permissions_per_allocation = settings->permissions_per_allocation,
        .channels_per_allocation = settings->channels_per_allocation,
        .default_lifetime_s = settings->default_lifetime_s,
        .max_lifetime_s = settings->max_lifetime_s,
        .tcp_connections = settings->tcp_relay ? settings->tcp_connections : 0,
        .tcp_connections_per_allocation = settings->tcp_connections_per_allocation,
    };
}

static uint32_t stream_ring_len(uint32_t threads)
{
    uint32_t len = STREAM_RINGS_LEN;

    while (len > STREAM_RING_LEN_MIN && len * threads > STREAM_RINGS_LEN)
        len /= 2;
    return len;
}

void sizing_plane(const struct settings *settings, const struct turn_limits *limits,
                  struct plane_config *config)
{
    config->worker_count = (uint16_t)settings->workers;
    config->rfc5766_channels = settings->rfc5766_channels;
    config->idle = (uint16_t)settings->idle;
    config->idle_sleep_us = settings->idle_sleep_us;
    config->allocations = limits->allocations;
    config->allocations_per_worker = limits->allocations_per_worker;
    config->permissions_per_worker = limits->permissions_per_worker;
    config->channels_per_worker = limits->channels_per_worker;
    // The worst case: all clients have their home, or land, on a worker that owns none of them.
    config->steerings_per_worker = settings->workers > 1 ? limits->allocations : 0;
    config->adjacencies = ADJACENCIES;
    config->command_ring_len = COMMAND_RING_LEN;
    config->punt_ring_len = PUNT_RING_LEN;
    config->handoff_ring_len = HANDOFF_RING_LEN;
    config->stream_ring_len = stream_ring_len(settings->tls_threads);
    config->kernel_ring_len = settings_have_twin(settings) ? KERNEL_RING_LEN : 0;
    config->has_relay_side = settings_own_relay_device(settings);
    config->rate_limit.answers_per_second = settings->unauthenticated_rate;
    config->rate_limit.burst = settings->unauthenticated_burst;
    config->max_bps = settings->max_bps;
    config->user_max_bps = settings->user_max_bps;
    config->total_max_bps = settings->total_max_bps;
    config->users = settings->user_max_bps > 0 ? turn_limits_users(limits) : 0;
    config->proxied_clients = settings->proxy_protocol_from.count > 0;
}

uint32_t sizing_destinations(const struct plane_config *config)
{
    uint64_t peers = (uint64_t)config->permissions_per_worker * config->worker_count;

    // Twice what can be in use: what no longer is stays until the next walk.
    return at_most(2 * (config->allocations + peers), 1u << 28);
}

uint32_t sizing_buffer_count(const struct settings *settings)
{
    return settings->packet_buffers > 0 ? settings->packet_buffers
                                        : settings->workers * BUFFERS_PER_WORKER;
}

uint32_t sizing_memory_mb(const struct settings *settings, uint64_t buffers_len)
{
    if (settings->memory_mb > 0)
        return settings->memory_mb;
    return EAL_MEMORY_MB + WORKER_MEMORY_MB * settings->workers + (uint32_t)(buffers_len >> 20) + 1;
}
