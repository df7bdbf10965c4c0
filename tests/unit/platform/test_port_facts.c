// SPDX-License-Identifier: BSD-3-Clause
// Claims about rows of what was found of a device and what is used of it.
#include "platform/port_facts.h"

#include "../exchange/eal_fixture.h"

#include <rte_ethdev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    (void)state;
    return eal_start();
}

static void a_row_is_empty_until_it_is_filled_in(void **state)
{
    struct port_facts facts = {};
    struct port_fact *fact;

    (void)state;
    memset(facts.at, 'x', sizeof(facts.at));
    fact = port_facts_add(&facts, "item");
    assert_int_equal(facts.count, 1);
    assert_ptr_equal(fact, &facts.at[0]);
    assert_string_equal(fact->item, "item");
    assert_string_equal(fact->found, "");
    assert_string_equal(fact->used, "");
    assert_string_equal(fact->why, "");
}

static void ways_to_spread_have_names(void **state)
{
    char text[PORT_FACT_TEXT_LEN];

    (void)state;
    assert_string_equal(port_facts_format_rss(0, text), "");
    assert_string_equal(port_facts_format_rss(RTE_ETH_RSS_TCP, text), "");
    assert_string_equal(
        port_facts_format_rss(RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_IPV6, text),
        "ipv4_udp ipv6");
    // All of them fit.
    assert_non_null(strstr(port_facts_format_rss(UINT64_MAX, text), "ipv6_udp_ex"));
}

static void memory_elsewhere_than_the_device_has_a_reason(void **state)
{
    struct port_facts facts = {};

    (void)state;
    port_facts_add_memory(&facts, 1, 1, 0);
    port_facts_add_memory(&facts, 1, -1, 0);
    port_facts_add_memory(&facts, -1, -1, 0);
    port_facts_add_memory(&facts, 1, 1, 3);
    assert_int_equal(facts.count, 8);
    assert_string_equal(facts.at[1].why, "packet buffers and rings are where the device is");
    assert_string_equal(facts.at[7].why,
                        "the device's; CPUs of 3 workers are elsewhere: see the setting cpus");
    assert_string_equal(facts.at[0].used, "no"); // hugepages
    assert_string_equal(facts.at[1].found, "node 1");
    assert_string_equal(facts.at[1].used, "node 1");
    assert_string_equal(facts.at[3].used, "any node");
    assert_string_equal(facts.at[3].why, "the device's node has too little memory free");
    assert_string_equal(facts.at[5].found, "");
    assert_string_equal(facts.at[5].why, "the device is on none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_empty_until_it_is_filled_in),
        cmocka_unit_test(ways_to_spread_have_names),
        cmocka_unit_test(memory_elsewhere_than_the_device_has_a_reason),
    };

    return cmocka_run_group_tests_name("platform/port_facts", tests, set_up, NULL);
}
