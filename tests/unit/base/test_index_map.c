// SPDX-License-Identifier: BSD-3-Clause
// base/index_map.h. Hashes are chosen by hand where runs of colliding entries matter.
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

// A hash whose home is this slot, the nth of them.
static uint32_t hash_of_slot(const struct index_map *map, uint32_t slot, uint32_t n)
{
    return (uint32_t)(((uint64_t)slot << 32) / map->slot_count) + 1 + n;
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
    index_map_insert(&map, 8, 4); // lands in the same run
    for (uint32_t at = index_map_first(&map, 7, &walk); at != INDEX_NONE;
         at = index_map_next(&map, &walk)) {
        assert_int_not_equal(at, 4);
        found |= 1u << at;
    }
    assert_int_equal(found, 15);
    index_map_done(&map);
}

static void removal_in_the_middle_of_a_run_loses_nobody(void **state)
{
    (void)state;
    struct index_map map;
    // Twelve slots: a run of four homes that wraps round the end.
    static const uint32_t homes[] = {10, 10, 11, 10, 11, 0, 1, 10};
    enum { COUNT = sizeof(homes) / sizeof(homes[0]) };
    uint32_t hashes[COUNT];
    for (uint32_t removed = 0; removed < COUNT; removed++) {
        assert_int_equal(index_map_init(&map, COUNT, &map_key), 0);
        assert_int_equal(map.slot_count, 12);
        for (uint32_t i = 0; i < COUNT; i++) {
            hashes[i] = hash_of_slot(&map, homes[i], i % 2);
            index_map_insert(&map, hashes[i], i);
        }
        index_map_remove(&map, hashes[removed], removed);
        for (uint32_t i = 0; i < COUNT; i++)
            assert_int_equal(holds(&map, hashes[i], i), i != removed);
        assert_int_equal(map.count, COUNT - 1);
        index_map_done(&map);
    }
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
    // Crowded, and across the end.
    for (unsigned i = 0; i < COUNT; i++)
        hashes[i] = hash_of_slot(&map, (map.slot_count - 8 + i % 13) % map.slot_count, i % 3);
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
        cmocka_unit_test(removal_in_the_middle_of_a_run_loses_nobody),
        cmocka_unit_test(stays_right_through_random_churn),
        cmocka_unit_test(hashes_differ_with_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
