// SPDX-License-Identifier: BSD-3-Clause
// AES rounds by the CPU's instructions, for hashes and random values. What uses them has another way as well, for CPUs
// and builds that know none: AES_IS_KNOWN says what this build knows, aes_is_usable() what this CPU can.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#if defined(__AES__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Asked once, when a thing is made.
bool aes_is_usable(void);

// A block has the first of two words in front.

#if defined(__AES__)

typedef __m128i aes_block;
#define AES_IS_KNOWN

static inline aes_block aes_load(const void *bytes)
{
    return _mm_loadu_si128(bytes);
}

// Of what begins at a multiple of sixteen.
static inline aes_block aes_load_aligned(const void *bytes)
{
    return _mm_load_si128(bytes);
}

static inline aes_block aes_block_of(uint64_t first, uint64_t second)
{
    return _mm_set_epi64x((long long)second, (long long)first);
}

static inline aes_block aes_xor(aes_block a, aes_block b)
{
    return _mm_xor_si128(a, b);
}

// SubBytes, ShiftRows, MixColumns, and the round key (FIPS 197 section 5.1).
static inline aes_block aes_round(aes_block state, aes_block key)
{
    return _mm_aesenc_si128(state, key);
}

static inline uint64_t aes_first(aes_block state)
{
    return (uint64_t)_mm_cvtsi128_si64(state);
}

#elif defined(__aarch64__)

typedef uint8x16_t aes_block;
#define AES_IS_KNOWN

static inline aes_block aes_load(const void *bytes)
{
    return vld1q_u8(bytes);
}

static inline aes_block aes_load_aligned(const void *bytes)
{
    return vld1q_u8(bytes);
}

static inline aes_block aes_block_of(uint64_t first, uint64_t second)
{
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(first), vcreate_u64(second)));
}

static inline aes_block aes_xor(aes_block a, aes_block b)
{
    return veorq_u8(a, b);
}

// In assembly, for the intrinsics exist only in code that runs nowhere else.
static inline aes_block aes_round(aes_block state, aes_block key)
{
    __asm__(".arch_extension aes\n\taese %0.16b, %1.16b\n\taesmc %0.16b, %0.16b"
            : "+w"(state)
            : "w"(vdupq_n_u8(0)));
    return veorq_u8(state, key);
}

static inline uint64_t aes_first(aes_block state)
{
    return vgetq_lane_u64(vreinterpretq_u64_u8(state), 0);
}

#endif
