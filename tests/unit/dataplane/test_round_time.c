// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/round_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// 1000 cycles are a time unit.
#define TSC_HZ UINT64_C(4000000000)

struct fixture {
    struct round_time round;
    struct worker_counters counters;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    round_time_init(&fixture.round, TSC_HZ);
    *state = &fixture;
    return 0;
}

static uint64_t sum(const struct worker_times *times)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < COUNTERS_TIME_BUCKETS; i++)
        count += times->buckets[i];
    return count;
}

static void a_bucket_ends_where_its_time_is_doubled(void **state)
{
    struct fixture *fixture = *state;
    uint64_t end_tsc = 1000;

    assert_int_equal(round_time_bucket(&fixture->round, 0), 0);
    // The scale is rounded down, so that a bucket may end a cycle or two late.
    for (unsigned bucket = 0; bucket + 1 < COUNTERS_TIME_BUCKETS; bucket++, end_tsc *= 2) {
        assert_int_equal(round_time_bucket(&fixture->round, end_tsc - 1), bucket);
        assert_int_equal(round_time_bucket(&fixture->round, end_tsc + end_tsc / 256), bucket + 1);
    }
    assert_int_equal(round_time_bucket(&fixture->round, 600 * TSC_HZ), COUNTERS_TIME_BUCKETS - 1);
}

static void time_is_work_where_the_round_found_some(void **state)
{
    struct fixture *fixture = *state;

    fixture->round.is_busy = true;
    round_time_end(&fixture->round, &fixture->counters, 700);
    fixture->round.is_busy = false;
    round_time_end(&fixture->round, &fixture->counters, 30000);
    round_time_end(&fixture->round, &fixture->counters, 1);
    assert_int_equal(fixture->counters.busy_tsc, 700);
    assert_int_equal(fixture->counters.idle_tsc, 30001);
    assert_int_equal(sum(&fixture->counters.direct), 0);
    assert_int_equal(sum(&fixture->counters.handed), 0);
}

static void every_frame_of_a_round_was_there_for_all_of_it(void **state)
{
    struct fixture *fixture = *state;

    fixture->round.received = 7;
    round_time_end(&fixture->round, &fixture->counters, 1500);
    assert_int_equal(fixture->counters.direct.buckets[1], 7);
    assert_int_equal(sum(&fixture->counters.direct), 7);
    assert_int_equal(fixture->counters.direct.sum_tsc, 7 * 1500);
}

static void the_way_from_another_worker_counts(void **state)
{
    struct fixture *fixture = *state;
    uint64_t now_tsc = UINT64_C(0x123456789abc0);

    round_time_take_handed(&fixture->round, now_tsc, round_time_stamp(now_tsc - 4000), 3);
    fixture->round.received = 2;
    round_time_end(&fixture->round, &fixture->counters, 500);
    assert_int_equal(fixture->counters.direct.buckets[0], 2);
    assert_int_equal(fixture->counters.handed.buckets[3], 3);
    assert_int_equal(fixture->counters.handed.sum_tsc, 3 * 4500);
    round_time_end(&fixture->round, &fixture->counters, 500);
    assert_int_equal(sum(&fixture->counters.handed), 3);
}

static void a_stamp_may_come_from_before_the_clock_went_round(void **state)
{
    struct fixture *fixture = *state;
    uint64_t now_tsc = (UINT64_C(1) << (32 + ROUND_TIME_STAMP_SHIFT)) + 800;

    round_time_take_handed(&fixture->round, now_tsc, round_time_stamp(now_tsc - 4000), 1);
    assert_int_equal(fixture->round.handed_wait_tsc, 4000);
}

static void a_clock_that_is_behind_the_others_takes_nothing_off(void **state)
{
    struct fixture *fixture = *state;

    round_time_take_handed(&fixture->round, 100000, round_time_stamp(100200), 1);
    assert_int_equal(fixture->round.handed_wait_tsc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_bucket_ends_where_its_time_is_doubled, set_up),
        cmocka_unit_test_setup(time_is_work_where_the_round_found_some, set_up),
        cmocka_unit_test_setup(every_frame_of_a_round_was_there_for_all_of_it, set_up),
        cmocka_unit_test_setup(the_way_from_another_worker_counts, set_up),
        cmocka_unit_test_setup(a_stamp_may_come_from_before_the_clock_went_round, set_up),
        cmocka_unit_test_setup(a_clock_that_is_behind_the_others_takes_nothing_off, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
