// SPDX-License-Identifier: BSD-3-Clause
// The CRC-32 of ITU V.42 in FINGERPRINT (RFC 8489 section 14.7). A message is some forty to two
// hundred bytes long, too short for tables to pay: where the processor multiplies without carries,
// all blocks of 16 bytes are folded at once ("Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction", Gopal and others, 2009).
#include "proto/fingerprint.h"

#include "proto/stun.h"

#include <stdbool.h>
#include <zlib.h>

#ifdef __x86_64__

#include <immintrin.h>

#define BLOCK_LEN  16
#define BLOCKS_MAX 8 // folded at once

// To fold a block over n others: x^(128n + 32) and x^(128n - 32) modulo the CRC's polynomial, for
// its lower and its upper half, bits reversed and shifted up by one.
static const uint64_t folds[BLOCKS_MAX + 1][2] __attribute__((aligned(BLOCK_LEN))) = {
    [1] = {0x1751997d0, 0x0ccaa009e}, [2] = {0x0f1da05aa, 0x15a546366},
    [3] = {0x03db1ecdc, 0x174359406}, [4] = {0x154442bd4, 0x1c6e41596},
    [5] = {0x1c7569e54, 0x0ae0b5394}, [6] = {0x0df068dc2, 0x18cb44e58},
    [7] = {0x1ea89367e, 0x1d7cfc6ac}, [8] = {0x1e88ef372, 0x14a7fe880},
};

// From its nth byte on: the indices that move the first n bytes of a block to its end.
static const uint8_t to_end[2 * BLOCK_LEN] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
};

// Whatever multiplies so has SSSE3.
static inline bool can_fold(size_t len)
{
    return len >= BLOCK_LEN && len % 4 == 0 && __builtin_cpu_supports("pclmul");
}

__attribute__((target("pclmul,ssse3"))) static inline __m128i fold(__m128i block, size_t over)
{
    __m128i by = _mm_load_si128((const __m128i *)folds[over]);
    return _mm_xor_si128(_mm_clmulepi64_si128(block, by, 0x00),
                         _mm_clmulepi64_si128(block, by, 0x11));
}

// 128 bits to 64, to 32 with 32 behind them, and these by Barrett's reduction to the remainder.
__attribute__((target("pclmul,ssse3"))) static inline uint32_t reduce(__m128i sum)
{
    const __m128i over_32 = _mm_set_epi64x(0, 0x163cd6124);           // x^64
    const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641); // x^64 / P, P
    const __m128i lower = _mm_set_epi32(0, 0, 0, -1);
    __m128i by = _mm_load_si128((const __m128i *)folds[1]);
    sum = _mm_xor_si128(_mm_clmulepi64_si128(sum, by, 0x10), _mm_srli_si128(sum, 8));
    sum = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(sum, lower), over_32, 0x00),
                        _mm_srli_si128(sum, 4));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, lower), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, lower), barrett, 0x00);
    return (uint32_t)((uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(sum, quotient)) >> 32);
}

// The CRC's initial ones go into the first four bytes. Zeros in front of those change nothing: they
// fill up the first block, so that the last is whole.
__attribute__((target("pclmul,ssse3"))) static uint32_t crc_by_folding(const uint8_t *bytes,
                                                                       size_t len)
{
    size_t first_len = (len - 1) % BLOCK_LEN + 1;
    size_t left = (len - first_len) / BLOCK_LEN;
    __m128i sum =
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)bytes), _mm_set_epi32(0, 0, 0, -1));
    sum = _mm_shuffle_epi8(sum, _mm_loadu_si128((const __m128i *)(to_end + first_len)));
    bytes += first_len;
    while (left > 0) {
        size_t over = left < BLOCKS_MAX ? left : BLOCKS_MAX;
        left -= over;
        for (sum = fold(sum, over); over > 1; bytes += BLOCK_LEN)
            sum = _mm_xor_si128(sum, fold(_mm_loadu_si128((const __m128i *)bytes), --over));
        sum = _mm_xor_si128(sum, _mm_loadu_si128((const __m128i *)bytes));
        bytes += BLOCK_LEN;
    }
    return ~reduce(sum);
}

#else

static bool can_fold(size_t len)
{
    (void)len;
    return false;
}

static uint32_t crc_by_folding(const uint8_t *bytes, size_t len)
{
    return (uint32_t)crc32(0, bytes, (uInt)len);
}

#endif

uint32_t fingerprint(const void *message, size_t len)
{
    uint32_t crc =
        can_fold(len) ? crc_by_folding(message, len) : (uint32_t)crc32(0, message, (uInt)len);
    return crc ^ STUN_FINGERPRINT_XOR;
}
