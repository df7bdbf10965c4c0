// SPDX-License-Identifier: BSD-3-Clause
// bench/load/nap.h.
#include "nap.h"

#include "device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void who_has_a_burst_to_move_stays_awake(void **state)
{
    (void)state;
    struct nap nap;
    nap_init(&nap, 50);
    for (uint64_t frames = DEVICE_BURST; frames < 100 * DEVICE_BURST; frames += DEVICE_BURST)
        assert_false(nap_is_due(&nap, frames));
}

static void less_than_a_burst_is_time_for_a_nap(void **state)
{
    (void)state;
    struct nap nap;
    nap_init(&nap, 50);
    assert_false(nap_is_due(&nap, 1000));
    assert_true(nap_is_due(&nap, 1000));
    assert_true(nap_is_due(&nap, 1000 + DEVICE_BURST - 1));
    assert_false(nap_is_due(&nap, 1000 + 2 * DEVICE_BURST - 1));
}

static void naps_that_nobody_asked_for_are_never_due(void **state)
{
    (void)state;
    struct nap nap;
    nap_init(&nap, 0);
    for (unsigned i = 0; i < 10; i++)
        assert_false(nap_is_due(&nap, 0));
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void a_nap_is_as_long_as_said_and_counted(void **state)
{
    (void)state;
    struct nap nap;
    nap_init(&nap, 2000);
    int64_t began = now_us();
    nap_take(&nap);
    nap_take(&nap);
    assert_true(now_us() - began >= 4000);
    assert_int_equal(nap.taken, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_a_burst_to_move_stays_awake),
        cmocka_unit_test(less_than_a_burst_is_time_for_a_nap),
        cmocka_unit_test(naps_that_nobody_asked_for_are_never_due),
        cmocka_unit_test(a_nap_is_as_long_as_said_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
