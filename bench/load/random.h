// SPDX-License-Identifier: BSD-3-Clause
// Pseudo-random numbers for choosing flows: fast, and the same again from the same seed
// (xoroshiro128+, Blackman and Vigna).
#pragma once

#include <stdint.h>

struct random_state {
    uint64_t s[2];
};

static inline uint64_t random_next(struct random_state *state)
{
    uint64_t s0 = state->s[0], s1 = state->s[1], result = s0 + s1;

    s1 ^= s0;
    state->s[0] = (s0 << 24 | s0 >> 40) ^ s1 ^ (s1 << 16);
    state->s[1] = s1 << 37 | s1 >> 27;
    return result;
}

// SplitMix64 spreads the seed over the state, which must not be all zero.
static inline struct random_state random_seeded(uint64_t seed)
{
    struct random_state state;

    for (unsigned i = 0; i < 2; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        state.s[i] = z ^ z >> 31;
    }
    return state;
}

static inline uint32_t random_below(struct random_state *state, uint32_t limit)
{
    return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}
