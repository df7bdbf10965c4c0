// SPDX-License-Identifier: BSD-3-Clause
// Timers by index with a resolution of one second: set, move, cancel and expire in constant time,
// however many there are.
#pragma once

#include "base/index_pool.h"

#include <stdbool.h>
#include <stdint.h>

struct timer_wheel_timer {
    uint32_t next;     // id + 1 in the same slot; 0: last
    uint32_t previous; // id + 1; of the first TIMER_WHEEL_FIRST and the slot; 0: idle
    uint32_t deadline_s;
};

#define TIMER_WHEEL_FIRST (1u << 31) // above every id

struct timer_wheel {
    struct timer_wheel_timer *timers;
    uint32_t *slots;    // id + 1 of the first timer; 0: empty
    uint64_t *occupied; // a bit a slot
    uint32_t mask;
    uint32_t current_s; // every slot before it is empty
    uint32_t count;     // timers that run
};

// Timers 0..timer_count-1, at most 2^31 - 1, none running. span_s: the longest time ahead that a timer is set as a
// rule; one set further ahead works too and costs a little more. 0, -ENOMEM.
int timer_wheel_init(struct timer_wheel *wheel, uint32_t timer_count, uint32_t span_s);
void timer_wheel_done(struct timer_wheel *wheel);

// Start a timer, or move one that runs. A deadline that has passed is due now.
void timer_wheel_set(struct timer_wheel *wheel, uint32_t timer, uint32_t now_s,
                     uint32_t deadline_s);
// Nothing when it does not run.
void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t timer);

static inline bool timer_wheel_runs(const struct timer_wheel *wheel, uint32_t timer)
{
    return wheel->timers[timer].previous != 0;
}

// Of one that runs.
static inline uint32_t timer_wheel_deadline_s(const struct timer_wheel *wheel, uint32_t timer)
{
    return wheel->timers[timer].deadline_s;
}

// Stop one timer whose deadline is now_s or earlier and return it, an earlier one before a later
// one; INDEX_NONE when none is due. now_s never goes back.
uint32_t timer_wheel_pop(struct timer_wheel *wheel, uint32_t now_s);

// When to look again; UINT64_MAX when no timer runs. Never later than the first deadline that has
// not passed; earlier only when a timer was set further ahead than the span.
uint64_t timer_wheel_next_s(const struct timer_wheel *wheel);
