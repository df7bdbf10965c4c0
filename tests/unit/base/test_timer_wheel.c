// SPDX-License-Identifier: BSD-3-Clause
// base/timer_wheel.h.
#include "base/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMERS 100
#define SPAN_S 60
#define START  1000000

static int setup(void **state)
{
    struct timer_wheel *wheel = test_malloc(sizeof(*wheel));
    assert_int_equal(timer_wheel_init(wheel, TIMERS, SPAN_S), 0);
    *state = wheel;
    return 0;
}

static int teardown(void **state)
{
    timer_wheel_done(*state);
    test_free(*state);
    return 0;
}

static void expires_at_its_second_and_not_before(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 7, START, START + 30);
    assert_true(timer_wheel_runs(wheel, 7));
    assert_int_equal(timer_wheel_next_s(wheel), START + 30);
    assert_int_equal(timer_wheel_pop(wheel, START + 29), INDEX_NONE);
    assert_int_equal(timer_wheel_pop(wheel, START + 30), 7);
    assert_int_equal(timer_wheel_pop(wheel, START + 30), INDEX_NONE);
    assert_false(timer_wheel_runs(wheel, 7));
    assert_true(timer_wheel_next_s(wheel) == UINT64_MAX);
}

static void expires_in_order_of_deadline(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 1, START, START + 50);
    timer_wheel_set(wheel, 2, START, START + 10);
    timer_wheel_set(wheel, 3, START, START + 30);
    assert_int_equal(timer_wheel_pop(wheel, START + 100), 2);
    assert_int_equal(timer_wheel_next_s(wheel), START + 30);
    assert_int_equal(timer_wheel_pop(wheel, START + 100), 3);
    assert_int_equal(timer_wheel_pop(wheel, START + 100), 1);
    assert_int_equal(timer_wheel_pop(wheel, START + 100), INDEX_NONE);
}

static void a_moved_timer_expires_once_at_its_new_time(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 1, START, START + 10);
    timer_wheel_set(wheel, 1, START + 5, START + 40);
    assert_int_equal(timer_wheel_deadline_s(wheel, 1), START + 40);
    assert_int_equal(timer_wheel_pop(wheel, START + 39), INDEX_NONE);
    assert_int_equal(timer_wheel_pop(wheel, START + 40), 1);
    assert_int_equal(timer_wheel_pop(wheel, START + 90), INDEX_NONE);
}

static void a_cancelled_timer_never_expires(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 1, START, START + 10); // the middle of three in one slot
    timer_wheel_set(wheel, 2, START, START + 10);
    timer_wheel_set(wheel, 3, START, START + 10);
    timer_wheel_cancel(wheel, 2);
    timer_wheel_cancel(wheel, 2);
    uint32_t first = timer_wheel_pop(wheel, START + 10);
    uint32_t second = timer_wheel_pop(wheel, START + 10);
    assert_int_equal(first + second, 4);
    assert_int_not_equal(first, second);
    assert_int_equal(timer_wheel_pop(wheel, START + 200), INDEX_NONE);
}

static void a_timer_beyond_the_span_waits_its_time(void **state)
{
    struct timer_wheel *wheel = *state;
    uint32_t deadline_s = START + 1000;
    timer_wheel_set(wheel, 1, START, deadline_s);
    assert_true(timer_wheel_next_s(wheel) <= deadline_s);
    for (uint32_t now_s = START; now_s < deadline_s; now_s++) {
        assert_int_equal(timer_wheel_pop(wheel, now_s), INDEX_NONE);
        assert_true(timer_wheel_next_s(wheel) > now_s);
    }
    assert_int_equal(timer_wheel_pop(wheel, deadline_s), 1);
}

static void a_deadline_in_the_past_is_due_at_once(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 1, START, START + 30);
    assert_int_equal(timer_wheel_pop(wheel, START + 20), INDEX_NONE);
    timer_wheel_set(wheel, 2, START + 20, START + 5);
    assert_int_equal(timer_wheel_next_s(wheel), START + 20);
    assert_int_equal(timer_wheel_pop(wheel, START + 20), 2);
    assert_int_equal(timer_wheel_pop(wheel, START + 20), INDEX_NONE);
}

static void within_the_span_it_names_the_very_second(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 1, START, START + SPAN_S);
    assert_int_equal(timer_wheel_pop(wheel, START + 50), INDEX_NONE);
    timer_wheel_set(wheel, 2, START + 50, START + 50 + SPAN_S);
    timer_wheel_cancel(wheel, 1);
    assert_int_equal(timer_wheel_next_s(wheel), START + 50 + SPAN_S);
}

static void a_span_of_any_length_makes_a_wheel(void **state)
{
    struct timer_wheel wheel;
    (void)state;
    assert_int_equal(timer_wheel_init(&wheel, 1, UINT32_MAX), 0);
    timer_wheel_set(&wheel, 0, START, START + 1000000);
    assert_true(timer_wheel_next_s(&wheel) <= START + 1000000);
    assert_int_equal(timer_wheel_pop(&wheel, START + 999999), INDEX_NONE);
    assert_int_equal(timer_wheel_pop(&wheel, START + 1000000), 0);
    timer_wheel_done(&wheel);
}

static void late_popping_loses_and_delays_nothing(void **state)
{
    struct timer_wheel *wheel = *state;
    timer_wheel_set(wheel, 1, START, START + 1);
    // Nobody pops for an hour, and new timers are set meanwhile.
    timer_wheel_set(wheel, 2, START + 3600, START + 3600 + 20);
    timer_wheel_set(wheel, 3, START + 3600, START + 3600 + 60);
    assert_int_equal(timer_wheel_pop(wheel, START + 3600), 1);
    assert_int_equal(timer_wheel_pop(wheel, START + 3619), INDEX_NONE);
    assert_int_equal(timer_wheel_pop(wheel, START + 3620), 2);
    assert_int_equal(timer_wheel_pop(wheel, START + 3659), INDEX_NONE);
    assert_int_equal(timer_wheel_pop(wheel, START + 3660), 3);
}

static void agrees_with_a_plain_list_through_random_use(void **state)
{
    struct timer_wheel *wheel = *state;
    uint32_t deadlines[TIMERS] = {0}; // 0: idle
    uint32_t now_s = START;
    unsigned seed = 1;
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t timer = (uint32_t)rand_r(&seed) % TIMERS;
        unsigned action = (unsigned)rand_r(&seed) % 8;
        if (action < 4) {
            deadlines[timer] = now_s + 1 + (uint32_t)rand_r(&seed) % 150;
            timer_wheel_set(wheel, timer, now_s, deadlines[timer]);
        } else if (action < 5) {
            deadlines[timer] = 0;
            timer_wheel_cancel(wheel, timer);
        } else {
            uint32_t popped;
            now_s += (uint32_t)rand_r(&seed) % (action == 7 ? 200 : 3);
            while ((popped = timer_wheel_pop(wheel, now_s)) != INDEX_NONE) {
                assert_int_not_equal(deadlines[popped], 0);
                assert_true(deadlines[popped] <= now_s);
                deadlines[popped] = 0;
            }
            for (unsigned i = 0; i < TIMERS; i++)
                assert_true(deadlines[i] == 0 || deadlines[i] > now_s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(expires_at_its_second_and_not_before, setup, teardown),
        cmocka_unit_test_setup_teardown(expires_in_order_of_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_moved_timer_expires_once_at_its_new_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_timer_never_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_beyond_the_span_waits_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadline_in_the_past_is_due_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(within_the_span_it_names_the_very_second, setup, teardown),
        cmocka_unit_test(a_span_of_any_length_makes_a_wheel),
        cmocka_unit_test_setup_teardown(late_popping_loses_and_delays_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(agrees_with_a_plain_list_through_random_use, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
