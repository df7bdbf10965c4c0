// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/idle.h"

#include "rig.h"

#include <poll.h>
#include <rte_cycles.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

// Between two times that a spinning worker gives its CPU away.
#define GAP_CYCLES 1000000

static struct timespec slept[64];
static struct pollfd waited_for[2];
static unsigned sleep_count, yield_count;

// In place of the C library's: they remember and return at once.
int sched_yield(void)
{
    yield_count++;
    return 0;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *wanted, const sigset_t *signals)
{
    (void)signals;
    assert_int_equal(count, 2);
    memcpy(waited_for, fds, sizeof(waited_for));
    slept[sleep_count++ % 64] = *wanted;
    return 0;
}

static struct idle make(uint32_t sleep_max_us, bool shares_cpu)
{
    const struct idle_config config = {
        .sleep_max_us = sleep_max_us, .packet_fd = 7, .doorbell_fd = 9, .shares_cpu = shares_cpu};
    struct idle idle;
    idle_init(&idle, &config);
    sleep_count = 0;
    yield_count = 0;
    return idle;
}

// Up to the first sleep.
static unsigned spin(struct idle *idle)
{
    unsigned polls = 0;
    while (!idle_found_nothing(idle))
        polls++;
    idle_sleep(idle);
    return polls;
}

static void sleep_again(struct idle *idle, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(idle_found_nothing(idle));
        idle_sleep(idle);
    }
}

static void spins_first_and_then_sleeps_ever_longer_up_to_the_limit(void **state)
{
    (void)state;
    struct idle idle = make(100, false);
    assert_true(spin(&idle) >= 100);
    sleep_again(&idle, 11);
    assert_int_equal(yield_count, 0);
    static const long wanted_ns[12] = {1000,  2000,   4000,   8000,   16000,  32000,
                                       64000, 100000, 100000, 100000, 100000, 100000};
    assert_int_equal(sleep_count, 12);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(slept[i].tv_sec, 0);
        assert_int_equal(slept[i].tv_nsec, wanted_ns[i]);
    }
}

static void work_starts_it_all_over(void **state)
{
    (void)state;
    struct idle idle = make(100, false);
    unsigned polls = spin(&idle);
    sleep_again(&idle, 10);
    idle_found_work(&idle);
    sleep_count = 0;
    assert_int_equal(spin(&idle), polls);
    assert_int_equal(slept[0].tv_nsec, 1000);
}

static void without_a_limit_it_never_sleeps(void **state)
{
    (void)state;
    struct idle idle = make(0, false);
    for (unsigned i = 0; i < 100000; i++)
        assert_false(idle_found_nothing(&idle));
}

static void gives_the_cpu_to_those_it_shares_it_with(void **state)
{
    (void)state;
    struct idle idle = make(100, true);
    unsigned polls = spin(&idle);
    assert_int_equal(yield_count, polls);
    assert_in_range(polls, 1, 99);
    assert_int_equal(slept[0].tv_nsec, 100000); // who has something for it wakes it
}

static void one_that_never_sleeps_gives_its_cpu_away_now_and_then(void **state)
{
    (void)state;
    const struct idle_config config = {
        .packet_fd = 7, .doorbell_fd = 9, .tsc_hz = 250 * GAP_CYCLES, .shares_cpu = true};
    struct idle idle;
    uint64_t started, ended;

    idle_init(&idle, &config);
    yield_count = 0;
    started = rte_rdtsc();
    do {
        assert_false(idle_found_nothing(&idle));
        ended = rte_rdtsc();
    } while (ended < started + 10 * GAP_CYCLES);
    // However long others had the CPU meanwhile.
    assert_in_range(yield_count, 1, (ended - started) / GAP_CYCLES + 1);
}

static void sleeps_briefly_at_first_where_no_packet_wakes_it(void **state)
{
    (void)state;
    const struct idle_config config = {
        .sleep_max_us = 100, .packet_fd = -1, .doorbell_fd = 9, .shares_cpu = true};
    struct idle idle;
    sleep_count = 0;
    idle_init(&idle, &config);
    (void)spin(&idle);
    assert_int_equal(slept[0].tv_nsec, 1000);
}

static void need_not_look_up_while_it_is_told_of_all(void **state)
{
    (void)state;
    struct idle_config config = {
        .sleep_max_us = 100, .packet_fd = 7, .doorbell_fd = 9, .is_told_of_all = true};
    struct idle idle;
    sleep_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        config.shares_cpu = i == 1;
        idle_init(&idle, &config);
        (void)spin(&idle);
        sleep_again(&idle, 10);
    }
    assert_int_equal(slept[10].tv_nsec, 100000); // a CPU of its own
    for (unsigned i = 11; i < 22; i++)
        assert_int_equal(slept[i].tv_nsec, 20000000);
    config.sleep_max_us = 30000; // a longer one is as it was asked for
    idle_init(&idle, &config);
    (void)spin(&idle);
    assert_int_equal(slept[22].tv_nsec, 30000000);
    config.sleep_max_us = 0;
    idle_init(&idle, &config);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(idle_found_nothing(&idle));
}

static void a_sleep_ends_when_a_packet_comes_or_the_doorbell_rings(void **state)
{
    (void)state;
    struct idle idle = make(100, false);
    (void)spin(&idle);
    assert_int_equal(waited_for[0].fd, 7);
    assert_int_equal(waited_for[0].events, POLLIN);
    assert_int_equal(waited_for[1].fd, 9);
    assert_int_equal(waited_for[1].events, POLLIN);
}

static void long_sleeps_are_told_in_seconds(void **state)
{
    (void)state;
    struct idle idle = make(2500000, false);
    (void)spin(&idle);
    sleep_again(&idle, 30);
    assert_int_equal(slept[30].tv_sec, 2);
    assert_int_equal(slept[30].tv_nsec, 500000000);
}

static void asks_for_sleeps_as_short_as_wished(void **state)
{
    (void)state;
    (void)make(100, false);
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spins_first_and_then_sleeps_ever_longer_up_to_the_limit),
        cmocka_unit_test(work_starts_it_all_over),
        cmocka_unit_test(without_a_limit_it_never_sleeps),
        cmocka_unit_test(gives_the_cpu_to_those_it_shares_it_with),
        cmocka_unit_test(one_that_never_sleeps_gives_its_cpu_away_now_and_then),
        cmocka_unit_test(sleeps_briefly_at_first_where_no_packet_wakes_it),
        cmocka_unit_test(need_not_look_up_while_it_is_told_of_all),
        cmocka_unit_test(a_sleep_ends_when_a_packet_comes_or_the_doorbell_rings),
        cmocka_unit_test(long_sleeps_are_told_in_seconds),
        cmocka_unit_test(asks_for_sleeps_as_short_as_wished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
