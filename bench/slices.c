// SPDX-License-Identifier: BSD-3-Clause
// Slices of a run, and which of them count.
#include "slices.h"

#include "rest.h"

#include <rte_cycles.h>

// Of a run, so that a slice or two by chance do not stand for it.
#define LEAST_SHARE 8

void slices_begin(struct slices *slices, struct rest *rest)
{
    *slices = (struct slices){.rest = rest};
    rest_begin(rest);
}

void slice_begin(struct slices *slices)
{
    slices->began_whole = rest_glance(slices->rest);
    slices->start_tsc = rte_rdtsc_precise();
}

void slice_end(struct slices *slices, uint64_t packets)
{
    uint64_t cycles = rte_rdtsc_precise() - slices->start_tsc;
    if (rest_glance(slices->rest) && slices->began_whole) {
        slices->cycles += cycles;
        slices->packets += packets;
    } else {
        slices->slow_cycles += cycles;
        slices->slow_packets += packets;
    }
}

double slices_end(struct slices *slices, bool *rested)
{
    uint64_t packets = slices->packets + slices->slow_packets;
    if (slices->packets * LEAST_SHARE >= packets && !rest_was_interrupted(slices->rest))
        return (double)slices->cycles / (double)slices->packets;
    *rested = false;
    return (double)(slices->cycles + slices->slow_cycles) / (double)packets;
}
