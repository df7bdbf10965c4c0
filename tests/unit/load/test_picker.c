// SPDX-License-Identifier: BSD-3-Clause
// bench/load/picker.h.
#include "picker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 10
#define DRAWS 200000

static uint32_t drawn[COUNT];

static void draw(double exponent)
{
    struct picker picker;
    memset(drawn, 0, sizeof(drawn));
    assert_int_equal(picker_init(&picker, COUNT, exponent, 5), 0);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t flow = picker_draw(&picker);
        assert_in_range(flow, 0, COUNT - 1);
        drawn[flow]++;
    }
    picker_done(&picker);
}

static int more_first(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left < right) - (left > right);
}

static void assert_near(uint32_t count, double expected)
{
    assert_true(count > expected * 0.95 && count < expected * 1.05);
}

static void uniform_draws_all_alike(void **state)
{
    (void)state;
    draw(0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_near(drawn[i], (double)DRAWS / COUNT);
}

static void by_zipf_the_second_comes_half_as_often_and_the_third_a_third(void **state)
{
    (void)state;
    double sum = 0;
    for (unsigned rank = 1; rank <= COUNT; rank++)
        sum += 1.0 / rank;
    draw(1);
    qsort(drawn, COUNT, sizeof(drawn[0]), more_first);
    for (unsigned rank = 1; rank <= COUNT; rank++)
        assert_near(drawn[rank - 1], DRAWS / sum / rank);
}

static void the_popular_are_not_the_first_of_the_table(void **state)
{
    (void)state;
    bool in_order = true;
    draw(1);
    for (unsigned i = 1; i < COUNT; i++)
        in_order &= drawn[i] <= drawn[i - 1];
    assert_false(in_order);
}

static void one_flow_is_always_drawn(void **state)
{
    (void)state;
    for (unsigned exponent = 0; exponent < 2; exponent++) {
        struct picker picker;
        assert_int_equal(picker_init(&picker, 1, exponent, 9), 0);
        assert_int_equal(picker_draw(&picker), 0);
        picker_done(&picker);
    }
}

static void the_same_seed_draws_the_same(void **state)
{
    (void)state;
    struct picker first, second, other;
    unsigned differences = 0;
    assert_int_equal(picker_init(&first, 1000, 1, 7), 0);
    assert_int_equal(picker_init(&second, 1000, 1, 7), 0);
    assert_int_equal(picker_init(&other, 1000, 1, 8), 0);
    for (unsigned i = 0; i < 100; i++) {
        uint32_t flow = picker_draw(&first);
        assert_int_equal(picker_draw(&second), flow);
        differences += picker_draw(&other) != flow;
    }
    assert_true(differences > 50);
    picker_done(&first);
    picker_done(&second);
    picker_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_draws_all_alike),
        cmocka_unit_test(by_zipf_the_second_comes_half_as_often_and_the_third_a_third),
        cmocka_unit_test(the_popular_are_not_the_first_of_the_table),
        cmocka_unit_test(one_flow_is_always_drawn),
        cmocka_unit_test(the_same_seed_draws_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
