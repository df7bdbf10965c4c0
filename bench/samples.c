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

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct samples_figure samples_take(struct samples *samples)
{
    uint32_t count = samples->count;
    qsort(samples->values, count, sizeof(*samples->values), compare);
    samples->count = 0;
    return (struct samples_figure){samples->values[count / 2], samples->values[0],
                                   samples->values[count - 1]};
}

const char *samples_text(const struct samples_figure *figure, char text[64])
{
    snprintf(text, 64, "%.0f (%.0f-%.0f)", figure->median, figure->min, figure->max);
    return text;
}

void samples_json(FILE *file, const char *name, const struct samples_figure *figure)
{
    fprintf(file, "\"%s\": {\"median\": %.0f, \"min\": %.0f, \"max\": %.0f}", name, figure->median,
            figure->min, figure->max);
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
