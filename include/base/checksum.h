// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum as running sums, so that a relayed datagram keeps the sum its sender made:
// what is taken off is subtracted, what is put on is added, and the payload stays protected end to
// end (RFC 1071, RFC 1624).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A running sum is 64 bits wide and adds up words in the order they have in memory: ones'
// complement sums are the same in every byte order. It does not overflow for as long as less than
// 2^32 words go into it.

// A number and its halves swapped add up, in the upper half, to both halves and their carry. Of
// anything but 0 it is not 0.
static inline uint16_t checksum_fold(uint64_t sum)
{
    uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
    return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}

// What is right sums up to nothing, that is, to a multiple of 65535. (A number is a multiple of an
// odd one when its product with the inverse is no more than the largest number of times that fits.)
static inline bool checksum_is_right(uint64_t sum)
{
    return sum * UINT64_C(0xFFFEFFFEFFFEFFFF) <= UINT64_C(0x0001000100010001);
}

// To subtract a sum, add its negation.
static inline uint64_t checksum_negate(uint64_t sum)
{
    return (uint16_t)~checksum_fold(sum);
}

// The sum that the same bytes have one byte further on.
static inline uint64_t checksum_shift(uint64_t sum)
{
    return __builtin_bswap16(checksum_fold(sum));
}

static inline uint64_t checksum_add_u16(uint64_t sum, uint16_t word_be)
{
    return sum + word_be;
}

static inline uint64_t checksum_add_u64(uint64_t sum, uint64_t word)
{
    return sum + (word & 0xFFFFFFFFu) + (word >> 32);
}

// The same in fewer steps, for a sum that nothing but such words goes into.
static inline uint64_t checksum_carry_u64(uint64_t sum, uint64_t word)
{
    uint64_t carry = __builtin_add_overflow(sum, word, &sum);
    return sum + carry;
}

static inline uint64_t checksum_add_4_bytes(uint64_t sum, const void *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return sum + word;
}

static inline uint64_t checksum_add_8_bytes(uint64_t sum, const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return checksum_add_u64(sum, word);
}

static inline uint64_t checksum_add_16_bytes(uint64_t sum, const void *bytes)
{
    return checksum_add_8_bytes(checksum_add_8_bytes(sum, bytes), (const uint8_t *)bytes + 8);
}

// Bytes that start at an even place in what is summed; an odd last one is padded with a zero.
uint64_t checksum_add_bytes(uint64_t sum, const void *bytes, size_t len);

// The header field for a sum; for UDP, where zero would mean "none", all ones stand for zero (RFC
// 768).
static inline uint16_t checksum_field(uint64_t sum)
{
    return (uint16_t)~checksum_fold(sum);
}

static inline uint16_t checksum_udp_field(uint64_t sum)
{
    uint16_t field = checksum_field(sum);
    return field != 0 ? field : 0xFFFF;
}

// checksum_fold() of a sum of a few words.
static inline uint16_t checksum_fold_u32(uint32_t sum)
{
    return (uint16_t)((sum + (sum << 16 | sum >> 16)) >> 16);
}

// The same, but of a multiple of 65535 it is 0, as an IPv4 header's checksum is: no such header sums up to 0.
static inline uint16_t checksum_fold_below(uint32_t sum)
{
    return (uint16_t)((sum + (sum << 16 | sum >> 16) + 1) >> 16);
}
