// SPDX-License-Identifier: BSD-3-Clause
// What is sent through the relay: which packet it is and when it left, a checksum over that, and a
// pattern, so that the receiver can check every byte without having kept any.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MIN_LEN 24
#define PAYLOAD_MAX_LEN 1400

struct payload {
    uint32_t flow;
    uint32_t number;
    uint64_t sent; // on the sender's clock
    uint8_t direction;
    bool has_common_pattern; // the same for all, else one that is seldom another packet's
};

// Once, before all else.
void payload_setup(uint64_t seed);

// len: PAYLOAD_MIN_LEN..PAYLOAD_MAX_LEN.
void payload_write(uint8_t *bytes, size_t len, const struct payload *payload);

// False when any byte, or their number, is not as it was written.
bool payload_read(const uint8_t *bytes, size_t len, struct payload *ret_payload);
