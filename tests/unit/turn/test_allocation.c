// SPDX-License-Identifier: BSD-3-Clause
// turn/allocation.h.
#include "turn/allocation.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static struct five_tuple tuple(uint16_t port)
{
    return client_make(port).five_tuple;
}

static void is_found_by_five_tuple_and_id_while_it_lives(void **state)
{
    (void)state;
    struct allocation_table table;
    struct five_tuple one = tuple(1);
    struct five_tuple other = tuple(2);
    assert_int_equal(allocation_table_init(&table, 4, 4, 2, &key), 0);
    struct allocation *allocation = allocation_create(&table, &one, 1);
    assert_ptr_equal(allocation_find(&table, &one), allocation);
    assert_ptr_equal(allocation_get(&table, allocation->id), allocation);
    assert_null(allocation_find(&table, &other));
    assert_null(allocation_get(&table, allocation->id + 1));
    allocation_retire(&table, allocation);
    assert_null(allocation_find(&table, &one));
    assert_null(allocation_get(&table, allocation->id));
    allocation_table_done(&table);
}

static void every_part_of_the_five_tuple_counts(void **state)
{
    (void)state;
    struct allocation_table table;
    struct five_tuple base = tuple(1);
    assert_int_equal(allocation_table_init(&table, 4, 4, 2, &key), 0);
    allocation_create(&table, &base, 0);
    for (size_t i = 0; i < sizeof(base); i++) {
        struct five_tuple changed = base;
        ((uint8_t *)&changed)[i] ^= 1;
        assert_null(allocation_find(&table, &changed));
    }
    allocation_table_done(&table);
}

static void an_id_and_its_room_come_back_with_the_release_not_before(void **state)
{
    (void)state;
    struct allocation_table table;
    struct five_tuple one = tuple(1);
    assert_int_equal(allocation_table_init(&table, 1, 1, 1, &key), 0);
    struct allocation *allocation = allocation_create(&table, &one, 0);
    assert_false(allocation_table_has_room(&table, 0));
    allocation_retire(&table, allocation);
    assert_false(allocation_table_has_room(&table, 0));
    assert_int_equal(table.live_count, 0);
    allocation_release(&table, allocation);
    assert_true(allocation_table_has_room(&table, 0));
    allocation_table_done(&table);
}

static void each_worker_has_its_own_limit(void **state)
{
    (void)state;
    struct allocation_table table;
    struct five_tuple one = tuple(1);
    assert_int_equal(allocation_table_init(&table, 4, 1, 2, &key), 0);
    allocation_create(&table, &one, 0);
    assert_false(allocation_table_has_room(&table, 0));
    assert_true(allocation_table_has_room(&table, 1));
    allocation_table_done(&table);
}

static void the_key_is_wiped_when_it_ends(void **state)
{
    (void)state;
    static const uint8_t zero[INTEGRITY_KEY_MAX_LEN];
    struct allocation_table table;
    struct five_tuple one = tuple(1);
    assert_int_equal(allocation_table_init(&table, 1, 1, 1, &key), 0);
    struct allocation *allocation = allocation_create(&table, &one, 0);
    memset(allocation->key.bytes, 0xAA, sizeof(allocation->key.bytes));
    allocation_retire(&table, allocation);
    assert_memory_equal(allocation->key.bytes, zero, sizeof(zero));
    allocation_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_found_by_five_tuple_and_id_while_it_lives),
        cmocka_unit_test(every_part_of_the_five_tuple_counts),
        cmocka_unit_test(an_id_and_its_room_come_back_with_the_release_not_before),
        cmocka_unit_test(each_worker_has_its_own_limit),
        cmocka_unit_test(the_key_is_wiped_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
