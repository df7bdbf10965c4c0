// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum over bytes, for what cannot be derived (RFC 1071).
#include "dataplane/checksum.h"

static inline uint64_t halves(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return (word & 0xFFFFFFFFu) + (word >> 32);
}

uint64_t checksum_add_bytes(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t other = 0;
    for (; len >= 32; at += 32, len -= 32) {
        sum += halves(at) + halves(at + 8);
        other += halves(at + 16) + halves(at + 24);
    }
    for (; len >= 8; at += 8, len -= 8)
        other += halves(at);
    uint64_t last = 0;
    memcpy(&last, at, len);
    return sum + other + (last & 0xFFFFFFFFu) + (last >> 32);
}
