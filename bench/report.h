// SPDX-License-Identifier: BSD-3-Clause
// What the benchmark says: a table for people, JSON for programs, and how far it has come.
#pragma once

#include "measure.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct result {
    const struct scenario *scenario;
    uint32_t allocations;
    enum traffic_draw draw;
    uint32_t payload_len; // 0: the case has none
    uint32_t burst;
    uint64_t table_len;
    bool has_l3fwd;
    struct measurement measurement;
};

// About the machine, and the table's head.
void report_begin(const struct bench_options *options);
// A row of the table.
void report_result(const struct result *result);
// The whole run, when JSON is wanted.
void report_json(const struct bench_options *options, const struct result *results, unsigned count);

// Progress on stderr, once the run has taken longer than a moment: case x of y from now on.
void progress_begin(unsigned total);
void progress_table(const struct scenario *scenario, uint32_t allocations);
void progress_next(void);
void progress_tick(void);
void progress_end(void);
