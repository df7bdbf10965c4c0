// SPDX-License-Identifier: BSD-3-Clause
// The relay's own: tags and values in one line a bucket, the keys in the entries.
#include "../fail.h"
#include "contender.h"

#include <rte_branch_prediction.h>
#include <rte_memory.h>
#include <rte_prefetch.h>
#include <stdlib.h>

struct own {
    struct flow_table flows;
    const struct contest *contest;
};

static void *create(const struct contest *contest)
{
    struct own *own = aligned_alloc(64, RTE_ALIGN(sizeof(*own), 64));
    if (own == NULL || flow_table_init(&own->flows, contest->entry_count, SOCKET_ID_ANY) != 0)
        fail("no memory for a table of %u keys", contest->entry_count);
    own->contest = contest;
    for (uint32_t i = 0; i < contest->entry_count; i++) {
        uint64_t hash;
        flow_table_hash(&own->flows, &contest->entries[i].key, 1, &hash);
        if (flow_table_insert(&own->flows, hash, i) != 0)
            fail("flow_table: no room for key %u of %u", i + 1, contest->entry_count);
    }
    return own;
}

static void destroy(void *table)
{
    struct own *own = table;
    flow_table_done(&own->flows);
    free(own);
}

static size_t len(const void *table)
{
    const struct own *own = table;
    return own->flows.memory.len + own->contest->entry_count * packed_key_len(own->contest->family);
}

static bool match(const void *context, uint32_t value, const struct flow_key *key)
{
    const struct contest *contest = context;
    return flow_key_equal(&contest->entries[value].key, key);
}

static void find(const void *table, const struct flow_key *keys, unsigned count,
                 uint32_t *ret_numbers)
{
    const struct own *own = table;
    const struct entry *entries = own->contest->entries;
    uint64_t hashes[CONTEST_BURST];
    uint32_t values[CONTEST_BURST];
    flow_table_hash(&own->flows, keys, count, hashes);
    flow_table_find(&own->flows, hashes, count, values);
    for (unsigned i = 0; i < count; i++) {
        if (values[i] != FLOW_NONE)
            rte_prefetch0(&entries[values[i]]);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t value = values[i];
        if (value != FLOW_NONE && unlikely(!flow_key_equal(&entries[value].key, &keys[i])))
            value = flow_table_lookup(&own->flows, &keys[i], hashes[i], match, own->contest);
        ret_numbers[i] = value == FLOW_NONE ? FLOW_NONE : entries[value].number;
    }
}

const struct contender contender_flow_table = {
    .name = "flow_table",
    .what = "the relay's own: keyed hash, buckets of tags and values, keys in the entries",
    .create = create,
    .destroy = destroy,
    .len = len,
    .find = find,
};
