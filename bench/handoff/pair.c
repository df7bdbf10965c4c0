// SPDX-License-Identifier: BSD-3-Clause
// Two workers, on one thread or on two.
#include "pair.h"

#include "../check.h"
#include "../fail.h"
#include "../slices.h"
#include "crossing.h"
#include "dataplane/worker.h"
#include "exchange/counters.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

// What a worker does in one round.
typedef void pair_round(struct pair *pair, uint16_t worker);

// Nothing that goes through the rings takes this long: what is missing then is lost.
#define LOST_S 10
#define BURST  64
// Two threads are timed as one; a glance takes a microsecond of some 200.
#define ROUNDS_A_GLANCE 32

// Taken before the EAL binds this thread.
static cpu_set_t cpus_at_start;

static __attribute__((constructor)) void remember_cpus(void)
{
    CPU_ZERO(&cpus_at_start);
    (void)sched_getaffinity(0, sizeof(cpus_at_start), &cpus_at_start);
}

bool pair_can_be_beside(void)
{
    return CPU_COUNT(&cpus_at_start) >= PAIR_WORKERS;
}

static int other_cpu(int than)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (cpu != than && CPU_ISSET(cpu, &cpus_at_start))
            return cpu;
    }
    return than;
}

void pair_init(struct pair *pair, struct traffic *traffic)
{
    memset(pair, 0, sizeof(*pair));
    pair->traffic = traffic;
    pair->cpus[0] = sched_getcpu();
    pair->cpus[1] = other_cpu(pair->cpus[0]);
    for (uint16_t worker = 0; worker < PAIR_WORKERS; worker++) {
        port_open(&pair->ports[worker], worker, traffic->count);
        rest_init(&pair->rests[worker]);
        pair->arrivals[worker] = calloc(traffic->count, sizeof(struct port_arrival));
        if (pair->arrivals[worker] == NULL)
            fail("out of memory");
    }
}

void pair_done(struct pair *pair)
{
    for (uint16_t worker = 0; worker < PAIR_WORKERS; worker++) {
        port_close(&pair->ports[worker]);
        free(pair->arrivals[worker]);
    }
}

static bool lands_wrong(const struct pair_landing *landing, const struct traffic_packet *packet)
{
    if (landing->clients_are_right && packet->role != ROLE_PEER_TO_CHANNEL)
        return false;
    return flow_lands_wrong(packet->flow, landing->wrong_percent);
}

static void land(struct pair *pair, const struct pair_landing *landing)
{
    const struct traffic *traffic = pair->traffic;
    memset(pair->arrival_counts, 0, sizeof(pair->arrival_counts));
    pair->wrong_count = 0;
    for (uint32_t i = 0; i < traffic->count; i++) {
        const struct traffic_packet *packet = &traffic->packets[i];
        bool is_wrong = lands_wrong(landing, packet);
        uint16_t owner = subject_owner(pair->subject, packet->flow);
        uint16_t worker = owner ^ is_wrong;
        traffic->arrivals[i].frame->hash.usr = owner; // for crossing_poll()
        pair->arrivals[worker][pair->arrival_counts[worker]++] = traffic->arrivals[i];
        pair->wrong_count += is_wrong;
    }
    for (uint16_t worker = 0; worker < PAIR_WORKERS; worker++)
        port_load(&pair->ports[worker], pair->arrivals[worker], pair->arrival_counts[worker],
                  BURST);
}

// Relaying, or no more than crossing.

static void relay_round(struct pair *pair, uint16_t worker)
{
    worker_poll(pair->subject->workers[worker]);
}

static void crossing_round(struct pair *pair, uint16_t worker)
{
    crossing_poll(pair->subject->plane, worker);
}

static uint32_t sent_count(const struct pair *pair)
{
    uint32_t sent = 0;
    for (uint16_t worker = 0; worker < PAIR_WORKERS; worker++)
        sent += __atomic_load_n(&pair->ports[worker].sent_count, __ATOMIC_ACQUIRE);
    return sent;
}

static bool all_are_sent(const struct pair *pair)
{
    return sent_count(pair) == pair->traffic->count;
}

static bool is_overdue(uint64_t start)
{
    return rte_rdtsc() - start > LOST_S * rte_get_tsc_hz();
}

static double run_alternating(struct pair *pair, pair_round *round, bool *rested)
{
    uint64_t start = rte_rdtsc();
    struct slices slices;
    slices_begin(&slices, &pair->rests[0]);
    while (!all_are_sent(pair) && !is_overdue(start)) {
        uint32_t before = sent_count(pair);
        slice_begin(&slices);
        for (unsigned i = 0; i < SLICE_POLLS; i++)
            round(pair, i % PAIR_WORKERS);
        slice_end(&slices, sent_count(pair) - before);
    }
    return slices_end(&slices, rested);
}

struct side {
    struct pair *pair;
    pair_round *round;
    uint16_t worker;
    uint32_t *ready; // sides that are; atomic
    uint64_t start;
    uint64_t end;
    bool rested;
};

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
        fail("no thread can be on CPU %d", cpu);
}

static void *run_side(void *argument)
{
    struct side *side = argument;
    struct pair *pair = side->pair;
    struct rest *rest = &pair->rests[side->worker];
    pin(pair->cpus[side->worker]);
    __atomic_add_fetch(side->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(side->ready, __ATOMIC_ACQUIRE) < PAIR_WORKERS)
        rte_pause();
    rest_begin(rest); // once nobody is on the wrong CPU any more
    side->start = rte_rdtsc_precise();
    for (unsigned i = 1; port_has_more(&pair->ports[side->worker]); i++) {
        side->round(pair, side->worker);
        if (i % ROUNDS_A_GLANCE == 0)
            rest_observe(rest);
    }
    while (!all_are_sent(pair) && !is_overdue(side->start))
        side->round(pair, side->worker);
    side->end = rte_rdtsc_precise();
    side->rested = rest_lasted(rest);
    return NULL;
}

// Both count until the last packet is sent: one that has nothing left to do has been idle.
static double run_beside(struct pair *pair, pair_round *round, bool *rested)
{
    uint32_t ready = 0;
    struct side sides[PAIR_WORKERS] = {{pair, round, 0, &ready, 0, 0, false},
                                       {pair, round, 1, &ready, 0, 0, false}};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_side, &sides[1]) != 0)
        fail("no second thread");
    run_side(&sides[0]);
    pthread_join(thread, NULL);
    *rested &= sides[0].rested && sides[1].rested;
    uint64_t cycles = sides[0].end - sides[0].start + sides[1].end - sides[1].start;
    return (double)cycles / pair->traffic->count;
}

static double run(struct pair *pair, enum pair_threads threads, pair_round *round, bool *rested)
{
    return threads == PAIR_BESIDE ? run_beside(pair, round, rested)
                                  : run_alternating(pair, round, rested);
}

// Checking.

static void add_counters(const struct pair *pair, struct worker_counters *ret_sum)
{
    struct worker_counters sum = {.busy_polls = 0};
    for (uint16_t worker = 0; worker < PAIR_WORKERS; worker++) {
        const struct worker_counters *counters = &pair->subject->plane->counters[worker];
        for (unsigned i = 0; i < COUNTER_COUNT; i++)
            sum.counters[i] += counters->counters[i];
        for (unsigned i = 0; i < DROP_COUNT; i++)
            sum.drops[i] += counters->drops[i];
    }
    *ret_sum = sum;
}

// All that was sent, by whichever port.
static const struct port *gather(struct pair *pair)
{
    struct port *all = &pair->ports[0];
    const struct port *others = &pair->ports[1];
    if (all->sent_count + others->sent_count > all->sent_capacity)
        fail("more frames were sent than were received");
    memcpy(all->sent + all->sent_count, others->sent, others->sent_count * sizeof(*others->sent));
    all->sent_count += others->sent_count;
    return all;
}

static void check(struct pair *pair, const struct worker_counters *before)
{
    struct traffic *traffic = pair->traffic;
    struct worker_counters after;
    add_counters(pair, &after);
    check_counters(traffic, before, &after);
    uint64_t handed = after.counters[COUNTER_HANDOFF_IN] - before->counters[COUNTER_HANDOFF_IN];
    if (handed != pair->wrong_count)
        fail("%s: %u packets landed wrong, %ju were handed on", traffic->scenario->name,
             pair->wrong_count, (uintmax_t)handed);
    check_relayed(traffic, gather(pair));
}

static double relay(struct pair *pair, enum pair_threads threads,
                    const struct pair_landing *landing, bool *rested)
{
    struct worker_counters before;
    land(pair, landing);
    add_counters(pair, &before);
    double cycles = run(pair, threads, relay_round, rested);
    check(pair, &before);
    return cycles;
}

double pair_run(struct pair *pair, enum pair_threads threads, const struct pair_landing *landing,
                bool *rested)
{
    traffic_draw(pair->traffic);
    return relay(pair, threads, landing, rested);
}

void pair_warm_up(struct pair *pair)
{
    const struct pair_landing right = {.wrong_percent = 0};
    bool rested = true; // which does not matter
    traffic_walk_begin(pair->traffic);
    while (traffic_walk(pair->traffic))
        relay(pair, PAIR_ALTERNATING, &right, &rested);
}

double pair_cross(struct pair *pair, enum pair_threads threads, const struct pair_landing *landing,
                  bool *rested)
{
    traffic_draw(pair->traffic);
    land(pair, landing);
    double cycles = run(pair, threads, crossing_round, rested);
    check_swapped(pair->traffic, gather(pair));
    return cycles;
}
