// SPDX-License-Identifier: BSD-3-Clause
// Draws flows: all alike, or by Zipf's law, where the one of rank k is drawn k^exponent times less
// often than the first (Walker's alias method).
#pragma once

#include "random.h"

#include <stdint.h>

struct picker_cell {
    uint32_t threshold; // of 2^32: below it the cell's own index, else the alias
    uint32_t alias;
};

struct picker {
    uint32_t count;
    struct picker_cell *cells; // NULL: uniform
    struct random_state random;
};

// Draws 0..count-1; count is not 0. exponent 0: uniform. Popular ranks are scattered over the
// range. 0, -ENOMEM.
int picker_init(struct picker *picker, uint32_t count, double exponent, uint64_t seed);
void picker_done(struct picker *picker);

static inline uint32_t picker_draw(struct picker *picker)
{
    uint64_t number;
    uint32_t cell;

    if (!picker->cells)
        return random_below(&picker->random, picker->count);
    number = random_next(&picker->random);
    cell = (uint32_t)((number >> 32) * picker->count >> 32);
    return (uint32_t)number < picker->cells[cell].threshold ? cell : picker->cells[cell].alias;
}
