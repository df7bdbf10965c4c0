// SPDX-License-Identifier: BSD-3-Clause
// See base/index_pool.h.
#include "base/index_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void index_pool_init_in(struct index_pool *pool, uint32_t *memory, uint32_t capacity)
{
    assert(capacity < INDEX_NONE);
    *pool = (struct index_pool){.given = memory, .capacity = capacity};
}

int index_pool_init(struct index_pool *pool, uint32_t capacity)
{
    uint32_t *given = calloc(capacity ? capacity : 1, sizeof(*given));
    if (given == NULL)
        return -ENOMEM;
    index_pool_init_in(pool, given, capacity);
    return 0;
}

void index_pool_done(struct index_pool *pool)
{
    free(pool->given);
    *pool = (struct index_pool){0};
}

uint32_t index_pool_take(struct index_pool *pool)
{
    if (pool->given_count > 0)
        return pool->given[--pool->given_count];
    if (pool->fresh < pool->capacity)
        return pool->fresh++;
    return INDEX_NONE;
}

void index_pool_give(struct index_pool *pool, uint32_t index)
{
    assert(index < pool->fresh && pool->given_count < pool->fresh);
    pool->given[pool->given_count++] = index;
}
