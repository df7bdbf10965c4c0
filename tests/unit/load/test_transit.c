// SPDX-License-Identifier: BSD-3-Clause
// bench/load/transit.h.
#include "transit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void no_more_are_on_their_way_than_the_limit(void **state)
{
    (void)state;
    struct transit transit;
    transit_begin(&transit, 100, 5000, 4990, 0);
    assert_int_equal(transit_room(&transit, 5000, 4990, 64), 64);
    assert_int_equal(transit_room(&transit, 5064, 4990, 64), 36);
    assert_int_equal(transit_room(&transit, 5100, 4990, 64), 0);
    assert_int_equal(transit_room(&transit, 5108, 4990, 64), 0);
    assert_int_equal(transit_room(&transit, 5100, 4991, 64), 1);
}

static void what_was_lost_stays_on_its_way(void **state)
{
    (void)state;
    struct transit transit;
    transit_begin(&transit, 100, 0, 0, 0);
    assert_int_equal(transit_room(&transit, 1000, 970, 100), 70);
}

static void without_a_limit_there_is_always_room(void **state)
{
    (void)state;
    struct transit transit;
    transit_begin(&transit, 0, 0, 0, 0);
    assert_int_equal(transit_room(&transit, UINT32_MAX, 0, 64), 64);
}

static void frames_that_nobody_sent_make_no_room(void **state)
{
    (void)state;
    struct transit transit;
    transit_begin(&transit, 100, 10, 10, 0);
    assert_int_equal(transit_room(&transit, 10, 15, 200), 100);
    transit_note(&transit, 10, 15, 1);
    assert_int_equal(transit.most, 0);
}

static void the_most_and_the_longest_are_kept(void **state)
{
    (void)state;
    struct transit transit;
    transit_begin(&transit, 0, 100, 90, 1000);
    transit_note(&transit, 130, 90, 1010);
    transit_note(&transit, 140, 125, 1500);
    transit_note(&transit, 140, 130, 1510);
    assert_int_equal(transit.most, 30);
    assert_int_equal(transit.longest_away, 490);
    transit_begin(&transit, 0, 140, 130, 9000);
    assert_int_equal(transit.most, 0);
    assert_int_equal(transit.longest_away, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_are_on_their_way_than_the_limit),
        cmocka_unit_test(what_was_lost_stays_on_its_way),
        cmocka_unit_test(without_a_limit_there_is_always_room),
        cmocka_unit_test(frames_that_nobody_sent_make_no_room),
        cmocka_unit_test(the_most_and_the_longest_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
