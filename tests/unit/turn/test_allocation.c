// SPDX-License-Identifier: BSD-3-Clause
// turn/allocation.h.
#include "turn/allocation.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static struct address_store addresses;

static int setup(void **state)
{
    (void)state;
    return address_store_init(&addresses, 8, &key);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(index_pool_used(&addresses.pool), 0);
    address_store_done(&addresses);
    return 0;
}

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
    assert_int_equal(allocation_table_init(&table, 4, 4, 2, &addresses, &key), 0);
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
    assert_int_equal(allocation_table_init(&table, 4, 4, 2, &addresses, &key), 0);
    allocation_create(&table, &base, 0);
    struct five_tuple changed[6] = {base, base, base, base, base, base};
    changed[0].client.ip.bytes[3] ^= 1;
    changed[1].client.port ^= 1;
    changed[2].client.ip.family = IP_FAMILY_V6;
    changed[3].server.ip.bytes[0] ^= 1;
    changed[4].server.port ^= 0x100;
    changed[5].transport = FIVE_TUPLE_TCP;
    for (unsigned i = 0; i < 6; i++)
        assert_null(allocation_find(&table, &changed[i]));
    assert_non_null(allocation_find(&table, &base));
    allocation_table_done(&table);
}

static void an_id_and_its_room_come_back_with_the_release_not_before(void **state)
{
    (void)state;
    struct allocation_table table;
    struct five_tuple one = tuple(1);
    assert_int_equal(allocation_table_init(&table, 1, 1, 1, &addresses, &key), 0);
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
    assert_int_equal(allocation_table_init(&table, 4, 1, 2, &addresses, &key), 0);
    allocation_create(&table, &one, 0);
    assert_false(allocation_table_has_room(&table, 0));
    assert_true(allocation_table_has_room(&table, 1));
    allocation_table_done(&table);
}

static void comes_back_as_it_was_whatever_its_families(void **state)
{
    (void)state;
    struct allocation_table table;
    struct five_tuple tuples[3] = {tuple(1), tuple(1), tuple(2)};
    struct allocation *made[3];
    tuples[1].client = address("[2600::1]:7");
    tuples[1].server = tuples[2].server = address("[2600::2]:3478");
    tuples[2].client = address("[2600::3]:7");
    assert_int_equal(allocation_table_init(&table, 3, 3, 1, &addresses, &key), 0);
    for (unsigned i = 0; i < 3; i++)
        made[i] = allocation_create(&table, &tuples[i], 0);
    assert_int_equal(index_pool_used(&addresses.pool), 3);
    for (unsigned i = 0; i < 3; i++) {
        struct five_tuple kept = allocation_five_tuple(&table, made[i]);
        assert_true(five_tuple_equal(&kept, &tuples[i]));
        assert_ptr_equal(allocation_find(&table, &tuples[i]), made[i]);
        allocation_retire(&table, made[i]);
        assert_null(allocation_find(&table, &tuples[i]));
    }
    allocation_table_done(&table);
}

static void a_reservation_token_is_one_allocations(void **state)
{
    (void)state;
    static const uint8_t token[RESERVATION_TOKEN_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct allocation_table table;
    struct five_tuple tuples[] = {tuple(1), tuple(2), tuple(3)};
    assert_int_equal(allocation_table_init(&table, 2, 2, 1, &addresses, &key), 0);
    struct allocation *one = allocation_create(&table, &tuples[0], 0);
    struct allocation *other = allocation_create(&table, &tuples[1], 0);
    assert_null(allocation_reservation_token(&table, other));
    allocation_set_reservation_token(&table, other, token);
    assert_memory_equal(allocation_reservation_token(&table, other), token, sizeof(token));
    assert_int_equal(other->state, ALLOCATION_LIVE);
    assert_null(allocation_reservation_token(&table, one));
    // Whoever takes its place has none.
    allocation_retire(&table, other);
    allocation_release(&table, other);
    assert_ptr_equal(allocation_create(&table, &tuples[2], 0), other);
    assert_null(allocation_reservation_token(&table, other));
    allocation_retire(&table, other);
    allocation_retire(&table, one);
    allocation_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_as_it_was_whatever_its_families, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(is_found_by_five_tuple_and_id_while_it_lives, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_part_of_the_five_tuple_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_and_its_room_come_back_with_the_release_not_before,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(each_worker_has_its_own_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reservation_token_is_one_allocations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
