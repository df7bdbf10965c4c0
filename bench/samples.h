// SPDX-License-Identifier: BSD-3-Clause
// Cycles a request, chunk by chunk, and what stands for all of them on a machine that others use
// too.
#pragma once

#include "figure.h"

#include <stdbool.h>
#include <stdint.h>

// Requests: less than another process takes the CPU for, so that most chunks are whole.
#define SAMPLE_CHUNK 100

struct samples {
    double *values; // those that count from the beginning, the others from the end
    uint32_t room;
    uint32_t count;
    uint32_t slow_count;
};

// Room for the chunks of so many requests. Ends the process without memory.
void samples_init(struct samples *samples, uint32_t requests);
void samples_done(struct samples *samples);

// rested: the core was whole before and after, see rest.h.
static inline void samples_add(struct samples *samples, uint64_t cycles, uint32_t requests, bool rested)
{
    uint32_t place = rested ? samples->count++ : samples->room - ++samples->slow_count;
    samples->values[place] = (double)cycles / requests;
}

// Of those that were taken while the machine was at rest, or of all where these are too few. There is one at least;
// after it there is none.
struct figure samples_take(struct samples *samples);

double samples_tsc_hz(void);
