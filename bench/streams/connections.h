// SPDX-License-Identifier: BSD-3-Clause
// Connections a second: each is made, shakes hands in full, has one Binding request answered, and
// is gone.
#pragma once

#include "options.h"

#include <stdint.h>

struct connections_figures {
    double seconds, per_second;
    uint64_t done, broken, overdue;
    double p50_ms, p99_ms; // from the first packet to the answer
    double busy, relay_busy;
};

void connections_run(const struct options *options, struct connections_figures *ret_figures);
