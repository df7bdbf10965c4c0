// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum over bytes, for what cannot be derived (RFC 1071).
#include "dataplane/checksum.h"

uint64_t checksum_add_bytes(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t other = 0;
    for (; len >= 32; at += 32, len -= 32) {
        sum = checksum_add_16_bytes(sum, at);
        other = checksum_add_16_bytes(other, at + 16);
    }
    for (; len >= 8; at += 8, len -= 8)
        other = checksum_add_8_bytes(other, at);
    uint64_t last = 0;
    memcpy(&last, at, len);
    return checksum_add_u64(sum + other, last);
}
