// SPDX-License-Identifier: BSD-3-Clause
// See base/index_map.h. A bucket is one cache line, so a lookup fetches one, and its entry. What
// finds no slot there, in a full map one entry of fourteen, hangs on in a list. Five bytes for each
// entry that the map is made for are less than open addressing takes, which needs the hash of
// whatever a removal moves; and the memory of the lists is not touched before they are needed.
#include "base/index_map.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define ENTRIES_PER_BUCKET 14 // of a full map, on the average
#define LINE_LEN           64

static_assert(sizeof(struct index_map_bucket) == LINE_LEN, "one line a bucket");

// Any number of buckets, not a power of two: the hash is scaled down to it. Its upper bits choose
// the bucket, so the lower ones tell the entries of a bucket apart.
static struct index_map_bucket *bucket_of(const struct index_map *map, uint32_t hash)
{
    return &map->buckets[(uint64_t)hash * map->bucket_count >> 32];
}

static uint32_t index_bits(uint32_t capacity)
{
    uint32_t bits = 1;
    while (capacity >> bits != 0)
        bits++;
    return bits;
}

static uint32_t make_link(const struct index_map *map, uint32_t hash, uint32_t index)
{
    return hash << map->index_bits | (index + 1);
}

// Of link 0 it is INDEX_NONE.
static uint32_t index_of(const struct index_map *map, uint32_t link)
{
    return (link & ((1u << map->index_bits) - 1)) - 1;
}

static bool may_have_hash(const struct index_map *map, uint32_t link, uint32_t hash)
{
    return (link ^ hash << map->index_bits) >> map->index_bits == 0;
}

int index_map_init(struct index_map *map, uint32_t capacity, const struct siphash_key *key)
{
    assert(capacity <= 1u << 30);
    struct index_map made = {
        .bucket_count = capacity / ENTRIES_PER_BUCKET + 1,
        .index_bits = index_bits(capacity),
        .capacity = capacity,
        .key = *key,
    };
    made.links = calloc(capacity ? capacity : 1, sizeof(*made.links));
    // One more, to begin at a line.
    made.memory = calloc((size_t)made.bucket_count + 1, sizeof(*made.buckets));
    if (made.links == NULL || made.memory == NULL) {
        index_map_done(&made);
        return -ENOMEM;
    }
    made.buckets = (struct index_map_bucket *)(((uintptr_t)made.memory + LINE_LEN - 1) &
                                               ~(uintptr_t)(LINE_LEN - 1));
    *map = made;
    return 0;
}

void index_map_done(struct index_map *map)
{
    free(map->links);
    free(map->memory);
    *map = (struct index_map){0};
}

void index_map_prefetch(const struct index_map *map, uint32_t hash)
{
    __builtin_prefetch(bucket_of(map, hash));
}

uint32_t index_map_first(const struct index_map *map, uint32_t hash,
                         struct index_map_walk *ret_walk)
{
    *ret_walk = (struct index_map_walk){.hash = hash};
    return index_map_next(map, ret_walk);
}

// The next of those that found no slot.
static uint32_t next_of_rest(const struct index_map *map, const struct index_map_bucket *bucket,
                             struct index_map_walk *walk)
{
    uint32_t link = walk->slot == INDEX_MAP_SLOTS ? bucket->rest : map->links[walk->index];
    while (link != 0 && !may_have_hash(map, link, walk->hash))
        link = map->links[index_of(map, link)];
    walk->slot = INDEX_MAP_SLOTS + 1;
    walk->index = index_of(map, link);
    return walk->index;
}

uint32_t index_map_next(const struct index_map *map, struct index_map_walk *walk)
{
    const struct index_map_bucket *bucket = bucket_of(map, walk->hash);
    while (walk->slot < INDEX_MAP_SLOTS) {
        uint32_t link = bucket->slots[walk->slot++];
        if (link == 0)
            return INDEX_NONE;
        if (may_have_hash(map, link, walk->hash))
            return index_of(map, link);
    }
    return next_of_rest(map, bucket, walk);
}

void index_map_insert(struct index_map *map, uint32_t hash, uint32_t index)
{
    assert(map->count < map->capacity && index < map->capacity);
    struct index_map_bucket *bucket = bucket_of(map, hash);
    unsigned slot = 0;
    while (slot < INDEX_MAP_SLOTS && bucket->slots[slot] != 0)
        slot++;
    if (slot < INDEX_MAP_SLOTS) {
        bucket->slots[slot] = make_link(map, hash, index);
    } else {
        map->links[index] = bucket->rest;
        bucket->rest = make_link(map, hash, index);
    }
    map->count++;
}

static void remove_from_rest(struct index_map *map, struct index_map_bucket *bucket, uint32_t index)
{
    uint32_t *link = &bucket->rest;
    while (index_of(map, *link) != index) {
        assert(*link != 0);
        link = &map->links[index_of(map, *link)];
    }
    *link = map->links[index];
}

// One of the rest, else the last one in a slot: whoever has this slot may move into an earlier one.
static uint32_t take_last(struct index_map *map, struct index_map_bucket *bucket)
{
    uint32_t link = bucket->rest;
    if (link != 0) {
        bucket->rest = map->links[index_of(map, link)];
        return link;
    }
    unsigned slot = INDEX_MAP_SLOTS - 1;
    while (bucket->slots[slot] == 0)
        slot--;
    link = bucket->slots[slot];
    bucket->slots[slot] = 0;
    return link;
}

void index_map_remove(struct index_map *map, uint32_t hash, uint32_t index)
{
    struct index_map_bucket *bucket = bucket_of(map, hash);
    unsigned slot = 0;
    while (slot < INDEX_MAP_SLOTS && index_of(map, bucket->slots[slot]) != index)
        slot++;
    map->count--;
    if (slot == INDEX_MAP_SLOTS) {
        remove_from_rest(map, bucket, index);
        return;
    }
    uint32_t last = take_last(map, bucket);
    if (index_of(map, last) != index)
        bucket->slots[slot] = last;
}
