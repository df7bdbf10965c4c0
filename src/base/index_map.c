// SPDX-License-Identifier: BSD-3-Clause
// See base/index_map.h. Open addressing with linear probing at a load of at most three quarters;
// removal shifts the run back, so there are no tombstones and a map that lives for years probes as
// short as a new one.
#include "base/index_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

// Any number of slots, not a power of two, which is too many by up to a half: the hash is scaled
// down to it. One always stays empty.
static uint32_t slot_count(uint32_t capacity)
{
    return capacity + capacity / 3 + 2;
}

static uint32_t home_of(const struct index_map *map, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * map->slot_count >> 32);
}

static uint32_t slot_after(const struct index_map *map, uint32_t slot)
{
    return slot + 1 == map->slot_count ? 0 : slot + 1;
}

// How far a slot is behind another.
static uint32_t distance(const struct index_map *map, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + map->slot_count - from;
}

int index_map_init(struct index_map *map, uint32_t capacity, const struct siphash_key *key)
{
    assert(capacity <= 1u << 30);
    uint32_t count = slot_count(capacity);
    struct index_map_slot *slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    *map =
        (struct index_map){.slots = slots, .slot_count = count, .capacity = capacity, .key = *key};
    return 0;
}

void index_map_done(struct index_map *map)
{
    free(map->slots);
    *map = (struct index_map){0};
}

// The first slot at or after `slot` in the run that holds the hash.
static uint32_t seek(const struct index_map *map, uint32_t slot, struct index_map_walk *walk)
{
    for (;; slot = slot_after(map, slot)) {
        const struct index_map_slot *at = &map->slots[slot];
        if (at->entry == 0)
            return INDEX_NONE;
        if (at->hash == walk->hash) {
            walk->slot = slot;
            return at->entry - 1;
        }
    }
}

uint32_t index_map_first(const struct index_map *map, uint32_t hash,
                         struct index_map_walk *ret_walk)
{
    ret_walk->hash = hash;
    return seek(map, home_of(map, hash), ret_walk);
}

uint32_t index_map_next(const struct index_map *map, struct index_map_walk *walk)
{
    return seek(map, slot_after(map, walk->slot), walk);
}

void index_map_insert(struct index_map *map, uint32_t hash, uint32_t index)
{
    assert(map->count < map->capacity);
    uint32_t slot = home_of(map, hash);
    while (map->slots[slot].entry != 0)
        slot = slot_after(map, slot);
    map->slots[slot] = (struct index_map_slot){.hash = hash, .entry = index + 1};
    map->count++;
}

// Close the gap: pull back every later entry of the run that may stand there, that is whose home is
// not between the gap and itself.
static void close_gap(struct index_map *map, uint32_t gap)
{
    for (uint32_t slot = slot_after(map, gap); map->slots[slot].entry != 0;
         slot = slot_after(map, slot)) {
        uint32_t home = home_of(map, map->slots[slot].hash);
        if (distance(map, home, slot) < distance(map, gap, slot))
            continue;
        map->slots[gap] = map->slots[slot];
        gap = slot;
    }
    map->slots[gap] = (struct index_map_slot){0};
}

void index_map_remove(struct index_map *map, uint32_t hash, uint32_t index)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(map, hash, &walk);
    while (at != index) {
        assert(at != INDEX_NONE);
        at = index_map_next(map, &walk);
    }
    close_gap(map, walk.slot);
    map->count--;
}
