// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tables.h"

#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct plane_config config;

static int set_up(void **state)
{
    struct tables *tables = calloc(1, sizeof(*tables));
    rig_config(&config, 1);
    config.allocations_per_worker = 8;
    config.permissions_per_worker = 10;
    config.channels_per_worker = 6;
    config.steerings_per_worker = 2;
    assert_int_equal(tables_init(tables, &config, SOCKET_ID_ANY), 0);
    *state = tables;
    return 0;
}

static int tear_down(void **state)
{
    tables_done(*state);
    free(*state);
    return 0;
}

static int install_allocation(struct tables *tables, uint32_t id, uint16_t client_port)
{
    struct command command;
    char client[64];
    memset(&command, 0, sizeof(command));
    snprintf(client, sizeof(client), "192.0.2.7:%u", client_port);
    command.allocation = id;
    command.install_allocation.client = rig_client(client);
    command.install_allocation.adjacency = 1;
    command.install_allocation.relay_v4 = RIG_RELAY_V4;
    command.install_allocation.relay_v4_port = (uint16_t)(50000 + id);
    command.install_allocation.relay_v6 = RIG_RELAY_V6;
    command.install_allocation.relay_v6_port = (uint16_t)(50000 + id);
    return tables_install_allocation(tables, &command);
}

static struct command permission_command(uint32_t id, const char *peer)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    assert_int_equal(ip_address_parse(peer, &command.permission.peer), 0);
    command.permission.path = (struct peer_path){2, RELAY_NONE};
    return command;
}

static int install_permission(struct tables *tables, uint32_t id, const char *peer)
{
    struct command command = permission_command(id, peer);
    return tables_install_permission(tables, &command);
}

static int remove_permission(struct tables *tables, uint32_t id, const char *peer)
{
    struct command command = permission_command(id, peer);
    return tables_remove_permission(tables, &command);
}

static struct command channel_command(uint32_t id, uint16_t number, const char *peer)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    command.channel.number = number;
    assert_int_equal(transport_address_parse(peer, &command.channel.peer), 0);
    command.channel.path = (struct peer_path){2, RELAY_NONE};
    return command;
}

static int install_channel(struct tables *tables, uint32_t id, uint16_t number, const char *peer)
{
    struct command command = channel_command(id, number, peer);
    return tables_install_channel(tables, &command);
}

static int remove_channel(struct tables *tables, uint32_t id, uint16_t number)
{
    struct command command = channel_command(id, number, "192.0.2.1:1");
    return tables_remove_channel(tables, &command);
}

static int remove_allocation(struct tables *tables, uint32_t id)
{
    struct command command;
    unsigned budget = 1000;
    int error = 1;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    assert_true(tables_remove_allocation(tables, &command, &budget, &error));
    return error;
}

static void report_all(struct tables *tables)
{
    struct punt punt;
    while (tables_next_report(tables, &punt))
        tables_reported(tables);
}

static void assert_empty(const struct tables *tables)
{
    assert_int_equal(tables->flows.count, 0);
    assert_int_equal(tables->allocation_pool.used, 0);
    assert_int_equal(tables->permission_pool.used, 0);
    assert_int_equal(tables->channel_pool.used, 0);
    assert_int_equal(tables->steering_pool.used, 0);
    assert_int_equal(tables->live_permissions, 0);
    for (unsigned port = RELAY_MIN_PORT; port <= 65535; port++)
        assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, (uint16_t)port)->allocation,
                         TABLE_NONE);
}

static void a_full_table_refuses_and_takes_again_after_a_removal(void **state)
{
    struct tables *tables = *state;
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t id = 0; id < 8; id++)
            assert_int_equal(install_allocation(tables, id, (uint16_t)(1000 + id)), 0);
        assert_int_equal(install_allocation(tables, 8, 2000), -ENOSPC);
        assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, 50008)->allocation, TABLE_NONE);
        for (uint32_t id = 0; id < 8; id++)
            assert_int_equal(remove_allocation(tables, id), 0);
        report_all(tables);
        assert_empty(tables);
    }
}

static void an_allocation_may_not_change_its_client(void **state)
{
    assert_int_equal(install_allocation(*state, 1, 1000), 0);
    assert_int_equal(install_allocation(*state, 1, 1000), 0);
    assert_int_equal(install_allocation(*state, 1, 1001), -EINVAL);
}

static void permissions_are_bounded_and_come_back(void **state)
{
    struct tables *tables = *state;
    char peer[64];
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    for (unsigned i = 0; i < 16; i++) { // 10, and 6 that channels might keep
        snprintf(peer, sizeof(peer), "192.0.2.%u", i);
        assert_int_equal(install_permission(tables, 1, peer), 0);
        assert_int_equal(install_permission(tables, 1, peer), 0);
    }
    assert_int_equal(install_permission(tables, 1, "192.0.2.100"), -ENOSPC);
    for (unsigned i = 0; i < 16; i += 2) {
        snprintf(peer, sizeof(peer), "192.0.2.%u", i);
        assert_int_equal(remove_permission(tables, 1, peer), 0);
        assert_int_equal(remove_permission(tables, 1, peer), -ENOENT);
    }
    assert_int_equal(tables->live_permissions, 8);
    assert_int_equal(remove_allocation(tables, 1), 0);
    report_all(tables);
    assert_empty(tables);
}

static void channels_are_bounded_and_come_back(void **state)
{
    struct tables *tables = *state;
    char peer[64];
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 6; i++) {
            snprintf(peer, sizeof(peer), "192.0.2.%u:5", i % 2);
            peer[strlen(peer) - 1] = (char)('1' + i);
            assert_int_equal(install_permission(tables, 1, i % 2 == 0 ? "192.0.2.0" : "192.0.2.1"),
                             0);
            assert_int_equal(install_channel(tables, 1, (uint16_t)(0x4000 + i), peer), 0);
        }
        assert_int_equal(install_channel(tables, 1, 0x4100, "192.0.2.77:5"), -ENOSPC);
        assert_int_equal(tables->permission_pool.used, 2); // the failed one left nothing
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(remove_channel(tables, 1, (uint16_t)(0x4000 + (i + round) % 6)), 0);
        assert_int_equal(tables->channel_pool.used, 0);
    }
    assert_int_equal(remove_allocation(tables, 1), 0);
    report_all(tables);
    assert_empty(tables);
}

// RFC 8656 section 12.2.
static void a_number_has_one_peer_and_a_peer_one_number(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    assert_int_equal(install_allocation(tables, 2, 1001), 0);
    assert_int_equal(install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(install_channel(tables, 1, 0x4000, "192.0.2.1:6"), -EINVAL);
    assert_int_equal(install_channel(tables, 1, 0x4001, "192.0.2.1:5"), -EINVAL);
    assert_int_equal(install_channel(tables, 2, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables->channel_pool.used, 2);
}

static const struct channel *channel_of(const struct tables *tables, uint16_t client_port,
                                        uint16_t number)
{
    static const uint8_t client[4] = {192, 0, 2, 7};
    struct flow_key key;
    tables_client_key(&key, RIG_LISTENER_V4, IP_FAMILY_V4, client, __builtin_bswap16(client_port),
                      number);
    uint32_t value = tables_lookup(tables, &key);
    return value == FLOW_NONE ? NULL : &tables->channels[table_value_index(value)];
}

static void a_permission_wakes_and_stills_its_channels_and_no_others(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    assert_int_equal(install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(install_channel(tables, 1, 0x4001, "192.0.2.1:6"), 0);
    assert_int_equal(install_channel(tables, 1, 0x4002, "192.0.2.2:5"), 0);
    assert_int_equal(tables->live_permissions, 0);
    assert_false(channel_of(tables, 1000, 0x4000)->permitted);
    assert_int_equal(install_permission(tables, 1, "192.0.2.1"), 0);
    assert_true(channel_of(tables, 1000, 0x4000)->permitted);
    assert_true(channel_of(tables, 1000, 0x4001)->permitted);
    assert_false(channel_of(tables, 1000, 0x4002)->permitted);
    assert_int_equal(install_channel(tables, 1, 0x4003, "192.0.2.1:7"), 0);
    assert_true(channel_of(tables, 1000, 0x4003)->permitted);
    assert_int_equal(remove_channel(tables, 1, 0x4001), 0); // out of the middle of the list
    assert_int_equal(remove_permission(tables, 1, "192.0.2.1"), 0);
    assert_false(channel_of(tables, 1000, 0x4000)->permitted);
    assert_false(channel_of(tables, 1000, 0x4003)->permitted);
    assert_int_equal(tables->live_permissions, 0);
    assert_int_equal(tables->permission_pool.used, 2); // kept for the channels
    assert_int_equal(remove_channel(tables, 1, 0x4000), 0);
    assert_int_equal(remove_channel(tables, 1, 0x4003), 0);
    assert_int_equal(tables->permission_pool.used, 1);
}

// 1.2.3.4 and 102:304:: are the same sixteen bytes.
static void families_of_the_same_bytes_are_kept_apart(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    assert_int_equal(install_permission(tables, 1, "32.1.13.184"), 0);
    assert_int_equal(remove_permission(tables, 1, "2001:db8::"), -ENOENT);
    assert_int_equal(install_channel(tables, 1, 0x4000, "32.1.13.184:5"), 0);
    assert_int_equal(install_channel(tables, 1, 0x4001, "[2001:db8::]:5"), 0);
    assert_true(channel_of(tables, 1000, 0x4000)->permitted);
    assert_false(channel_of(tables, 1000, 0x4001)->permitted);
}

static int steering(struct tables *tables, uint16_t client_port, uint16_t owner,
                    int (*apply)(struct tables *, const struct command *))
{
    struct command command;
    char client[64];
    memset(&command, 0, sizeof(command));
    snprintf(client, sizeof(client), "192.0.2.7:%u", client_port);
    command.steering.client = rig_client(client);
    command.steering.owner = owner;
    return apply(tables, &command);
}

static void steerings_are_bounded_and_apart_from_allocations(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    assert_int_equal(steering(tables, 1000, 3, tables_install_steering), 0);
    assert_int_equal(steering(tables, 1000, 4, tables_install_steering), 0);
    assert_int_equal(tables->steerings[0].owner, 4);
    assert_int_equal(steering(tables, 1001, 3, tables_install_steering), 0);
    assert_int_equal(steering(tables, 1002, 3, tables_install_steering), -ENOSPC);
    assert_int_equal(steering(tables, 1000, 0, tables_remove_steering), 0);
    assert_int_equal(steering(tables, 1000, 0, tables_remove_steering), -ENOENT);
    assert_int_equal(steering(tables, 1002, 3, tables_install_steering), 0);
    assert_int_equal(install_allocation(tables, 1, 1000), 0); // still there
    assert_int_equal(tables->allocation_pool.used, 1);
}

static void relays_are_reported_before_their_allocation(void **state)
{
    struct tables *tables = *state;
    struct command command;
    struct punt punt;
    unsigned budget = 100;
    int error = 1;
    assert_int_equal(install_allocation(tables, 1, 1000), 0);
    assert_int_equal(install_allocation(tables, 2, 1001), 0);
    memset(&command, 0, sizeof(command));
    command.allocation = 1;
    command.remove_relay.relay = RIG_RELAY_V6;
    command.remove_relay.port = 50001;
    assert_true(tables_remove_relay(tables, &command, &budget, &error));
    assert_int_equal(error, 0);
    assert_int_equal(remove_allocation(tables, 2), 0);
    assert_int_equal(remove_allocation(tables, 1), 0);
    assert_int_equal(remove_allocation(tables, 1), -ENOENT);
    static const uint32_t order[3][2] = {{1, RIG_RELAY_V6}, {1, RELAY_NONE}, {2, RELAY_NONE}};
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tables_next_report(tables, &punt));
        assert_int_equal(punt.allocation, order[i][0]);
        assert_int_equal(punt.removed.relay, order[i][1]);
        tables_reported(tables);
    }
    assert_false(tables_next_report(tables, &punt));
    assert_empty(tables);
}

static void refuses_sizes_that_an_index_cannot_hold(void **state)
{
    (void)state;
    struct tables tables;
    rig_config(&config, 1);
    config.channels_per_worker = 1u << 28;
    assert_int_equal(tables_init(&tables, &config, SOCKET_ID_ANY), -EINVAL);
    rig_config(&config, 1);
    config.relays[0].min_port = 60000;
    config.relays[0].max_port = 59999;
    assert_int_equal(tables_init(&tables, &config, SOCKET_ID_ANY), -EINVAL);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_full_table_refuses_and_takes_again_after_a_removal),
        TEST(an_allocation_may_not_change_its_client),
        TEST(permissions_are_bounded_and_come_back),
        TEST(channels_are_bounded_and_come_back),
        TEST(a_number_has_one_peer_and_a_peer_one_number),
        TEST(a_permission_wakes_and_stills_its_channels_and_no_others),
        TEST(families_of_the_same_bytes_are_kept_apart),
        TEST(steerings_are_bounded_and_apart_from_allocations),
        TEST(relays_are_reported_before_their_allocation),
        cmocka_unit_test(refuses_sizes_that_an_index_cannot_hold),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
