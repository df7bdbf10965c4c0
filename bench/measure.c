// SPDX-License-Identifier: BSD-3-Clause
// Cycles a packet, of the worker and of the floors.
#include "measure.h"

#include "check.h"
#include "l3fwd.h"
#include "macswap.h"
#include "port.h"
#include "rest.h"
#include "slices.h"
#include "subject.h"
#include "traffic.h"

#include <stdbool.h>
#include <stddef.h>

// Tries a sample, on average, before a slow one is taken for want of better.
#define TRIES_A_SAMPLE 10

// Have one burst of the stand's port forwarded.
typedef void poll_once(const struct stand *stand);

static void poll_floor(const struct stand *stand)
{
    (void)stand;
    macswap_poll();
}

static void poll_l3fwd(const struct stand *stand)
{
    l3fwd_poll(stand->l3fwd);
}

static void poll_worker(const struct stand *stand)
{
    worker_poll(stand->subject->workers[0]);
}

// Cycles a packet.
static double time_polls(const struct stand *stand, poll_once *poll, bool *rested)
{
    const struct port *port = stand->port;
    struct slices slices;
    slices_begin(&slices, stand->rest);
    while (port_has_more(port)) {
        uint32_t before = port->delivered;
        slice_begin(&slices);
        for (unsigned i = 0; i < SLICE_POLLS && port_has_more(port); i++)
            poll(stand);
        slice_end(&slices, port->delivered - before);
    }
    return slices_end(&slices, rested);
}

// One way of forwarding all packets, checked: cycles a packet. Clears *rested when the machine was
// slow meanwhile.
typedef double forwarding(const struct stand *stand, uint32_t burst, bool *rested);

static double run_floor(const struct stand *stand, uint32_t burst, bool *rested)
{
    port_load(stand->port, stand->traffic->arrivals, stand->traffic->count, burst);
    double cycles = time_polls(stand, poll_floor, rested);
    check_swapped(stand->traffic, stand->port);
    return cycles;
}

static double run_l3fwd(const struct stand *stand, uint32_t burst, bool *rested)
{
    port_load(stand->port, stand->traffic->arrivals, stand->traffic->count, burst);
    double cycles = time_polls(stand, poll_l3fwd, rested);
    check_routed(stand->traffic, stand->port);
    return cycles;
}

static double run_worker(const struct stand *stand, uint32_t burst, bool *rested)
{
    const struct worker_counters *counters = &stand->subject->plane->counters[0];
    struct worker_counters before = *counters;
    port_load(stand->port, stand->traffic->arrivals, stand->traffic->count, burst);
    double cycles = time_polls(stand, poll_worker, rested);
    check_counters(stand->traffic, &before, counters);
    check_relayed(stand->traffic, stand->port);
    return cycles;
}

static uint64_t walk(const struct stand *stand, forwarding *run,
                     const struct repetitions *repetitions)
{
    uint64_t packets = 0;
    bool rested = true; // which does not matter
    traffic_walk_begin(stand->traffic);
    while (traffic_walk(stand->traffic)) {
        run(stand, repetitions->burst, &rested);
        packets += stand->traffic->count;
        repetitions->progress();
    }
    return packets;
}

uint64_t measure_warm_up(const struct stand *stand, const struct repetitions *repetitions)
{
    if (stand->l3fwd != NULL)
        walk(stand, run_l3fwd, repetitions);
    return walk(stand, run_worker, repetitions);
}

struct sample {
    double cycles;
    double floor;
    double ratio;
    double l3fwd;
    double l3fwd_ratio;
};

// Of packets of flows drawn anew.
static double time_drawn(const struct stand *stand, forwarding *run, uint32_t burst, bool *rested)
{
    traffic_draw(stand->traffic);
    return run(stand, burst, rested);
}

double measure_floor(const struct stand *stand, uint32_t burst, bool *rested)
{
    return time_drawn(stand, run_floor, burst, rested);
}

// False: the machine was slow meanwhile.
static bool take_sample(const struct stand *stand, uint32_t burst, struct sample *ret_sample)
{
    struct sample sample = {.cycles = 0};
    bool rested = true;
    sample.floor = measure_floor(stand, burst, &rested);
    if (stand->l3fwd != NULL)
        sample.l3fwd = time_drawn(stand, run_l3fwd, burst, &rested);
    sample.cycles = time_drawn(stand, run_worker, burst, &rested);
    sample.ratio = sample.cycles / sample.floor;
    if (stand->l3fwd != NULL)
        sample.l3fwd_ratio = sample.cycles / sample.l3fwd;
    *ret_sample = sample;
    return rested;
}

static void measurement_set(const struct sample *samples, const struct patience *patience,
                            struct measurement *ret_measurement)
{
#define FIGURE_OF(member)                                                                          \
    figure_of(samples, sizeof(*samples), patience->kept, offsetof(struct sample, member))
    ret_measurement->cycles = FIGURE_OF(cycles);
    ret_measurement->floor = FIGURE_OF(floor);
    ret_measurement->ratio = FIGURE_OF(ratio);
    ret_measurement->l3fwd = FIGURE_OF(l3fwd);
    ret_measurement->l3fwd_ratio = FIGURE_OF(l3fwd_ratio);
#undef FIGURE_OF
    ret_measurement->discarded = patience->discarded;
    ret_measurement->slow = patience->slow;
}

void measure(const struct stand *stand, const struct repetitions *repetitions,
             struct measurement *ret_measurement)
{
    static struct sample samples[REPETITIONS_MAX];
    struct measurement result = {.checked = 0};
    struct patience patience;
    patience_init(&patience, repetitions->count, TRIES_A_SAMPLE);
    while (patience.kept < patience.wanted) {
        bool rested = take_sample(stand, repetitions->burst, &samples[patience.kept]);
        patience_keep(&patience, rested);
        result.checked += stand->traffic->count;
        repetitions->progress();
    }
    measurement_set(samples, &patience, &result);
    *ret_measurement = result;
}
