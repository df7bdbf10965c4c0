// SPDX-License-Identifier: BSD-3-Clause
// Was the machine at rest while something was timed? Others use it too. A virtual CPU may be one of
// two threads of a core: while the other one works, this one gets half of what the core can begin
// in a cycle, without being interrupted. So a sample counts when this thread was not interrupted,
// and the core was whole before and after it: additions that do not wait for each other took no
// longer than they ever did.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rest {
    uint64_t best; // cycles that the additions take, of the whole run
    long preempted;
    bool was_slow;
};

// Takes a third of a second, in which the core is whole at least once if it is at all.
void rest_init(struct rest *rest);
// Whether the core is whole now. A microsecond, and no memory.
bool rest_glance(struct rest *rest);

void rest_begin(struct rest *rest);
// In between, as often as it does not matter: the core may be shared for less long than a sample
// takes.
void rest_observe(struct rest *rest);
// Whether this thread had to make room for another since rest_begin().
bool rest_was_interrupted(const struct rest *rest);
// False: the machine was slow since rest_begin(), or this thread interrupted.
bool rest_lasted(struct rest *rest);

// Samples are taken until so many were good, or patience ends.
struct patience {
    uint32_t wanted;
    uint32_t kept;
    uint32_t discarded;  // samples taken while the machine was slow, and taken again
    uint32_t slow;       // samples kept all the same: the machine did not come to rest
    uint32_t tries_left; // how many more may be thrown away
};

// tries: how often a sample is taken, on average, before a slow one is kept for want of better.
void patience_init(struct patience *patience, uint32_t wanted, uint32_t tries);
// Part of a sample was taken. Whether to take it again.
bool patience_retry(struct patience *patience, bool rested);
// A sample was taken. Whether it was kept.
bool patience_keep(struct patience *patience, bool rested);
