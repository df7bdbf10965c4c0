// SPDX-License-Identifier: BSD-3-Clause
// How an allocation, or its half of one family, goes with all it has: step by step, and then it is
// reported to the control plane, which may use id and ports again from there on.
#pragma once

#include "exchange/command.h"
#include "exchange/punt.h"

#include <stdbool.h>
#include <stdint.h>

struct tables;

// The allocations with something to report, in order. Indices.
struct removal_reports {
    uint32_t first;
    uint32_t last;
};

void removal_reports_init(struct removal_reports *reports);

// Removals go in steps of *budget entries, so that no allocation is too big to be removed between
// two bursts. True when nothing is left of it but the report, by *ret_error -ENOENT when nothing
// was there; until then, call again with the same command and apply no other.
bool removal_step_allocation(struct tables *tables, const struct command *command, unsigned *budget,
                             int *ret_error);
bool removal_step_relay(struct tables *tables, const struct command *command, unsigned *budget,
                        int *ret_error);

// What the control plane must be told next. False: nothing. It stays the next until
// removal_reported().
bool removal_next_report(const struct tables *tables, struct punt *ret_punt);
void removal_reported(struct tables *tables);
