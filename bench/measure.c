// SPDX-License-Identifier: BSD-3-Clause
// Cycles a packet, of the worker and of the floors.
#include "measure.h"

#include "check.h"
#include "l3fwd.h"
#include "macswap.h"
#include "port.h"
#include "subject.h"
#include "traffic.h"

#include <rte_cycles.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

#define CALIBRATION_ROUNDS 2000
// A machine this much slower than it was at its best is not at rest.
#define SLOW_MACHINE 1.12
// Tries a repetition, on average, before a slow one is taken for want of better.
#define TRIES_A_REPETITION 10

// Independent chains of multiplications: as many as a core of one's own can have in flight, so that
// one shared with another thread shows.
static uint64_t calibrate(void)
{
    uint64_t start = rte_rdtsc_precise();
    uint64_t a = start, b = start + 1, c = start + 2, d = start + 3;
    for (unsigned i = 0; i < CALIBRATION_ROUNDS; i++) {
        a = a * 6364136223846793005u + i;
        b = b * 6364136223846793005u + i;
        c = c * 6364136223846793005u + i;
        d = d * 6364136223846793005u + i;
    }
    __asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d));
    return rte_rdtsc_precise() - start;
}

// Times that this thread had to make room for another.
static long preemptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

struct rest {
    uint64_t best; // calibration, cycles
    long preempted;
    bool was_slow;
};

static void rest_observe(struct rest *rest)
{
    uint64_t cycles = calibrate();
    if (cycles < rest->best)
        rest->best = cycles;
    if ((double)cycles > SLOW_MACHINE * (double)rest->best)
        rest->was_slow = true;
}

static void rest_begin(struct rest *rest)
{
    rest->was_slow = false;
    rest->preempted = preemptions();
    rest_observe(rest);
}

static bool rest_lasted(struct rest *rest)
{
    rest_observe(rest);
    return !rest->was_slow && preemptions() == rest->preempted;
}

static uint64_t time_floor(const struct port *port)
{
    uint64_t start = rte_rdtsc_precise();
    while (port_has_more(port))
        macswap_poll();
    return rte_rdtsc_precise() - start;
}

static uint64_t time_worker(const struct subject *subject, const struct port *port)
{
    uint64_t start = rte_rdtsc_precise();
    while (port_has_more(port))
        worker_poll(subject->worker);
    return rte_rdtsc_precise() - start;
}

static uint64_t time_l3fwd(const struct l3fwd *l3fwd, const struct port *port)
{
    uint64_t start = rte_rdtsc_precise();
    while (port_has_more(port))
        l3fwd_poll(l3fwd);
    return rte_rdtsc_precise() - start;
}

// One way of forwarding the first count packets, checked: cycles.
typedef uint64_t forwarding(const struct stand *stand, uint32_t count, uint32_t burst);

static uint64_t run_floor(const struct stand *stand, uint32_t count, uint32_t burst)
{
    port_load(stand->port, stand->traffic->arrivals, count, burst);
    uint64_t cycles = time_floor(stand->port);
    check_swapped(stand->traffic, stand->port);
    return cycles;
}

static uint64_t run_l3fwd(const struct stand *stand, uint32_t count, uint32_t burst)
{
    port_load(stand->port, stand->traffic->arrivals, count, burst);
    uint64_t cycles = time_l3fwd(stand->l3fwd, stand->port);
    check_routed(stand->traffic, stand->port, count);
    return cycles;
}

static uint64_t run_worker(const struct stand *stand, uint32_t count, uint32_t burst)
{
    const struct worker_counters *counters = &stand->subject->plane->counters[0];
    struct worker_counters before = *counters;
    port_load(stand->port, stand->traffic->arrivals, count, burst);
    uint64_t cycles = time_worker(stand->subject, stand->port);
    check_counters(stand->traffic, &before, counters, count);
    check_relayed(stand->traffic, stand->port, count);
    return cycles;
}

uint64_t measure_warm_up(const struct stand *stand, const struct repetitions *repetitions)
{
    struct traffic *traffic = stand->traffic;
    uint32_t flow_count = stand->subject->flow_count;
    for (uint32_t first = 0; first < flow_count; first += traffic->count) {
        uint32_t left = flow_count - first;
        uint32_t count = left < traffic->count ? left : traffic->count;
        if (stand->l3fwd != NULL) {
            traffic_walk(traffic, first, count);
            run_l3fwd(stand, count, repetitions->burst);
        }
        traffic_walk(traffic, first, count);
        run_worker(stand, count, repetitions->burst);
        repetitions->progress();
    }
    return flow_count;
}

struct sample {
    double cycles;
    double floor;
    double ratio;
    double l3fwd;
    double l3fwd_ratio;
};

// Cycles a packet, of packets of flows drawn anew. Clears *rested when the machine was slow
// meanwhile.
static double time_drawn(const struct stand *stand, forwarding *run, uint32_t burst,
                         struct rest *rest, bool *rested)
{
    uint32_t count = stand->traffic->count;
    traffic_draw(stand->traffic);
    rest_begin(rest);
    double cycles = (double)run(stand, count, burst) / count;
    *rested &= rest_lasted(rest);
    return cycles;
}

// False: the machine was slow meanwhile.
static bool take_sample(const struct stand *stand, uint32_t burst, struct rest *rest,
                        struct sample *ret_sample)
{
    struct sample sample = {.cycles = 0};
    bool rested = true;
    sample.floor = time_drawn(stand, run_floor, burst, rest, &rested);
    if (stand->l3fwd != NULL)
        sample.l3fwd = time_drawn(stand, run_l3fwd, burst, rest, &rested);
    sample.cycles = time_drawn(stand, run_worker, burst, rest, &rested);
    sample.ratio = sample.cycles / sample.floor;
    if (stand->l3fwd != NULL)
        sample.l3fwd_ratio = sample.cycles / sample.l3fwd;
    *ret_sample = sample;
    return rested;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static struct figure figure_of(const struct sample *samples, uint32_t count, size_t member)
{
    double values[REPETITIONS_MAX];
    for (uint32_t i = 0; i < count; i++)
        values[i] = *(const double *)((const uint8_t *)&samples[i] + member);
    qsort(values, count, sizeof(values[0]), compare);
    return (struct figure){(values[(count - 1) / 2] + values[count / 2]) / 2, values[0],
                           values[count - 1]};
}

void measure(const struct stand *stand, const struct repetitions *repetitions,
             struct measurement *ret_measurement)
{
    static struct sample samples[REPETITIONS_MAX];
    static struct rest rest = {.best = UINT64_MAX}; // the machine's best is of the whole run
    struct measurement result = {.checked = 0};
    uint32_t tries_left = repetitions->count * TRIES_A_REPETITION;
    uint32_t kept = 0;
    while (kept < repetitions->count) {
        bool rested = take_sample(stand, repetitions->burst, &rest, &samples[kept]);
        bool has_time = tries_left > repetitions->count - kept;
        tries_left -= has_time;
        result.checked += stand->traffic->count;
        result.slow += !rested && !has_time;
        result.discarded += !rested && has_time;
        kept += rested || !has_time;
        repetitions->progress();
    }
    result.cycles = figure_of(samples, kept, offsetof(struct sample, cycles));
    result.floor = figure_of(samples, kept, offsetof(struct sample, floor));
    result.ratio = figure_of(samples, kept, offsetof(struct sample, ratio));
    result.l3fwd = figure_of(samples, kept, offsetof(struct sample, l3fwd));
    result.l3fwd_ratio = figure_of(samples, kept, offsetof(struct sample, l3fwd_ratio));
    *ret_measurement = result;
}
