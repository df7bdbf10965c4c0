// SPDX-License-Identifier: BSD-3-Clause
// A run timed slice by slice, of which those count that had the core for themselves: see rest.h.
// Which these are is seen before and after each, not from what it took.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rest;

// Polls in a slice: a few hundred packets, some 10 to 100 microseconds.
#define SLICE_POLLS 8

struct slices {
    struct rest *rest;
    uint64_t start_tsc;
    bool began_whole;
    uint64_t cycles, packets;           // of slices that count
    uint64_t slow_cycles, slow_packets; // of the others
};

void slices_begin(struct slices *slices, struct rest *rest);

void slice_begin(struct slices *slices);
// packets: that were dealt with since slice_begin().
void slice_end(struct slices *slices, uint64_t packets);

// Cycles a packet. Clears *rested, and takes all slices, when too few count or this thread was
// interrupted.
double slices_end(struct slices *slices, bool *rested);
