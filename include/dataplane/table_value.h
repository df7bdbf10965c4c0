// SPDX-License-Identifier: BSD-3-Clause
// What the worker's tables call their entries: an index each, and in the flow table a value that
// says of which table it is.
#pragma once

#include "base/address.h"
#include "base/index_pool.h"

#include <stdint.h>

#define TABLE_NONE       INDEX_NONE
#define TABLE_RELAY_NONE UINT8_MAX

// What a flow table value leads to: the kind in the three highest bits, the entry's index below.
enum table_value_kind {
    TABLE_VALUE_ALLOCATION,
    TABLE_VALUE_CHANNEL,
    TABLE_VALUE_STEERING,
    TABLE_VALUE_NONE = 7, // of FLOW_NONE
};

#define TABLE_VALUE_SHIFT 29
#define TABLE_INDEX_MAX   ((1u << TABLE_VALUE_SHIFT) - 1)
#define TABLE_ENTRIES_MAX (TABLE_INDEX_MAX / 4) // of allocations, permissions, channels, steerings

static inline uint32_t table_value(enum table_value_kind kind, uint32_t index)
{
    return ((uint32_t)kind << TABLE_VALUE_SHIFT) | index;
}

static inline enum table_value_kind table_value_kind(uint32_t value)
{
    return (enum table_value_kind)(value >> TABLE_VALUE_SHIFT);
}

static inline uint32_t table_value_index(uint32_t value)
{
    return value & TABLE_INDEX_MAX;
}

// Of a steering's value; no steering's of any other.
static inline uint32_t table_steering_index(uint32_t value)
{
    return value ^ table_value(TABLE_VALUE_STEERING, 0);
}

// An index that may be none, TABLE_NONE above all, as one that can be looked at: 0 then. Whether
// the entry is the one, it says itself.
static inline uint32_t table_guess(uint32_t index, uint32_t capacity)
{
    uint32_t is_one = -(uint32_t)(index < capacity); // all bits
    // Or the compiler makes a branch of it, which is as random as where packets land.
    __asm__("" : "+r"(is_one));
    return index & is_one;
}

enum table_family {
    TABLE_V4,
    TABLE_V6,
    TABLE_FAMILIES,
};

static inline enum table_family table_family(uint16_t family)
{
    return family == IP_FAMILY_V4 ? TABLE_V4 : TABLE_V6;
}
