// SPDX-License-Identifier: BSD-3-Clause
// turn/quota.h.
#include "turn/quota.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static void allows_as_many_as_the_limit_and_counts_each_user_alone(void **state)
{
    (void)state;
    struct quota quota;
    assert_int_equal(
        quota_init(&quota, 10, &(struct quota_limits){.per_user = 2, .total = 1000}, &key), 0);
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
    assert_int_equal(
        quota_init(&quota, 10, &(struct quota_limits){.per_user = 1, .total = 1000}, &key), 0);
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
    assert_int_equal(
        quota_init(&quota, 10, &(struct quota_limits){.per_user = 1, .total = 1000}, &key), 0);
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
    assert_int_equal(
        quota_init(&quota, 1, &(struct quota_limits){.per_user = 0, .total = 1000}, &key), 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(quota_allows(&quota, QUOTA_ALLOCATIONS, text_span("alice")));
        quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    }
    assert_int_equal(quota_take(&quota, QUOTA_ALLOCATIONS, text_span("bob")),
                     INDEX_NONE); // the table is full
    quota_done(&quota);
}

static void in_all_there_are_as_many_as_the_total_says(void **state)
{
    (void)state;
    struct quota quota;
    const struct quota_limits limits = {.per_user = 2, .total = 3};
    assert_int_equal(quota_init(&quota, 10, &limits, &key), 0);
    uint32_t alice = quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    assert_int_equal(quota_check(&quota, text_span("alice")), QUOTA_REFUSED_USER);
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_NOT_REFUSED);
    quota_take(&quota, QUOTA_ALLOCATIONS, text_span("bob"));
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_REFUSED_TOTAL);
    assert_int_equal(quota_check(&quota, text_span("alice")), QUOTA_REFUSED_USER);
    assert_false(quota_has_room(&quota));
    quota_take(&quota, QUOTA_RESERVATIONS, text_span("bob")); // takes no allocation's place
    quota_give(&quota, QUOTA_ALLOCATIONS, alice);
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_NOT_REFUSED);
    quota_done(&quota);
}

static void what_is_promised_is_never_more_than_there_is(void **state)
{
    (void)state;
    struct quota quota;
    const struct quota_limits limits = {.total = 10, .max_bps = 1000, .bps_capacity = 2999};
    assert_int_equal(quota_init(&quota, 10, &limits, &key), 0);
    assert_int_equal(quota_allocations_max(&quota), 2);
    quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_NOT_REFUSED);
    quota_take(&quota, QUOTA_ALLOCATIONS, text_span("bob"));
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_REFUSED_BANDWIDTH);
    quota.limits.bps_capacity = 3000;
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_NOT_REFUSED);
    quota.limits.max_bps = 1500; // those that there are take it, too
    assert_int_equal(quota_check(&quota, text_span("bob")), QUOTA_REFUSED_BANDWIDTH);
    quota.limits.max_bps = 0;
    assert_int_equal(quota_allocations_max(&quota), 10);
    quota.limits.bps_capacity = UINT64_C(1) << 50;
    quota.limits.max_bps = 1;
    assert_int_equal(quota_allocations_max(&quota), 10);
    quota_done(&quota);
}

static void a_tag_is_of_a_name_wherever_it_stands(void **state)
{
    (void)state;
    struct quota quota;
    assert_int_equal(quota_init(&quota, 10, &(struct quota_limits){.total = 10}, &key), 0);
    uint32_t alice = quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    uint32_t tag = quota_user_tag(&quota, alice);
    quota_give(&quota, QUOTA_ALLOCATIONS, alice);
    uint32_t bob = quota_take(&quota, QUOTA_ALLOCATIONS, text_span("bob"));
    assert_int_equal(bob, alice);
    assert_int_not_equal(quota_user_tag(&quota, bob), tag);
    alice = quota_take(&quota, QUOTA_ALLOCATIONS, text_span("alice"));
    assert_int_not_equal(alice, bob);
    assert_int_equal(quota_user_tag(&quota, alice), tag);
    quota_done(&quota);
}

static void refusals_have_names(void **state)
{
    (void)state;
    assert_string_equal(quota_refusal_name(QUOTA_REFUSED_USER), "user");
    assert_string_equal(quota_refusal_name(QUOTA_REFUSED_TOTAL), "total");
    assert_string_equal(quota_refusal_name(QUOTA_REFUSED_BANDWIDTH), "bandwidth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows_as_many_as_the_limit_and_counts_each_user_alone),
        cmocka_unit_test(giving_one_back_makes_room_for_one),
        cmocka_unit_test(reservations_are_counted_beside_allocations),
        cmocka_unit_test(no_limit_allows_any_number),
        cmocka_unit_test(in_all_there_are_as_many_as_the_total_says),
        cmocka_unit_test(what_is_promised_is_never_more_than_there_is),
        cmocka_unit_test(a_tag_is_of_a_name_wherever_it_stands),
        cmocka_unit_test(refusals_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
