// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/removal.h"

#include "tables_rig.h"

#include <errno.h>

// The error that a report is to tell.
static int remove_relay(struct tables *tables, uint32_t allocation, uint16_t relay, uint16_t port)
{
    struct command command;
    unsigned budget = 100;
    int error = 1;
    memset(&command, 0, sizeof(command));
    command.allocation = allocation;
    command.remove_relay.relay = relay;
    command.remove_relay.port = port;
    assert_true(removal_step_relay(tables, &command, &budget, &error));
    return error;
}

static void relays_are_reported_before_their_allocation(void **state)
{
    struct tables *tables = *state;
    struct punt punt;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_allocation(tables, 2, 1001), 0);
    assert_int_equal(remove_relay(tables, 1, RIG_RELAY_V6, 50001), 0);
    assert_int_equal(tables_rig_remove_allocation(tables, 2), 0);
    assert_int_equal(tables_rig_remove_allocation(tables, 1), 0);
    assert_int_equal(tables_rig_remove_allocation(tables, 1), -ENOENT);
    static const uint32_t order[4][2] = {
        {1, RIG_RELAY_V6}, {1, RELAY_NONE}, {2, RELAY_NONE}, {1, RELAY_NONE}};
    for (unsigned i = 0; i < 4; i++) {
        assert_true(removal_next_report(tables, &punt));
        assert_int_equal(punt.allocation, order[i][0]);
        assert_int_equal(punt.removed.relay, order[i][1]);
        removal_reported(tables);
    }
    assert_false(removal_next_report(tables, &punt));
    tables_rig_assert_empty(tables);
}

static void goes_on_where_the_budget_ended(void **state)
{
    struct tables *tables = *state;
    struct command command;
    struct punt punt;
    int error = 1;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_permission(tables, 1, "192.0.2.1"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.1:6"), 0);
    assert_int_equal(tables_rig_install_permission(tables, 1, "2001:db8::"), 0);
    memset(&command, 0, sizeof(command));
    command.allocation = 1;
    for (uint32_t left = 4; left > 0; left--) { // two channels, two permissions
        unsigned budget = 1;
        assert_int_equal(index_pool_used(&tables->channels.pool) +
                             index_pool_used(&tables->permissions.pool),
                         left);
        bool is_done = removal_step_allocation(tables, &command, &budget, &error);
        assert_int_equal(budget, 0);
        assert_int_equal(is_done, left == 1);
        assert_int_equal(removal_next_report(tables, &punt), left == 1);
    }
    assert_int_equal(error, 0);
    assert_int_equal(index_pool_used(&tables->allocations.pool), 1); // until it is reported
    removal_reported(tables);
    tables_rig_assert_empty(tables);
}

static void one_family_goes_and_leaves_the_other_what_it_has(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_permission(tables, 1, "192.0.2.1"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_permission(tables, 1, "2001:db8::"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "[2001:db8::]:5"), 0);
    assert_int_equal(remove_relay(tables, 1, RIG_RELAY_V4, 50002), -ENOENT); // another's
    removal_reported(tables);
    assert_int_equal(remove_relay(tables, 1, RIG_RELAY_V4, 50001), 0);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, 50001)->allocation, TABLE_NONE);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V6, 50001)->allocation, 0);
    assert_null(tables_rig_channel(tables, 1000, 0x4000));
    assert_true(tables_rig_channel(tables, 1000, 0x4001)->permitted);
    assert_int_equal(tables->permissions.live_count, 1);
}

static void nothing_takes_the_place_of_a_relay_that_is_still_to_be_reported(void **state)
{
    struct tables *tables = *state;
    struct punt punt;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(remove_relay(tables, 1, RIG_RELAY_V6, 50001), 0);
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), -EINVAL);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "[2001:db8::]:5"), -EINVAL);
    // What leaves the other family as it is may come.
    struct command update;
    memset(&update, 0, sizeof(update));
    update.allocation = 1;
    update.install_allocation.client = rig_client("192.0.2.7:1000");
    update.install_allocation.relay_v4 = RIG_RELAY_V4;
    update.install_allocation.relay_v4_port = 50001;
    update.install_allocation.relay_v6 = RELAY_NONE;
    assert_int_equal(allocation_table_install(tables, &update), 0);
    assert_true(removal_next_report(tables, &punt));
    assert_int_equal(punt.removed.relay, RIG_RELAY_V6);
    assert_int_equal(punt.removed.port, 50001);
    removal_reported(tables);
    assert_false(removal_next_report(tables, &punt));
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V6, 50001)->allocation, 0);
}

// Room for the report is found like any other, and given back.
static void what_is_not_there_is_reported_in_its_turn(void **state)
{
    struct tables *tables = *state;
    struct command command;
    struct punt punt;
    unsigned budget = 100;
    int error = 0;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_remove_allocation(tables, 1), 0);
    assert_int_equal(remove_relay(tables, 9, RIG_RELAY_V6, 50001), -ENOENT);
    memset(&command, 0, sizeof(command));
    command.allocation = 9;
    assert_true(removal_step_allocation(tables, &command, &budget, &error));
    assert_int_equal(error, -ENOENT);
    assert_true(removal_next_report(tables, &punt));
    assert_int_equal(punt.allocation, 1);
    removal_reported(tables);
    assert_true(removal_next_report(tables, &punt));
    assert_int_equal(punt.allocation, 9);
    assert_int_equal(punt.removed.relay, RIG_RELAY_V6);
    assert_int_equal(punt.removed.port, 50001);
    removal_reported(tables);
    assert_true(removal_next_report(tables, &punt));
    assert_int_equal(punt.allocation, 9);
    assert_int_equal(punt.removed.relay, RELAY_NONE);
    assert_int_equal(punt.removed.traffic.to_peer_packets, 0);
    removal_reported(tables);
    assert_false(removal_next_report(tables, &punt));
    tables_rig_assert_empty(tables);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tables_rig_set_up, tables_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(relays_are_reported_before_their_allocation),
        TEST(goes_on_where_the_budget_ended),
        TEST(what_is_not_there_is_reported_in_its_turn),
        TEST(one_family_goes_and_leaves_the_other_what_it_has),
        TEST(nothing_takes_the_place_of_a_relay_that_is_still_to_be_reported),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
