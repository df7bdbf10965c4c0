// SPDX-License-Identifier: BSD-3-Clause
// Claims about what ports are asked for. DPDK's answers are fakes.
#include "platform/port_counters.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

int rte_eth_dev_get_name_by_port(uint16_t port_id, char *name)
{
    snprintf(name, RTE_ETH_NAME_MAX_LEN, "net_fake%u", port_id);
    return 0;
}

// A port that is gone, from 9 on.
int rte_eth_stats_get(uint16_t port_id, struct rte_eth_stats *stats)
{
    if (port_id >= 9)
        return -ENODEV;
    *stats = (struct rte_eth_stats){
        .ipackets = 1,
        .opackets = 2,
        .ibytes = 3,
        .obytes = 4,
        .imissed = 5,
        .ierrors = 6,
        .oerrors = 7,
        .rx_nombuf = 8,
    };
    return 0;
}

static unsigned statistic_count;

// The last has a name that no driver should have.
int rte_eth_xstats_get_names(uint16_t port_id, struct rte_eth_xstat_name *names, unsigned int size)
{
    assert_int_equal(port_id, 8);
    for (unsigned i = 0; i < size && i < statistic_count; i++)
        snprintf(names[i].name, sizeof(names[i].name), "rx_q%u%s", i,
                 i + 1 == statistic_count ? "\"\\\n" : "_packets");
    return (int)statistic_count;
}

// The other way round.
int rte_eth_xstats_get(uint16_t port_id, struct rte_eth_xstat *values, unsigned int size)
{
    assert_int_equal(port_id, 8);
    for (unsigned i = 0; i < size && i < statistic_count; i++)
        values[i] = (struct rte_eth_xstat){.id = statistic_count - 1 - i,
                                           .value = 1000 + statistic_count - 1 - i};
    return (int)statistic_count;
}

unsigned int rte_mempool_in_use_count(const struct rte_mempool *mp)
{
    return mp->size / 4;
}

static void every_count_of_a_port_is_passed_on(void **state)
{
    struct ports ports = {.count = 2, .ids = {{7, 8}}};
    struct port_counters counters;

    (void)state;
    assert_int_equal(ports_device_count(&ports), 2);
    assert_true(ports_get_counters(&ports, 1, &counters));
    assert_string_equal(counters.name, "net_fake8");
    assert_int_equal(counters.received_packets, 1);
    assert_int_equal(counters.transmitted_packets, 2);
    assert_int_equal(counters.received_bytes, 3);
    assert_int_equal(counters.transmitted_bytes, 4);
    assert_int_equal(counters.missed, 5);
    assert_int_equal(counters.receive_errors, 6);
    assert_int_equal(counters.transmit_errors, 7);
    assert_int_equal(counters.no_buffer, 8);
}

static void a_device_that_workers_share_is_one(void **state)
{
    struct ports ports = {.count = 4, .device_count = 1, .ids = {{8, 8, 8, 8}}};

    (void)state;
    assert_int_equal(ports_device_count(&ports), 1);
}

static void two_devices_are_counted_apart(void **state)
{
    struct ports ports = {.count = 3, .device_count = 2, .ids = {{7, 7, 7}, {8, 8, 8}}};
    struct port_counters counters;

    (void)state;
    assert_int_equal(ports_device_count(&ports), 2);
    assert_true(ports_get_counters(&ports, 0, &counters));
    assert_string_equal(counters.name, "net_fake7");
    assert_true(ports_get_counters(&ports, 1, &counters));
    assert_string_equal(counters.name, "net_fake8");
}

static void what_a_driver_counts_has_its_name(void **state)
{
    static struct port_statistic statistics[PORT_STATISTICS_MAX];
    struct ports ports = {.count = 2, .ids = {{7, 8}}};

    (void)state;
    statistic_count = 3;
    assert_int_equal(ports_get_statistics(&ports, 1, statistics), 3);
    assert_string_equal(statistics[0].name, "rx_q2___");
    assert_int_equal(statistics[0].value, 1002);
    assert_string_equal(statistics[2].name, "rx_q0_packets");
    assert_int_equal(statistics[2].value, 1000);
    statistic_count = PORT_STATISTICS_MAX + 100;
    assert_int_equal(ports_get_statistics(&ports, 1, statistics), PORT_STATISTICS_MAX);
    statistic_count = 0;
    assert_int_equal(ports_get_statistics(&ports, 1, statistics), 0);
}

static void a_port_that_does_not_say_leaves_the_answer_as_it_was(void **state)
{
    struct ports ports = {.count = 1, .ids = {{9}}};
    struct port_counters counters = {.missed = 77};

    (void)state;
    assert_false(ports_get_counters(&ports, 0, &counters));
    assert_int_equal(counters.missed, 77);
}

static void buffers_have_a_use_and_a_number(void **state)
{
    struct rte_mempool pool = {.size = 100};
    struct ports ports = {.pool = &pool};
    struct port_buffers buffers;

    (void)state;
    ports_get_buffers(&ports, &buffers);
    assert_int_equal(buffers.used, 25);
    assert_int_equal(buffers.capacity, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_of_a_port_is_passed_on),
        cmocka_unit_test(a_device_that_workers_share_is_one),
        cmocka_unit_test(two_devices_are_counted_apart),
        cmocka_unit_test(what_a_driver_counts_has_its_name),
        cmocka_unit_test(a_port_that_does_not_say_leaves_the_answer_as_it_was),
        cmocka_unit_test(buffers_have_a_use_and_a_number),
    };

    return cmocka_run_group_tests_name("platform/port_counters", tests, NULL, NULL);
}
