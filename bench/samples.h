// SPDX-License-Identifier: BSD-3-Clause
// Cycles a request, chunk by chunk, and what stands for all of them on a machine that others use
// too.
#pragma once

#include <stdint.h>
#include <stdio.h>

// Requests: less than another process takes the CPU for, so that most chunks are whole.
#define SAMPLE_CHUNK 100

struct samples {
    double *values;
    uint32_t count;
};

struct samples_figure {
    double median;
    double min;
    double max;
};

// Room for the chunks of so many requests. Ends the process without memory.
void samples_init(struct samples *samples, uint32_t requests);
void samples_done(struct samples *samples);

static inline void samples_add(struct samples *samples, uint64_t cycles, uint32_t requests)
{
    samples->values[samples->count++] = (double)cycles / requests;
}

// There is one at least; after it there is none.
struct samples_figure samples_take(struct samples *samples);

const char *samples_text(const struct samples_figure *figure, char text[64]);
// "name": {"median": ...}
void samples_json(FILE *file, const char *name, const struct samples_figure *figure);

double samples_tsc_hz(void);
