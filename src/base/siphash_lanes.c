// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 ("SipHash: a fast short-input PRF", Aumasson, Bernstein, 2012, section 2) of four
// inputs at a time, by the compiler's own vectors: each lane has a state of its own. Without long
// vectors rotations eat up what there is to gain.
#include "base/siphash_lanes.h"

#ifdef __x86_64__

#include <string.h>

#define LANES 4

typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));

struct lanes_state {
    lanes v0, v1, v2, v3;
};

// What is inlined here is compiled for the CPU of the function that it is in.
#define EVERYWHERE static inline __attribute__((always_inline))

EVERYWHERE void rounds(struct lanes_state *s, unsigned count)
{
#define ROTATE_LEFT(value, bits) ((value) << (bits) | (value) >> (64 - (bits)))
    for (unsigned i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = ROTATE_LEFT(s->v1, 13) ^ s->v0;
        s->v3 = ROTATE_LEFT(s->v3, 16) ^ s->v2;
        s->v0 = ROTATE_LEFT(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = ROTATE_LEFT(s->v1, 17) ^ s->v2;
        s->v3 = ROTATE_LEFT(s->v3, 21) ^ s->v0;
        s->v2 = ROTATE_LEFT(s->v2, 32);
    }
#undef ROTATE_LEFT
}

EVERYWHERE void end_lanes(const struct siphash_state *state, const uint64_t *lasts,
                          uint64_t *ret_hashes)
{
    const lanes zero = {0};
    struct lanes_state s = {zero + state->v0, zero + state->v1, zero + state->v2, zero + state->v3};
    lanes last;

    memcpy(&last, lasts, sizeof(last));
    last = (last & 0x00FFFFFFFFFFFFFF) | (uint64_t)(8 + 7) << 56;
    s.v3 ^= last;
    rounds(&s, 2);
    s.v0 ^= last;
    s.v2 ^= 0xFF;
    rounds(&s, 4);
    last = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    memcpy(ret_hashes, &last, sizeof(last));
}

EVERYWHERE void end_all(const struct siphash_state *state, const uint64_t *lasts, size_t count,
                        uint64_t *ret_hashes)
{
    uint64_t few[LANES] = {0};
    size_t at = 0;

    for (; at + LANES <= count; at += LANES)
        end_lanes(state, lasts + at, ret_hashes + at);
    if (at < count) {
        memcpy(few, lasts + at, (count - at) * sizeof(*few));
        end_lanes(state, few, few);
        memcpy(ret_hashes + at, few, (count - at) * sizeof(*few));
    }
}

// These have an instruction that rotates.
__attribute__((target("avx512vl"))) static void end_all_by_avx512(const struct siphash_state *state,
                                                                  const uint64_t *lasts,
                                                                  size_t count,
                                                                  uint64_t *ret_hashes)
{
    end_all(state, lasts, count, ret_hashes);
}

__attribute__((target("avx2"))) static void end_all_by_avx2(const struct siphash_state *state,
                                                            const uint64_t *lasts, size_t count,
                                                            uint64_t *ret_hashes)
{
    end_all(state, lasts, count, ret_hashes);
}

#endif

void siphash_end_all(const struct siphash_state *state, const uint64_t *lasts, size_t count,
                     uint64_t *ret_hashes)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512vl")) {
        end_all_by_avx512(state, lasts, count, ret_hashes);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        end_all_by_avx2(state, lasts, count, ret_hashes);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++)
        ret_hashes[i] = siphash_end(state, NULL, 0, lasts[i]);
}
