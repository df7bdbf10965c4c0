// SPDX-License-Identifier: BSD-3-Clause
// What the longest prefix says that has an address, found in as many steps as the number of prefixes has bits.
#pragma once

#include "base/address.h"

#include <stddef.h>
#include <stdint.h>

struct prefix_map;

struct prefix_map_rule {
    struct ip_prefix prefix;
    uint8_t value; // not PREFIX_MAP_NONE; of two for the same prefix the smaller one counts
};

#define PREFIX_MAP_NONE UINT8_MAX

// The rules are put into another order, and needed no more afterwards. 0, -ENOMEM.
int prefix_map_create(struct prefix_map_rule *rules, size_t count, struct prefix_map **ret_map);
void prefix_map_destroy(struct prefix_map *map); // NULL is none

// PREFIX_MAP_NONE: no prefix has it.
uint8_t prefix_map_find(const struct prefix_map *map, const struct ip_address *ip);
