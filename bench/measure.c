// SPDX-License-Identifier: BSD-3-Clause
// Cycles a packet, of the worker and of the floor.
#include "measure.h"

#include "check.h"
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

static uint64_t run_worker(struct subject *subject, struct traffic *traffic, struct port *port,
                           uint32_t count, uint32_t burst)
{
    const struct worker_counters *counters = &subject->plane->counters[0];
    struct worker_counters before = *counters;
    port_load(port, traffic->arrivals, count, burst);
    uint64_t cycles = time_worker(subject, port);
    check_counters(traffic, &before, counters, count);
    check_relayed(traffic, port, count);
    return cycles;
}

uint64_t measure_warm_up(struct subject *subject, struct traffic *traffic, struct port *port,
                         const struct repetitions *repetitions)
{
    for (uint32_t first = 0; first < subject->flow_count; first += traffic->count) {
        uint32_t left = subject->flow_count - first;
        uint32_t count = left < traffic->count ? left : traffic->count;
        traffic_walk(traffic, first, count);
        run_worker(subject, traffic, port, count, repetitions->burst);
        repetitions->progress();
    }
    return subject->flow_count;
}

struct sample {
    double cycles;
    double floor;
    double ratio;
};

// False: the machine was slow meanwhile.
static bool take_sample(struct subject *subject, struct traffic *traffic, struct port *port,
                        uint32_t burst, struct rest *rest, struct sample *ret_sample)
{
    traffic_draw(traffic);
    port_load(port, traffic->arrivals, traffic->count, burst);
    rest_begin(rest);
    ret_sample->floor = (double)time_floor(port) / traffic->count;
    bool rested = rest_lasted(rest);
    check_swapped(traffic, port);
    traffic_draw(traffic);
    rest_begin(rest);
    ret_sample->cycles =
        (double)run_worker(subject, traffic, port, traffic->count, burst) / traffic->count;
    ret_sample->ratio = ret_sample->cycles / ret_sample->floor;
    return rest_lasted(rest) && rested;
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

void measure(struct subject *subject, struct traffic *traffic, struct port *port,
             const struct repetitions *repetitions, struct measurement *ret_measurement)
{
    static struct sample samples[REPETITIONS_MAX];
    static struct rest rest = {.best = UINT64_MAX}; // the machine's best is of the whole run
    struct measurement result = {.checked = 0};
    uint32_t tries_left = repetitions->count * TRIES_A_REPETITION;
    uint32_t kept = 0;
    while (kept < repetitions->count) {
        bool rested =
            take_sample(subject, traffic, port, repetitions->burst, &rest, &samples[kept]);
        bool has_time = tries_left > repetitions->count - kept;
        tries_left -= has_time;
        result.checked += traffic->count;
        result.slow += !rested && !has_time;
        result.discarded += !rested && has_time;
        kept += rested || !has_time;
        repetitions->progress();
    }
    result.cycles = figure_of(samples, kept, offsetof(struct sample, cycles));
    result.floor = figure_of(samples, kept, offsetof(struct sample, floor));
    result.ratio = figure_of(samples, kept, offsetof(struct sample, ratio));
    *ret_measurement = result;
}
