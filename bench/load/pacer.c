// SPDX-License-Identifier: BSD-3-Clause
// Credit that grows with time and is spent by packets.
#include "pacer.h"

void pacer_init(struct pacer *pacer, uint64_t hz, uint64_t rate, unsigned backlog_ms, uint64_t now)
{
    uint64_t backlog = rate * backlog_ms / 1000;

    *pacer = (struct pacer){.hz = hz, .rate = rate, .last = now, .backlog = backlog ? backlog : 1};
}

unsigned pacer_take(struct pacer *pacer, uint64_t now, unsigned max)
{
    uint64_t due;

    if (pacer->rate == 0)
        return max;
    pacer->credit += (now - pacer->last) * pacer->rate;
    pacer->last = now;
    if (pacer->credit < pacer->hz)
        return 0;
    due = pacer->credit / pacer->hz;
    if (due > pacer->backlog) {
        pacer->skipped += due - pacer->backlog;
        pacer->credit -= (due - pacer->backlog) * pacer->hz;
        due = pacer->backlog;
    }
    if (due > max)
        due = max;
    pacer->credit -= due * pacer->hz;
    return (unsigned)due;
}
