// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include <stdio.h>

#define CLIENT_A "192.0.2.7:40000"
#define CLIENT_B "192.0.2.8:40000"

// With two workers, worker 0 owns even slices below 32, that is ports with bit 6 clear.
#define PORT_OF_0       50048 // 0xC380
#define PORT_OF_0_OTHER 50050
#define PORT_OF_1       50112 // 0xC3C0

struct pair {
    unsigned worker_of_b;
    uint16_t port_of_b;
};

static void install(struct rig *rig, const struct pair *pair, bool with_channels)
{
    char a[64], b[64];
    snprintf(a, sizeof(a), RELAY_V4_ADVERTISED ":%u", PORT_OF_0);
    snprintf(b, sizeof(b), RELAY_V4_ADVERTISED ":%u", pair->port_of_b);
    rig_allocation(rig, 0, 1, CLIENT_A, PORT_OF_0, PORT_OF_0);
    rig_allocation(rig, pair->worker_of_b, 2, CLIENT_B, pair->port_of_b, pair->port_of_b);
    rig_permission_hairpin(rig, 0, 1, RELAY_V4_ADVERTISED, RIG_RELAY_V4);
    rig_permission_hairpin(rig, 0, 1, RELAY_V6, RIG_RELAY_V6);
    rig_permission_hairpin(rig, pair->worker_of_b, 2, RELAY_V4_ADVERTISED, RIG_RELAY_V4);
    rig_permission_hairpin(rig, pair->worker_of_b, 2, RELAY_V6, RIG_RELAY_V6);
    if (with_channels) {
        rig_channel_hairpin(rig, 0, 1, 0x4000, b, RIG_RELAY_V4);
        rig_channel_hairpin(rig, pair->worker_of_b, 2, 0x4001, a, RIG_RELAY_V4);
    }
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void send_channel_data(struct rig *rig, uint8_t ttl)
{
    uint8_t message[64];
    struct wire wire = {
        .source = CLIENT_A, .destination = LISTENER_V4, .payload = message, .ttl = ttl};
    wire.traffic_class = 0x88;
    wire.len = message_channel_data(message, 0x4000, rig_data, 21);
    rig_process_wire(rig, 0, &wire);
}

static void send_indication(struct rig *rig, const char *peer)
{
    uint8_t message[128];
    struct wire wire = {.source = CLIENT_A, .destination = LISTENER_V4, .payload = message};
    wire.len = message_send(message, peer, rig_data, 22, false);
    rig_process_wire(rig, 0, &wire);
}

static void assert_reaches_b(struct rig *rig, const struct pair *pair)
{
    struct wire_seen seen;
    rig_sent_wire(rig, pair->worker_of_b, &seen);
    rig_sent_nothing(rig);
    assert_string_equal(seen.source, LISTENER_V4);
    assert_string_equal(seen.destination, CLIENT_B);
    assert_int_equal(seen.len, 4 + 21);
    assert_int_equal(load_be16(seen.payload), 0x4001);
    assert_memory_equal(seen.payload + 4, rig_data, 21);
    assert_int_equal(seen.ttl, 62); // both relays count
    assert_int_equal(seen.traffic_class, 0x88);
}

// XOR-PEER-ADDRESS is what the client knows the other as: the advertised address.
static void assert_reaches_b_as_data(struct rig *rig, const struct pair *pair, const char *source)
{
    struct wire_seen seen;
    struct data_seen message;
    rig_sent_wire(rig, pair->worker_of_b, &seen);
    rig_sent_nothing(rig);
    assert_string_equal(seen.destination, CLIENT_B);
    message_read_data(seen.payload, seen.len, &message);
    assert_string_equal(message.peer, source);
    assert_int_equal(message.len, 22);
    assert_memory_equal(message.data, rig_data, 22);
}

static const struct pair one_worker = {0, PORT_OF_0_OTHER};
static const struct pair two_workers = {1, PORT_OF_1};

static void channel_reaches_channel_on_one_worker(void **state)
{
    install(*state, &one_worker, true);
    send_channel_data(*state, 64);
    assert_reaches_b(*state, &one_worker);
    assert_int_equal(rig_counter(*state, COUNTER_HAIRPIN), 1);
    assert_int_equal(rig_counter(*state, COUNTER_CHANNEL_TO_PEER), 1);
    assert_int_equal(rig_counter(*state, COUNTER_PEER_TO_CHANNEL), 1);
    assert_int_equal(rig_counter(*state, COUNTER_HANDOFF_OUT), 0);
}

static void channel_reaches_channel_across_workers(void **state)
{
    install(*state, &two_workers, true);
    send_channel_data(*state, 64);
    assert_reaches_b(*state, &two_workers);
    assert_int_equal(rig_counter(*state, COUNTER_HAIRPIN), 1);
    assert_int_equal(rig_counter(*state, COUNTER_HANDOFF_OUT), 1);
    assert_int_equal(rig_counter(*state, COUNTER_HANDOFF_IN), 1);
}

static void indication_reaches_indication(void **state, const struct pair *pair)
{
    char peer[64];
    install(*state, pair, false);
    snprintf(peer, sizeof(peer), RELAY_V4_ADVERTISED ":%u", pair->port_of_b);
    send_indication(*state, peer);
    assert_reaches_b_as_data(*state, pair, RELAY_V4_ADVERTISED ":50048");
    snprintf(peer, sizeof(peer), "[" RELAY_V6 "]:%u", pair->port_of_b);
    send_indication(*state, peer);
    assert_reaches_b_as_data(*state, pair, "[" RELAY_V6 "]:50048");
}

static void indication_reaches_indication_on_one_worker(void **state)
{
    indication_reaches_indication(state, &one_worker);
}

static void indication_reaches_indication_across_workers(void **state)
{
    indication_reaches_indication(state, &two_workers);
}

// There is no link to be too narrow for it.
static void df_is_no_matter_inside(void **state)
{
    struct rig *rig = *state;
    uint8_t message[64];
    struct wire_seen seen;
    install(rig, &one_worker, true);
    struct wire wire = {
        .source = CLIENT_A, .destination = LISTENER_V4, .payload = message, .dont_fragment = true};
    wire.len = message_channel_data(message, 0x4000, rig_data, 21);
    rig_process_wire(rig, 0, &wire);
    rig_sent_wire(rig, 0, &seen);
    assert_true(seen.dont_fragment);
    assert_string_equal(seen.destination, CLIENT_B);
}

static void the_other_side_needs_a_permission_too(void **state)
{
    struct rig *rig = *state;
    install(rig, &one_worker, true);
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_REMOVE_PERMISSION;
    command.allocation = 2;
    assert_int_equal(ip_address_parse(RELAY_V4_ADVERTISED, &command.permission.peer), 0);
    rig_command(rig, 0, &command);
    send_channel_data(rig, 64);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_PERMISSION);
}

// Nobody on the wire is told: the frame has no way back to whoever sent it.
static void the_ttl_counts_down_at_each_relay(void **state)
{
    install(*state, &one_worker, true);
    send_channel_data(*state, 2);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_TTL_EXPIRED);
}

static void nothing_leaves_the_machine_when_the_port_is_not_live(void **state)
{
    install(*state, &one_worker, true);
    send_indication(*state, RELAY_V4_ADVERTISED ":50052");
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_RELAYED_ADDRESS);
}

static void nothing_leaves_the_machine_when_the_port_is_not_live_elsewhere(void **state)
{
    install(*state, &two_workers, true);
    send_indication(*state, RELAY_V4_ADVERTISED ":50114"); // worker 1's
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_RELAYED_ADDRESS);
}

static void a_port_that_is_no_relay_port_is_not_reached(void **state)
{
    install(*state, &one_worker, true);
    send_indication(*state, RELAY_V4_ADVERTISED ":3478");
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_RELAYED_ADDRESS);
}

static void a_port_that_is_no_relay_port_is_not_reached_by_channel(void **state)
{
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_A, PORT_OF_0, 0);
    rig_channel_hairpin(rig, 0, 1, 0x4000, RELAY_V4_ADVERTISED ":3478", RIG_RELAY_V4);
    rig_permission_hairpin(rig, 0, 1, RELAY_V4_ADVERTISED, RIG_RELAY_V4);
    send_channel_data(rig, 64);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_RELAYED_ADDRESS);
}

// A listener on the relay's own address, with a port within the relay's range.
static void a_listener_is_not_reached_through_the_hairpin(struct rig *rig, uint16_t port)
{
    char peer[64];
    rig_allocation(rig, 0, 1, CLIENT_A, PORT_OF_0, 0);
    rig_permission_hairpin(rig, 0, 1, RELAY_V4_ADVERTISED, RIG_RELAY_V4);
    snprintf(peer, sizeof(peer), RELAY_V4_ADVERTISED ":%u", port);
    send_indication(rig, peer);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_RELAYED_ADDRESS);
}

static void a_listener_is_reached_neither_here_nor_on_another_worker(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct plane_config config;
        rig_config(&config, 2);
        uint16_t port = i == 0 ? PORT_OF_0_OTHER : PORT_OF_1;
        assert_int_equal(
            ip_address_parse(RELAY_V4_LOCAL, &config.listeners[config.listener_count].ip), 0);
        config.listeners[config.listener_count++].port = port;
        struct rig *rig = rig_create(&config);
        a_listener_is_not_reached_through_the_hairpin(rig, port);
        rig_destroy(rig);
    }
}

static void a_full_burst_turns_round_whole(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    install(rig, &one_worker, true);
    uint8_t message[64];
    struct wire wire = {.source = CLIENT_A, .destination = LISTENER_V4, .payload = message};
    wire.len = message_channel_data(message, 0x4000, rig_data, 21);
    for (unsigned i = 0; i < 500; i++)
        rig_receive_wire(rig, 0, &wire);
    rig_poll(rig);
    for (unsigned i = 0; i < 500; i++)
        assert_int_not_equal(rig_sent(rig, 0, frame), 0);
    assert_int_equal(rig_counter(rig, COUNTER_HAIRPIN), 500);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
#define TWO(test) cmocka_unit_test_setup_teardown(test, rig_set_up_two, rig_tear_down)
    const struct CMUnitTest tests[] = {
        ONE(channel_reaches_channel_on_one_worker),
        TWO(channel_reaches_channel_across_workers),
        ONE(indication_reaches_indication_on_one_worker),
        TWO(indication_reaches_indication_across_workers),
        ONE(df_is_no_matter_inside),
        ONE(the_other_side_needs_a_permission_too),
        ONE(the_ttl_counts_down_at_each_relay),
        ONE(nothing_leaves_the_machine_when_the_port_is_not_live),
        TWO(nothing_leaves_the_machine_when_the_port_is_not_live_elsewhere),
        ONE(a_port_that_is_no_relay_port_is_not_reached),
        ONE(a_port_that_is_no_relay_port_is_not_reached_by_channel),
        cmocka_unit_test(a_listener_is_reached_neither_here_nor_on_another_worker),
        ONE(a_full_burst_turns_round_whole),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
