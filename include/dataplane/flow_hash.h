// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of the flow table: AES rounds under secret round keys. Not a cipher, and nobody
// sees its output: what it must resist is a sender who picks addresses that fall into one bucket.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define FLOW_HASH_ROUNDS 4 // a block: each bit of it has reached all others after two

struct flow_hash_keys {
    uint8_t rounds[2 * FLOW_HASH_ROUNDS + 1][16];
} __attribute__((aligned(16)));

static inline __m128i flow_hash_round_key(const struct flow_hash_keys *keys, unsigned round)
{
    return _mm_load_si128((const __m128i *)keys->rounds[round]);
}

static inline __m128i flow_hash_mix(const struct flow_hash_keys *keys, __m128i state, unsigned from)
{
    for (unsigned round = from; round < from + FLOW_HASH_ROUNDS; round++)
        state = _mm_aesenc_si128(state, flow_hash_round_key(keys, round));
    return state;
}

// Of a key of two words.
static inline uint64_t flow_hash_short(const struct flow_hash_keys *keys, uint64_t first,
                                       uint64_t second)
{
    __m128i block = _mm_set_epi64x((long long)second, (long long)first);
    block = _mm_xor_si128(block, flow_hash_round_key(keys, 0));
    return (uint64_t)_mm_cvtsi128_si64(flow_hash_mix(keys, block, 1));
}

// Of a key of two words and 16 bytes.
static inline uint64_t flow_hash_long(const struct flow_hash_keys *keys, uint64_t first,
                                      uint64_t second, const void *bytes)
{
    __m128i block = _mm_set_epi64x((long long)second, (long long)first);
    block = _mm_xor_si128(block, flow_hash_round_key(keys, 0));
    block = _mm_xor_si128(flow_hash_mix(keys, block, 1), _mm_loadu_si128(bytes));
    return (uint64_t)_mm_cvtsi128_si64(flow_hash_mix(keys, block, 1 + FLOW_HASH_ROUNDS));
}
