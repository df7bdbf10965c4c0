// SPDX-License-Identifier: BSD-3-Clause
// base/index_map.h. Hashes are chosen by hand where entries of one bucket matter.
#include "base/index_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct siphash_key map_key = {{1, 2}};

static bool holds(const struct index_map *map, uint32_t hash, uint32_t index)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(map, hash, &walk);
    while (at != INDEX_NONE && at != index)
        at = index_map_next(map, &walk);
    return at == index;
}

// The nth hash of a bucket.
static uint32_t hash_of_bucket(const struct index_map *map, uint32_t bucket, uint32_t n)
{
    return (uint32_t)(((uint64_t)bucket << 32) / map->bucket_count) + 1 + n;
}

static void finds_what_was_inserted_and_nothing_else(void **state)
{
    (void)state;
    struct index_map map;
    assert_int_equal(index_map_init(&map, 100, &map_key), 0);
    for (uint32_t i = 0; i < 100; i++)
        index_map_insert(&map, index_map_hash(&map, &i, sizeof(i)), i);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(holds(&map, index_map_hash(&map, &i, sizeof(i)), i), i < 100);
    index_map_done(&map);
}

static void walks_every_index_under_one_hash(void **state)
{
    (void)state;
    struct index_map map;
    struct index_map_walk walk;
    unsigned found = 0;
    assert_int_equal(index_map_init(&map, 8, &map_key), 0);
    for (uint32_t i = 0; i < 4; i++)
        index_map_insert(&map, 7, i);
    index_map_insert(&map, 8, 4); // in the same bucket
    for (uint32_t at = index_map_first(&map, 7, &walk); at != INDEX_NONE;
         at = index_map_next(&map, &walk)) {
        assert_int_not_equal(at, 4);
        found |= 1u << at;
    }
    assert_int_equal(found, 15);
    index_map_done(&map);
}

// Two buckets, one of which holds so many.
static void fill_first_bucket(struct index_map *map, uint32_t *hashes, uint32_t count)
{
    assert_int_equal(index_map_init(map, 27, &map_key), 0);
    assert_int_equal(map->bucket_count, 2);
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = hash_of_bucket(map, 0, i % 3);
        index_map_insert(map, hashes[i], i);
    }
    hashes[count] = hash_of_bucket(map, 1, 0);
    index_map_insert(map, hashes[count], count);
}

static void removal_of_any_of_a_bucket_loses_nobody(void **state)
{
    (void)state;
    // Room to spare, full, one too many, and some.
    static const uint32_t counts[] = {
        1, 2, INDEX_MAP_SLOTS - 1, INDEX_MAP_SLOTS, INDEX_MAP_SLOTS + 1, INDEX_MAP_SLOTS + 5};
    for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        uint32_t count = counts[c];
        for (uint32_t removed = 0; removed < count; removed++) {
            struct index_map map;
            uint32_t hashes[27];
            fill_first_bucket(&map, hashes, count);
            index_map_remove(&map, hashes[removed], removed);
            for (uint32_t i = 0; i <= count; i++)
                assert_int_equal(holds(&map, hashes[i], i), i != removed);
            assert_int_equal(map.count, count);
            index_map_insert(&map, hashes[removed], removed);
            for (uint32_t i = 0; i <= count; i++)
                assert_true(holds(&map, hashes[i], i));
            for (uint32_t i = 0; i <= count; i++)
                index_map_remove(&map, hashes[i], i);
            for (uint32_t i = 0; i <= count; i++)
                assert_false(holds(&map, hashes[i], i));
            assert_int_equal(map.count, 0);
            index_map_done(&map);
        }
    }
}

static void slots_are_taken_before_the_rest_grows(void **state)
{
    (void)state;
    struct index_map map;
    uint32_t hashes[27];
    fill_first_bucket(&map, hashes, INDEX_MAP_SLOTS + 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_not_equal(map.buckets[0].rest, 0);
        index_map_remove(&map, hashes[i], i);
    }
    assert_int_equal(map.buckets[0].rest, 0);
    index_map_remove(&map, hashes[2], 2);
    index_map_insert(&map, hashes[0], 0);
    assert_int_equal(map.buckets[0].rest, 0);
    index_map_done(&map);
}

// The twenty of one hash are walked, in slots and in the rest, and nobody else.
static void walks_through_slots_and_rest(void **state)
{
    (void)state;
    struct index_map map;
    struct index_map_walk walk;
    unsigned found = 0;
    assert_int_equal(index_map_init(&map, 24, &map_key), 0);
    for (uint32_t i = 0; i < 24; i++)
        index_map_insert(&map, i % 6 == 5 ? 8 : 7, i);
    for (uint32_t at = index_map_first(&map, 7, &walk); at != INDEX_NONE;
         at = index_map_next(&map, &walk)) {
        assert_int_not_equal(at % 6, 5);
        assert_int_equal(found & 1u << at, 0);
        found |= 1u << at;
    }
    assert_int_equal(__builtin_popcount(found), 20);
    index_map_done(&map);
}

static void a_bucket_is_one_line_of_the_cache(void **state)
{
    (void)state;
    struct index_map map;
    assert_int_equal(index_map_init(&map, 1000, &map_key), 0);
    assert_int_equal((uintptr_t)map.buckets % 64, 0);
    index_map_done(&map);
}

// Where a link has the fewest bits left for the hash, and where the last index needs one more.
static void takes_every_index_below_any_capacity(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257};
    for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        struct index_map map;
        uint32_t capacity = capacities[i];
        assert_int_equal(index_map_init(&map, capacity, &map_key), 0);
        for (uint32_t index = 0; index < capacity; index++)
            index_map_insert(&map, UINT32_MAX, index);
        for (uint32_t index = 0; index < capacity; index++)
            assert_true(holds(&map, UINT32_MAX, index));
        for (uint32_t index = 0; index < capacity; index++) {
            index_map_remove(&map, UINT32_MAX, index);
            assert_false(holds(&map, UINT32_MAX, index));
        }
        assert_int_equal(map.count, 0);
        index_map_done(&map);
    }
}

// As in the largest map, which needs six gigabytes to be made.
static void one_bit_of_the_hash_is_enough(void **state)
{
    (void)state;
    struct index_map_bucket bucket = {0};
    struct index_map map = {.buckets = &bucket, .bucket_count = 1, .index_bits = 31, .capacity = 8};
    for (uint32_t i = 0; i < 8; i++)
        index_map_insert(&map, i, i);
    for (uint32_t i = 0; i < 8; i++)
        assert_true(holds(&map, i, i));
    assert_false(holds(&map, 4, 5));
    index_map_remove(&map, 5, 5);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(holds(&map, i, i), i != 5);
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct index_map map;
    struct index_map_walk walk;
    assert_int_equal(index_map_init(&map, 0, &map_key), 0);
    assert_int_equal(index_map_first(&map, 0, &walk), INDEX_NONE);
    assert_int_equal(index_map_first(&map, UINT32_MAX, &walk), INDEX_NONE);
    index_map_done(&map);
}

static unsigned bucket_len(const struct index_map *map, const struct index_map_bucket *bucket)
{
    unsigned len = 0;
    for (unsigned slot = 0; slot < INDEX_MAP_SLOTS; slot++)
        len += bucket->slots[slot] != 0;
    for (uint32_t link = bucket->rest; link != 0;
         link = map->links[(link & ((1u << map->index_bits) - 1)) - 1])
        len++;
    return len;
}

// What keeps a lookup short however full the map is, by a hash that nobody outside can aim.
static void buckets_of_a_full_map_are_short(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct index_map map;
    unsigned longest = 0;
    unsigned without_slot = 0;
    assert_int_equal(index_map_init(&map, COUNT, &map_key), 0);
    // Keys as alike as a client could choose them.
    for (uint32_t i = 0; i < COUNT; i++)
        index_map_insert(&map, index_map_hash(&map, &i, sizeof(i)), i);
    for (uint32_t bucket = 0; bucket < map.bucket_count; bucket++) {
        unsigned len = bucket_len(&map, &map.buckets[bucket]);
        if (len > longest)
            longest = len;
        if (len > INDEX_MAP_SLOTS)
            without_slot += len - INDEX_MAP_SLOTS;
    }
    assert_in_range(longest, 15, 40);
    assert_in_range(without_slot, 1, COUNT / 10);
    index_map_done(&map);
}

static void stays_right_through_random_churn(void **state)
{
    (void)state;
    enum { COUNT = 64, STEPS = 20000 };
    struct index_map map;
    bool present[COUNT] = {false};
    uint32_t hashes[COUNT];
    unsigned seed = 1;
    assert_int_equal(index_map_init(&map, COUNT, &map_key), 0);
    // Crowded, in the last buckets and the first.
    for (unsigned i = 0; i < COUNT; i++)
        hashes[i] = hash_of_bucket(&map, (map.bucket_count - 3 + i % 5) % map.bucket_count, i % 3);
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)rand_r(&seed) % COUNT;
        if (present[i])
            index_map_remove(&map, hashes[i], i);
        else
            index_map_insert(&map, hashes[i], i);
        present[i] = !present[i];
        uint32_t probe = (uint32_t)rand_r(&seed) % COUNT;
        assert_int_equal(holds(&map, hashes[probe], probe), present[probe]);
    }
    index_map_done(&map);
}

static void hashes_differ_with_the_key(void **state)
{
    (void)state;
    struct index_map one;
    struct index_map other;
    static const struct siphash_key other_key = {{3, 4}};
    assert_int_equal(index_map_init(&one, 1, &map_key), 0);
    assert_int_equal(index_map_init(&other, 1, &other_key), 0);
    assert_int_not_equal(index_map_hash(&one, "peer", 4), index_map_hash(&other, "peer", 4));
    index_map_done(&one);
    index_map_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_inserted_and_nothing_else),
        cmocka_unit_test(walks_every_index_under_one_hash),
        cmocka_unit_test(removal_of_any_of_a_bucket_loses_nobody),
        cmocka_unit_test(slots_are_taken_before_the_rest_grows),
        cmocka_unit_test(walks_through_slots_and_rest),
        cmocka_unit_test(a_bucket_is_one_line_of_the_cache),
        cmocka_unit_test(takes_every_index_below_any_capacity),
        cmocka_unit_test(one_bit_of_the_hash_is_enough),
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(buckets_of_a_full_map_are_short),
        cmocka_unit_test(stays_right_through_random_churn),
        cmocka_unit_test(hashes_differ_with_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
