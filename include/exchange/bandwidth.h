// SPDX-License-Identifier: BSD-3-Clause
// What may be carried, as workers and the threads of streams measure it: limits, the buckets that they make, and the
// buckets that threads share: a user's, whose allocations may be several threads', and everybody's.
#pragma once

#include "exchange/token_bucket.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum direction {
    DIRECTION_TO_PEER,
    DIRECTION_TO_CLIENT,
};

// Bytes a second of each direction, 0: no limit.
struct bandwidth_limits {
    uint64_t max_bps;       // of an allocation
    uint64_t user_max_bps;  // of a user
    uint64_t total_max_bps; // of all
};

// Of one writer and many readers, each word by itself.
static inline void bandwidth_limits_publish(struct bandwidth_limits *published, const struct bandwidth_limits *limits)
{
    __atomic_store_n(&published->max_bps, limits->max_bps, __ATOMIC_RELAXED);
    __atomic_store_n(&published->user_max_bps, limits->user_max_bps, __ATOMIC_RELAXED);
    __atomic_store_n(&published->total_max_bps, limits->total_max_bps, __ATOMIC_RELAXED);
}

static inline struct bandwidth_limits bandwidth_limits_read(const struct bandwidth_limits *published)
{
    return (struct bandwidth_limits){
        .max_bps = __atomic_load_n(&published->max_bps, __ATOMIC_RELAXED),
        .user_max_bps = __atomic_load_n(&published->user_max_bps, __ATOMIC_RELAXED),
        .total_max_bps = __atomic_load_n(&published->total_max_bps, __ATOMIC_RELAXED),
    };
}

#define BANDWIDTH_BURST_LEN_MIN 131072 // bytes
// Of what an idle bucket holds a worker takes such a part at a time, and the others leave one to it.
#define BANDWIDTH_PIECES 32

// What an idle bucket of that limit holds: a quarter of a second, but never less than the largest datagram and a bit.
static inline uint64_t bandwidth_burst_len(uint64_t bps)
{
    return bps / 4 > BANDWIDTH_BURST_LEN_MIN ? bps / 4 : BANDWIDTH_BURST_LEN_MIN;
}

static inline struct token_rate bandwidth_rate(uint64_t bps, uint64_t tsc_hz)
{
    return token_rate_make(bps, bandwidth_burst_len(bps), tsc_hz);
}

// The time that all buckets go by.
uint64_t bandwidth_now_tsc(void);

// Atomic, in no order. On a cache line of its own: a worker goes there for a piece at a time, not for a packet.
struct shared_bandwidth {
    uint64_t full_tsc[2]; // of each direction's bucket: when it will be full again
    uint64_t dropped_packets;
    uint32_t user_tag; // whose it is: see turn_command.allocation_info
} __attribute__((aligned(64)));

static_assert(sizeof(struct shared_bandwidth) == 64, "one cache line");

// There is an allocation of the user with this tag. A user who is another than before begins with a full bucket; the
// same one, who was away for a while, does not.
static inline void shared_bandwidth_begin(struct shared_bandwidth *user, uint32_t tag)
{
    if (__atomic_exchange_n(&user->user_tag, tag, __ATOMIC_RELAXED) == tag)
        return;
    __atomic_store_n(&user->full_tsc[DIRECTION_TO_PEER], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&user->full_tsc[DIRECTION_TO_CLIENT], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&user->dropped_packets, 0, __ATOMIC_RELAXED);
}
