// SPDX-License-Identifier: BSD-3-Clause
// The metrics page: what every part of the relay counts, said by the names of control/metric.h. Sums alone, however
// many allocations there are, and nothing that a worker has to do for it.
#pragma once

#include "control/metric.h"
#include "exchange/plane.h"
#include "turn/server.h"

struct drain;
struct http_access;
struct next_hops;
struct ports;
struct reload;
struct stream_server;
struct tcp_relay;
struct tls_contexts;
struct watchdog;

// What was asked for, and became of it.
struct metrics_pages {
    uint64_t served;
    uint64_t refused_pace; // too many a second
    uint64_t refused_token;
    uint64_t time_us; // of the thread, in those that were served
};

struct metrics_sources { // all borrowed
    const struct plane *plane;
    const struct turn_server *server;
    const struct turn_limits *limits;
    const struct next_hops *hops;
    const struct ports *ports;
    const struct stream_server *streams; // NULL: there are none
    const struct tcp_relay *tcp_relay;   // NULL: TCP is not relayed
    struct tls_contexts *tls;
    const struct reload *reload;
    const struct watchdog *watchdog;
    const struct http_access *access;
    const struct metrics_pages *pages; // the monitor's
    const struct drain *drain;
    const struct session_log *sessions;
};

// The control thread only.
void metrics_write(const struct metrics_sources *sources, const struct metric_page *page);
