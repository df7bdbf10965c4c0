// SPDX-License-Identifier: BSD-3-Clause
// As much as the relay takes, for some seconds, and what came out of it.
#pragma once

#include "options.h"
#include "stamp.h"

struct media_way {
    bool is_used;
    uint64_t sent, received, lost, wrong, late;  // until all was drained
    double received_per_second, gbit_per_second; // of payload, while it was counted
};

struct media_figures {
    double seconds;
    struct media_way ways[WAY_COUNT];
    uint64_t peer_dropped, strangers;
    double busy, relay_busy; // 0..1; -1: unknown
};

void media_run(const struct options *options, struct media_figures *ret_figures);
