// SPDX-License-Identifier: BSD-3-Clause
// bench/load/pacer.h.
#include "pacer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HZ 2600000000u

static void a_second_has_as_many_as_the_rate_says(void **state)
{
    (void)state;
    const uint64_t rates[] = {1, 7, 1000, 333333, 14880952};
    for (unsigned i = 0; i < 5; i++) {
        struct pacer pacer;
        uint64_t taken = 0;
        pacer_init(&pacer, HZ, rates[i], 10, 1000);
        // Steps that divide neither the second nor the time between two packets.
        for (uint64_t now = 0; now < HZ; now += 2477)
            taken += pacer_take(&pacer, 1000 + now, 1000);
        taken += pacer_take(&pacer, 1000 + (uint64_t)HZ, 1000);
        assert_int_equal(taken, rates[i]);
        assert_int_equal(pacer.skipped, 0);
    }
}

static void nothing_drifts_in_an_hour(void **state)
{
    (void)state;
    struct pacer pacer;
    uint64_t taken = 0;
    pacer_init(&pacer, HZ, 777, 2000, 0);
    for (unsigned second = 1; second <= 3600; second++)
        taken += pacer_take(&pacer, (uint64_t)second * HZ, 10000);
    assert_int_equal(taken, 777 * 3600);
}

static void packets_are_spread_over_the_second(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, 1000, 100, 1000, 0);
    for (unsigned now = 1; now <= 1000; now++)
        assert_int_equal(pacer_take(&pacer, now, 10), now % 10 == 0);
}

static void what_the_caller_cannot_take_stays_due(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, 1000, 1000, 100, 0);
    assert_int_equal(pacer_take(&pacer, 50, 20), 20);
    assert_int_equal(pacer_take(&pacer, 50, 20), 20);
    assert_int_equal(pacer_take(&pacer, 50, 20), 10);
    assert_int_equal(pacer_take(&pacer, 50, 20), 0);
}

static void a_long_absence_is_skipped_and_counted(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, 1000, 1000, 10, 0);
    assert_int_equal(pacer_take(&pacer, 500, 1000), 10);
    assert_int_equal(pacer.skipped, 490);
    assert_int_equal(pacer_take(&pacer, 501, 1000), 1);
}

static void without_a_rate_the_caller_takes_all_it_can(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_init(&pacer, HZ, 0, 10, 0);
    assert_int_equal(pacer_take(&pacer, 0, 32), 32);
    assert_int_equal(pacer_take(&pacer, 0, 32), 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_has_as_many_as_the_rate_says),
        cmocka_unit_test(nothing_drifts_in_an_hour),
        cmocka_unit_test(packets_are_spread_over_the_second),
        cmocka_unit_test(what_the_caller_cannot_take_stays_due),
        cmocka_unit_test(a_long_absence_is_skipped_and_counted),
        cmocka_unit_test(without_a_rate_the_caller_takes_all_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
