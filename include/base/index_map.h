// SPDX-License-Identifier: BSD-3-Clause
// A bounded hash map from a key to an array index. The keys stay where their owner keeps them: a
// lookup walks the indices whose hash may match and the owner compares. Keyed with SipHash, so that
// nobody outside can aim keys at one bucket.
#pragma once

#include "base/index_pool.h"
#include "base/siphash.h"

#include <stddef.h>
#include <stdint.h>

// A link is an index + 1, 0 for none, with as many bits of that index's hash above it as there is
// room for.
#define INDEX_MAP_SLOTS 15
struct index_map_bucket {
    uint32_t slots[INDEX_MAP_SLOTS]; // links; the empty ones come last
    uint32_t rest;                   // the first link of those that found no slot
};

struct index_map {
    struct index_map_bucket *buckets;
    uint32_t *links; // by index, of those that found no slot: to the next one
    void *memory;    // the buckets, as it was allocated
    uint32_t bucket_count;
    uint32_t index_bits; // of a link; the others are the hash's
    uint32_t count;
    uint32_t capacity;
    struct siphash_key key;
};

// capacity: entries at once, with indices below it; at most 2^30. 0, -ENOMEM.
int index_map_init(struct index_map *map, uint32_t capacity, const struct siphash_key *key);
void index_map_done(struct index_map *map);

static inline uint32_t index_map_hash(const struct index_map *map, const void *key, size_t key_len)
{
    return (uint32_t)siphash(&map->key, key, key_len);
}

// Walk the indices stored under a hash, most often one or none, and seldom one of another hash;
// INDEX_NONE ends the walk. The map does not change meanwhile.
struct index_map_walk {
    uint32_t hash;
    uint32_t slot;  // to be looked at next; behind the last: the rest
    uint32_t index; // of the rest, the one that was found
};
// Fetch what a walk under this hash begins with, which is memory that nobody touched lately.
void index_map_prefetch(const struct index_map *map, uint32_t hash);
uint32_t index_map_first(const struct index_map *map, uint32_t hash,
                         struct index_map_walk *ret_walk);
uint32_t index_map_next(const struct index_map *map, struct index_map_walk *walk);

// The caller keeps count below capacity, and one entry for one index.
void index_map_insert(struct index_map *map, uint32_t hash, uint32_t index);
// The same hash and index that were inserted.
void index_map_remove(struct index_map *map, uint32_t hash, uint32_t index);
