// SPDX-License-Identifier: BSD-3-Clause
// Cycles a packet on a machine that others use too: floors and case in turn, samples taken while the machine was slow
// thrown away, medians.
#pragma once

#include "figure.h"

#include <stdbool.h>
#include <stdint.h>

struct l3fwd;
struct port;
struct rest;
struct subject;
struct traffic;

// What is measured, against what, with which packets.
struct stand {
    struct subject *subject;
    const struct l3fwd *l3fwd; // NULL: none, the case is not for it
    struct traffic *traffic;
    struct port *port;
    struct rest *rest; // the machine's, of the whole run
};

struct measurement {
    struct figure cycles;      // TSC cycles a packet
    struct figure floor;       // of macswap in the same repetitions
    struct figure ratio;       // of the two, repetition by repetition
    struct figure l3fwd;       // of exact-match routing in the same repetitions
    struct figure l3fwd_ratio; // cycles / l3fwd, repetition by repetition
    uint64_t checked;          // packets that left as they should
    uint32_t discarded;        // samples taken while the machine was slow, and taken again
    uint32_t slow;             // repetitions kept all the same: the machine did not come to rest
};

struct repetitions {
    uint32_t count;
    uint32_t burst;
    void (*progress)(void);
};

#define REPETITIONS_MAX 1000

// Cycles a packet of macswap, of packets that are drawn anew. Clears *rested when the machine was slow meanwhile.
double measure_floor(const struct stand *stand, uint32_t burst, bool *rested);

// Have every flow seen once in each role, and every packet checked, before anything is timed. Returns the packets.
uint64_t measure_warm_up(const struct stand *stand, const struct repetitions *repetitions);

void measure(const struct stand *stand, const struct repetitions *repetitions,
             struct measurement *ret_measurement);
