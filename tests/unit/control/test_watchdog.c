// SPDX-License-Identifier: BSD-3-Clause
// Claims about who is found to be stuck, and when. Time is the test's.
#include "control/watchdog.h"

#include "base/clock.h"
#include "base/log.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORKERS 3

static uint64_t now_ms;
static char logged[512]; // "event worker level\n" for each line

uint64_t clock_monotonic_ms(void)
{
    return now_ms;
}

void log_event(enum log_level level, const char *event, ...)
{
    size_t len = strlen(logged);
    va_list pairs;

    va_start(pairs, event);
    assert_string_equal(va_arg(pairs, const char *), "worker");
    snprintf(logged + len, sizeof(logged) - len, "%s %s %d\n", event, va_arg(pairs, const char *),
             level);
    va_end(pairs);
}

struct fixture {
    struct worker_counters counters[WORKERS];
    struct plane plane;
    struct event_base *base;
    struct watchdog *watchdog;
    unsigned calls;
};

static void on_stuck(void *context)
{
    ((struct fixture *)context)->calls++;
}

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(128, (sizeof(*fixture) + 127) / 128 * 128);

    if (!fixture)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    now_ms = 1000;
    logged[0] = '\0';
    fixture->plane.config.worker_count = WORKERS;
    fixture->plane.counters = fixture->counters;
    fixture->base = event_base_new();
    *state = fixture;
    return watchdog_create(
        &(struct watchdog_config){fixture->base, &fixture->plane, on_stuck, fixture},
        &fixture->watchdog);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    watchdog_destroy(fixture->watchdog);
    event_base_free(fixture->base);
    free(fixture);
    return 0;
}

// All but the workers whose bits are set go round meanwhile.
static void pass(struct fixture *fixture, unsigned ms, unsigned still)
{
    for (; ms >= WATCHDOG_INTERVAL_MS; ms -= WATCHDOG_INTERVAL_MS) {
        now_ms += WATCHDOG_INTERVAL_MS;
        for (unsigned i = 0; i < WORKERS; i++) {
            if ((still & 1u << i) == 0)
                fixture->counters[i].idle_polls++;
        }
        watchdog_look(fixture->watchdog, now_ms);
    }
}

static void a_worker_that_stands_still_is_found_within_half_a_second(void **state)
{
    struct fixture *fixture = *state;

    pass(fixture, 1000, 0);
    assert_int_equal(watchdog_stuck_count(fixture->watchdog), 0);
    pass(fixture, WATCHDOG_STUCK_MS - WATCHDOG_INTERVAL_MS, 1u << 1);
    assert_false(watchdog_worker_is_stuck(fixture->watchdog, 1));
    pass(fixture, WATCHDOG_INTERVAL_MS, 1u << 1);
    assert_true(watchdog_worker_is_stuck(fixture->watchdog, 1));
    assert_false(watchdog_worker_is_stuck(fixture->watchdog, 0));
    assert_false(watchdog_worker_is_stuck(fixture->watchdog, 2));
    assert_int_equal(watchdog_stuck_count(fixture->watchdog), 1);
    assert_true(WATCHDOG_STUCK_MS + WATCHDOG_INTERVAL_MS < 500);
}

static void it_is_said_once_and_so_is_its_recovery(void **state)
{
    struct fixture *fixture = *state;

    pass(fixture, 5000, 1u << 2);
    assert_string_equal(logged, "worker_stuck 2 0\n");
    assert_int_equal(fixture->calls, 1);
    fixture->counters[2].busy_polls++;
    pass(fixture, 1000, 0);
    assert_string_equal(logged, "worker_stuck 2 0\nworker_recovered 2 1\n");
    assert_int_equal(watchdog_stuck_count(fixture->watchdog), 0);
    assert_int_equal(fixture->calls, 1);
    pass(fixture, 1000, 1u << 0 | 1u << 1);
    assert_int_equal(watchdog_stuck_count(fixture->watchdog), 2);
    assert_int_equal(fixture->calls, 2);
}

static void a_worker_that_goes_round_now_and_then_is_not_stuck(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 20; i++) {
        pass(fixture, WATCHDOG_STUCK_MS - WATCHDOG_INTERVAL_MS, 7);
        pass(fixture, WATCHDOG_INTERVAL_MS, 0);
    }
    assert_string_equal(logged, "");
}

static void a_machine_that_stood_still_accuses_nobody(void **state)
{
    struct fixture *fixture = *state;

    now_ms += 60000;
    assert_true(watchdog_is_late(fixture->watchdog, now_ms));
    watchdog_look(fixture->watchdog, now_ms);
    assert_string_equal(logged, "");
    assert_false(watchdog_is_late(fixture->watchdog, now_ms));
    assert_false(watchdog_is_late(fixture->watchdog, now_ms + WATCHDOG_LATE_MS));
    assert_true(watchdog_is_late(fixture->watchdog, now_ms + WATCHDOG_LATE_MS + 1));
}

static void it_is_counted_how_late_the_control_thread_is(void **state)
{
    static const struct {
        unsigned late_ms, bucket;
    } cases[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {50, 5}, {51, 6}, {500, 8}, {501, 9}, {60000, 9}};
    struct fixture *fixture = *state;
    const struct watchdog_delays *delays = watchdog_get_delays(fixture->watchdog);
    uint64_t sum_ms = 0;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = delays->counts[cases[i].bucket];

        now_ms += WATCHDOG_INTERVAL_MS + cases[i].late_ms;
        sum_ms += cases[i].late_ms;
        watchdog_look(fixture->watchdog, now_ms);
        assert_int_equal(delays->counts[cases[i].bucket], before + 1);
        assert_int_equal(delays->sum_ms, sum_ms);
    }
    // After a late one the next may come early, and is not late.
    now_ms += 1;
    watchdog_look(fixture->watchdog, now_ms);
    assert_int_equal(delays->sum_ms, sum_ms);
    for (unsigned i = 0; i < WATCHDOG_DELAY_BOUNDS; i++)
        assert_true(strtod(watchdog_delay_bounds[i], NULL) > 0);
}

static void the_event_base_has_it_look(void **state)
{
    struct fixture *fixture = *state;
    const struct timeval second = {.tv_sec = 1};

    now_ms += 10000;
    event_base_loopexit(fixture->base, &second);
    while (watchdog_is_late(fixture->watchdog, now_ms) && !event_base_got_exit(fixture->base))
        event_base_loop(fixture->base, EVLOOP_ONCE);
    assert_false(watchdog_is_late(fixture->watchdog, now_ms));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_worker_that_stands_still_is_found_within_half_a_second),
        CASE(it_is_said_once_and_so_is_its_recovery),
        CASE(a_worker_that_goes_round_now_and_then_is_not_stuck),
        CASE(a_machine_that_stood_still_accuses_nobody),
        CASE(it_is_counted_how_late_the_control_thread_is),
        CASE(the_event_base_has_it_look),
    };

    return cmocka_run_group_tests_name("control/watchdog", tests, NULL, NULL);
}
