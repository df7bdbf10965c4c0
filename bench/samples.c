// SPDX-License-Identifier: BSD-3-Clause
// See samples.h.
#include "samples.h"

#include "clients.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Of a phase, so that a chunk or two by chance do not stand for it.
#define LEAST_SHARE 8

void samples_init(struct samples *samples, uint32_t requests)
{
    *samples = (struct samples){.room = requests / SAMPLE_CHUNK + 1};
    samples->values = calloc(samples->room, sizeof(*samples->values));
    require(samples->values != NULL, "no memory");
}

void samples_done(struct samples *samples)
{
    free(samples->values);
}

struct figure samples_take(struct samples *samples)
{
    uint32_t all = samples->count + samples->slow_count;
    if (samples->count * LEAST_SHARE < all) {
        memmove(samples->values + samples->count,
                samples->values + samples->room - samples->slow_count,
                samples->slow_count * sizeof(*samples->values));
        samples->count = all;
    }
    struct figure figure = figure_of(samples->values, sizeof(*samples->values), samples->count, 0);
    samples->count = 0;
    samples->slow_count = 0;
    return figure;
}

double samples_tsc_hz(void)
{
    struct timespec before, after, pause = {.tv_nsec = 100000000};
    clock_gettime(CLOCK_MONOTONIC_RAW, &before);
    uint64_t start = rte_rdtsc();
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC_RAW, &after);
    uint64_t cycles = rte_rdtsc() - start;
    return (double)cycles / ((double)(after.tv_sec - before.tv_sec) +
                             (double)(after.tv_nsec - before.tv_nsec) / 1e9);
}
