// SPDX-License-Identifier: BSD-3-Clause
// Was the machine at rest while something was timed? Others use it too: a sample counts when this thread was not
// interrupted, and an arithmetic loop before and after it ran as fast as ever.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rest {
    uint64_t best; // calibration, cycles; of the whole run
    long preempted;
    bool was_slow;
};

void rest_init(struct rest *rest);
void rest_begin(struct rest *rest);
// False: the machine was slow since rest_begin().
bool rest_lasted(struct rest *rest);

// Samples are taken until so many were good, or patience ends.
struct patience {
    uint32_t wanted;
    uint32_t kept;
    uint32_t discarded;  // samples taken while the machine was slow, and taken again
    uint32_t slow;       // samples kept all the same: the machine did not come to rest
    uint32_t tries_left; // how many more may be thrown away
};

void patience_init(struct patience *patience, uint32_t wanted);
// A sample was taken. Whether it was kept.
bool patience_keep(struct patience *patience, bool rested);
