// SPDX-License-Identifier: BSD-3-Clause
// A bounded pool of array indices: whoever keeps things in arrays takes the next free place here.
// Nothing is touched before it is needed, so a pool for millions costs no memory until they come.
// What came back is a list, through words that may stand in the things themselves: those are free
// then.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index_pool {
    uint8_t *links;   // of each index a word, its successor in the list
    size_t link_step; // bytes from one to the next
    uint32_t given;   // first of the indices that came back, INDEX_NONE
    uint32_t given_count;
    uint32_t fresh; // indices from here on were never taken
    uint32_t capacity;
};

// Indices 0..capacity-1. 0, -ENOMEM.
int index_pool_init(struct index_pool *pool, uint32_t capacity);
void index_pool_done(struct index_pool *pool);
// The same without memory of its own; nothing to undo. elements: the caller's, which outlive the
// pool. The first word of each is the pool's while its index is not taken.
void index_pool_init_in(struct index_pool *pool, void *elements, size_t element_len,
                        uint32_t capacity);

// INDEX_NONE when all are taken. The index that came back last goes out first.
uint32_t index_pool_take(struct index_pool *pool);
// What index_pool_take() will return.
static inline uint32_t index_pool_next(const struct index_pool *pool)
{
    if (pool->given_count > 0)
        return pool->given;
    return pool->fresh < pool->capacity ? pool->fresh : INDEX_NONE;
}
// Only what was taken, and once.
void index_pool_give(struct index_pool *pool, uint32_t index);

static inline uint32_t index_pool_used(const struct index_pool *pool)
{
    return pool->fresh - pool->given_count;
}

static inline uint32_t index_pool_free(const struct index_pool *pool)
{
    return pool->capacity - index_pool_used(pool);
}
