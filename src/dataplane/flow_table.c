// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash table behind every lookup. Overflow goes to the next bucket; `passed` says whether
// anything did, so that a lookup of what is not there stops at the first bucket nearly always.
#include "dataplane/flow_table.h"

#include "dataplane/fetch.h"

#include <errno.h>
#include <rte_prefetch.h>
#include <string.h>

// Keys a bucket on average when the table is as full as it gets: past this, overflow would be
// common.
#define FLOW_BUCKET_LOAD 6.5
#define FLOW_BUCKETS_MIN 64

static uint64_t bucket_count(uint32_t capacity)
{
    uint64_t buckets = (uint64_t)((double)capacity / FLOW_BUCKET_LOAD) + 1;
    return buckets < FLOW_BUCKETS_MIN ? FLOW_BUCKETS_MIN : buckets;
}

int flow_table_init(struct flow_table *table, uint32_t capacity, int socket)
{
    memset(table, 0, sizeof(*table));
    uint64_t buckets = bucket_count(capacity);
    int error = table_memory_take(buckets * sizeof(struct flow_bucket), socket, &table->memory);
    if (error != 0)
        return error;
    table->buckets = table->memory.bytes;
    table->bucket_count = buckets;
    table->capacity = capacity;
    flow_hash_init(&table->hash_keys);
    return 0;
}

void flow_table_done(struct flow_table *table)
{
    table_memory_give(&table->memory);
}

static struct flow_bucket *next_bucket(const struct flow_table *table, struct flow_bucket *bucket)
{
    return bucket + 1 == table->buckets + table->bucket_count ? table->buckets : bucket + 1;
}

void flow_table_hash(const struct flow_table *table, const struct flow_key *keys, unsigned count,
                     uint64_t *ret_hashes)
{
    for (unsigned i = 0; i < count; i++) {
        ret_hashes[i] = flow_table_hash_of(table, &keys[i]);
        rte_prefetch0(flow_table_home(table, ret_hashes[i]));
    }
}

static uint32_t find_from(const struct flow_table *table, uint64_t hash)
{
    uint16_t tag = flow_table_tag(hash);
    struct flow_bucket *bucket = flow_table_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX;
         probe++, bucket = next_bucket(table, bucket)) {
        unsigned hits = flow_bucket_hits(bucket, tag);
        if (hits != 0)
            return bucket->values[__builtin_ctz(hits)];
        if (bucket->passed == 0)
            break;
    }
    return FLOW_NONE;
}

void flow_table_find(const struct flow_table *table, const uint64_t *hashes, unsigned count,
                     uint32_t *ret_values)
{
    for (unsigned i = 0; i < count; i++)
        fetch_line(flow_table_home(table, hashes[i]));
    for (unsigned i = 0; i < count; i++)
        ret_values[i] = find_from(table, hashes[i]);
}

uint32_t flow_table_lookup(const struct flow_table *table, const struct flow_key *key,
                           uint64_t hash, flow_match *match, const void *context)
{
    uint16_t tag = flow_table_tag(hash);
    struct flow_bucket *bucket = flow_table_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX;
         probe++, bucket = next_bucket(table, bucket)) {
        for (unsigned hits = flow_bucket_hits(bucket, tag); hits != 0; hits &= hits - 1) {
            uint32_t value = bucket->values[__builtin_ctz(hits)];
            if (match(context, value, key))
                return value;
        }
        if (bucket->passed == 0)
            break;
    }
    return FLOW_NONE;
}

// Every bucket from its home to the one before `end` has been passed by one key more, or less.
static void passed_add(const struct flow_table *table, uint64_t hash, const struct flow_bucket *end,
                       uint32_t amount)
{
    struct flow_bucket *bucket = flow_table_home(table, hash);
    for (; bucket != end; bucket = next_bucket(table, bucket))
        bucket->passed += amount;
}

int flow_table_insert(struct flow_table *table, uint64_t hash, uint32_t value)
{
    if (table->count == table->capacity)
        return -ENOSPC;
    struct flow_bucket *bucket = flow_table_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX;
         probe++, bucket = next_bucket(table, bucket)) {
        unsigned empty = flow_bucket_hits(bucket, 0);
        if (empty == 0)
            continue;
        unsigned slot = (unsigned)__builtin_ctz(empty);
        bucket->tags[slot] = flow_table_tag(hash);
        bucket->values[slot] = value;
        passed_add(table, hash, bucket, 1);
        table->count++;
        return 0;
    }
    return -ENOSPC;
}

void flow_table_remove(struct flow_table *table, uint64_t hash, uint32_t value)
{
    uint16_t tag = flow_table_tag(hash);
    struct flow_bucket *bucket = flow_table_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX;
         probe++, bucket = next_bucket(table, bucket)) {
        for (unsigned hits = flow_bucket_hits(bucket, tag); hits != 0; hits &= hits - 1) {
            unsigned slot = (unsigned)__builtin_ctz(hits);
            if (bucket->values[slot] != value)
                continue;
            bucket->tags[slot] = 0;
            passed_add(table, hash, bucket, UINT32_MAX);
            table->count--;
            return;
        }
    }
    assert(!"a key that was inserted can be removed");
}
