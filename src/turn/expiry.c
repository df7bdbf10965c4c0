// SPDX-License-Identifier: BSD-3-Clause
// See turn/expiry.h. Deadlines are whole seconds of the monotonic clock, rounded up, so that
// nothing ends before the lifetime that the client was told.
#include "turn/expiry.h"

#include <errno.h>

int expiry_init(struct expiry *expiry, const uint64_t counts[EXPIRY_KIND_COUNT],
                uint32_t max_lifetime_s)
{
    struct expiry made = {0};
    uint64_t total = 0;
    for (unsigned kind = 0; kind < EXPIRY_KIND_COUNT; kind++) {
        total += counts[kind];
        if (total > EXPIRY_TIMERS_MAX)
            return -EINVAL;
        made.first[kind + 1] = (uint32_t)total;
    }
    uint32_t span_s =
        max_lifetime_s > TURN_CHANNEL_LIFETIME_S ? max_lifetime_s : TURN_CHANNEL_LIFETIME_S;
    int error = timer_wheel_init(&made.wheel, (uint32_t)total, span_s + 1);
    if (error == 0)
        *expiry = made;
    return error;
}

void expiry_done(struct expiry *expiry)
{
    timer_wheel_done(&expiry->wheel);
}

static uint32_t seconds_up(const struct turn_time *now)
{
    return (uint32_t)((now->monotonic_ms + 999) / 1000);
}

static uint32_t seconds_down(const struct turn_time *now)
{
    return (uint32_t)(now->monotonic_ms / 1000);
}

void expiry_set(struct expiry *expiry, enum expiry_kind kind, uint32_t index,
                const struct turn_time *now, uint32_t lifetime_s)
{
    timer_wheel_set(&expiry->wheel, expiry->first[kind] + index, seconds_down(now),
                    seconds_up(now) + lifetime_s);
}

void expiry_cancel(struct expiry *expiry, enum expiry_kind kind, uint32_t index)
{
    timer_wheel_cancel(&expiry->wheel, expiry->first[kind] + index);
}

static uint32_t deadline_s(const struct expiry *expiry, enum expiry_kind kind, uint32_t index)
{
    return timer_wheel_deadline_s(&expiry->wheel, expiry->first[kind] + index);
}

uint32_t expiry_left_s(const struct expiry *expiry, enum expiry_kind kind, uint32_t index,
                       const struct turn_time *now)
{
    uint32_t deadline = deadline_s(expiry, kind, index);
    uint32_t started = seconds_up(now);
    return deadline > started ? deadline - started : 0;
}

uint64_t expiry_due_ms(const struct expiry *expiry, enum expiry_kind kind, uint32_t index)
{
    return (uint64_t)deadline_s(expiry, kind, index) * 1000;
}

bool expiry_pop(struct expiry *expiry, const struct turn_time *now, enum expiry_kind *ret_kind,
                uint32_t *ret_index)
{
    uint32_t timer = timer_wheel_pop(&expiry->wheel, seconds_down(now));
    if (timer == INDEX_NONE)
        return false;
    unsigned kind = 0;
    while (timer >= expiry->first[kind + 1])
        kind++;
    *ret_kind = (enum expiry_kind)kind;
    *ret_index = timer - expiry->first[kind];
    return true;
}

uint64_t expiry_next_ms(const struct expiry *expiry)
{
    uint64_t next_s = timer_wheel_next_s(&expiry->wheel);
    return next_s == UINT64_MAX ? UINT64_MAX : next_s * 1000;
}
