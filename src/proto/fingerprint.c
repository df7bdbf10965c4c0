// SPDX-License-Identifier: BSD-3-Clause
// The CRC-32 of ITU V.42 in FINGERPRINT (RFC 8489 section 14.7). A message is some forty to two
// hundred bytes long, too short for tables to pay: where the processor multiplies without carries,
// all blocks of 16 bytes are folded at once (proto/fold.h).
#include "proto/fingerprint.h"

#include "proto/fold.h"
#include "proto/stun.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

#ifdef FOLD_IS_KNOWN

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
static inline bool is_foldable(size_t len)
{
    return len >= BLOCK_LEN && len % 4 == 0 && fold_is_usable();
}

static inline __m128i fold(__m128i block, size_t over)
{
    __m128i by = _mm_load_si128((const __m128i *)folds[over]);
    return _mm_xor_si128(_mm_clmulepi64_si128(block, by, 0x00),
                         _mm_clmulepi64_si128(block, by, 0x11));
}

// So many blocks follow, and then nothing.
static __attribute__((noinline)) __m128i fold_blocks(__m128i sum, const uint8_t *bytes, size_t left)
{
    while (left > 0) {
        size_t over = left < BLOCKS_MAX ? left : BLOCKS_MAX;
        left -= over;
        for (sum = fold(sum, over); over > 1; bytes += BLOCK_LEN)
            sum = _mm_xor_si128(sum, fold(_mm_loadu_si128((const __m128i *)bytes), --over));
        sum = _mm_xor_si128(sum, _mm_loadu_si128((const __m128i *)bytes));
        bytes += BLOCK_LEN;
    }
    return sum;
}

// The CRC's initial ones go into the first four bytes. Zeros in front of those change nothing: they
// fill up the first block, so that the last is whole. What strangers ask has
// mostly two blocks: a Binding, an Allocate without credentials.
static uint32_t crc_by_folding(const uint8_t *bytes, size_t len)
{
    size_t first_len = (len - 1) % BLOCK_LEN + 1;
    __m128i sum =
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)bytes), _mm_set_epi32(0, 0, 0, -1));
    sum = _mm_shuffle_epi8(sum, _mm_loadu_si128((const __m128i *)(to_end + first_len)));
    if (len - first_len == BLOCK_LEN)
        sum = _mm_xor_si128(fold(sum, 1), _mm_loadu_si128((const __m128i *)(bytes + first_len)));
    else
        sum = fold_blocks(sum, bytes + first_len, (len - first_len) / BLOCK_LEN);
    return ~fold_reduce(sum);
}

#define POLYNOMIAL 0xEDB88320 // bits reversed: the first is that of x^31
#define ONE        0x80000000

// x^exponent modulo the polynomial, in the form of the table above. It has an inverse: exponents
// may be negative.
static uint64_t power_of_x(int exponent)
{
    uint32_t power = ONE;

    for (; exponent > 0; exponent--)
        power = power >> 1 ^ (power & 1 ? POLYNOMIAL : 0);
    for (; exponent < 0; exponent++)
        power = power & ONE ? (power ^ POLYNOMIAL) << 1 | 1 : power << 1;
    return (uint64_t)power << 1;
}

// fold_reduce() multiplies by x^32 as a CRC does; so does a product of 64 and 33 bits that is read
// as 128.
void fingerprint_plan_init(const uint8_t *message, size_t len, const uint16_t *offsets,
                           unsigned count, struct fingerprint_plan *ret_plan)
{
    struct fingerprint_plan plan = {.is_made = true};
    __m128i sum = _mm_setzero_si128();

    assert(count <= FINGERPRINT_WORDS_MAX);
    *ret_plan = (struct fingerprint_plan){.is_made = false};
    if (!fold_is_usable())
        return;
    for (unsigned i = 0; i < count; i++) {
        int behind = (int)len - offsets[i] - (int)sizeof(uint64_t);
        uint64_t word;

        memcpy(&word, message + offsets[i], sizeof(word));
        plan.folds[i] = power_of_x(8 * behind - 32);
        sum = _mm_xor_si128(sum, fold_word(&plan, i, word));
    }
    plan.rest = fingerprint(message, len) ^ fold_reduce(sum);
    *ret_plan = plan;
}

#else

static bool is_foldable(size_t len)
{
    (void)len;
    return false;
}

static uint32_t crc_by_folding(const uint8_t *bytes, size_t len)
{
    return (uint32_t)crc32(0, bytes, (uInt)len);
}

void fingerprint_plan_init(const uint8_t *message, size_t len, const uint16_t *offsets,
                           unsigned count, struct fingerprint_plan *ret_plan)
{
    (void)message;
    (void)len;
    (void)offsets;
    (void)count;
    *ret_plan = (struct fingerprint_plan){.is_made = false};
}

#endif

uint32_t fingerprint(const void *message, size_t len)
{
    uint32_t crc =
        is_foldable(len) ? crc_by_folding(message, len) : (uint32_t)crc32(0, message, (uInt)len);
    return crc ^ STUN_FINGERPRINT_XOR;
}
