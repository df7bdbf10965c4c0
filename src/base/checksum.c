// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum over bytes, for what cannot be derived (RFC 1071).
#include "base/checksum.h"

static inline uint64_t carry_8_bytes(uint64_t sum, const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return checksum_carry_u64(sum, word);
}

uint64_t checksum_add_bytes(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t even = 0, odd = 0; // apart, so that one need not wait for the other
    for (; len >= 16; at += 16, len -= 16) {
        even = carry_8_bytes(even, at);
        odd = carry_8_bytes(odd, at + 8);
    }
    if (len & 8) {
        even = carry_8_bytes(even, at);
        at += 8;
    }
    if (len & 4) {
        sum = checksum_add_4_bytes(sum, at);
        at += 4;
    }
    if (len & 2) {
        uint16_t word;
        memcpy(&word, at, sizeof(word));
        sum = checksum_add_u16(sum, word);
        at += 2;
    }
    if (len & 1)
        sum += *at;
    return checksum_add_u64(checksum_add_u64(sum, even), odd);
}
