// SPDX-License-Identifier: BSD-3-Clause
// Live figures on a terminal, a line a second as vmstat does, and the sum of it all at the end.
// Where there are several workers, each has a line of its own below.
#pragma once

#include "exchange/plane.h"
#include "turn/server.h"

#include <stdio.h>

struct stream_server;
struct tcp_relay;

struct statistics {
    const struct plane *plane;
    const struct turn_server *server;
    const struct stream_server *streams; // set by the caller; NULL: there are none
    const struct tcp_relay *tcp_relay;   // the same
    FILE *stream;
    struct worker_counters last[PLANE_WORKERS_MAX];
    uint64_t last_ms;
    uint64_t started_ms;
    unsigned lines; // since the header
};

void statistics_init(struct statistics *statistics, const struct plane *plane,
                     const struct turn_server *server, FILE *stream, uint64_t now_ms);

// What has happened since it was called before.
void statistics_print_line(struct statistics *statistics, uint64_t now_ms);

// What has happened since the start: frames received, and every other counter and reason of drops
// that occurred; then what each of several workers did of it.
void statistics_print_summary(struct statistics *statistics, uint64_t now_ms);
