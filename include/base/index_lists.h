// SPDX-License-Identifier: BSD-3-Clause
// Lists of array indices, any number of them, with each index in one at most: what belongs to one
// owner. Added and removed in constant time.
#pragma once

#include "base/index_pool.h"

#include <stdint.h>

struct index_lists_link {
    uint32_t next; // INDEX_NONE
    uint32_t previous;
};

struct index_lists {
    struct index_lists_link *links; // by index
};

// Indices 0..capacity-1. 0, -ENOMEM.
int index_lists_init(struct index_lists *lists, uint32_t capacity);
void index_lists_done(struct index_lists *lists);

// *first is the list, its owner's: INDEX_NONE while it is empty. What is added becomes the first.
void index_lists_add(struct index_lists *lists, uint32_t *first, uint32_t index);
void index_lists_remove(struct index_lists *lists, uint32_t *first, uint32_t index);

// Of one that is in a list; INDEX_NONE behind the last.
static inline uint32_t index_lists_next(const struct index_lists *lists, uint32_t index)
{
    return lists->links[index].next;
}
