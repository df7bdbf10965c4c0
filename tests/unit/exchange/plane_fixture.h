// SPDX-License-Identifier: BSD-3-Clause
// A plane for tests of streams: as small as it may be, but for the rings between workers and threads.
#pragma once

#include "exchange/plane.h"

// One listener of UDP, which stands first. Those of streams are the caller's to add.
static inline struct plane_config plane_fixture_config(uint16_t workers, uint16_t threads, uint32_t ring_len)
{
    return (struct plane_config){
        .worker_count = workers,
        .listener_count = 1,
        .stream_thread_count = threads,
        .stream_ring_len = ring_len,
        .allocations = 1,
        .allocations_per_worker = 1,
        .adjacencies = 1,
        .command_ring_len = 8,
        .punt_ring_len = 8,
        .handoff_ring_len = 8,
    };
}
