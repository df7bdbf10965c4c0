// SPDX-License-Identifier: BSD-3-Clause
// Live figures on a terminal, a line a second as vmstat does, and the sum of it all at the end.
#pragma once

#include "exchange/plane.h"
#include "turn/server.h"

#include <stdio.h>

struct statistics {
    const struct plane *plane;
    const struct turn_server *server;
    FILE *stream;
    struct worker_counters last;
    uint64_t last_ms;
    uint64_t started_ms;
    unsigned lines;
};

void statistics_init(struct statistics *statistics, const struct plane *plane,
                     const struct turn_server *server, FILE *stream, uint64_t now_ms);

// What has happened since the line before.
void statistics_print_line(struct statistics *statistics, uint64_t now_ms);

// What has happened since the start: frames received, and every other counter and reason of drops
// that occurred.
void statistics_print_summary(struct statistics *statistics, uint64_t now_ms);
