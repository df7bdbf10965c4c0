// SPDX-License-Identifier: BSD-3-Clause
// A worker: what it is made of, and what it does in one round.
#include "dataplane/worker.h"

#include "base/clock.h"
#include "dataplane/allowance.h"
#include "dataplane/burst.h"
#include "dataplane/commands.h"
#include "dataplane/fetch.h"
#include "dataplane/handoff.h"
#include "dataplane/kernel_path.h"
#include "dataplane/punting.h"
#include "dataplane/stray_client.h"
#include "dataplane/stream_path.h"
#include "dataplane/transmit.h"
#include "dataplane/worker_state.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <stdio.h>

// Datagrams longer than a packet buffer that a worker has in hand at once.
#define WORKER_JUMBOS 31

static_assert(REASSEMBLY_DATAGRAMS == WORKER_DATAGRAMS_MAX, "as others are told");
static_assert(PLANE_HASH_SECRET_LEN == FLOW_HASH_SECRET_LEN, "the plane's is of all tables");

static int jumbo_create(struct worker *worker, int socket)
{
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof(name), "jumbo_%u", worker->id);
    worker->jumbo = rte_pktmbuf_pool_create(name, WORKER_JUMBOS, 0, 0, UINT16_MAX, socket);
    return worker->jumbo == NULL ? -ENOMEM : 0;
}

static int adjacencies_create(struct worker *worker, int socket)
{
    int error = table_memory_take((size_t)worker->config->adjacencies * sizeof(struct adjacency),
                                  socket, &worker->adjacency_memory);
    worker->adjacencies = worker->adjacency_memory.bytes;
    return error;
}

static void locals_create(struct worker *worker)
{
    const struct relay_slot *slots[PLANE_RELAYS_MAX];
    for (unsigned relay = 0; relay < worker->config->relay_count; relay++)
        slots[relay] = worker->tables.relay_ports[relay].slots;
    local_addresses_init(&worker->local_v4, worker->config, IP_FAMILY_V4, slots);
    local_addresses_init(&worker->local_v6, worker->config, IP_FAMILY_V6, slots);
}

static void listener_ends_create(struct worker *worker)
{
    for (unsigned i = 0; i < worker->config->listener_count; i++) {
        const struct transport_address *address = &worker->config->listeners[i];
        uint32_t ip;
        memcpy(&ip, address->ip.bytes, sizeof(ip));
        if (address->ip.family == IP_FAMILY_V4)
            worker->listener_ends[i] = ip | (uint64_t)__builtin_bswap16(address->port) << 32;
    }
}

static int parts_create(struct worker *worker, int socket)
{
    const struct plane_rate_limit *rate = &worker->config->rate_limit;
    int error = tables_init(&worker->tables, worker->config, socket);
    if (error != 0)
        return error;
    flow_hash_share(&worker->tables.flows.hash_keys, worker->plane->hash_secret);
    locals_create(worker);
    listener_ends_create(worker);
    error = adjacencies_create(worker, socket);
    if (error == 0)
        error = rate_limiter_init(&worker->rate_limiter, rate->answers_per_second, rate->burst,
                                  worker->tsc_hz, socket);
    if (error == 0)
        error = reassembly_init(&worker->reassembly, worker->tsc_hz, socket);
    if (error == 0)
        error = jumbo_create(worker, socket);
    return error;
}

int worker_create(const struct worker_config *config, struct worker **ret_worker)
{
    struct table_memory memory;
    int error = table_memory_take(sizeof(struct worker), config->socket, &memory);
    if (error != 0)
        return error;
    const struct bandwidth_limits limits = {
        .max_bps = config->plane->config.max_bps,
        .user_max_bps = config->plane->config.user_max_bps,
        .total_max_bps = config->plane->config.total_max_bps,
    };
    struct worker *worker = memory.bytes;
    worker->memory = memory;
    worker->plane = config->plane;
    worker->config = &config->plane->config;
    worker->counters = &config->plane->counters[config->id];
    worker->id = config->id;
    worker->port = config->port;
    worker->relay_port = config->plane->config.has_relay_side ? config->relay_port : config->port;
    worker->queue = config->queue;
    worker->wait_fd = config->wait_fd > 0 ? config->wait_fd : -1;
    worker->shares_cpu = config->shares_cpu;
    worker->pool = config->pool;
    worker->tsc_hz = config->plane->tsc_hz;
    round_time_init(&worker->round, worker->tsc_hz);
    worker->now_tsc = rte_rdtsc();
    stateless_answers_init(&worker->stateless, &config->plane->config.stateless);
    allowance_set_limits(worker, &limits);
    token_stream_init(&worker->tokens);
    worker->ipv4_id = (uint16_t)token_stream_next(&worker->tokens);
    error = parts_create(worker, config->socket);
    if (error != 0) {
        worker_destroy(worker);
        return error;
    }
    *ret_worker = worker;
    return 0;
}

static void commands_drain(struct rte_ring *ring)
{
    struct command command;
    while (rte_ring_sc_dequeue_elem(ring, &command, sizeof(command)) == 0) {
        if (command.kind == COMMAND_TRANSMIT)
            rte_pktmbuf_free(command.transmit.frame);
    }
}

static void punts_drain(struct rte_ring *ring)
{
    struct punt punt;
    while (rte_ring_sc_dequeue_elem(ring, &punt, sizeof(punt)) == 0) {
        if (punt.kind == PUNT_MESSAGE)
            punt_discard(&punt);
    }
}

static void handoffs_drain(struct rte_ring *ring)
{
    struct handoff handoff;
    while (ring != NULL && rte_ring_sc_dequeue_elem(ring, &handoff, sizeof(handoff)) == 0)
        rte_pktmbuf_free(handoff.frame);
}

static void frames_drain(struct rte_ring *ring)
{
    void *frame;
    while (ring != NULL && rte_ring_sc_dequeue(ring, &frame) == 0)
        rte_pktmbuf_free(frame);
}

// Nobody runs any more. What is still under way, from and to whichever worker, may lie in a buffer
// of this one's, and goes before its buffers do.
static void rings_drain(const struct plane *plane)
{
    for (unsigned to = 0; to < plane->config.worker_count; to++) {
        commands_drain(plane->commands[to]);
        punts_drain(plane->punts[to]);
        for (unsigned side = 0; side < PLANE_SIDES_MAX; side++)
            frames_drain(plane->to_kernel[side][to]);
        for (unsigned from = 0; from < plane->config.worker_count; from++)
            handoffs_drain(plane->handoffs[from][to]);
        for (unsigned thread = 0; thread < plane->config.stream_thread_count; thread++) {
            frames_drain(plane->to_streams[to][thread]);
            frames_drain(plane->from_streams[thread][to]);
        }
    }
    for (unsigned side = 0; side < PLANE_SIDES_MAX; side++)
        frames_drain(plane->from_kernel[side]);
}

void worker_destroy(struct worker *worker)
{
    if (worker == NULL)
        return;
    rings_drain(worker->plane);
    rte_mempool_free(worker->jumbo);
    reassembly_done(&worker->reassembly);
    rate_limiter_done(&worker->rate_limiter);
    table_memory_give(&worker->adjacency_memory);
    tables_done(&worker->tables);
    struct table_memory memory = worker->memory;
    table_memory_give(&memory);
}

static void tell_usage(const struct worker *worker)
{
    uint64_t *tables = worker->counters->tables;
    struct worker_usage usage;
    worker_get_usage(worker, &usage);
    tables[WORKER_TABLE_ALLOCATIONS] = usage.allocations;
    tables[WORKER_TABLE_PERMISSIONS] = usage.permissions;
    tables[WORKER_TABLE_CHANNELS] = usage.channels;
    tables[WORKER_TABLE_STEERINGS] = usage.steerings;
    tables[WORKER_TABLE_FRAGMENTS] = usage.fragments;
}

static void clock_update(struct worker *worker)
{
    uint64_t now_tsc = rte_rdtsc();
    round_time_end(&worker->round, worker->counters, now_tsc - worker->now_tsc);
    worker->now_tsc = now_tsc;
    if (worker->now_tsc < worker->clock_due_tsc)
        return;
    tell_usage(worker);
    // Nonces carry seconds of the system's monotonic clock, which the TSC leaves behind by and by.
    worker->now_s = (uint32_t)(clock_monotonic_ms() / 1000);
    worker->clock_due_tsc = worker->now_tsc + worker->tsc_hz / 4;
}

static unsigned queue_take(struct worker_queue *queue, struct rte_mbuf **ret_frames)
{
    unsigned count = queue->count;
    if (likely(count == 0)) // copying nothing is a call all the same
        return 0;
    memcpy(ret_frames, queue->frames, count * sizeof(*ret_frames));
    queue->count = 0;
    return count;
}

// What a burst has left behind.
static void settle(struct worker *worker)
{
    struct rte_mbuf *turned[WORKER_BURST];
    stray_clients_settle(worker);
    unsigned turned_count = queue_take(&worker->turned, turned);
    if (turned_count > 0)
        burst_process(worker, turned, turned_count, false);
}

// And what came together in it.
static void settle_all(struct worker *worker, bool may_hand_on)
{
    struct rte_mbuf *reassembled[WORKER_BURST];
    settle(worker);
    unsigned reassembled_count = queue_take(&worker->reassembled, reassembled);
    // Where fragments meet is not where the datagram belongs; it is handed on whole, and no more.
    may_hand_on |= worker->plane->steers;
    if (reassembled_count > 0) {
        burst_process(worker, reassembled, reassembled_count, may_hand_on);
        settle(worker);
    }
}

static void process_all(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                        bool may_hand_on)
{
    if (count == 0)
        return;
    burst_process(worker, frames, count, may_hand_on);
    settle_all(worker, may_hand_on);
}

// The first has waited the longest, or nearly so.
static void note_handed(struct worker *worker, const struct handoff *handed, unsigned count)
{
    round_time_take_handed(&worker->round, worker->now_tsc, handed[0].frame->hash.fdir.hi, count);
}

// What came from the port, which may be nothing, and what was handed over.
static void process_both(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                         const struct handoff *handed, unsigned handed_count)
{
    struct rte_mbuf *rest[WORKER_BURST];
    note_handed(worker, handed, handed_count);
    unsigned rest_count = burst_process_both(worker, frames, count, handed, handed_count, rest);
    settle_all(worker, true);
    burst_process_rest(worker, rest, rest_count);
    settle_all(worker, false);
}

// If there may be more than the first look found, more of it: a burst for each other worker.
static unsigned process_more(struct worker *worker, struct handoff *handed, unsigned count)
{
    unsigned work = 0;
    for (unsigned i = 2; i < worker->config->worker_count && count == WORKER_BURST; i++) {
        count = handoff_gather(worker, handed);
        if (count > 0)
            process_both(worker, NULL, 0, handed, count);
        work += count;
    }
    return work;
}

static __rte_always_inline unsigned receive(struct worker *worker, uint16_t port,
                                            struct rte_mbuf **ret_frames)
{
    struct rte_mbuf **frames = ret_frames;
    unsigned count = rte_eth_rx_burst(port, worker->queue, frames, WORKER_BURST);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        fetch_line(rte_pktmbuf_mtod(frames[i], void *));
        bytes += rte_pktmbuf_pkt_len(frames[i]);
        frames[i]->port = port; // not every driver does, and the hairpin's mark is there
    }
    worker_count_add(worker, COUNTER_RX_PACKETS, count);
    worker_count_add(worker, COUNTER_RX_BYTES, bytes);
    worker->counters->bursts[count]++;
    return count;
}

// And the first burst of what was handed over.
static unsigned poll_port(struct worker *worker, const struct handoff *handed,
                          unsigned handed_count)
{
    struct rte_mbuf *frames[WORKER_BURST];
    unsigned count = receive(worker, worker->port, frames);
    worker->round.received = count;
    if (unlikely(handed_count > 0))
        process_both(worker, frames, count, handed, handed_count);
    else
        process_all(worker, frames, count, worker->config->worker_count > 1);
    return count + handed_count;
}

// The same of the second port: once a round, like the first, so that neither waits for the other.
static __rte_noinline unsigned poll_relay_port(struct worker *worker)
{
    struct rte_mbuf *frames[WORKER_BURST];
    unsigned count = receive(worker, worker->relay_port, frames);
    worker->round.received += count;
    process_all(worker, frames, count, worker->config->worker_count > 1);
    return count;
}

static unsigned process_streams(struct worker *worker)
{
    unsigned work = 0;
    for (uint16_t thread = 0; thread < worker->config->stream_thread_count; thread++) {
        struct rte_mbuf *frames[WORKER_BURST];
        unsigned count = stream_path_receive(worker, thread, frames, &work);
        process_all(worker, frames, count, worker->config->worker_count > 1);
    }
    return work;
}

// What other cores have written last takes long to come. It is asked for first and looked at last.
unsigned worker_poll(struct worker *worker)
{
    struct handoff handed[WORKER_BURST];
    unsigned handed_count = handoff_gather(worker, handed);
    clock_update(worker);
    unsigned work = commands_apply(worker);
    punt_reports(worker); // before requests take the room
    work += poll_port(worker, handed, handed_count);
    if (unlikely(worker_has_two_ports(worker)))
        work += poll_relay_port(worker);
    work += process_more(worker, handed, handed_count);
    work += kernel_path_receive(worker);
    work += process_streams(worker);
    worker->counters->drops[DROP_FRAGMENT] +=
        reassembly_expire(&worker->reassembly, worker->now_tsc);
    handoff_flush(worker);
    kernel_path_flush(worker);
    stream_path_flush(worker);
    transmit_flush(worker);
    worker->round.is_busy = work > 0;
    if (work > 0)
        worker->counters->busy_polls++;
    else
        worker->counters->idle_polls++;
    return work;
}

// A thread that has much waiting for it may be waiting for this CPU: what it gets in the rest of
// this worker's time slice would find its ring full.
static void make_way(struct worker *worker)
{
    if (stream_path_is_crowded(worker))
        (void)sched_yield();
}

int worker_run(void *argument)
{
    struct worker *worker = argument;
    bool spins = worker->config->idle == PLANE_IDLE_SPIN;
    const struct idle_config idle = {
        .sleep_max_us = spins ? 0 : worker->config->idle_sleep_us,
        .packet_fd = worker->wait_fd,
        .doorbell_fd = worker->plane->worker_doorbells[worker->id].fd,
        .tsc_hz = worker->tsc_hz,
        .shares_cpu = worker->shares_cpu,
        // No doorbell tells of hand-offs.
        .is_told_of_all = worker->wait_fd >= 0 && worker->config->worker_count == 1,
    };
    idle_init(&worker->idle, &idle);
    while (__atomic_load_n(&worker->plane->running, __ATOMIC_RELAXED)) {
        if (worker_poll(worker) > 0)
            idle_found_work(&worker->idle);
        else if (idle_found_nothing(&worker->idle) &&
                 plane_worker_doorbell_arm(worker->plane, worker->id)) {
            idle_sleep(&worker->idle);
            worker->counters->sleeps++;
        }
        if (worker->shares_cpu)
            make_way(worker);
    }
    return 0;
}

void worker_get_usage(const struct worker *worker, struct worker_usage *ret_usage)
{
    ret_usage->allocations = index_pool_used(&worker->tables.allocations.pool);
    ret_usage->permissions = worker->tables.permissions.live_count;
    ret_usage->channels = index_pool_used(&worker->tables.channels.pool);
    ret_usage->steerings = index_pool_used(&worker->tables.steerings.pool);
    ret_usage->fragments = worker->reassembly.in_use;
}
