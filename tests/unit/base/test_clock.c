// SPDX-License-Identifier: BSD-3-Clause
// The clocks, over a faked clock_gettime.
#include "base/clock.h"

#include "support.h"

#include <time.h>

static struct timespec monotonic;
static struct timespec wall;

// Takes the C library's place in this executable.
int clock_gettime(clockid_t id, struct timespec *time)
{
    *time = id == CLOCK_MONOTONIC ? monotonic : wall;
    return 0;
}

static void counts_whole_milliseconds_of_the_monotonic_clock(void **state)
{
    (void)state;
    monotonic = (struct timespec){.tv_sec = 12, .tv_nsec = 345999999};
    wall = (struct timespec){.tv_sec = 99};
    assert_int_equal(clock_monotonic_ms(), 12345);
    assert_int_equal(clock_monotonic_us(), 12345999);
}

static void does_not_wrap_after_49_days_of_milliseconds(void **state)
{
    (void)state;
    monotonic = (struct timespec){.tv_sec = 5000000, .tv_nsec = 1000000};
    assert_true(clock_monotonic_ms() == 5000000001u);
}

static void reads_the_wall_clock_in_whole_seconds(void **state)
{
    (void)state;
    monotonic = (struct timespec){.tv_sec = 1};
    wall = (struct timespec){.tv_sec = 4294967296, .tv_nsec = 999999999};
    assert_true(clock_wall_s() == 4294967296u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_whole_milliseconds_of_the_monotonic_clock),
        cmocka_unit_test(does_not_wrap_after_49_days_of_milliseconds),
        cmocka_unit_test(reads_the_wall_clock_in_whole_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
