// SPDX-License-Identifier: BSD-3-Clause
// A log-linear histogram of times: 64 buckets for each power of two, so that a value is known to
// 1.6 % whatever its size, and recording one is an addition.
#pragma once

#include <stdint.h>

#define HISTOGRAM_LINEAR_BITS 6
#define HISTOGRAM_BUCKETS     ((64 - HISTOGRAM_LINEAR_BITS + 1) << HISTOGRAM_LINEAR_BITS)

// All zero is an empty one. The unit is its user's.
struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

// Values below 2^HISTOGRAM_LINEAR_BITS have a bucket each.
static inline unsigned histogram_bucket(uint64_t value)
{
    unsigned shift;

    if (value >> HISTOGRAM_LINEAR_BITS == 0)
        return (unsigned)value;
    shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_LINEAR_BITS;
    return (shift << HISTOGRAM_LINEAR_BITS) + (unsigned)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[histogram_bucket(value)]++;
}

// The largest value that the bucket takes.
uint64_t histogram_bucket_end(unsigned bucket);

// The value that a share of all values does not exceed, share in 0..1; never more than the largest
// that was recorded. 0 when there is none.
uint64_t histogram_quantile(const struct histogram *histogram, double share);

void histogram_add(struct histogram *histogram, const struct histogram *other);
