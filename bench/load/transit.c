// SPDX-License-Identifier: BSD-3-Clause
// Two counters that only rise, and a clock.
#include "transit.h"

// The relay says something of its own now and then, which nobody has sent.
static uint64_t on_the_way(const struct transit *transit, uint64_t sent, uint64_t received)
{
    uint64_t gone = sent - transit->start;

    return gone > received ? gone - received : 0;
}

void transit_begin(struct transit *transit, uint32_t limit, uint64_t sent, uint64_t received,
                   uint64_t now)
{
    *transit = (struct transit){.start = sent - received, .limit = limit, .polled = now};
}

void transit_note(struct transit *transit, uint64_t sent, uint64_t received, uint64_t now)
{
    uint64_t count = on_the_way(transit, sent, received), away = now - transit->polled;

    if (count > transit->most)
        transit->most = count;
    if (away > transit->longest_away)
        transit->longest_away = away;
    transit->polled = now;
}

unsigned transit_room(const struct transit *transit, uint64_t sent, uint64_t received,
                      unsigned most)
{
    uint64_t count;

    if (transit->limit == 0)
        return most;
    count = on_the_way(transit, sent, received);
    if (count >= transit->limit)
        return 0;
    return transit->limit - count < most ? (unsigned)(transit->limit - count) : most;
}
