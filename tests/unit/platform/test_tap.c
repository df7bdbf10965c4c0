// SPDX-License-Identifier: BSD-3-Clause
// Claims about TAPs, in a network namespace of their own; where that is not permitted, these tests
// are skipped. How a twin uses one, test_twin.c claims.
#include "platform/tap.h"

#include "../exchange/eal_fixture.h"

#include <errno.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "tap0"

static bool permitted;
static struct rte_mempool *pool;

static int group_set_up(void **state)
{
    (void)state;
    permitted = unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
    if (eal_start() != 0)
        return -1;
    pool = rte_pktmbuf_pool_create("tap", 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

static void comes_and_goes_with_its_interface(void **state)
{
    struct tap tap;

    (void)state;
    if (!permitted)
        skip();
    assert_int_equal(tap_open(NAME, pool, &tap), 0);
    assert_int_not_equal(if_nametoindex(NAME), 0);
    assert_true(tap_can_receive(&tap));
    tap_close(&tap);
    assert_int_equal(if_nametoindex(NAME), 0);
    assert_int_equal(rte_mempool_avail_count(pool), 1);
}

static void leaves_one_that_was_there(void **state)
{
    struct tap tap;

    (void)state;
    if (!permitted)
        skip();
    assert_int_equal(system("ip tuntap add dev " NAME " mode tap"), 0);
    assert_int_equal(tap_open(NAME, pool, &tap), 0);
    tap_close(&tap);
    assert_int_not_equal(if_nametoindex(NAME), 0);
    assert_int_equal(system("ip link delete " NAME), 0);
}

static void refuses_what_is_anothers(void **state)
{
    struct tap tap, other;

    (void)state;
    if (!permitted)
        skip();
    assert_int_equal(tap_open("lo", pool, &tap), -EINVAL);
    assert_int_equal(tap_open(NAME, pool, &tap), 0);
    assert_int_equal(tap_open(NAME, pool, &other), -EBUSY);
    tap_close(&tap);
}

static void receives_nothing_without_a_buffer(void **state)
{
    struct rte_mbuf *taken = rte_pktmbuf_alloc(pool), *frame;
    struct tap tap;

    (void)state;
    assert_non_null(taken);
    if (permitted) {
        assert_int_equal(tap_open(NAME, pool, &tap), 0);
        assert_false(tap_can_receive(&tap));
        assert_int_equal(tap_receive(&tap, &frame, 1), 0);
        rte_pktmbuf_free(taken);
        taken = NULL;
        assert_true(tap_can_receive(&tap));
        tap_close(&tap);
    }
    rte_pktmbuf_free(taken);
    if (!permitted)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_and_goes_with_its_interface),
        cmocka_unit_test(leaves_one_that_was_there),
        cmocka_unit_test(refuses_what_is_anothers),
        cmocka_unit_test(receives_nothing_without_a_buffer),
    };

    return cmocka_run_group_tests_name("platform/tap", tests, group_set_up, NULL);
}
