// SPDX-License-Identifier: BSD-3-Clause
// What is on its way to the relay and back, and how long nobody looked for it: the port's ring can
// have been full only if more was on its way than it holds, so a loss is known not to be its own.
#pragma once

#include <stdint.h>

struct transit {
    uint64_t start;        // frames sent less those received, when the media began
    uint32_t limit;        // frames; 0: none
    uint64_t most;         // that were on their way at once
    uint64_t polled;       // when the port was asked last, in ticks
    uint64_t longest_away; // between two times that it was asked, in ticks
};

// sent, received: frames so far, of which nothing is on its way now.
void transit_begin(struct transit *transit, uint32_t limit, uint64_t sent, uint64_t received,
                   uint64_t now);

// Each time that the port was asked. sent: with what is queued for it.
void transit_note(struct transit *transit, uint64_t sent, uint64_t received, uint64_t now);

// How many of most may be sent besides. What was lost stays on its way.
unsigned transit_room(const struct transit *transit, uint64_t sent, uint64_t received,
                      unsigned most);
