// SPDX-License-Identifier: BSD-3-Clause
// Reads quantiles out of the buckets.
#include "histogram.h"

#define LINEAR (1u << HISTOGRAM_LINEAR_BITS)

uint64_t histogram_bucket_end(unsigned bucket)
{
    unsigned shift = bucket < 2 * LINEAR ? 0 : (bucket >> HISTOGRAM_LINEAR_BITS) - 1;
    uint64_t first = bucket - ((uint64_t)shift << HISTOGRAM_LINEAR_BITS);

    // The last bucket ends at UINT64_MAX: its end is computed modulo 2^64.
    return ((first + 1) << shift) - 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t end = histogram_bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    histogram->count += other->count;
    histogram->sum += other->sum;
    if (other->max > histogram->max)
        histogram->max = other->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += other->buckets[i];
}
