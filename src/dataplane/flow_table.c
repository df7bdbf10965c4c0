// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash table behind every lookup. Overflow goes to the next bucket; `passed` says whether
// anything did, so that a lookup of what is not there stops at the first bucket nearly always.
#include "dataplane/flow_table.h"

#include "base/random.h"

#include <errno.h>
#include <immintrin.h>
#include <rte_prefetch.h>
#include <string.h>

// Keys a bucket on average when the table is as full as it gets: past this, overflow would be
// common.
#define FLOW_BUCKET_LOAD 6.5

static uint64_t bucket_count(uint32_t capacity)
{
    uint64_t buckets = 64;
    while ((double)buckets * FLOW_BUCKET_LOAD < capacity)
        buckets *= 2;
    return buckets;
}

int flow_table_init(struct flow_table *table, uint32_t capacity, int socket)
{
    memset(table, 0, sizeof(*table));
    uint64_t buckets = bucket_count(capacity);
    int error = table_memory_take(buckets * sizeof(struct flow_bucket), socket, &table->memory);
    if (error != 0)
        return error;
    table->buckets = table->memory.bytes;
    table->mask = buckets - 1;
    table->capacity = capacity;
    random_fill(&random_system, table->round_keys, sizeof(table->round_keys));
    return 0;
}

void flow_table_done(struct flow_table *table)
{
    table_memory_give(&table->memory);
}

// AES rounds under secret round keys: three between the two halves of the key, four after them. Not
// a cipher, and nobody sees its output: what it must resist is a sender who picks addresses that
// fall into one bucket.
static inline uint64_t hash_one(const __m128i *round_keys, const struct flow_key *key)
{
    const __m128i *halves = (const __m128i *)key;
    __m128i state = _mm_xor_si128(_mm_load_si128(halves), round_keys[0]);
    state = _mm_aesenc_si128(state, round_keys[1]);
    state = _mm_aesenc_si128(state, round_keys[2]);
    state = _mm_aesenc_si128(state, round_keys[3]);
    state = _mm_xor_si128(state, _mm_load_si128(halves + 1));
    state = _mm_aesenc_si128(state, round_keys[4]);
    state = _mm_aesenc_si128(state, round_keys[5]);
    state = _mm_aesenc_si128(state, round_keys[6]);
    state = _mm_aesenc_si128(state, round_keys[7]);
    return (uint64_t)_mm_cvtsi128_si64(state);
}

static inline uint16_t hash_tag(uint64_t hash)
{
    uint16_t tag = (uint16_t)(hash >> 48);
    return tag != 0 ? tag : 1;
}

static inline uint64_t hash_home(const struct flow_table *table, uint64_t hash)
{
    return hash & table->mask;
}

void flow_table_hash(const struct flow_table *table, const struct flow_key *keys, unsigned count,
                     uint64_t *ret_hashes)
{
    __m128i round_keys[8];
    for (unsigned i = 0; i < 8; i++)
        round_keys[i] = _mm_load_si128((const __m128i *)table->round_keys[i]);
    for (unsigned i = 0; i < count; i++) {
        ret_hashes[i] = hash_one(round_keys, &keys[i]);
        rte_prefetch0(&table->buckets[hash_home(table, ret_hashes[i])]);
    }
}

// One bit for each slot whose tag is this one. The second load takes what lies behind the tags
// along: masked away.
static inline unsigned bucket_hits(const struct flow_bucket *bucket, uint16_t tag)
{
    __m128i wanted = _mm_set1_epi16((short)tag);
    const uint8_t *bytes = (const uint8_t *)bucket;
    __m128i first = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)bytes), wanted);
    __m128i second = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)(bytes + 16)), wanted);
    unsigned hits = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(first, second));
    return hits & ((1u << FLOW_BUCKET_SLOTS) - 1);
}

static uint32_t find_from(const struct flow_table *table, uint64_t hash)
{
    uint16_t tag = hash_tag(hash);
    uint64_t at = hash_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX; probe++) {
        const struct flow_bucket *bucket = &table->buckets[(at + probe) & table->mask];
        unsigned hits = bucket_hits(bucket, tag);
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
        ret_values[i] = find_from(table, hashes[i]);
}

uint32_t flow_table_lookup(const struct flow_table *table, const struct flow_key *key,
                           uint64_t hash, flow_match *match, const void *context)
{
    uint16_t tag = hash_tag(hash);
    uint64_t at = hash_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX; probe++) {
        const struct flow_bucket *bucket = &table->buckets[(at + probe) & table->mask];
        for (unsigned hits = bucket_hits(bucket, tag); hits != 0; hits &= hits - 1) {
            uint32_t value = bucket->values[__builtin_ctz(hits)];
            if (match(context, value, key))
                return value;
        }
        if (bucket->passed == 0)
            break;
    }
    return FLOW_NONE;
}

// Every bucket from home to the one before `end` has been passed by one key more, or less.
static void passed_add(struct flow_table *table, uint64_t home, unsigned end, uint32_t amount)
{
    for (unsigned probe = 0; probe < end; probe++)
        table->buckets[(home + probe) & table->mask].passed += amount;
}

int flow_table_insert(struct flow_table *table, uint64_t hash, uint32_t value)
{
    if (table->count == table->capacity)
        return -ENOSPC;
    uint64_t home = hash_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX; probe++) {
        struct flow_bucket *bucket = &table->buckets[(home + probe) & table->mask];
        unsigned empty = bucket_hits(bucket, 0);
        if (empty == 0)
            continue;
        unsigned slot = (unsigned)__builtin_ctz(empty);
        bucket->tags[slot] = hash_tag(hash);
        bucket->values[slot] = value;
        passed_add(table, home, probe, 1);
        table->count++;
        return 0;
    }
    return -ENOSPC;
}

void flow_table_remove(struct flow_table *table, uint64_t hash, uint32_t value)
{
    uint16_t tag = hash_tag(hash);
    uint64_t home = hash_home(table, hash);
    for (unsigned probe = 0; probe < FLOW_PROBES_MAX; probe++) {
        struct flow_bucket *bucket = &table->buckets[(home + probe) & table->mask];
        for (unsigned hits = bucket_hits(bucket, tag); hits != 0; hits &= hits - 1) {
            unsigned slot = (unsigned)__builtin_ctz(hits);
            if (bucket->values[slot] != value)
                continue;
            bucket->tags[slot] = 0;
            passed_add(table, home, probe, UINT32_MAX);
            table->count--;
            return;
        }
    }
    assert(!"a key that was inserted can be removed");
}
