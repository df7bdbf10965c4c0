// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/idle.h"

#include "rig.h"

#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

static struct timespec slept[64];
static struct pollfd waited_for;
static unsigned sleep_count;

// In place of the C library's: remembers and returns at once.
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *wanted, const sigset_t *signals)
{
    (void)signals;
    assert_int_equal(count, 1);
    waited_for = fds[0];
    slept[sleep_count++ % 64] = *wanted;
    return 0;
}

static unsigned spin(struct idle *idle)
{
    unsigned polls = 0;
    sleep_count = 0;
    while (!idle_found_nothing(idle))
        polls++;
    return polls;
}

static void spins_first_and_then_sleeps_ever_longer_up_to_the_limit(void **state)
{
    (void)state;
    struct idle idle;
    idle_init(&idle, 100, -1);
    assert_true(spin(&idle) >= 100);
    for (unsigned i = 1; i < 12; i++)
        assert_true(idle_found_nothing(&idle));
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
    struct idle idle;
    idle_init(&idle, 100, -1);
    unsigned polls = spin(&idle);
    for (unsigned i = 0; i < 10; i++)
        (void)idle_found_nothing(&idle);
    idle_found_work(&idle);
    assert_int_equal(spin(&idle), polls);
    assert_int_equal(slept[0].tv_nsec, 1000);
}

static void without_a_limit_it_never_sleeps(void **state)
{
    (void)state;
    struct idle idle;
    sleep_count = 0;
    idle_init(&idle, 0, -1);
    for (unsigned i = 0; i < 100000; i++)
        assert_false(idle_found_nothing(&idle));
    assert_int_equal(sleep_count, 0);
}

static void a_sleep_ends_when_a_packet_comes(void **state)
{
    (void)state;
    struct idle idle;
    idle_init(&idle, 100, 7);
    (void)spin(&idle);
    assert_int_equal(waited_for.fd, 7);
    assert_int_equal(waited_for.events, POLLIN);
}

static void long_sleeps_are_told_in_seconds(void **state)
{
    (void)state;
    struct idle idle;
    idle_init(&idle, 2500000, -1);
    (void)spin(&idle);
    for (unsigned i = 0; i < 30; i++)
        (void)idle_found_nothing(&idle);
    assert_int_equal(slept[30].tv_sec, 2);
    assert_int_equal(slept[30].tv_nsec, 500000000);
}

static void asks_for_sleeps_as_short_as_wished(void **state)
{
    (void)state;
    struct idle idle;
    idle_init(&idle, 100, -1);
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spins_first_and_then_sleeps_ever_longer_up_to_the_limit),
        cmocka_unit_test(work_starts_it_all_over),
        cmocka_unit_test(without_a_limit_it_never_sleeps),
        cmocka_unit_test(a_sleep_ends_when_a_packet_comes),
        cmocka_unit_test(long_sleeps_are_told_in_seconds),
        cmocka_unit_test(asks_for_sleeps_as_short_as_wished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
