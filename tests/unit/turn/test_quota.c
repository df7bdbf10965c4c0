// SPDX-License-Identifier: BSD-3-Clause
// turn/quota.h.
#include "turn/quota.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static void allows_as_many_as_the_limit_and_counts_each_user_alone(void **state)
{
    (void)state;
    struct quota quota;
    assert_int_equal(quota_init(&quota, 10, 2, &key), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
        assert_int_not_equal(quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice")), INDEX_NONE);
    }
    assert_false(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
    assert_true(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("bob")));
    quota_done(&quota);
}

static void giving_one_back_makes_room_for_one(void **state)
{
    (void)state;
    struct quota quota;
    assert_int_equal(quota_init(&quota, 10, 1, &key), 0);
    uint32_t alice = quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    assert_false(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
    quota_give(&quota, QUOTA_ALLOCATIONS, alice);
    assert_true(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
    quota_done(&quota);
}

static void reservations_are_counted_beside_allocations(void **state)
{
    (void)state;
    struct quota quota;
    assert_int_equal(quota_init(&quota, 10, 1, &key), 0);
    uint32_t alice = quota_take(&quota, QUOTA_RESERVATIONS, text_span("alice"));
    assert_true(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
    assert_false(quota_allows(&quota, QUOTA_RESERVATIONS, text_span("alice")));
    assert_int_equal(quota.allocating_count, 0);
    assert_int_equal(quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice")), alice);
    assert_int_equal(quota.allocating_count, 1);
    quota_give(&quota, QUOTA_RESERVATIONS, alice);
    assert_int_equal(quota.allocating_count, 1);
    quota_give(&quota, QUOTA_ALLOCATIONS, alice);
    assert_int_equal(quota.allocating_count, 0);
    quota_done(&quota);
}

static void no_limit_allows_any_number(void **state)
{
    (void)state;
    struct quota quota;
    assert_int_equal(quota_init(&quota, 1, 0, &key), 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
        quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    }
    assert_int_equal(quota_take(&quota, QUOTA_ALLOCATIONS, text_span("bob")),
                     INDEX_NONE); // the table is full
    quota_done(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows_as_many_as_the_limit_and_counts_each_user_alone),
        cmocka_unit_test(giving_one_back_makes_room_for_one),
        cmocka_unit_test(reservations_are_counted_beside_allocations),
        cmocka_unit_test(no_limit_allows_any_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
