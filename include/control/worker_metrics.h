// SPDX-License-Identifier: BSD-3-Clause
// Of the metrics page what workers say of their time, their bursts and their tables.
#pragma once

#include "control/metric.h"
#include "exchange/plane.h"

struct metric_workers {
    unsigned count;
    struct worker_counters each[PLANE_WORKERS_MAX];
    struct worker_counters sum;
};

// The counts of all workers, read once.
void metric_workers_read(const struct plane *plane, struct metric_workers *ret_workers);

void worker_metrics_write(const struct metric_page *page, const struct plane *plane,
                          const struct metric_workers *workers);
