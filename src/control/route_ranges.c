// SPDX-License-Identifier: BSD-3-Clause
// See control/route_ranges.h. A lookup in any table depends on the destination by the prefixes that
// contain it, and these are the same for two addresses with no end of a prefix between them.
#include "control/route_ranges.h"

#include <stdlib.h>

// A prefix begins a range, and what follows it another.
#define STARTS_MAX (2 * ROUTE_RANGES_PREFIXES_MAX)

void route_ranges_init(struct route_ranges *ranges)
{
    *ranges = (struct route_ranges){0};
}

void route_ranges_done(struct route_ranges *ranges)
{
    free(ranges->starts);
    route_ranges_init(ranges);
}

void route_ranges_begin(struct route_ranges *ranges)
{
    ranges->count = 0;
    ranges->is_known = false;
}

static bool grow(struct route_ranges *ranges)
{
    struct ip_address *starts;

    // Doubled whenever it is full, from 64 on.
    if (ranges->count < 64 ? ranges->starts != NULL : (ranges->count & (ranges->count - 1)) != 0)
        return true;
    starts = reallocarray(ranges->starts, ranges->count < 64 ? 64 : 2 * (size_t)ranges->count,
                          sizeof(*starts));
    if (!starts)
        return false;
    ranges->starts = starts;
    return true;
}

static bool add_start(struct route_ranges *ranges, const struct ip_address *ip)
{
    if (ranges->count == STARTS_MAX || !grow(ranges))
        return false;
    ranges->starts[ranges->count++] = *ip;
    return true;
}

bool route_ranges_add(struct route_ranges *ranges, const struct ip_prefix *prefix)
{
    struct ip_address behind;

    return add_start(ranges, &prefix->ip) &&
           (!ip_prefix_behind(prefix, &behind) || add_start(ranges, &behind));
}

static int compare(const void *left, const void *right)
{
    return ip_address_compare(left, right);
}

void route_ranges_end(struct route_ranges *ranges, bool is_known)
{
    uint32_t count = 0;

    if (ranges->count > 0)
        qsort(ranges->starts, ranges->count, sizeof(*ranges->starts), compare);
    for (uint32_t i = 0; i < ranges->count; i++) {
        if (count == 0 || !ip_address_equal(&ranges->starts[count - 1], &ranges->starts[i]))
            ranges->starts[count++] = ranges->starts[i];
    }
    ranges->count = count;
    ranges->is_known = is_known;
}

struct ip_address route_ranges_start(const struct route_ranges *ranges, const struct ip_address *ip)
{
    const struct ip_address lowest = {.family = ip->family};
    uint32_t low = 0, high = ranges->count; // how many starts are not behind it

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ip_address_compare(&ranges->starts[middle], ip) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && ranges->starts[low - 1].family == ip->family ? ranges->starts[low - 1]
                                                                   : lowest;
}
