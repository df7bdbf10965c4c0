// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include <stdio.h>

static struct command command_of(enum command_kind kind, uint32_t allocation)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = kind;
    command.allocation = allocation;
    return command;
}

static void apply(struct rig *rig, struct command command)
{
    rig_command(rig, 0, &command);
    rig_poll(rig);
}

static void assert_usage(struct rig *rig, uint32_t allocations, uint32_t permissions,
                         uint32_t channels)
{
    struct worker_usage usage;
    worker_get_usage(rig->workers[0], &usage);
    assert_int_equal(usage.allocations, allocations);
    assert_int_equal(usage.permissions, permissions);
    assert_int_equal(usage.channels, channels);
}

static void assert_removed(struct rig *rig, uint32_t allocation, uint16_t relay, uint16_t port)
{
    struct punt punt;
    assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
    assert_int_equal(punt.kind, PUNT_REMOVED);
    assert_int_equal(punt.allocation, allocation);
    assert_int_equal(punt.removed.relay, relay);
    assert_int_equal(punt.removed.port, port);
}

static void receive_from_peer(struct rig *rig, const char *peer, const char *relayed)
{
    struct wire wire = {.source = peer, .destination = relayed, .payload = rig_data, .len = 5};
    rig_process_wire(rig, 0, &wire);
}

static void transmits_a_frame_as_it_is(void **state)
{
    struct rig *rig = *state;
    uint8_t sent[RIG_FRAME_MAX];
    struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
    memcpy(rte_pktmbuf_append(frame, sizeof(rig_data)), rig_data, sizeof(rig_data));
    struct command command = command_of(COMMAND_TRANSMIT, 0);
    command.transmit.frame = frame;
    apply(rig, command);
    assert_int_equal(rig_sent(rig, 0, sent), sizeof(rig_data));
    assert_memory_equal(sent, rig_data, sizeof(rig_data));
    assert_int_equal(rig_counter(rig, COUNTER_TX_BYTES), sizeof(rig_data));
}

static void what_stands_before_a_transmit_is_in_force_when_it_leaves(void **state)
{
    struct rig *rig = *state;
    uint8_t sent[RIG_FRAME_MAX];
    struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
    memcpy(rte_pktmbuf_append(frame, sizeof(rig_data)), rig_data, sizeof(rig_data));
    for (uint32_t id = 0; id < 16; id++) {
        char client[64];
        snprintf(client, sizeof(client), "192.0.2.7:%u", 1000 + id);
        rig_allocation(rig, 0, id, client, (uint16_t)(50000 + id), 0);
        rig_channel(rig, 0, id, 0x4000, PEER_V4);
    }
    struct command command = command_of(COMMAND_TRANSMIT, 0);
    command.transmit.frame = frame;
    rig_command(rig, 0, &command);
    while (rig_sent(rig, 0, sent) == 0)
        worker_poll(rig->workers[0]);
    assert_usage(rig, 16, 16, 16);
}

static void removal_gives_everything_back_and_reports_the_traffic(void **state)
{
    struct rig *rig = *state;
    uint8_t message[64], sent[RIG_FRAME_MAX];
    for (unsigned round = 0; round < 50; round++) {
        rig_allocation(rig, 0, 5, CLIENT_V4, 50001, 50002);
        rig_channel(rig, 0, 5, 0x4000, PEER_V4);
        rig_channel(rig, 0, 5, 0x4001, "[2001:db8:e::9]:1");
        rig_permission(rig, 0, 5, "192.0.2.201");
        rig_poll(rig);
        assert_usage(rig, 1, 3, 2);
        struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
        wire.len = message_channel_data(message, 0x4000, rig_data, 7);
        rig_receive_wire(rig, 0, &wire);
        wire.len = message_send(message, "192.0.2.201:5", rig_data, 9, false);
        rig_process_wire(rig, 0, &wire);
        receive_from_peer(rig, PEER_V4, RELAY_V4_LOCAL ":50001");
        receive_from_peer(rig, "192.0.2.201:5", RELAY_V4_LOCAL ":50001");
        receive_from_peer(rig, "192.0.2.201:5", RELAY_V4_LOCAL ":50001");
        rig_remove(rig, 0, 5);
        rig_poll(rig);
        struct punt punt;
        assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
        assert_int_equal(punt.allocation, 5);
        assert_int_equal(punt.removed.relay, RELAY_NONE);
        assert_int_equal(punt.removed.traffic.to_peer_packets, 2);
        assert_int_equal(punt.removed.traffic.to_peer_bytes, 16);
        assert_int_equal(punt.removed.traffic.to_client_packets, 3);
        assert_int_equal(punt.removed.traffic.to_client_bytes, 15);
        assert_usage(rig, 0, 0, 0);
        while (rig_sent(rig, 0, sent) > 0)
            ;
        receive_from_peer(rig, PEER_V4, RELAY_V4_LOCAL ":50001");
        rig_sent_nothing(rig);
    }
    assert_int_equal(rig_drops(rig, DROP_NO_RELAYED_ADDRESS), 50);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

// The control plane gets its id back even where the install had failed.
static void removal_of_what_is_not_there_is_answered(void **state)
{
    struct rig *rig = *state;
    rig_remove(rig, 0, 9);
    rig_remove(rig, 0, 1000000);
    struct command command = command_of(COMMAND_REMOVE_RELAY, 9);
    command.remove_relay.relay = RIG_RELAY_V4;
    command.remove_relay.port = 50001;
    apply(rig, command);
    assert_removed(rig, 9, RELAY_NONE, 0);
    assert_removed(rig, 1000000, RELAY_NONE, 0);
    assert_removed(rig, 9, RIG_RELAY_V4, 50001);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 3);
}

static void removing_a_relay_takes_one_family_and_leaves_the_other(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 50002);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_channel(rig, 0, 1, 0x4001, "[2001:db8:e::9]:1");
    struct command command = command_of(COMMAND_REMOVE_RELAY, 1);
    command.remove_relay.relay = RIG_RELAY_V4;
    command.remove_relay.port = 50001;
    apply(rig, command);
    assert_removed(rig, 1, RIG_RELAY_V4, 50001);
    assert_usage(rig, 1, 1, 1);
    receive_from_peer(rig, PEER_V4, RELAY_V4_LOCAL ":50001");
    rig_sent_nothing(rig);
    receive_from_peer(rig, "[2001:db8:e::9]:1", "[" RELAY_V6 "]:50002");
    rig_sent_wire(rig, 0, &seen);
    rig_remove(rig, 0, 1);
    rig_poll(rig);
    assert_removed(rig, 1, RELAY_NONE, 0);
    assert_usage(rig, 0, 0, 0);
}

static int set_up_big(void **state)
{
    struct plane_config config;
    rig_config(&config, 1);
    config.channels_per_worker = 4096;
    config.permissions_per_worker = 4096;
    *state = rig_create(&config);
    return 0;
}

static void install_many(struct rig *rig, uint32_t id)
{
    for (unsigned i = 0; i < 1000; i++) {
        char peer[64];
        snprintf(peer, sizeof(peer), "192.%u.%u.1:1000", 100 + i / 256, i % 256);
        rig_channel(rig, 0, id, (uint16_t)(0x4000 + i), peer);
    }
}

// A big allocation is taken apart between many bursts, and what comes behind it waits: it may take
// up the same client.
static void a_big_removal_is_spread_and_nothing_overtakes_it(void **state)
{
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 0);
    install_many(rig, 1);
    rig_poll(rig);
    assert_usage(rig, 1, 1000, 1000);
    rig_remove(rig, 0, 1);
    rig_allocation(rig, 0, 2, CLIENT_V4, 50003, 0);
    rig_channel(rig, 0, 2, 0x4000, PEER_V4);
    unsigned polls = 0;
    struct worker_usage before, after;
    worker_get_usage(rig->workers[0], &before);
    while (worker_poll(rig->workers[0]) > 0) {
        worker_get_usage(rig->workers[0], &after);
        assert_true(before.channels - after.channels <= 128 || after.channels == 1);
        before = after;
        polls++;
    }
    assert_true(polls >= 8);
    assert_removed(rig, 1, RELAY_NONE, 0);
    assert_usage(rig, 1, 1, 1);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void installing_again_changes_the_way_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    static const uint8_t to_peers[6] = {2, 0, 0, 0, 0, 0xEE};
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 0);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    struct command command = command_of(COMMAND_INSTALL_ALLOCATION, 1);
    command.install_allocation.client = rig_client(CLIENT_V4);
    command.install_allocation.adjacency = RIG_TO_PEERS;
    command.install_allocation.relay_v4 = RIG_RELAY_V4;
    command.install_allocation.relay_v4_port = 50001;
    command.install_allocation.relay_v6 = RELAY_NONE;
    apply(rig, command);
    assert_usage(rig, 1, 1, 1);
    receive_from_peer(rig, PEER_V4, RELAY_V4_LOCAL ":50001");
    rig_sent_wire(rig, 0, &seen);
    assert_memory_equal(seen.destination_mac, to_peers, 6);
    receive_from_peer(rig, "192.0.2.200:1", RELAY_V4_LOCAL ":50001");
    rig_sent_wire(rig, 0, &seen);
    assert_memory_equal(seen.destination_mac, to_peers, 6);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void an_adjacency_behind_another_port_is_out_of_reach(void **state)
{
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 0);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    struct command command = command_of(COMMAND_SET_ADJACENCY, 0);
    command.set_adjacency.index = RIG_TO_CLIENTS;
    command.set_adjacency.adjacency.port = 200;
    command.set_adjacency.adjacency.mtu = 1500;
    command.set_adjacency.adjacency.resolved = 1;
    apply(rig, command);
    receive_from_peer(rig, PEER_V4, RELAY_V4_LOCAL ":50001");
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_NEIGHBOUR);
}

static void refuses_indices_that_do_not_exist(void **state)
{
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 0);
    rig_poll(rig);
    struct command command;
    uint64_t failures = 0;
#define REFUSES(kind, field, value)                                                                \
    command = command_of(kind, 1);                                                                 \
    command.field = value;                                                                         \
    apply(rig, command);                                                                           \
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), ++failures)
    REFUSES(COMMAND_SET_ADJACENCY, set_adjacency.index, ADJACENCY_NONE);
    REFUSES(COMMAND_SET_ADJACENCY, set_adjacency.index, 8);
    REFUSES(COMMAND_INSTALL_ALLOCATION, install_allocation.adjacency, 8);
    REFUSES(COMMAND_INSTALL_ALLOCATION, install_allocation.relay_v4, 2);
    REFUSES(COMMAND_INSTALL_ALLOCATION, install_allocation.relay_v4_port, RELAY_MIN_PORT - 1);
    REFUSES(COMMAND_INSTALL_ALLOCATION, install_allocation.client.listener, PLANE_LISTENERS_MAX);
    REFUSES(COMMAND_INSTALL_ALLOCATION, allocation, 64);
    REFUSES(COMMAND_INSTALL_PERMISSION, permission.path.adjacency, 8);
    REFUSES(COMMAND_INSTALL_PERMISSION, permission.path.relay, 2);
    REFUSES(COMMAND_INSTALL_PERMISSION, allocation, 2);
    REFUSES(COMMAND_INSTALL_CHANNEL, channel.path.adjacency, 8);
    REFUSES(COMMAND_INSTALL_CHANNEL, channel.number, 0x3FFF);
    REFUSES(COMMAND_INSTALL_CHANNEL, channel.number, 0x5000);
    REFUSES(COMMAND_INSTALL_STEERING, steering.owner, 0); // itself
    REFUSES(COMMAND_INSTALL_STEERING, steering.owner, 1);
    REFUSES(COMMAND_REMOVE_PERMISSION, allocation, 1);
    REFUSES(COMMAND_REMOVE_CHANNEL, channel.number, 0x4000);
    REFUSES(COMMAND_REMOVE_CHANNEL, channel.number, 0); // would be the allocation's key
    REFUSES(COMMAND_REMOVE_STEERING, steering.owner, 0);
    REFUSES(COMMAND_KIND_COUNT, allocation, 1);
    assert_usage(rig, 1, 0, 0);
}

// Whichever of a peer's channels goes, its permission knows those that stay.
static void channels_that_stay_follow_their_permission(void **state)
{
    struct rig *rig = *state;
    for (uint16_t gone = 0; gone < 3; gone++) {
        rig_allocation(rig, 0, gone, CLIENT_V4, 50001, 0);
        rig_channel(rig, 0, gone, 0x4000, "192.0.2.200:50000");
        rig_channel(rig, 0, gone, 0x4001, "192.0.2.200:50001");
        rig_channel(rig, 0, gone, 0x4002, "192.0.2.200:50002");
        struct command command = command_of(COMMAND_REMOVE_CHANNEL, gone);
        command.channel.number = (uint16_t)(0x4000 + gone);
        apply(rig, command);
        command = command_of(COMMAND_REMOVE_PERMISSION, gone);
        assert_int_equal(ip_address_parse("192.0.2.200", &command.permission.peer), 0);
        apply(rig, command);
        for (uint16_t stays = 0; stays < 3; stays++) {
            char peer[32];
            snprintf(peer, sizeof(peer), "192.0.2.200:%u", 50000 + stays);
            receive_from_peer(rig, peer, RELAY_V4_LOCAL ":50001");
        }
        rig_sent_nothing(rig);
        assert_int_equal(rig_drops(rig, DROP_NO_PERMISSION), 3 * (gone + 1));
        rig_remove(rig, 0, gone);
        rig_poll(rig);
        assert_usage(rig, 0, 0, 0);
    }
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(transmits_a_frame_as_it_is),
        TEST(what_stands_before_a_transmit_is_in_force_when_it_leaves),
        TEST(removal_gives_everything_back_and_reports_the_traffic),
        TEST(removal_of_what_is_not_there_is_answered),
        TEST(channels_that_stay_follow_their_permission),
        TEST(removing_a_relay_takes_one_family_and_leaves_the_other),
        cmocka_unit_test_setup_teardown(a_big_removal_is_spread_and_nothing_overtakes_it,
                                        set_up_big, rig_tear_down),
        TEST(installing_again_changes_the_way_and_nothing_else),
        TEST(an_adjacency_behind_another_port_is_out_of_reach),
        TEST(refuses_indices_that_do_not_exist),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
