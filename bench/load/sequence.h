// SPDX-License-Identifier: BSD-3-Clause
// What arrived of a numbered stream: tells the new from the late and from the repeated, in 16 bytes
// (after RFC 4303 section 3.4.3's window).
#pragma once

#include <assert.h>
#include <stdint.h>

#define SEQUENCE_WINDOW 32

enum sequence_verdict {
    SEQUENCE_NEXT,      // newer than all before
    SEQUENCE_REORDERED, // overtaken by others
    SEQUENCE_DUPLICATE,
};

// All zero: nothing arrived. Numbers start at 0.
struct sequence {
    uint32_t next;                  // one more than the newest
    uint32_t window;                // bit n: next - 1 - n has arrived
    uint32_t received;              // without duplicates
    uint16_t reordered, duplicates; // stop at their largest value
};

static_assert(sizeof(struct sequence) == 16, "two of them and more fit in a cache line");

// What is older than the window and arrives twice counts as reordered both times.
enum sequence_verdict sequence_receive(struct sequence *sequence, uint32_t number);
