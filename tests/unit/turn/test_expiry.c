// SPDX-License-Identifier: BSD-3-Clause
// turn/expiry.h.
#include "turn/expiry.h"

#include "turn_fixture.h"

#include <errno.h>

static int setup(void **state)
{
    static const uint64_t counts[EXPIRY_KIND_COUNT] = {4, 4, 4, 4, 4, 4};
    struct expiry *expiry = test_malloc(sizeof(*expiry));
    assert_int_equal(expiry_init(expiry, counts, 3600), 0);
    *state = expiry;
    return 0;
}

static int teardown(void **state)
{
    expiry_done(*state);
    test_free(*state);
    return 0;
}

static struct turn_time at_ms(uint64_t monotonic_ms)
{
    return (struct turn_time){.monotonic_ms = monotonic_ms};
}

static void says_kind_and_index_of_what_is_due(void **state)
{
    struct expiry *expiry = *state;
    struct turn_time now = at_ms(5000);
    for (unsigned kind = 0; kind < EXPIRY_KIND_COUNT; kind++) {
        for (uint32_t index = 0; index < 4; index += 3) {
            enum expiry_kind due_kind;
            uint32_t due_index;
            expiry_set(expiry, (enum expiry_kind)kind, index, &now, 10);
            now.monotonic_ms += 10000;
            assert_true(expiry_pop(expiry, &now, &due_kind, &due_index));
            assert_int_equal(due_kind, kind);
            assert_int_equal(due_index, index);
            assert_false(expiry_pop(expiry, &now, &due_kind, &due_index));
        }
    }
}

static void lasts_the_lifetime_and_less_than_a_second_more(void **state)
{
    struct expiry *expiry = *state;
    enum expiry_kind kind;
    uint32_t index;
    for (uint64_t start_ms = 100000000; start_ms < 100001000; start_ms += 333) {
        struct turn_time now = at_ms(start_ms);
        expiry_set(expiry, EXPIRY_PERMISSION, 1, &now, 300);
        uint64_t due_ms = expiry_next_ms(expiry);
        assert_in_range(due_ms, start_ms + 300000, start_ms + 300999);
        assert_true(due_ms == expiry_due_ms(expiry, EXPIRY_PERMISSION, 1));
        now = at_ms(due_ms - 1);
        assert_false(expiry_pop(expiry, &now, &kind, &index));
        now = at_ms(due_ms);
        assert_true(expiry_pop(expiry, &now, &kind, &index));
    }
}

static void counts_the_seconds_that_are_left(void **state)
{
    struct expiry *expiry = *state;
    struct turn_time now = at_ms(100000500);
    expiry_set(expiry, EXPIRY_RELAYED_V4, 0, &now, 600);
    assert_int_equal(expiry_left_s(expiry, EXPIRY_RELAYED_V4, 0, &now), 600);
    now.monotonic_ms += 10000;
    assert_int_equal(expiry_left_s(expiry, EXPIRY_RELAYED_V4, 0, &now), 590);
    now.monotonic_ms += 600000;
    assert_int_equal(expiry_left_s(expiry, EXPIRY_RELAYED_V4, 0, &now), 0);
}

static void what_is_cancelled_is_never_due(void **state)
{
    struct expiry *expiry = *state;
    struct turn_time now = at_ms(1000);
    expiry_set(expiry, EXPIRY_CHANNEL, 2, &now, 600);
    expiry_cancel(expiry, EXPIRY_CHANNEL, 2);
    assert_true(expiry_next_ms(expiry) == UINT64_MAX);
}

static void refuses_more_timers_than_can_be_numbered(void **state)
{
    (void)state;
    static const uint64_t counts[EXPIRY_KIND_COUNT] = {1u << 29, 1u << 29, 1, 0};
    struct expiry expiry;
    assert_int_equal(expiry_init(&expiry, counts, 3600), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_kind_and_index_of_what_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(lasts_the_lifetime_and_less_than_a_second_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(counts_the_seconds_that_are_left, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_cancelled_is_never_due, setup, teardown),
        cmocka_unit_test(refuses_more_timers_than_can_be_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
