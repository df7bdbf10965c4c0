// SPDX-License-Identifier: BSD-3-Clause
// The transport addresses of clients and peers, computed from their number: nothing is kept for
// them.
#pragma once

#include "base/address.h"

#include <stdint.h>

// Consecutive numbers are on different hosts, and these far apart in the prefix, so that few fall
// into what a relay takes for one source.
struct endpoint_range {
    struct ip_prefix prefix;
    uint16_t first_port, last_port;
};

// How many there are, at most UINT32_MAX. Of a prefix with four addresses or more, the one whose
// host part is zero and the IPv4 broadcast address are not used.
uint32_t endpoint_range_count(const struct endpoint_range *range);

// number: less than the count.
struct transport_address endpoint_at(const struct endpoint_range *range, uint32_t number);
