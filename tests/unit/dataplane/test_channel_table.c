// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/channel_table.h"

#include "dataplane/allowance.h"
#include "tables_rig.h"

#include <errno.h>
#include <stdio.h>

static void channels_are_bounded_and_come_back(void **state)
{
    struct tables *tables = *state;
    char peer[64];
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 6; i++) {
            snprintf(peer, sizeof(peer), "192.0.2.%u:5", i % 2);
            peer[strlen(peer) - 1] = (char)('1' + i);
            assert_int_equal(
                tables_rig_install_permission(tables, 1, i % 2 == 0 ? "192.0.2.0" : "192.0.2.1"),
                0);
            assert_int_equal(tables_rig_install_channel(tables, 1, (uint16_t)(0x4000 + i), peer),
                             0);
        }
        assert_int_equal(tables_rig_install_channel(tables, 1, 0x4100, "192.0.2.77:5"), -ENOSPC);
        assert_int_equal(index_pool_used(&tables->permissions.pool),
                         2); // the failed one left nothing
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(
                tables_rig_remove_channel(tables, 1, (uint16_t)(0x4000 + (i + round) % 6)), 0);
        assert_int_equal(index_pool_used(&tables->channels.pool), 0);
    }
    assert_int_equal(tables_rig_remove_allocation(tables, 1), 0);
    tables_rig_report_all(tables);
    tables_rig_assert_empty(tables);
}

// RFC 8656 section 12.2.
static void a_number_has_one_peer_and_a_peer_one_number(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_allocation(tables, 2, 1001), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:6"), -EINVAL);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.1:5"), -EINVAL);
    assert_int_equal(tables_rig_install_channel(tables, 2, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(index_pool_used(&tables->channels.pool), 2);
}

// RFC 8656 section 12.
static void refuses_what_is_no_channel(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), -ENOENT);
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x3FFF, "192.0.2.1:5"), -EINVAL);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x5000, "192.0.2.1:5"), -EINVAL);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:0"), -EINVAL);
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4000), -ENOENT);
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0), -ENOENT); // the allocation's key
    assert_int_equal(index_pool_used(&tables->permissions.pool), 0);
}

static void the_last_channel_of_a_peer_takes_a_permission_along_that_is_not_live(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.1:6"), 0);
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4000), 0);
    assert_int_equal(index_pool_used(&tables->permissions.pool), 1);
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4001), 0);
    assert_int_equal(index_pool_used(&tables->permissions.pool), 0);
}

// It carries this, of pieces that it has taken, and has 1000 bytes left for more.
static void carry(struct tables *tables, uint16_t number, const struct allocation_traffic *carried)
{
    struct channel *channel = tables_rig_channel(tables, 1000, number);
    struct allocation_traffic *taken = &tables->allocations.at[channel_allocation(channel)].traffic;
    channel->to_peer.packets = (uint16_t)carried->to_peer_packets;
    channel->to_client.packets = (uint16_t)carried->to_client_packets;
    channel->to_peer.allowance = channel->to_client.allowance = 1000;
    taken->to_peer_bytes +=
        carried->to_peer_bytes + carried->to_peer_packets * ALLOWANCE_PACKET_LEN + 1000;
    taken->to_client_bytes +=
        carried->to_client_bytes + carried->to_client_packets * ALLOWANCE_PACKET_LEN + 1000;
}

static void what_a_channel_has_relayed_stays_counted_when_it_goes(void **state)
{
    struct tables *tables = *state;
    struct punt punt;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.1:6"), 0);
    carry(tables, 0x4000, &(struct allocation_traffic){1, 20, 3, 40});
    carry(tables, 0x4001, &(struct allocation_traffic){100, 2000, 300, 4000});
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4000), 0);
    assert_null(tables_rig_channel(tables, 1000, 0x4000));
    assert_int_equal(tables_rig_remove_allocation(tables, 1), 0);
    assert_true(removal_next_report(tables, &punt));
    assert_int_equal(punt.removed.traffic.to_peer_packets, 101);
    assert_int_equal(punt.removed.traffic.to_peer_bytes, 2020);
    assert_int_equal(punt.removed.traffic.to_client_packets, 303);
    assert_int_equal(punt.removed.traffic.to_client_bytes, 4040);
}

static void a_port_guesses_its_first_channel_and_none_that_is_gone(void **state)
{
    struct tables *tables = *state;
    static const uint8_t peer[4] = {192, 0, 2, 1};
    const uint16_t port_be = __builtin_bswap16(5);
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    struct relay_slot *slot = tables_relay_slot(tables, RIG_RELAY_V4, 50001);
    assert_int_equal(slot->guess, TABLE_NONE);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    const struct channel *first = tables_rig_channel(tables, 1000, 0x4000);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "192.0.2.2:5"), 0);
    assert_ptr_equal(&tables->channels.at[slot->guess], first);
    assert_true(channel_is_of_peer(&tables->channels, first, slot->allocation, IP_FAMILY_V4, peer,
                                   port_be));
    assert_int_equal(tables_rig_remove_channel(tables, 1, 0x4000), 0);
    assert_false(channel_is_of_peer(&tables->channels, first, slot->allocation, IP_FAMILY_V4, peer,
                                    port_be));
}

static uint32_t of_port(const struct tables *tables, uint16_t port)
{
    return channel_table_of_port(&tables->channels, tables->permissions.at[0].channels,
                                 __builtin_bswap16(port));
}

// Ports that begin alike, from the lowest bit on, stand below each other.
static void each_port_of_a_peer_finds_its_channel(void **state)
{
    struct tables *tables = *state;
    static const uint16_t ports[TABLES_RIG_CHANNELS] = {256, 32768, 1, 512, 65535, 1024};
    char peer[64];
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_permission(tables, 1, "192.0.2.1"), 0);
    for (unsigned i = 0; i < TABLES_RIG_CHANNELS; i++) {
        snprintf(peer, sizeof(peer), "192.0.2.1:%u", ports[i]);
        assert_int_equal(tables_rig_install_channel(tables, 1, (uint16_t)(0x4000 + i), peer), 0);
        assert_int_equal(tables_rig_install_channel(tables, 1, 0x4100, peer), -EINVAL);
    }
    for (unsigned gone = 0; gone < TABLES_RIG_CHANNELS; gone++) {
        for (unsigned i = 0; i < TABLES_RIG_CHANNELS; i++) {
            const struct channel *channel =
                tables_rig_channel(tables, 1000, (uint16_t)(0x4000 + i));
            uint32_t index = of_port(tables, ports[i]);
            if (i < gone)
                assert_int_equal(index, TABLE_NONE);
            else
                assert_ptr_equal(&tables->channels.at[index], channel);
        }
        assert_int_equal(of_port(tables, 2), TABLE_NONE);
        assert_int_equal(tables_rig_remove_channel(tables, 1, (uint16_t)(0x4000 + gone)), 0);
    }
}

static void refuses_a_peer_of_a_family_that_is_not_configured(void **state)
{
    struct tables *tables = *state;
    struct plane_config config = *tables->config;
    assert_true(tables_have_ipv6(&config));
    config.listener_count = 1;
    assert_true(tables_have_ipv6(&config));
    config.relay_count = 1;
    assert_false(tables_have_ipv6(&config));
    config.stream_listener_count = 1; // beside the one that is left
    assert_true(tables_have_ipv6(&config));
    config.stream_listener_count = 0;
    config.proxied_clients = true;
    assert_true(tables_have_ipv6(&config));
    config.proxied_clients = false;
    struct tables ipv4;
    assert_int_equal(tables_init(&ipv4, &config, SOCKET_ID_ANY), 0);
    struct command command;
    memset(&command, 0, sizeof(command));
    command.install_allocation.client = rig_client("192.0.2.7:1000");
    command.install_allocation.relay_v4_port = RELAY_MIN_PORT;
    command.install_allocation.relay_v6 = RELAY_NONE;
    assert_int_equal(allocation_table_install(&ipv4, &command), 0);
    assert_int_equal(tables_rig_install_permission(&ipv4, 0, "2001:db8::"), -EINVAL);
    assert_int_equal(tables_rig_remove_permission(&ipv4, 0, "2001:db8::"), -ENOENT);
    assert_int_equal(tables_rig_install_channel(&ipv4, 0, 0x4000, "[2001:db8::]:5"), -EINVAL);
    assert_int_equal(tables_rig_install_channel(&ipv4, 0, 0x4000, "192.0.2.1:5"), 0);
    tables_done(&ipv4);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tables_rig_set_up, tables_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(channels_are_bounded_and_come_back),
        TEST(a_number_has_one_peer_and_a_peer_one_number),
        TEST(refuses_what_is_no_channel),
        TEST(the_last_channel_of_a_peer_takes_a_permission_along_that_is_not_live),
        TEST(what_a_channel_has_relayed_stays_counted_when_it_goes),
        TEST(a_port_guesses_its_first_channel_and_none_that_is_gone),
        TEST(each_port_of_a_peer_finds_its_channel),
        TEST(refuses_a_peer_of_a_family_that_is_not_configured),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
