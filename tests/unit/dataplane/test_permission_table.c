// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/permission_table.h"

#include "tables_rig.h"

#include <errno.h>
#include <stdio.h>

static void permissions_are_bounded_and_come_back(void **state)
{
    struct tables *tables = *state;
    char peer[64];
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    for (unsigned i = 0; i < 16; i++) { // 10, and 6 that channels might keep
        snprintf(peer, sizeof(peer), "192.0.2.%u", i);
        assert_int_equal(tables_rig_install_permission(tables, 1, peer), 0);
        assert_int_equal(tables_rig_install_permission(tables, 1, peer), 0);
    }
    assert_int_equal(tables_rig_install_permission(tables, 1, "192.0.2.100"), -ENOSPC);
    for (unsigned i = 0; i < 16; i += 2) {
        snprintf(peer, sizeof(peer), "192.0.2.%u", i);
        assert_int_equal(tables_rig_remove_permission(tables, 1, peer), 0);
        assert_int_equal(tables_rig_remove_permission(tables, 1, peer), -ENOENT);
    }
    assert_int_equal(tables->permissions.live_count, 8);
    assert_int_equal(tables_rig_remove_allocation(tables, 1), 0);
    tables_rig_report_all(tables);
    tables_rig_assert_empty(tables);
}

static void a_permission_wakes_and_stills_its_channels_and_no_others(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.1:6"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4002, "192.0.2.2:5"), 0);
    assert_int_equal(tables->permissions.live_count, 0);
    assert_false(tables_rig_channel(tables, 1000, 0x4000)->permitted);
    assert_int_equal(tables_rig_install_permission(tables, 1, "192.0.2.1"), 0);
    assert_true(tables_rig_channel(tables, 1000, 0x4000)->permitted);
    assert_true(tables_rig_channel(tables, 1000, 0x4001)->permitted);
    assert_false(tables_rig_channel(tables, 1000, 0x4002)->permitted);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4003, "192.0.2.1:7"), 0);
    assert_true(tables_rig_channel(tables, 1000, 0x4003)->permitted);
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4001),
                     0); // out of the middle of the tree
    assert_int_equal(tables_rig_remove_permission(tables, 1, "192.0.2.1"), 0);
    assert_false(tables_rig_channel(tables, 1000, 0x4000)->permitted);
    assert_false(tables_rig_channel(tables, 1000, 0x4003)->permitted);
    assert_int_equal(tables->permissions.live_count, 0);
    assert_int_equal(index_pool_used(&tables->permissions.pool), 2); // kept for the channels
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4000), 0);
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4003), 0);
    assert_int_equal(index_pool_used(&tables->permissions.pool), 1);
}

static void an_installed_permission_may_change_its_path(void **state)
{
    struct tables *tables = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = 1;
    assert_int_equal(ip_address_parse("192.0.2.1", &command.permission.peer), 0);
    assert_int_equal(permission_table_install(tables, &command), -ENOENT);
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    command.permission.path = (struct peer_path){RIG_TO_PEERS, RELAY_NONE};
    assert_int_equal(permission_table_install(tables, &command), 0);
    assert_false(tables->permissions.at[0].is_hairpin);
    assert_int_equal(tables->permissions.at[0].adjacency, RIG_TO_PEERS);
    command.permission.path = (struct peer_path){ADJACENCY_NONE, RIG_RELAY_V6};
    assert_int_equal(permission_table_install(tables, &command), 0);
    assert_true(tables->permissions.at[0].is_hairpin);
    assert_int_equal(tables->permissions.at[0].relay, RIG_RELAY_V6);
    command.permission.path.relay = RIG_RELAY_V6 + 1; // there is none
    assert_int_equal(permission_table_install(tables, &command), -EINVAL);
    assert_int_equal(index_pool_used(&tables->permissions.pool), 1);
    command.permission.path = (struct peer_path){RIG_TO_PEERS, RELAY_NONE};
    assert_int_equal(permission_table_install(tables, &command), 0);
    assert_false(tables->permissions.at[0].is_hairpin);
    assert_int_equal(tables->permissions.at[0].adjacency, RIG_TO_PEERS);
}

static void each_peer_finds_its_permission_among_many_of_both_families(void **state)
{
    struct tables *tables = *state;
    struct ip_address peers[16];
    char text[64];
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_allocation(tables, 2, 1001), 0);
    for (unsigned i = 0; i < 16; i++) { // the same first bytes in either family
        snprintf(text, sizeof(text), i % 2 == 0 ? "32.1.%u.184" : "2001:%xb8::", i / 2 + 1);
        assert_int_equal(ip_address_parse(text, &peers[i]), 0);
        assert_int_equal(tables_rig_install_permission(tables, 1, text), 0);
    }
    for (unsigned gone = 0; gone <= 16; gone++) {
        for (unsigned i = 0; i < 16; i++) {
            uint32_t index =
                permission_table_find(tables, 0, (uint8_t)peers[i].family, peers[i].bytes);
            assert_int_equal(index, i < gone ? TABLE_NONE : i);
            assert_int_equal(
                permission_table_find(tables, 1, (uint8_t)peers[i].family, peers[i].bytes),
                TABLE_NONE);
        }
        if (gone < 16) {
            ip_address_format(&peers[gone], text);
            assert_int_equal(tables_rig_remove_permission(tables, 1, text), 0);
        }
    }
    assert_int_equal(index_pool_used(&tables->permissions.pool), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tables_rig_set_up, tables_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(permissions_are_bounded_and_come_back),
        TEST(a_permission_wakes_and_stills_its_channels_and_no_others),
        TEST(an_installed_permission_may_change_its_path),
        TEST(each_peer_finds_its_permission_among_many_of_both_families),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
