// SPDX-License-Identifier: BSD-3-Clause
// No hash at all: an array, as where the relay ports' allocations are.
#include "../fail.h"
#include "contender.h"

#include <rte_memory.h>
#include <rte_prefetch.h>
#include <stdlib.h>

struct array {
    struct table_memory memory;
    uint32_t *slots; // FLOW_NONE: nobody has this place
    const struct contest *contest;
};

// Places that are taken, and as many that are not.
static void *create(const struct contest *contest)
{
    struct array *array = calloc(1, sizeof(*array));
    size_t count = 2 * (size_t)contest->entry_count;
    if (array == NULL ||
        table_memory_take(count * sizeof(*array->slots), SOCKET_ID_ANY, &array->memory) != 0)
        fail("no memory for an array of %u", contest->entry_count);
    array->slots = array->memory.bytes;
    array->contest = contest;
    for (uint32_t i = 0; i < count; i++)
        array->slots[i] = i < contest->entry_count ? i : FLOW_NONE;
    return array;
}

static void destroy(void *table)
{
    struct array *array = table;
    table_memory_give(&array->memory);
    free(array);
}

static size_t len(const void *table)
{
    const struct array *array = table;
    return array->contest->entry_count * sizeof(*array->slots);
}

static void find(const void *table, const struct flow_key *keys, unsigned count,
                 uint32_t *ret_numbers)
{
    const struct array *array = table;
    const struct contest *contest = array->contest;
    const uint32_t *places = contest->places + (keys - contest->keys);
    uint32_t values[CONTEST_BURST];
    for (unsigned i = 0; i < count; i++)
        rte_prefetch0(&array->slots[places[i]]);
    for (unsigned i = 0; i < count; i++) {
        values[i] = array->slots[places[i]];
        if (values[i] != FLOW_NONE)
            rte_prefetch0(&contest->entries[values[i]]);
    }
    for (unsigned i = 0; i < count; i++)
        ret_numbers[i] = values[i] == FLOW_NONE ? FLOW_NONE : contest->entries[values[i]].number;
}

const struct contender contender_array = {
    .name = "array",
    .what = "no hash: the key is an index, as a relay port is",
    .create = create,
    .destroy = destroy,
    .len = len,
    .find = find,
};
