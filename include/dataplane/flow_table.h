// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash table behind every lookup: buckets of one cache line, ten tags and ten values
// each. It holds no keys: a value leads to an entry, and the entry says whether it is the one that
// was asked for. One thread.
#pragma once

#include "base/address.h"
#include "dataplane/flow_hash.h"
#include "dataplane/table_memory.h"
#include "proto/stun.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define FLOW_NONE         UINT32_MAX
#define FLOW_BUCKET_SLOTS 10
// A key lies at most this many buckets behind its home. The hash is keyed, so nobody can fill that
// many.
#define FLOW_PROBES_MAX 32

enum flow_key_kind {
    FLOW_KEY_CLIENT = 1, // scope: listener's IPv4 address, or its index; number: the channel, 0 for
                         // the allocation
    FLOW_KEY_PEER,       // scope: allocation; without ports
    FLOW_KEY_STEERING,   // scope: as of a client; number: FLOW_STEERING_NUMBER_BE
    FLOW_KEY_STREAM,     // a client with a connection: no packet of the wire says this; scope:
                         // listener's index
};

// The first two words are, for a client with IPv4, what its packets say: source and destination
// address, source and destination port; then the channel number, in network order, and what the key
// is for. An IPv6 address stands in the last two.
struct flow_key {
    uint64_t words[2];
    uint64_t ip[2];
} __attribute__((aligned(32)));

static_assert(sizeof(struct flow_key) == 32, "two AES blocks");

// In the second word.
#define FLOW_KEY_NUMBER_SHIFT 32
#define FLOW_KEY_KIND_SHIFT   48
#define FLOW_KEY_FAMILY_SHIFT 56

// A steering is where its client's first channel would be, so that who looks for the one finds the
// other: they have one hash, and what is different about their kinds is no part of it.
#define FLOW_STEERING_NUMBER_BE ((uint16_t)__builtin_bswap16(TURN_CHANNEL_MIN))
#define FLOW_KEY_UNHASHED       ((uint64_t)(FLOW_KEY_STEERING ^ FLOW_KEY_CLIENT) << FLOW_KEY_KIND_SHIFT)

// Whom a key is of, and our end of it: scope and local_port_be.
struct flow_end {
    uint32_t scope; // as its kind says
    uint16_t local_port_be;
};

// What its kind and family make of the second word.
static inline uint64_t flow_key_type(enum flow_key_kind kind, uint8_t family)
{
    return (uint64_t)kind << FLOW_KEY_KIND_SHIFT | (uint64_t)family << FLOW_KEY_FAMILY_SHIFT;
}

static inline enum flow_key_kind flow_key_kind(uint64_t second_word)
{
    return (enum flow_key_kind)(uint8_t)(second_word >> FLOW_KEY_KIND_SHIFT);
}

static inline uint8_t flow_key_family(uint64_t second_word)
{
    return (uint8_t)(second_word >> FLOW_KEY_FAMILY_SHIFT);
}

// ip: as many bytes as the family has.
static inline void flow_key_set(struct flow_key *key, enum flow_key_kind kind, uint8_t family,
                                struct flow_end end, const uint8_t *ip, uint16_t port_be,
                                uint16_t number_be)
{
    uint32_t ipv4 = 0;
    if (family == IP_FAMILY_V4) {
        memcpy(&ipv4, ip, sizeof(ipv4));
        key->ip[0] = 0;
        key->ip[1] = 0;
    } else {
        memcpy(key->ip, ip, sizeof(key->ip));
    }
    key->words[0] = ipv4 | (uint64_t)end.scope << 32;
    key->words[1] = port_be | (uint64_t)end.local_port_be << 16 |
                    (uint64_t)number_be << FLOW_KEY_NUMBER_SHIFT | flow_key_type(kind, family);
}

static inline bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    return ((a->ip[0] ^ b->ip[0]) | (a->ip[1] ^ b->ip[1]) | (a->words[0] ^ b->words[0]) |
            (a->words[1] ^ b->words[1])) == 0;
}

struct flow_bucket {
    uint16_t tags[FLOW_BUCKET_SLOTS]; // 0: empty
    uint32_t passed; // keys that this bucket was too full for, now in one of the next
    uint32_t values[FLOW_BUCKET_SLOTS];
} __attribute__((aligned(64)));

static_assert(sizeof(struct flow_bucket) == 64, "one cache line a bucket");

struct flow_table {
    struct flow_bucket *buckets;
    uint64_t bucket_count;
    struct flow_hash_keys hash_keys;
    uint32_t count;
    uint32_t capacity;
    struct table_memory memory;
};

// False when the entry that value leads to has another key.
typedef bool flow_match(const void *context, uint32_t value, const struct flow_key *key);

// capacity: keys that fit for certain. The hash key is random. 0 or -ENOMEM.
int flow_table_init(struct flow_table *table, uint32_t capacity, int socket);
void flow_table_done(struct flow_table *table);

static inline uint64_t flow_table_hash_of(const struct flow_table *table,
                                          const struct flow_key *key)
{
    uint64_t second = key->words[1] & ~FLOW_KEY_UNHASHED;
    if (flow_key_family(second) == IP_FAMILY_V4)
        return flow_hash_short(&table->hash_keys, key->words[0], second);
    return flow_hash_long(&table->hash_keys, key->words[0], second, key->ip);
}

// Where the key with that hash is, unless it had no room there. Any number of buckets will do, so
// that a table is no larger than it has to be.
static inline uint32_t flow_table_home_number(const struct flow_table *table, uint64_t hash)
{
    return (uint32_t)(((hash & UINT32_MAX) * table->bucket_count) >> 32);
}

static inline struct flow_bucket *flow_table_home(const struct flow_table *table, uint64_t hash)
{
    return &table->buckets[flow_table_home_number(table, hash)];
}

#define FLOW_TAG_SHIFT 48 // of what a tag is made of

static inline uint16_t flow_table_tag(uint64_t hash)
{
    return (uint16_t)(hash >> FLOW_TAG_SHIFT) | 1; // no empty slot's
}

// One bit for each slot whose tag is this one, and six above them that mean nothing.
static inline unsigned flow_bucket_compare(const struct flow_bucket *bucket, uint16_t tag)
{
#if defined(__SSE2__)
    __m128i wanted = _mm_set1_epi16((short)tag);
    const uint8_t *bytes = (const uint8_t *)bucket;
    __m128i first = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)bytes), wanted);
    __m128i second = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)(bytes + 16)), wanted);
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(first, second));
#elif defined(__aarch64__)
    // No instruction gathers bits, but one adds up lanes.
    const uint16x8_t bits = {1, 2, 4, 8, 16, 32, 64, 128};
    uint16x8_t wanted = vdupq_n_u16(tag);
    uint16x8_t first = vceqq_u16(vld1q_u16(bucket->tags), wanted);
    uint16x8_t second = vceqq_u16(vld1q_u16((const uint16_t *)bucket + 8), wanted);
    return vaddvq_u16(vandq_u16(first, bits)) | (unsigned)vaddvq_u16(vandq_u16(second, bits)) << 8;
#else
    unsigned hits = 0;
    for (unsigned slot = 0; slot < FLOW_BUCKET_SLOTS; slot++)
        hits |= (unsigned)(bucket->tags[slot] == tag) << slot;
    return hits;
#endif
}

static inline unsigned flow_bucket_hits(const struct flow_bucket *bucket, uint16_t tag)
{
    return flow_bucket_compare(bucket, tag) & ((1u << FLOW_BUCKET_SLOTS) - 1);
}

// The value of the first of these hits; any other when there is none.
static inline uint32_t flow_bucket_value(const struct flow_bucket *bucket, unsigned hits)
{
    return bucket->values[(unsigned)__builtin_ctz(hits | 1u << (FLOW_BUCKET_SLOTS - 1))];
}

// The first value with this tag; any other when there is none.
static inline uint32_t flow_bucket_first(const struct flow_bucket *bucket, uint16_t tag)
{
    return flow_bucket_value(bucket, flow_bucket_compare(bucket, tag));
}

// The stages of a burst: hash all and fetch their buckets; then, for each, the first value whose
// tag fits, or FLOW_NONE. Whoever finds that an entry does not match goes on with
// flow_table_lookup.
void flow_table_hash(const struct flow_table *table, const struct flow_key *keys, unsigned count,
                     uint64_t *ret_hashes);
void flow_table_find(const struct flow_table *table, const uint64_t *hashes, unsigned count,
                     uint32_t *ret_values);

// The value of this key, FLOW_NONE.
uint32_t flow_table_lookup(const struct flow_table *table, const struct flow_key *key,
                           uint64_t hash, flow_match *match, const void *context);

// The key is not in the table, the caller has looked. 0 or -ENOSPC.
int flow_table_insert(struct flow_table *table, uint64_t hash, uint32_t value);
// The key was inserted with that hash and value.
void flow_table_remove(struct flow_table *table, uint64_t hash, uint32_t value);
