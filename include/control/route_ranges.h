// SPDX-License-Identifier: BSD-3-Clause
// The ranges of addresses that every routing table treats alike: cut where a prefix of some route
// or rule begins or ends. Of each range the kernel need be asked for one address only.
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

// More prefixes are not listed: whoever has a table of that size has a relay that asks for each
// address.
#define ROUTE_RANGES_PREFIXES_MAX 8192

struct route_ranges {
    struct ip_address *starts; // sorted; what precedes the first of a family is a range too
    uint32_t count;
    bool is_known; // false: nothing is known to be alike
};

// An empty set, of which nothing is known.
void route_ranges_init(struct route_ranges *ranges);
void route_ranges_done(struct route_ranges *ranges);

// Begin anew; add all prefixes, in any order; end. False: that is one too many, or there is no
// memory.
void route_ranges_begin(struct route_ranges *ranges);
bool route_ranges_add(struct route_ranges *ranges, const struct ip_prefix *prefix);
void route_ranges_end(struct route_ranges *ranges, bool is_known);

// The first address of the range that an address is in. They are known.
struct ip_address route_ranges_start(const struct route_ranges *ranges,
                                     const struct ip_address *ip);
