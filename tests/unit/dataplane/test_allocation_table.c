// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/allocation_table.h"

#include "tables_rig.h"

#include <errno.h>

static void a_full_table_refuses_and_takes_again_after_a_removal(void **state)
{
    struct tables *tables = *state;
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t id = 0; id < 8; id++)
            assert_int_equal(tables_rig_install_allocation(tables, id, (uint16_t)(1000 + id)), 0);
        assert_int_equal(tables_rig_install_allocation(tables, 8, 2000), -ENOSPC);
        assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, 50008)->allocation, TABLE_NONE);
        for (uint32_t id = 0; id < 8; id++)
            assert_int_equal(tables_rig_remove_allocation(tables, id), 0);
        tables_rig_report_all(tables);
        tables_rig_assert_empty(tables);
    }
}

static void an_allocation_may_not_change_its_client(void **state)
{
    assert_int_equal(tables_rig_install_allocation(*state, 1, 1000), 0);
    assert_int_equal(tables_rig_install_allocation(*state, 1, 1000), 0);
    assert_int_equal(tables_rig_install_allocation(*state, 1, 1001), -EINVAL);
}

static void an_id_finds_its_allocation_until_it_is_removed(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(allocation_table_find(&tables->allocations, 5), TABLE_NONE);
    assert_int_equal(tables_rig_install_allocation(tables, 4, 1000), 0);
    assert_int_equal(tables_rig_install_allocation(tables, 5, 1001), 0);
    uint32_t index = allocation_table_find(&tables->allocations, 5);
    assert_int_equal(tables->allocations.records[index].id, 5);
    assert_int_equal(tables->allocations.at[index].client_port_be, __builtin_bswap16(1001));
    assert_int_equal(tables_rig_remove_allocation(tables, 5), 0);
    assert_int_equal(allocation_table_find(&tables->allocations, 5), TABLE_NONE);
    assert_int_equal(allocation_table_find(&tables->allocations, UINT32_MAX), TABLE_NONE);
}

static int install(struct tables *tables, uint16_t relay_v4_port, uint32_t adjacency)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = 1;
    command.install_allocation.client = rig_client("192.0.2.7:1000");
    command.install_allocation.adjacency = adjacency;
    command.install_allocation.relay_v4 = RIG_RELAY_V4;
    command.install_allocation.relay_v4_port = relay_v4_port;
    command.install_allocation.relay_v6 = RELAY_NONE;
    return allocation_table_install(tables, &command);
}

static void an_allocation_that_gets_another_port_leaves_the_first(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(install(tables, 50001, 1), 0);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, 50001)->allocation, 0);
    assert_int_equal(install(tables, 50002, 1), 0);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, 50001)->allocation, TABLE_NONE);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, 50002)->allocation, 0);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V6, 50002)->allocation, TABLE_NONE);
}

static void an_ipv6_client_is_kept_whole(void **state)
{
    struct tables *tables = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.install_allocation.client = rig_client("[2001:db8::7]:1000");
    command.install_allocation.relay_v4 = RIG_RELAY_V4;
    command.install_allocation.relay_v4_port = 50001;
    command.install_allocation.relay_v6 = RELAY_NONE;
    assert_int_equal(allocation_table_install(tables, &command), 0);
    assert_int_equal(allocation_table_install(tables, &command), 0);
    assert_memory_equal(allocation_client_ip(&tables->allocations, &tables->allocations.at[0]),
                        command.install_allocation.client.address.ip.bytes, 16);
    command.install_allocation.client.address.ip.bytes[15]++;
    assert_int_equal(allocation_table_install(tables, &command), -EINVAL);
}

static void refuses_a_port_outside_the_relays_range(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(install(tables, RELAY_MIN_PORT - 1, 1), -EINVAL);
    tables_rig_assert_empty(tables);
    assert_int_equal(install(tables, RELAY_MIN_PORT, 1), 0);
}

static void all_channels_follow_a_client_to_its_new_next_hop(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.2:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4002, "[2001:db8::]:5"), 0);
    assert_int_equal(install(tables, 50001, 7), 0);
    for (uint16_t number = 0x4000; number < 0x4003; number++)
        assert_int_equal(tables_rig_channel(tables, 1000, number)->to_client.adjacency, 7);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tables_rig_set_up, tables_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_full_table_refuses_and_takes_again_after_a_removal),
        TEST(an_allocation_may_not_change_its_client),
        TEST(an_id_finds_its_allocation_until_it_is_removed),
        TEST(an_allocation_that_gets_another_port_leaves_the_first),
        TEST(an_ipv6_client_is_kept_whole),
        TEST(refuses_a_port_outside_the_relays_range),
        TEST(all_channels_follow_a_client_to_its_new_next_hop),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
