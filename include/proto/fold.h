// SPDX-License-Identifier: BSD-3-Clause
// FINGERPRINT's CRC by multiplication without carries (RFC 8489 section 14.7; "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction", Gopal and others, 2009), for builds that know it. Numbers have their bits
// reversed: the lowest is of the highest power.
#pragma once

#ifdef __PCLMUL__

#include "proto/fingerprint.h"

#include <immintrin.h>
#include <stdint.h>

#define FOLD_IS_KNOWN

// Asked before anything below is.
static inline bool fold_is_usable(void)
{
    return __builtin_cpu_supports("pclmul");
}

// The remainder of 128 bits with 32 zeros behind them: 128 bits to 64, to 32 with 32 behind them, and these by
// Barrett's reduction.
static inline uint32_t fold_reduce(__m128i sum)
{
    const __m128i over_64 = _mm_set_epi64x(0x0ccaa009e, 0);           // x^96
    const __m128i over_32 = _mm_set_epi64x(0, 0x163cd6124);           // x^64
    const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641); // x^64 / P, P
    const __m128i lower = _mm_set_epi32(0, 0, 0, -1);

    sum = _mm_xor_si128(_mm_clmulepi64_si128(sum, over_64, 0x10), _mm_srli_si128(sum, 8));
    sum = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(sum, lower), over_32, 0x00), _mm_srli_si128(sum, 4));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, lower), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, lower), barrett, 0x00);
    return (uint32_t)((uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(sum, quotient)) >> 32);
}

// What a word in one of the plan's places adds.
static inline __m128i fold_word(const struct fingerprint_plan *plan, unsigned place, uint64_t word)
{
    __m128i by = _mm_loadl_epi64((const __m128i *)&plan->folds[place]);

    return _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)word), by, 0x00);
}

#endif
