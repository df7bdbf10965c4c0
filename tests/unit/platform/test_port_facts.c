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
    port_facts_add_memory(&facts, true, 1, 1, 0);
    port_facts_add_memory(&facts, true, 1, -1, 0);
    port_facts_add_memory(&facts, true, -1, -1, 0);
    port_facts_add_memory(&facts, true, 1, 1, 3);
    port_facts_add_memory(&facts, true, 1, 0, 0);
    port_facts_add_memory(&facts, false, 1, -1, 0);
    assert_int_equal(facts.count, 12);
    assert_string_equal(facts.at[1].why, "packet buffers and rings are where the device is");
    assert_string_equal(facts.at[7].why,
                        "the device's; CPUs of 3 workers are elsewhere: see the setting cpus");
    assert_string_equal(facts.at[9].used, "node 0");
    assert_string_equal(facts.at[9].why, "packet buffers are where the first device is");
    assert_string_equal(facts.at[11].used, "any node");
    assert_string_equal(facts.at[11].why, "without hugepages it is the kernel that chooses");
    assert_string_equal(facts.at[0].used, "yes"); // hugepages
    assert_string_equal(facts.at[10].used, "no");
    assert_string_equal(facts.at[1].found, "node 1");
    assert_string_equal(facts.at[1].used, "node 1");
    assert_string_equal(facts.at[3].used, "any node");
    assert_string_equal(facts.at[3].why, "the device's node has too little memory free");
    assert_string_equal(facts.at[5].found, "");
    assert_string_equal(facts.at[5].why, "the device is on none");
}

// A card that strips and inserts tags, and checks sums.
static const struct rte_eth_dev_info card = {
    .max_rx_queues = 8,
    .max_tx_queues = 4,
    .flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP,
    .rx_offload_capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
                       RTE_ETH_RX_OFFLOAD_VLAN_STRIP,
    .tx_offload_capa = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_VLAN_INSERT,
};

static void what_a_card_has_is_not_yet_what_is_used_of_it(void **state)
{
    const struct rte_eth_conf nothing = {}, all = {
                                                .rxmode.offloads = RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
                                                                   RTE_ETH_RX_OFFLOAD_VLAN_STRIP,
                                                .txmode.offloads = RTE_ETH_TX_OFFLOAD_VLAN_INSERT,
                                            };
    struct port_facts facts = {};

    (void)state;
    port_facts_add_queues(&facts, &card, 3);
    assert_string_equal(facts.at[0].found, "4");
    assert_string_equal(facts.at[0].used, "3");
    port_facts_add_checksums(&facts, &card, &nothing);
    assert_string_equal(facts.at[1].found, "ipv4 udp");
    assert_string_equal(facts.at[1].used, "software");
    assert_string_equal(facts.at[2].found, "udp"); // of what is sent
    assert_string_equal(facts.at[2].used, "software");
    port_facts_add_checksums(&facts, &card, &all);
    assert_string_equal(facts.at[3].used, "udp");
    port_facts_add_vlan(&facts, 7, &card, &nothing);
    assert_string_equal(facts.at[5].found, "strip insert ");
    assert_string_equal(facts.at[5].why,
                        "as configured: tags come off by software and on by software");
    port_facts_add_vlan(&facts, 7, &card, &all);
    assert_string_equal(facts.at[6].used, "7");
    assert_string_equal(facts.at[6].why,
                        "as configured: tags come off by the device and on by the device");
    port_facts_add_vlan(&facts, 0, &card, &nothing);
    assert_string_equal(facts.at[7].used, "none");
}

static void a_spread_that_knows_no_ports_says_so(void **state)
{
    // No such port: what was asked for is taken for what is done.
    const struct rte_eth_conf by_address = {.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4};
    const struct rte_eth_conf none = {};
    struct port_facts facts = {};

    (void)state;
    port_facts_add_spread(&facts, RTE_MAX_ETHPORTS, &card, &by_address, 2);
    assert_string_equal(facts.at[0].found, "ipv4 ipv4_udp");
    assert_string_equal(facts.at[0].used, "ipv4");
    assert_string_equal(facts.at[0].why,
                        "the device knows no UDP: clients behind one NAT come to one worker");
    port_facts_add_spread(&facts, RTE_MAX_ETHPORTS, &card, &none, 1);
    assert_string_equal(facts.at[1].used, "no");
    assert_string_equal(facts.at[1].why, "there is one worker");
}

static void an_mtu_is_the_devices_or_configured_or_as_much_as_fits(void **state)
{
    struct port_facts facts = {};

    (void)state;
    port_facts_add_mtu(&facts, 1500, 9000, 1500);
    port_facts_add_mtu(&facts, 1500, 9000, 4000);
    port_facts_add_mtu(&facts, 1500, 9000, 9000);
    assert_string_equal(facts.at[0].found, "1500, at most 9000");
    assert_string_equal(facts.at[0].why, "the device's");
    assert_string_equal(facts.at[1].used, "4000");
    assert_string_equal(facts.at[1].why, "as configured");
    assert_string_equal(facts.at[2].why, "more does not fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_empty_until_it_is_filled_in),
        cmocka_unit_test(ways_to_spread_have_names),
        cmocka_unit_test(memory_elsewhere_than_the_device_has_a_reason),
        cmocka_unit_test(what_a_card_has_is_not_yet_what_is_used_of_it),
        cmocka_unit_test(a_spread_that_knows_no_ports_says_so),
        cmocka_unit_test(an_mtu_is_the_devices_or_configured_or_as_much_as_fits),
    };

    return cmocka_run_group_tests_name("platform/port_facts", tests, set_up, NULL);
}
