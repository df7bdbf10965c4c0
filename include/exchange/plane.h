// SPDX-License-Identifier: BSD-3-Clause
// What both planes hold between them: the fixed facts of this run (listeners, relays, sizes) and the rings. Made by
// main before a worker starts, destroyed after the last has stopped.
#pragma once

#include "base/address.h"
#include "base/port_slice.h"
#include "base/siphash.h"
#include "exchange/bandwidth.h"
#include "exchange/command.h"
#include "exchange/counters.h"
#include "exchange/doorbell.h"
#include "exchange/handoff.h"
#include "exchange/punt.h"
#include "exchange/stream.h"
#include "proto/stateless.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

#define PLANE_LISTENERS_MAX 16
#define PLANE_RELAYS_MAX    64 // a worker's 4M allocations need as many ports
#define PLANE_WORKERS_MAX   PORT_SLICE_COUNT

#define PLANE_HASH_SECRET_LEN 160

// Where the relay owns devices: the first is `device`, the second, if there is one, `relay_device`. Each has a twin.
#define PLANE_SIDES_MAX 2

#define PLANE_STREAM_LISTENERS_MAX 192
#define PLANE_STREAM_THREADS_MAX   32

// A relay address: local is in the packets, advertised is what clients and peers know it as (1:1 NAT).
struct plane_relay {
    struct ip_address local;
    struct ip_address advertised;
    uint16_t min_port;
    uint16_t max_port; // inclusive
};

struct plane_rate_limit {
    uint32_t answers_per_second; // to one source prefix (/24, /56), 0: unlimited
    uint32_t burst;
};

enum plane_idle {
    PLANE_IDLE_ADAPTIVE, // an idle worker sleeps, ever longer up to idle_sleep_us
    PLANE_IDLE_SPIN,
};

// What a listener behind those of UDP takes: one for each address, transport and thread.
struct plane_stream_listener {
    uint8_t transport; // enum stream_transport
    uint8_t thread;    // that has its clients' connections
};

struct plane_config {
    // Local addresses: those of UDP first, then those of streams.
    struct transport_address listeners[PLANE_LISTENERS_MAX + PLANE_STREAM_LISTENERS_MAX];
    struct plane_stream_listener stream_listeners[PLANE_STREAM_LISTENERS_MAX]; // of listeners from listener_count on
    uint16_t listener_count;
    uint16_t stream_listener_count;
    uint16_t stream_thread_count; // 0: no streams
    bool dtls;                    // what begins as DTLS, at a listener of UDP, is for these threads
    bool proxied_clients;         // streams' clients may be of either family, whatever their listener's
    uint16_t relay_count;
    struct plane_relay relays[PLANE_RELAYS_MAX];
    uint16_t worker_count;
    uint16_t idle; // enum plane_idle
    bool rfc5766_channels; // channel numbers up to TURN_CHANNEL_MAX_RFC5766
    uint32_t idle_sleep_us;
    uint32_t allocations; // ids run from 0 to this - 1
    uint32_t allocations_per_worker;
    uint32_t permissions_per_worker;
    uint32_t channels_per_worker;
    uint32_t steerings_per_worker;
    uint32_t adjacencies; // indices run from 0 (never resolved) to this - 1
    uint32_t command_ring_len; // powers of two
    uint32_t punt_ring_len;
    uint32_t handoff_ring_len;
    uint32_t kernel_ring_len; // a power of two; 0: the kernel keeps the interface, and there is no twin
    bool has_relay_side;      // there are two devices
    uint32_t stream_ring_len; // a power of two, where there are stream threads
    struct plane_rate_limit rate_limit;
    // Bytes a second, each direction apart; 0: unlimited.
    uint64_t max_bps;       // of an allocation
    uint64_t user_max_bps;  // of a user
    uint64_t total_max_bps; // of all
    uint32_t users;         // run from 0 to this - 1, where user_max_bps is a limit
    struct stateless_policy stateless;
};

struct plane {
    struct plane_config config;
    struct rte_ring *commands[PLANE_WORKERS_MAX];  // elements: struct command
    struct rte_ring *punts[PLANE_WORKERS_MAX];     // elements: struct punt
    // [from][to]: struct handoff; NULL on the diagonal
    struct rte_ring *handoffs[PLANE_WORKERS_MAX][PLANE_WORKERS_MAX];
    // Where the relay owns devices whole, by their side: frames that are the kernel's, of each worker, and the kernel's
    // own, which worker 0 transmits. struct rte_mbuf *; NULL without a twin.
    struct rte_ring *to_kernel[PLANE_SIDES_MAX][PLANE_WORKERS_MAX];
    struct rte_ring *from_kernel[PLANE_SIDES_MAX];
    // struct rte_mbuf *; see exchange/stream.h
    struct rte_ring *to_streams[PLANE_WORKERS_MAX][PLANE_STREAM_THREADS_MAX];
    struct rte_ring *from_streams[PLANE_STREAM_THREADS_MAX][PLANE_WORKERS_MAX];
    struct rte_ring *stream_news[PLANE_STREAM_THREADS_MAX];   // struct stream_news
    struct rte_ring *stream_orders[PLANE_STREAM_THREADS_MAX]; // struct stream_order
    struct rte_mempool *stream_pool;                          // borrowed: what streams' frames are made of
    struct doorbell stream_doorbells[PLANE_STREAM_THREADS_MAX];
    struct doorbell doorbell;      // the control plane's
    struct doorbell twin_doorbells[PLANE_SIDES_MAX]; // the twins'; fd -1 without one
    struct doorbell worker_doorbells[PLANE_WORKERS_MAX];
    struct worker_counters *counters; // one block a worker
    struct shared_bandwidth *user_bandwidth; // by user; NULL without a limit in the configuration
    struct shared_bandwidth total_bandwidth;
    struct bandwidth_limits stream_limits; // of TCP allocations' connections; published by the control plane
    uint64_t tsc_hz;                  // of what they count in cycles
    uint8_t hash_secret[PLANE_HASH_SECRET_LEN]; // random: of the workers' tables, so that one finds what another hashed
    uint32_t policies_applied[PLANE_WORKERS_MAX]; // SET_STATELESS commands, each its worker's count; atomic
    bool steers; // ports deliver datagrams by their relay port; set before a worker starts
    uint32_t running; // cleared by the control plane to stop the workers; atomic
};

// As many as each worker has ports.
static inline unsigned plane_side_count(const struct plane_config *config)
{
    return config->has_relay_side ? PLANE_SIDES_MAX : 1;
}

// Has this listener clients with connections?
static inline bool plane_listener_is_stream(const struct plane_config *config, unsigned listener)
{
    return listener >= config->listener_count;
}

static inline const struct plane_stream_listener *plane_stream_listener(const struct plane_config *config,
                                                                        unsigned listener)
{
    return &config->stream_listeners[listener - config->listener_count];
}

// Of both kinds.
static inline unsigned plane_listener_total(const struct plane_config *config)
{
    return config->listener_count + config->stream_listener_count;
}

// Whether one of UDP listens at the relay's local address, within its range of ports. Any thread.
bool plane_relay_has_listener(const struct plane_config *config, const struct plane_relay *relay);

// 0, -EINVAL, -ENOMEM. config is copied. The EAL is up.
int plane_create(const struct plane_config *config, struct plane **ret_plane);
void plane_destroy(struct plane *plane);

// Control plane only. Free slots in a worker's command ring; a send of no more than that cannot fail.
uint32_t plane_command_room(const struct plane *plane, uint16_t worker);
// 0 or -ENOBUFS. Rings when the worker waits.
int plane_command_send(struct plane *plane, uint16_t worker, const struct command *command);
// Number of punts taken, at most max.
unsigned plane_punt_receive(struct plane *plane, uint16_t worker, struct punt *ret_punts, unsigned max);

// Worker only: a SET_STATELESS has been applied, and its policy is not looked at any more.
static inline void plane_policy_applied(struct plane *plane, uint16_t worker)
{
    __atomic_store_n(&plane->policies_applied[worker], plane->policies_applied[worker] + 1, __ATOMIC_RELEASE);
}

// Control plane only: whether every worker has applied all of the SET_STATELESS that each was sent.
static inline bool plane_policies_are_applied(const struct plane *plane, uint32_t sent)
{
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        if (__atomic_load_n(&plane->policies_applied[worker], __ATOMIC_ACQUIRE) != sent)
            return false;
    }
    return true;
}

// Packets dropped because that user was above its bandwidth, since there is one of this number; 0 without such a limit.
static inline uint64_t plane_user_dropped(const struct plane *plane, uint32_t user)
{
    return plane->user_bandwidth == NULL
               ? 0
               : __atomic_load_n(&plane->user_bandwidth[user].dropped_packets, __ATOMIC_RELAXED);
}

// Control plane only: about to wait for the doorbell. False: punts or news are waiting already, do not wait.
bool plane_doorbell_arm(struct plane *plane);

// Worker only: about to wait for its doorbell. False: commands or frames of streams are waiting already, do not wait.
bool plane_worker_doorbell_arm(struct plane *plane, uint16_t worker);

// Worker only. 0 or -ENOBUFS. Rings the doorbell when the control plane waits.
int plane_punt_send(struct plane *plane, uint16_t worker, const struct punt *punt);
uint32_t plane_punt_room(const struct plane *plane, uint16_t worker);

// There is a twin of that side. Worker only: how many of the frames the twin takes; it owns those. Rings when it waits.
unsigned plane_to_kernel_send(struct plane *plane, unsigned side, uint16_t worker, struct rte_mbuf **frames,
                              unsigned count);
// Worker 0 only: number of frames taken, at most max.
unsigned plane_from_kernel_receive(struct plane *plane, unsigned side, struct rte_mbuf **ret_frames, unsigned max);

// That twin's thread only.
unsigned plane_to_kernel_receive(struct plane *plane, unsigned side, uint16_t worker, struct rte_mbuf **ret_frames,
                                 unsigned max);
uint32_t plane_from_kernel_room(const struct plane *plane, unsigned side);
// 0 or -ENOBUFS.
int plane_from_kernel_send(struct plane *plane, unsigned side, struct rte_mbuf *frame);
// About to wait for the doorbell. False: frames are waiting already, do not wait.
bool plane_twin_doorbell_arm(struct plane *plane, unsigned side);
