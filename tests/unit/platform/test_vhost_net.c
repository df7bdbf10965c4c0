// SPDX-License-Identifier: BSD-3-Clause
// Claims about vhost-net where there is none to be had. Where there is, test_twin.c makes the same
// claims about it as about a TAP, and tests/guest has a kernel with it.
#include "platform/vhost_net.h"

#include "../exchange/eal_fixture.h"

#include <errno.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "vhost0"

static struct rte_mempool *pool;

static int group_set_up(void **state)
{
    (void)state;
    (void)unshare(CLONE_NEWNET);
    if (eal_start() != 0)
        return -1;
    pool = rte_pktmbuf_pool_create("vhost", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

static int open_at(const char *path)
{
    const struct vhost_net_config config = {
        .path = path,
        .name = NAME,
        .mac = {2},
        .mtu = 1500,
        .pool = pool,
    };
    struct vhost_net vhost_net;

    return vhost_net_open(&config, &vhost_net);
}

static void leave_nothing_behind(void)
{
    assert_int_equal(rte_eth_dev_count_avail(), 0);
    assert_int_equal(if_nametoindex(NAME), 0);
    assert_int_equal(rte_mempool_avail_count(pool), 1023);
}

static void says_that_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(open_at("/nonexistent/vhost-net"), -ENOENT);
    leave_nothing_behind();
}

static void says_that_it_is_not_for_us(void **state)
{
    char path[] = "/tmp/vhost-net-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(chmod(path, 0), 0);
    if (access(path, R_OK) != 0)
        assert_int_equal(open_at(path), -EACCES);
    unlink(path);
    leave_nothing_behind();
}

static void is_not_misled_by_another_device(void **state)
{
    (void)state;
    assert_int_equal(open_at("/dev/null"), -EIO);
    leave_nothing_behind();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_that_there_is_none),
        cmocka_unit_test(says_that_it_is_not_for_us),
        cmocka_unit_test(is_not_misled_by_another_device),
    };

    return cmocka_run_group_tests_name("platform/vhost_net", tests, group_set_up, NULL);
}
