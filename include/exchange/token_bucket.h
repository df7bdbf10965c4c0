// SPDX-License-Identifier: BSD-3-Clause
// Token buckets, eight bytes each: a bucket is the time at which it will be full again. Of bytes; a
// bucket of something else takes each for one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_RATE_FRACTION_BITS 16

// What many buckets have in common.
struct token_rate {
    uint64_t cycles_per_byte; // fixed point; 0: unlimited
    uint64_t burst_cycles;    // to fill an empty bucket
};

struct token_bucket {
    uint64_t full_tsc;
};

static inline bool token_rate_is_unlimited(const struct token_rate *rate)
{
    return rate->cycles_per_byte == 0;
}

// bytes_per_second: 0: unlimited. burst_bytes: what an idle bucket holds.
static inline struct token_rate token_rate_make(uint64_t bytes_per_second, uint64_t burst_bytes,
                                                uint64_t tsc_hz)
{
    struct token_rate rate = {0, 0};
    if (bytes_per_second == 0)
        return rate;
    rate.cycles_per_byte =
        (uint64_t)((double)tsc_hz * (1 << TOKEN_RATE_FRACTION_BITS) / (double)bytes_per_second);
    rate.cycles_per_byte += rate.cycles_per_byte == 0;
    rate.burst_cycles = (burst_bytes * rate.cycles_per_byte) >> TOKEN_RATE_FRACTION_BITS;
    return rate;
}

// What so many bytes take to come. bytes: less than 2^32.
static inline uint64_t token_rate_cycles(const struct token_rate *rate, uint32_t bytes)
{
    return (bytes * rate->cycles_per_byte) >> TOKEN_RATE_FRACTION_BITS;
}

// False: there are not so many bytes in it, and none is taken. bytes: less than 2^32.
static inline bool token_bucket_take(struct token_bucket *bucket, const struct token_rate *rate,
                                     uint64_t now_tsc, uint32_t bytes)
{
    if (token_rate_is_unlimited(rate))
        return true;
    uint64_t from = bucket->full_tsc > now_tsc ? bucket->full_tsc : now_tsc;
    uint64_t full = from + token_rate_cycles(rate, bytes);
    if (full - now_tsc > rate->burst_cycles) {
        // It may be as empty as a lower rate let it become.
        if (bucket->full_tsc > now_tsc + rate->burst_cycles)
            bucket->full_tsc = now_tsc + rate->burst_cycles;
        return false;
    }
    bucket->full_tsc = full;
    return true;
}

// What was taken a moment ago was not needed.
static inline void token_bucket_give(struct token_bucket *bucket, const struct token_rate *rate,
                                     uint32_t bytes)
{
    bucket->full_tsc -= token_rate_cycles(rate, bytes);
}

// The same bucket for many threads, whose TSCs are one. All of what there may be taken of it leaves
// `kept_cycles` worth of bytes in it.
static inline bool token_bucket_take_shared(uint64_t *full_tsc, const struct token_rate *rate,
                                            uint64_t now_tsc, uint32_t bytes, uint64_t kept_cycles)
{
    uint64_t seen = __atomic_load_n(full_tsc, __ATOMIC_RELAXED);
    for (;;) {
        uint64_t from = seen > now_tsc ? seen : now_tsc;
        uint64_t emptiest = now_tsc + rate->burst_cycles; // a lower rate let it become emptier
        uint64_t full = from + token_rate_cycles(rate, bytes);
        bool is_there = full + kept_cycles <= emptiest;
        if (!is_there && from <= emptiest)
            return false;
        if (__atomic_compare_exchange_n(full_tsc, &seen, is_there ? full : emptiest, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return is_there;
    }
}

// How many bytes there are.
static inline uint64_t token_bucket_left_shared(uint64_t *full_tsc, const struct token_rate *rate,
                                                uint64_t now_tsc)
{
    if (token_rate_is_unlimited(rate))
        return UINT64_MAX;
    uint64_t seen = __atomic_load_n(full_tsc, __ATOMIC_RELAXED);
    uint64_t emptiest = now_tsc + rate->burst_cycles;
    // A lower rate let it become emptier.
    while (seen > emptiest && !__atomic_compare_exchange_n(full_tsc, &seen, emptiest, true,
                                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    if (seen >= emptiest)
        return 0;
    uint64_t left_cycles = emptiest - (seen > now_tsc ? seen : now_tsc);
    return (left_cycles << TOKEN_RATE_FRACTION_BITS) / rate->cycles_per_byte;
}

// Of what was taken so much was not needed.
static inline void token_bucket_give_shared(uint64_t *full_tsc, const struct token_rate *rate,
                                            uint32_t bytes)
{
    __atomic_fetch_sub(full_tsc, token_rate_cycles(rate, bytes), __ATOMIC_RELAXED);
}

// What has been carried already: taken, though it be more than there is.
static inline void token_bucket_spend_shared(uint64_t *full_tsc, const struct token_rate *rate,
                                             uint64_t now_tsc, uint32_t bytes)
{
    if (token_rate_is_unlimited(rate))
        return;
    uint64_t full, seen = __atomic_load_n(full_tsc, __ATOMIC_RELAXED);
    do
        full = (seen > now_tsc ? seen : now_tsc) + token_rate_cycles(rate, bytes);
    while (!__atomic_compare_exchange_n(full_tsc, &seen, full, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
}
