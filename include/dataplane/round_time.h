// SPDX-License-Identifier: BSD-3-Clause
// How long a worker's rounds take: which of its time is work, and how long frames are here. A round ends where the next
// begins, so that the clock is read once, and it is accounted for then.
#pragma once

#include "exchange/counters.h"

#include <stdbool.h>
#include <stdint.h>

struct round_time {
    uint64_t units_scale;     // time units in 2^32 cycles
    uint64_t handed_wait_tsc; // what others handed on was theirs for so long
    uint32_t received;        // frames of the port
    uint32_t handed;          // frames of other workers
    bool is_busy;             // it has found work
};

static inline void round_time_init(struct round_time *round, uint64_t tsc_hz)
{
    const uint64_t units_per_second = 1000000000 / COUNTERS_TIME_UNIT_NS;

    *round = (struct round_time){.units_scale = (units_per_second << 32) / tsc_hz};
}

// The bucket of struct worker_times. Less than eleven minutes: longer ones may be in any.
static inline unsigned round_time_bucket(const struct round_time *round, uint64_t took_tsc)
{
    uint64_t units = (took_tsc * round->units_scale) >> 32;
    unsigned bucket = 63 - (unsigned)__builtin_clzll(units << 1 | 1);

    return bucket < COUNTERS_TIME_BUCKETS ? bucket : COUNTERS_TIME_BUCKETS - 1;
}

static inline void round_time_add(const struct round_time *round, struct worker_times *times,
                                  uint64_t took_tsc, uint32_t frames)
{
    times->buckets[round_time_bucket(round, took_tsc)] += frames;
    times->sum_tsc += took_tsc * frames;
}

// The round is over.
static inline void round_time_end(struct round_time *round, struct worker_counters *counters,
                                  uint64_t took_tsc)
{
    *(round->is_busy ? &counters->busy_tsc : &counters->idle_tsc) += took_tsc;
    round_time_add(round, &counters->direct, took_tsc, round->received);
    if (__builtin_expect(round->handed > 0, 0)) {
        round_time_add(round, &counters->handed, round->handed_wait_tsc + took_tsc, round->handed);
        round->handed = 0;
    }
}

// What a frame that is handed on carries: when the round began that received it. In units of 2^4
// cycles these are enough for half a minute and more.
#define ROUND_TIME_STAMP_SHIFT 4

static inline uint32_t round_time_stamp(uint64_t now_tsc)
{
    return (uint32_t)(now_tsc >> ROUND_TIME_STAMP_SHIFT);
}

// So many came, of which the first has that stamp. Clocks of two cores may be apart by a little.
static inline void round_time_take_handed(struct round_time *round, uint64_t now_tsc,
                                          uint32_t stamp, uint32_t count)
{
    int32_t wait = (int32_t)(round_time_stamp(now_tsc) - stamp);

    round->handed_wait_tsc = wait > 0 ? (uint64_t)wait << ROUND_TIME_STAMP_SHIFT : 0;
    round->handed += count;
}
