// SPDX-License-Identifier: BSD-3-Clause
// What a worker is made of, for the rooms that share the work. One thread reads and writes it.
#pragma once

#include "dataplane/idle.h"
#include "dataplane/local_addresses.h"
#include "dataplane/packet.h"
#include "dataplane/path_mtu.h"
#include "dataplane/rate_limiter.h"
#include "dataplane/reassembly.h"
#include "dataplane/round_time.h"
#include "dataplane/tables.h"
#include "dataplane/token_stream.h"
#include "dataplane/worker.h"
#include "exchange/adjacency.h"
#include "exchange/plane.h"
#include "exchange/token_bucket.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define WORKER_BURST COUNTERS_BURST_MAX

// Of ICMP errors that clients are told of: an allocation has one, with others of its remainder.
#define ICMP_TO_CLIENT_BUCKETS 256

struct worker_queue {
    struct rte_mbuf *frames[WORKER_BURST];
    unsigned count;
};

// On their way out. There is room for the port's burst and for what others handed over with it.
#define WORKER_TX_MOST (2 * WORKER_BURST)

struct worker_tx {
    struct rte_mbuf *frames[WORKER_TX_MOST];
    unsigned count;
};

// For another worker.
struct worker_handoffs {
    struct handoff at[WORKER_BURST];
    unsigned count;
};

// The packets whose way is looked up together, and what for.
struct worker_lookups {
    struct flow_key keys[WORKER_BURST];
    uint64_t hashes[WORKER_BURST];
    uint32_t values[WORKER_BURST];
    struct packet *packets[WORKER_BURST];
    unsigned count;
};

struct worker_packets {
    struct packet *packets[WORKER_BURST];
    unsigned count;
};

// The packets that a permission is looked for, and where there may be one, a channel.
struct worker_peers {
    struct packet *packets[WORKER_BURST];
    uint32_t permissions[WORKER_BURST];
    uint32_t channels[WORKER_BURST];
    unsigned count;
};

struct worker {
    struct plane *plane;
    const struct plane_config *config; // the plane's
    struct worker_counters *counters;
    uint64_t now_tsc;
    uint64_t tsc_hz;
    struct round_time round;
    uint16_t id;
    uint16_t port;
    uint16_t queue;
    uint16_t ipv4_id;
    int wait_fd; // of an idle worker; negative: none
    bool shares_cpu;
    bool may_hand_on;    // the burst in work came from the wire
    uint16_t relay_port; // of a second device; without one the same as port
    struct adjacency *adjacencies;
    struct local_addresses local_v4;
    struct local_addresses local_v6;
    struct tables tables;

    struct worker_tx tx;             // where there are two ports, each frame says its own
    uint64_t tx_bytes;               // in it
    struct worker_queue to_kernel;   // the same
    struct worker_queue turned;      // came through the hairpin, to be looked up as peer packets
    struct worker_queue reassembled; // to be classified again
    struct packet packets[WORKER_BURST];
    struct worker_packets by_kind[PACKET_KIND_COUNT];
    struct worker_packets guessed;       // peer packets whose channel is guessed
    struct worker_packets unguessed;     // and those whose is not, or wrongly
    struct worker_lookups lookups;       // first round
    struct worker_peers peers;           // second round
    struct worker_lookups stray_lookups; // clients that are not this worker's

    struct token_bucket icmp_answers; // ICMP errors that may be sent

    struct token_rate bandwidth; // of an allocation, each direction apart
    uint32_t allowance_piece_len;
    bool shares_bandwidth; // users, or all allocations, have a limit
    struct token_stream tokens;
    // Of UDP's listeners with IPv4, address and port as in memory; of all others 0.
    uint64_t listener_ends[PLANE_LISTENERS_MAX + PLANE_STREAM_LISTENERS_MAX];
    struct rate_limiter rate_limiter;
    struct stateless_answers stateless;
    uint64_t clock_due_tsc; // when the monotonic clock is read next
    uint32_t now_s;         // monotonic seconds

    struct command removal; // under way, while removing
    bool removing;

    struct rte_mempool *pool;  // buffers for fragments
    struct rte_mempool *jumbo; // buffers as large as a datagram gets
    struct reassembly reassembly;
    struct idle idle;
    struct table_memory memory; // this struct's
    struct table_memory adjacency_memory;
    uint16_t handoff_first;                             // whose are taken first, next time
    struct worker_handoffs handoffs[PLANE_WORKERS_MAX]; // by owner
    struct worker_queue to_streams[PLANE_STREAM_THREADS_MAX];

    // Where bandwidth is shared; last, so that what every packet needs lies together.
    struct token_rate user_bandwidth;
    struct token_rate total_bandwidth;
    uint32_t user_piece_len; // taken at once from what workers share
    uint32_t total_piece_len;
    uint32_t total_stock[2];     // and not spent, by enum direction
    enum drop bandwidth_refusal; // where bandwidth is shared: of whom there was none last

    // And what only ICMP errors need, and what they have left.
    struct token_bucket icmp_told[ICMP_TO_CLIENT_BUCKETS]; // those that clients may be told of
    struct path_mtu_table path_mtus_of_peers;
    struct path_mtu_table path_mtus_of_clients;
} __attribute__((aligned(64)));

static inline bool worker_has_two_ports(const struct worker *worker)
{
    return worker->relay_port != worker->port;
}

static inline void worker_count(struct worker *worker, enum counter counter)
{
    worker->counters->counters[counter]++;
}

static inline void worker_count_add(struct worker *worker, enum counter counter, uint64_t amount)
{
    worker->counters->counters[counter] += amount;
}

static __rte_cold inline void worker_drop(struct worker *worker, struct rte_mbuf *frame,
                                          enum drop drop)
{
    worker->counters->drops[drop]++;
    rte_pktmbuf_free(frame);
}
