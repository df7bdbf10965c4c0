// SPDX-License-Identifier: BSD-3-Clause
// See base/index_map.h. Each bucket is a list, of two entries on the average when the map is full.
// A list costs an entry four bytes where it is and a bucket four, which is less than open
// addressing with room to probe, even more so in a map that is far from full; and removal needs no
// other entry's hash.
#include "base/index_map.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define ENTRIES_PER_BUCKET 2 // of a full map

// Any number of buckets, not a power of two: the hash is scaled down to it. Its upper bits choose
// the bucket, so the lower ones tell the entries of a bucket apart.
static uint32_t *head_of(const struct index_map *map, uint32_t hash)
{
    return &map->heads[(uint64_t)hash * map->bucket_count >> 32];
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
    made.heads = calloc(made.bucket_count, sizeof(*made.heads));
    made.links = calloc(capacity ? capacity : 1, sizeof(*made.links));
    if (made.heads == NULL || made.links == NULL) {
        index_map_done(&made);
        return -ENOMEM;
    }
    *map = made;
    return 0;
}

void index_map_done(struct index_map *map)
{
    free(map->heads);
    free(map->links);
    *map = (struct index_map){0};
}

// The first index from a link on that may have the hash.
static uint32_t seek(const struct index_map *map, uint32_t link, struct index_map_walk *walk)
{
    while (link != 0 && !may_have_hash(map, link, walk->hash))
        link = map->links[index_of(map, link)];
    walk->index = index_of(map, link);
    return walk->index;
}

uint32_t index_map_first(const struct index_map *map, uint32_t hash,
                         struct index_map_walk *ret_walk)
{
    ret_walk->hash = hash;
    return seek(map, *head_of(map, hash), ret_walk);
}

uint32_t index_map_next(const struct index_map *map, struct index_map_walk *walk)
{
    return seek(map, map->links[walk->index], walk);
}

void index_map_insert(struct index_map *map, uint32_t hash, uint32_t index)
{
    assert(map->count < map->capacity && index < map->capacity);
    uint32_t *head = head_of(map, hash);
    map->links[index] = *head;
    *head = make_link(map, hash, index);
    map->count++;
}

void index_map_remove(struct index_map *map, uint32_t hash, uint32_t index)
{
    uint32_t *link = head_of(map, hash);
    while (index_of(map, *link) != index) {
        assert(*link != 0);
        link = &map->links[index_of(map, *link)];
    }
    *link = map->links[index];
    map->count--;
}
