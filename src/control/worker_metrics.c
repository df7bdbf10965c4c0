// SPDX-License-Identifier: BSD-3-Clause
// See control/worker_metrics.h.
#include "control/worker_metrics.h"

#include <assert.h>
#include <stdio.h>

#define LABELS_LEN 64

static const char *const time_bounds[] = {
    "2.5e-07", "5e-07",    "1e-06",    "2e-06",    "4e-06",    "8e-06",    "1.6e-05",  "3.2e-05",
    "6.4e-05", "0.000128", "0.000256", "0.000512", "0.001024", "0.002048", "0.004096", "0.008192"};
static_assert(sizeof(time_bounds) / sizeof(time_bounds[0]) == COUNTERS_TIME_BUCKETS - 1,
              "the last bucket has none");

// A burst of one frame in the first bucket, in each of the others twice as many as in that before.
static const char *const burst_bounds[] = {"1", "2", "4", "8", "16", "32", "64"};
#define BURST_BOUNDS (sizeof(burst_bounds) / sizeof(burst_bounds[0]))
static_assert(COUNTERS_BURST_MAX == 1 << (BURST_BOUNDS - 1), "the last bucket is empty");

void metric_workers_read(const struct plane *plane, struct metric_workers *ret_workers)
{
    ret_workers->count = plane->config.worker_count;
    for (unsigned i = 0; i < ret_workers->count; i++)
        worker_counters_sum(&plane->counters[i], 1, &ret_workers->each[i]);
    worker_counters_sum(ret_workers->each, ret_workers->count, &ret_workers->sum);
}

static const char *worker_label(unsigned worker, char labels[LABELS_LEN])
{
    snprintf(labels, LABELS_LEN, "worker=\"%u\"", worker);
    return labels;
}

static double seconds(uint64_t tsc, uint64_t tsc_hz)
{
    return (double)tsc / (double)tsc_hz;
}

static void write_time(const struct metric_page *page, uint64_t tsc_hz,
                       const struct metric_workers *workers)
{
    char labels[LABELS_LEN];

    metric_head(page, METRIC_WORKER_BUSY);
    for (unsigned i = 0; i < workers->count; i++)
        metric_sample_real(page, METRIC_WORKER_BUSY, worker_label(i, labels),
                           seconds(workers->each[i].busy_tsc, tsc_hz));
    metric_head(page, METRIC_WORKER_IDLE);
    for (unsigned i = 0; i < workers->count; i++)
        metric_sample_real(page, METRIC_WORKER_IDLE, worker_label(i, labels),
                           seconds(workers->each[i].idle_tsc, tsc_hz));
    metric_head(page, METRIC_WORKER_BUSY_CYCLES);
    for (unsigned i = 0; i < workers->count; i++)
        metric_sample(page, METRIC_WORKER_BUSY_CYCLES, worker_label(i, labels),
                      workers->each[i].busy_tsc);
}

static void write_bursts(const struct metric_page *page, const struct metric_workers *workers)
{
    metric_head(page, METRIC_BURST);
    for (unsigned i = 0; i < workers->count; i++) {
        const struct worker_counters *counters = &workers->each[i];
        uint64_t counts[BURST_BOUNDS + 1] = {0}, frames = 0;
        unsigned bucket = 0;
        char labels[LABELS_LEN];

        for (unsigned size = 1; size <= COUNTERS_BURST_MAX; size++) {
            if (size > 1U << bucket)
                bucket++;
            counts[bucket] += counters->bursts[size];
            frames += size * counters->bursts[size];
        }
        metric_histogram(
            page, METRIC_BURST, worker_label(i, labels),
            &(struct metric_histogram){burst_bounds, BURST_BOUNDS, counts, (double)frames});
    }
}

static void write_way(const struct metric_page *page, unsigned worker, const char *way,
                      uint64_t tsc_hz, const struct worker_times *times)
{
    char labels[LABELS_LEN];

    snprintf(labels, sizeof(labels), "worker=\"%u\",way=\"%s\"", worker, way);
    metric_histogram(page, METRIC_FORWARDING, labels,
                     &(struct metric_histogram){time_bounds, COUNTERS_TIME_BUCKETS - 1,
                                                times->buckets, seconds(times->sum_tsc, tsc_hz)});
}

static void write_forwarding(const struct metric_page *page, uint64_t tsc_hz,
                             const struct metric_workers *workers)
{
    metric_head(page, METRIC_FORWARDING);
    for (unsigned i = 0; i < workers->count; i++) {
        write_way(page, i, "direct", tsc_hz, &workers->each[i].direct);
        if (workers->count > 1)
            write_way(page, i, "handed_on", tsc_hz, &workers->each[i].handed);
    }
}

static void write_tables(const struct metric_page *page, const struct plane_config *config,
                         const struct metric_workers *workers)
{
    const uint64_t capacities[WORKER_TABLE_COUNT] = {
        [WORKER_TABLE_ALLOCATIONS] = config->allocations_per_worker,
        [WORKER_TABLE_PERMISSIONS] = config->permissions_per_worker,
        [WORKER_TABLE_CHANNELS] = config->channels_per_worker,
        [WORKER_TABLE_STEERINGS] = config->steerings_per_worker,
        [WORKER_TABLE_FRAGMENTS] = WORKER_DATAGRAMS_MAX,
    };
    char labels[LABELS_LEN];

    metric_head(page, METRIC_TABLE_ENTRIES);
    for (unsigned i = 0; i < workers->count; i++) {
        for (unsigned table = 0; table < WORKER_TABLE_COUNT; table++) {
            snprintf(labels, sizeof(labels), "worker=\"%u\",table=\"%s\"", i,
                     worker_table_name((enum worker_table)table));
            metric_sample(page, METRIC_TABLE_ENTRIES, labels, workers->each[i].tables[table]);
        }
    }
    metric_head(page, METRIC_TABLE_CAPACITY);
    for (unsigned table = 0; table < WORKER_TABLE_COUNT; table++) {
        snprintf(labels, sizeof(labels), "table=\"%s\"",
                 worker_table_name((enum worker_table)table));
        metric_sample(page, METRIC_TABLE_CAPACITY, labels, capacities[table]);
    }
}

void worker_metrics_write(const struct metric_page *page, const struct plane *plane,
                          const struct metric_workers *workers)
{
    write_time(page, plane->tsc_hz, workers);
    write_bursts(page, workers);
    write_forwarding(page, plane->tsc_hz, workers);
    write_tables(page, &plane->config, workers);
}
