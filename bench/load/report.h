// SPDX-License-Identifier: BSD-3-Clause
// What is told: a line a second, a summary for people, and the same for programs.
#pragma once

#include "engine.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report_ticker {
    uint64_t start, next;                       // ticks
    struct media_counts media[DIRECTION_COUNT]; // as they were when the last line was written
    struct flood_counts flood;
    uint32_t done;
};

void report_ticker_start(struct report_ticker *ticker, const struct engine *engine);
// A line on stderr when a second is over.
void report_round_tick(struct report_ticker *ticker, const struct engine *engine, const char *name,
                       uint64_t now);
void report_media_tick(struct report_ticker *ticker, const struct engine *engine, uint64_t now);

void report_print(const struct engine *engine, FILE *stream);
// 0 or -errno.
int report_write_json(const struct engine *engine, const char *path);

// Payloads that were not those sent, or not where they belong, and datagrams that broke on the way.
bool report_is_wrong(const struct engine *engine);
// Flows that could not be served in any round.
bool report_has_failures(const struct engine *engine);
