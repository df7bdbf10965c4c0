// SPDX-License-Identifier: BSD-3-Clause
// See base/timer_wheel.h. One slot a second and as many seconds as the span: no cascade. A timer
// further ahead waits in the last slot and is filed again when its slot comes round.
#include "base/timer_wheel.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_MIN 64u
#define SLOTS_MAX (1u << 17) // 36 hours; more would only make the scan for the next slot longer

static uint32_t slot_count(uint32_t span_s)
{
    uint32_t count = SLOTS_MIN;
    while (count <= span_s && count < SLOTS_MAX)
        count *= 2;
    return count;
}

int timer_wheel_init(struct timer_wheel *wheel, uint32_t timer_count, uint32_t span_s)
{
    uint32_t slots = slot_count(span_s);
    struct timer_wheel made = {
        .timers = calloc(timer_count ? timer_count : 1, sizeof(*made.timers)),
        .slots = calloc(slots, sizeof(*made.slots)),
        .occupied = calloc(slots / 64, sizeof(*made.occupied)),
        .mask = slots - 1,
    };
    if (made.timers == NULL || made.slots == NULL || made.occupied == NULL) {
        timer_wheel_done(&made);
        return -ENOMEM;
    }
    *wheel = made;
    return 0;
}

void timer_wheel_done(struct timer_wheel *wheel)
{
    free(wheel->timers);
    free(wheel->slots);
    free(wheel->occupied);
    *wheel = (struct timer_wheel){0};
}

// Where a deadline waits: its own second when the wheel reaches that far.
static uint32_t slot_of(const struct timer_wheel *wheel, uint32_t deadline_s)
{
    uint32_t second = deadline_s;
    if (second < wheel->current_s)
        second = wheel->current_s;
    if (second - wheel->current_s > wheel->mask)
        second = wheel->current_s + wheel->mask;
    return second & wheel->mask;
}

static void link_timer(struct timer_wheel *wheel, uint32_t id)
{
    struct timer_wheel_timer *timer = &wheel->timers[id];
    uint32_t slot = slot_of(wheel, timer->deadline_s);
    uint32_t first = wheel->slots[slot];
    timer->next = first;
    timer->previous = TIMER_WHEEL_FIRST | slot;
    if (first != 0)
        wheel->timers[first - 1].previous = id + 1;
    wheel->slots[slot] = id + 1;
    wheel->occupied[slot / 64] |= 1ull << (slot % 64);
}

static void unlink_first(struct timer_wheel *wheel, uint32_t slot, uint32_t next)
{
    wheel->slots[slot] = next;
    if (next != 0)
        wheel->timers[next - 1].previous = TIMER_WHEEL_FIRST | slot;
    else
        wheel->occupied[slot / 64] &= ~(1ull << (slot % 64));
}

static void unlink_timer(struct timer_wheel *wheel, uint32_t id)
{
    struct timer_wheel_timer *timer = &wheel->timers[id];
    if (timer->previous & TIMER_WHEEL_FIRST) {
        unlink_first(wheel, timer->previous & ~TIMER_WHEEL_FIRST, timer->next);
    } else {
        wheel->timers[timer->previous - 1].next = timer->next;
        if (timer->next != 0)
            wheel->timers[timer->next - 1].previous = timer->previous;
    }
    timer->previous = 0;
}

void timer_wheel_set(struct timer_wheel *wheel, uint32_t timer, uint32_t now_s, uint32_t deadline_s)
{
    // Nobody pops from an empty wheel: it catches up here.
    if (wheel->count == 0)
        wheel->current_s = now_s;
    if (timer_wheel_runs(wheel, timer))
        unlink_timer(wheel, timer);
    else
        wheel->count++;
    wheel->timers[timer].deadline_s = deadline_s;
    link_timer(wheel, timer);
}

void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t timer)
{
    if (!timer_wheel_runs(wheel, timer))
        return;
    unlink_timer(wheel, timer);
    wheel->count--;
}

// The first occupied slot from start on, all the way round. Some slot is occupied.
static uint32_t first_occupied(const struct timer_wheel *wheel, uint32_t start)
{
    uint32_t word_mask = wheel->mask / 64;
    uint32_t at = start / 64;
    uint64_t bits = wheel->occupied[at] & (~0ull << (start % 64));
    while (bits == 0) {
        at = (at + 1) & word_mask;
        bits = wheel->occupied[at];
    }
    return at * 64 + (uint32_t)__builtin_ctzll(bits);
}

uint64_t timer_wheel_next_s(const struct timer_wheel *wheel)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    uint32_t start = wheel->current_s & wheel->mask;
    uint32_t slot = first_occupied(wheel, start);
    return (uint64_t)wheel->current_s + ((slot - start) & wheel->mask);
}

uint32_t timer_wheel_pop(struct timer_wheel *wheel, uint32_t now_s)
{
    for (;;) {
        uint64_t second = timer_wheel_next_s(wheel);
        if (second > now_s) {
            if (now_s > wheel->current_s)
                wheel->current_s = now_s;
            return INDEX_NONE;
        }
        wheel->current_s = (uint32_t)second;
        uint32_t timer = wheel->slots[wheel->current_s & wheel->mask] - 1;
        unlink_timer(wheel, timer);
        if (wheel->timers[timer].deadline_s <= wheel->current_s) {
            wheel->count--;
            return timer;
        }
        link_timer(wheel, timer);
    }
}
