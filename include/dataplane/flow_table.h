// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash table behind every lookup: buckets of one cache line, ten tags and ten values
// each. It holds no keys: a value leads to an entry, and the entry says whether it is the one that
// was asked for. One thread.
#pragma once

#include "base/address.h"
#include "dataplane/table_memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FLOW_NONE         UINT32_MAX
#define FLOW_BUCKET_SLOTS 10
// A key lies at most this many buckets behind its home. The hash is keyed, so nobody can fill that
// many.
#define FLOW_PROBES_MAX 32

enum flow_key_kind {
    FLOW_KEY_CLIENT = 1, // scope: listener; number: the channel, 0 for the allocation
    FLOW_KEY_PEER,       // scope: allocation; port 0 for the permission
    FLOW_KEY_STEERING,   // scope: listener
};

// Four words, made in registers and stored whole: the hash loads 16 bytes at a time, and a load of
// what was just stored in smaller pieces waits until all have left the store buffer.
struct flow_key {
    uint64_t ip[2]; // an IPv4 address has zeros behind it
    uint64_t place; // scope, port (network order) and number
    uint64_t kind;  // enum flow_key_kind, and the family
} __attribute__((aligned(32)));

static_assert(sizeof(struct flow_key) == 32, "two AES blocks");

// ip: as many bytes as the family has.
static inline void flow_key_set(struct flow_key *key, enum flow_key_kind kind, uint8_t family,
                                uint32_t scope, const uint8_t *ip, uint16_t port_be,
                                uint16_t number)
{
    if (family == IP_FAMILY_V4) {
        uint32_t v4;
        memcpy(&v4, ip, sizeof(v4));
        key->ip[0] = v4;
        key->ip[1] = 0;
    } else {
        memcpy(key->ip, ip, sizeof(key->ip));
    }
    key->place = scope | (uint64_t)port_be << 32 | (uint64_t)number << 48;
    key->kind = kind | (uint64_t)family << 8;
}

static inline bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    return ((a->ip[0] ^ b->ip[0]) | (a->ip[1] ^ b->ip[1]) | (a->place ^ b->place) |
            (a->kind ^ b->kind)) == 0;
}

struct flow_bucket {
    uint16_t tags[FLOW_BUCKET_SLOTS]; // 0: empty
    uint32_t passed; // keys that this bucket was too full for, now in one of the next
    uint32_t values[FLOW_BUCKET_SLOTS];
} __attribute__((aligned(64)));

static_assert(sizeof(struct flow_bucket) == 64, "one cache line a bucket");

struct flow_table {
    struct flow_bucket *buckets;
    uint64_t mask;
    uint8_t round_keys[8][16] __attribute__((aligned(16)));
    uint32_t count;
    uint32_t capacity;
    struct table_memory memory;
};

// False when the entry that value leads to has another key.
typedef bool flow_match(const void *context, uint32_t value, const struct flow_key *key);

// capacity: keys that fit for certain. The hash key is random. 0 or -ENOMEM.
int flow_table_init(struct flow_table *table, uint32_t capacity, int socket);
void flow_table_done(struct flow_table *table);

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
