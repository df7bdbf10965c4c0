// SPDX-License-Identifier: BSD-3-Clause
// The rewrite that all relaying ends in, but for what goes the short way (dataplane/media.h): new
// headers in front of a payload that stays where it is
// (RFC 8656 sections 13, 14; RFC 7915 sections 4, 5).
#pragma once

#include "base/checksum.h"
#include "dataplane/leg.h"
#include "dataplane/worker_state.h"

#include <stddef.h>

// prefix goes in front of the relayed bytes, an even number of bytes; padding zeros go behind them.
// prefix is not in the frame, nor is anything that leg points to. The frame is gone for the caller;
// true when it went on.
bool forward(struct worker *worker, const struct packet *packet, const struct leg *leg,
             const uint8_t *prefix, size_t prefix_len, size_t padding_len);

// Source and destination, one behind the other.
static inline uint64_t forward_addresses_sum(uint64_t sum, uint8_t family, const uint8_t *ips)
{
    if (family == IP_FAMILY_V4)
        return checksum_add_8_bytes(sum, ips);
    return checksum_add_16_bytes(checksum_add_16_bytes(sum, ips), ips + 16);
}
