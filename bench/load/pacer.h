// SPDX-License-Identifier: BSD-3-Clause
// Says how many packets are due: an even rate on the clock that the caller reads, without drift.
#pragma once

#include <stdint.h>

struct pacer {
    uint64_t hz;      // of the clock
    uint64_t rate;    // packets a second; 0: whatever the caller can take
    uint64_t last;    // when it was asked last, in ticks of the clock
    uint64_t credit;  // what is due, in packets times hz: nothing is lost to rounding
    uint64_t backlog; // packets
    uint64_t skipped; // packets that were due and were given up
};

// What fell due while the caller was away for longer than backlog_ms is given up: a burst to catch
// up would measure the generator. Rates up to a thousand million.
void pacer_init(struct pacer *pacer, uint64_t hz, uint64_t rate, unsigned backlog_ms, uint64_t now);

// How many are due now, at most max; they count as taken. now never goes back, nor is it more than
// a few seconds after the last one.
unsigned pacer_take(struct pacer *pacer, uint64_t now, unsigned max);
