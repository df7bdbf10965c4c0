// SPDX-License-Identifier: BSD-3-Clause
// Claims about devices: what names one, and what is said of those that cannot serve.
#include "platform/device.h"

#include "../exchange/eal_fixture.h"
#include "base/log.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct rte_mempool *pool;
static struct port_facts facts;
static char said[512];

// The log is a fake that keeps the last line.
void log_message(enum log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    (void)event;
    assert_int_equal(level, LOG_LEVEL_ERROR);
    va_start(arguments, format);
    vsnprintf(said, sizeof(said), format, arguments);
    va_end(arguments);
}

static int set_up(void **state)
{
    (void)state;
    if (eal_start() != 0)
        return -1;
    pool = rte_pktmbuf_pool_create("device", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

static void tells_cards_from_virtual_devices_and_from_neither(void **state)
{
    (void)state;
    assert_true(device_is_pci("0000:03:00.0"));
    assert_true(device_is_pci("03:00.1"));
    assert_false(device_is_pci("net_memif0"));
    assert_false(device_is_pci(""));
    assert_true(device_is_valid("0000:03:00.0"));
    assert_true(device_is_valid("net_memif0,role=server,id=0"));
    assert_true(device_is_valid("net_tap"));
    assert_false(device_is_valid("eth0"));
    assert_false(device_is_valid("net_"));
    assert_false(device_is_valid("net_,iface=eth0"));
    assert_false(device_is_valid(""));
}

static int open_device(const char *name, uint16_t queue_count, uint16_t mtu,
                       struct device *ret_device)
{
    const struct device_config config = {.name = name, .queue_count = queue_count, .mtu = mtu};
    int error = device_find(&config, ret_device);

    facts.count = 0;
    return error ? error : device_start(ret_device, &config, pool, &facts);
}

static const struct port_fact *fact(const char *item)
{
    for (unsigned i = 0; i < facts.count; i++) {
        if (strcmp(facts.at[i].item, item) == 0)
            return &facts.at[i];
    }
    fail_msg("nothing is said of %s", item);
    return NULL;
}

static void starts_a_virtual_device_and_takes_it_away_again(void **state)
{
    struct device device;
    uint16_t port;

    (void)state;
    assert_int_equal(open_device("net_null0,copy=0", 2, 0, &device), 0);
    assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &port), 0);
    assert_int_equal(device.port, port);
    assert_int_equal(device.mtu, 1500);
    assert_memory_not_equal(device.mac, "\0\0\0\0\0\0", 6);
    device_close(&device);
    assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &port), -ENODEV);
}

static void a_device_has_the_mtu_that_it_is_told_of(void **state)
{
    static const uint16_t mtus[] = {1280, 1500, 1501, 9000, 9001};

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(mtus); i++) {
        struct device device;
        uint16_t mtu;

        assert_int_equal(open_device("net_null0", 1, mtus[i], &device), 0);
        assert_int_equal(device.mtu, mtus[i]);
        assert_in_range(device.frame_len, mtus[i] + 18, mtus[i] + 64);
        assert_int_equal(rte_eth_dev_get_mtu(device.port, &mtu), 0);
        assert_int_equal(mtu, mtus[i]);
        device_close(&device);
    }
}

static void an_mtu_above_what_a_driver_takes_is_lowered_and_that_is_said(void **state)
{
    struct device device;

    (void)state;
    assert_int_equal(open_device("net_memif0,role=server,socket-abstract=yes,socket=device-test", 1,
                                 9000, &device),
                     0);
    assert_int_equal(device.mtu, 1500);
    assert_string_equal(fact("mtu")->found, "1500, at most 1500");
    assert_string_equal(fact("mtu")->used, "1500");
    device_close(&device);
}

static void what_frames_need_is_known_before_the_device_is(void **state)
{
    static const struct {
        struct device_config config;
        uint16_t len_min;
        uint16_t len_max;
    } cases[] = {
        {{.name = "net_null0"}, 1518, 1536},
        {{.name = "net_null0", .mtu = 9001}, 9019, 9040},
        {{.name = "0000:03:00.0", .mtu = 0}, 1518, 1536},
        {{.name = "net_af_packet0,iface=nothing", .mtu = 0}, 2048, 2048},
        {{.name = "net_af_packet0,iface=lo", .mtu = 0}, 2048, 2048},
        {{.name = "net_af_packet0,iface=lo,framesz=9216,blocksz=36864", .mtu = 0}, 9216, 9216},
        {{.name = "net_af_packet0,framesz=9216,iface=lo", .mtu = 1500}, 9216, 9216},
    };

    (void)state;
    for (unsigned i = 0; i < RTE_DIM(cases); i++)
        assert_in_range(device_expect_frame_len(&cases[i].config), cases[i].len_min,
                        cases[i].len_max);
}

static void says_what_it_found_and_what_it_uses_of_it(void **state)
{
    struct device device;

    (void)state;
    assert_int_equal(open_device("net_null0,copy=0", 2, 1400, &device), 0);
    assert_string_equal(fact("device")->found, "net_null0,copy=0");
    assert_string_equal(fact("driver")->found, "net_null");
    assert_int_equal(strlen(fact("mac")->found), strlen("00:00:00:00:00:00"));
    assert_string_equal(fact("link")->found, "up, 10000 Mbit/s");
    assert_string_equal(fact("queues")->found, "1024");
    assert_string_equal(fact("queues")->used, "2");
    assert_string_equal(fact("rss")->used, fact("rss")->found);
    assert_non_null(strstr(fact("rss")->found, "ipv4_udp"));
    assert_string_equal(fact("rx_checksums")->found, "none");
    assert_string_equal(fact("tx_checksums")->used, "software");
    assert_string_equal(fact("steering")->used, "hand-off");
    assert_string_equal(fact("mtu")->used, "1400");
    assert_string_equal(fact("mtu")->why, "as configured");
    device_close(&device);
}

static void one_worker_needs_nothing_spread(void **state)
{
    struct device device;

    (void)state;
    assert_int_equal(open_device("net_null0", 1, 0, &device), 0);
    assert_string_equal(fact("rss")->used, "no");
    assert_string_equal(fact("rss")->why, "there is one worker");
    device_close(&device);
}

static void a_device_with_too_few_queues_is_refused_and_gone(void **state)
{
    struct device device = {.port = 4711};
    uint16_t port;

    (void)state;
    assert_int_equal(open_device("net_null0", UINT16_MAX, 0, &device), -EINVAL);
    assert_int_equal(device.port, 4711);
    assert_non_null(strstr(said, "net_null0 has 1024 pairs of queues, and each of 65535 workers"));
    assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &port), -ENODEV);
}

static void a_device_that_is_not_there_is_named(void **state)
{
    struct device device;

    (void)state;
    assert_true(open_device("net_nothing0", 1, 0, &device) < 0);
    assert_non_null(strstr(said, "no device net_nothing0"));
    assert_true(open_device("0000:ff:1f.7", 1, 0, &device) < 0);
    assert_non_null(strstr(said, "no device 0000:ff:1f.7"));
    assert_non_null(strstr(said, "vfio-pci"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_cards_from_virtual_devices_and_from_neither),
        cmocka_unit_test(starts_a_virtual_device_and_takes_it_away_again),
        cmocka_unit_test(a_device_has_the_mtu_that_it_is_told_of),
        cmocka_unit_test(an_mtu_above_what_a_driver_takes_is_lowered_and_that_is_said),
        cmocka_unit_test(what_frames_need_is_known_before_the_device_is),
        cmocka_unit_test(says_what_it_found_and_what_it_uses_of_it),
        cmocka_unit_test(one_worker_needs_nothing_spread),
        cmocka_unit_test(a_device_with_too_few_queues_is_refused_and_gone),
        cmocka_unit_test(a_device_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests_name("platform/device", tests, set_up, NULL);
}
