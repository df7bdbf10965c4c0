// SPDX-License-Identifier: BSD-3-Clause
// See samples.h.
#include "samples.h"

#include "clients.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <time.h>

void samples_init(struct samples *samples, uint32_t requests)
{
    samples->values = calloc(requests / SAMPLE_CHUNK + 1, sizeof(*samples->values));
    samples->count = 0;
    require(samples->values != NULL, "no memory");
}

void samples_done(struct samples *samples)
{
    free(samples->values);
}

struct figure samples_take(struct samples *samples)
{
    struct figure figure = figure_of(samples->values, sizeof(*samples->values), samples->count, 0);

    samples->count = 0;
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
