// SPDX-License-Identifier: BSD-3-Clause
// What one round of questions says of a relay, as top needs it: plain numbers and short texts.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define TOP_WORKERS_MAX     64
#define TOP_DROPS_MAX       64
#define TOP_ALLOCATIONS_MAX 40 // as many as the relay tells

struct top_status {
    uint64_t pid;
    uint64_t uptime_s;
    uint64_t allocations, allocations_max, permissions, channels, users;
    char version[24], device[24], state[16];
    bool relays_tcp; // to peers (RFC 6062); if not, these are 0
    uint64_t tcp_allocations, tcp_connections, tcp_bytes_to_peer, tcp_bytes_to_client;
};

struct top_worker {
    uint64_t worker, cpu, allocations;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, dropped;
    uint64_t busy_cycles, idle_cycles; // of its time; both 0: it does not say
    bool is_stuck;
};

struct top_drop {
    char reason[32];
    uint64_t count;
};

struct top_allocation {
    char session[24];
    char user[64], client[64], relayed[64];
    char peers[8];        // udp, tcp: how they are reached
    uint64_t connections; // to peers over TCP
    uint64_t age_s;
    uint64_t packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client;
};

// Each part with the time at which its answer came, in milliseconds of the monotonic clock; 0 when it did not.
struct top_sample {
    uint64_t status_ms, workers_ms, drops_ms, allocations_ms;
    struct top_status status;
    unsigned worker_count, drop_count, allocation_count;
    struct top_worker workers[TOP_WORKERS_MAX];
    struct top_drop drops[TOP_DROPS_MAX];
    struct top_allocation allocations[TOP_ALLOCATIONS_MAX];
};

// Each takes one answer's body into its part. What an answer lacks is 0 or empty; what is too much is left out.
void top_sample_take_status(struct top_sample *sample, const json_t *body, uint64_t now_ms);
void top_sample_take_workers(struct top_sample *sample, const json_t *body, uint64_t now_ms);
void top_sample_take_drops(struct top_sample *sample, const json_t *body, uint64_t now_ms);
void top_sample_take_allocations(struct top_sample *sample, const json_t *body, uint64_t now_ms);
