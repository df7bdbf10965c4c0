// SPDX-License-Identifier: BSD-3-Clause
// See base/index_pool.h.
#include "base/index_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void index_pool_init_in(struct index_pool *pool, void *elements, size_t element_len,
                        uint32_t capacity)
{
    assert(capacity < INDEX_NONE);
    *pool = (struct index_pool){
        .links = elements, .link_step = element_len, .given = INDEX_NONE, .capacity = capacity};
}

int index_pool_init(struct index_pool *pool, uint32_t capacity)
{
    uint32_t *links = calloc(capacity ? capacity : 1, sizeof(*links));
    if (links == NULL)
        return -ENOMEM;
    index_pool_init_in(pool, links, sizeof(*links), capacity);
    return 0;
}

void index_pool_done(struct index_pool *pool)
{
    free(pool->links);
    *pool = (struct index_pool){.given = INDEX_NONE};
}

static uint32_t *link_of(const struct index_pool *pool, uint32_t index)
{
    return (uint32_t *)(pool->links + index * pool->link_step);
}

uint32_t index_pool_take(struct index_pool *pool)
{
    if (pool->given_count > 0) {
        uint32_t index = pool->given;
        pool->given = *link_of(pool, index);
        pool->given_count--;
        return index;
    }
    if (pool->fresh < pool->capacity)
        return pool->fresh++;
    return INDEX_NONE;
}

void index_pool_give(struct index_pool *pool, uint32_t index)
{
    assert(index < pool->fresh && pool->given_count < pool->fresh);
    *link_of(pool, index) = pool->given;
    pool->given = index;
    pool->given_count++;
}
