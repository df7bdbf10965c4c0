// SPDX-License-Identifier: BSD-3-Clause
// What is sent through the relay: which packet it is and when it left, a checksum over that, and a
// pattern, so that the receiver can check every byte without having kept any. The shortest, in
// Ethernet's shortest frames, have no room for the time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MIN_LEN   14
#define PAYLOAD_TIMED_LEN 24 // from here on they say when they left
#define PAYLOAD_MAX_LEN   1400

struct payload {
    uint32_t flow;
    uint32_t number;
    uint64_t sent; // on the sender's clock; 0 of one that does not say
    uint8_t direction;
    bool has_common_pattern; // the same for all, else one that is seldom another packet's
};

// Once, before all else.
void payload_setup(uint64_t seed);

static inline bool payload_is_timed(size_t len)
{
    return len >= PAYLOAD_TIMED_LEN;
}

// Before the pattern.
static inline size_t payload_head_len(size_t len)
{
    return payload_is_timed(len) ? PAYLOAD_TIMED_LEN : PAYLOAD_MIN_LEN;
}

// len: PAYLOAD_MIN_LEN..PAYLOAD_MAX_LEN.
void payload_write(uint8_t *bytes, size_t len, const struct payload *payload);

// False when any byte, or their number, is not as it was written.
bool payload_read(const uint8_t *bytes, size_t len, struct payload *ret_payload);
