// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth that workers share: a user's, whose allocations may be several workers', and everybody's.
#pragma once

#include <assert.h>
#include <stdint.h>

// Atomic, in no order. On a cache line of its own: a worker goes there for a piece at a time, not for a packet.
struct shared_bandwidth {
    uint64_t full_tsc[2]; // of each direction's bucket: when it will be full again
    uint64_t dropped_packets;
    uint32_t user_tag; // whose it is: see turn_command.allocation_info
} __attribute__((aligned(64)));

static_assert(sizeof(struct shared_bandwidth) == 64, "one cache line");
