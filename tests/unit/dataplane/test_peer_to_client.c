// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker_state.h"

#include "rig.h"

#define OTHER_PEER_V6 "[2001:db8:e::9:9]:50000"

static int set_up(void **state)
{
    rig_set_up_clients(state);
    struct rig *rig = *state;
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_channel(rig, 0, 1, 0x4FFF, PEER_V6);
    rig_permission(rig, 0, 2, "192.0.2.200");
    rig_permission(rig, 0, 2, "2001:db8:e::9");
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    return 0;
}

static void receive(struct rig *rig, const char *source, const char *destination, size_t len)
{
    struct wire wire = {
        .source = source, .destination = destination, .payload = rig_data, .len = len};
    rig_process_wire(rig, 0, &wire);
}

static void assert_to_client(struct rig *rig, const char *source, const char *destination,
                             struct wire_seen *ret_seen)
{
    static const uint8_t to_clients[6] = {2, 0, 0, 0, 0, 0xC1};
    rig_sent_wire(rig, 0, ret_seen);
    assert_string_equal(ret_seen->source, source);
    assert_string_equal(ret_seen->destination, destination);
    assert_memory_equal(ret_seen->destination_mac, to_clients, 6);
    assert_int_equal(ret_seen->ttl, 63);
}

static void assert_channel_data(const struct wire_seen *seen, uint16_t number, size_t len)
{
    assert_int_equal(seen->len, 4 + len); // no padding over UDP
    assert_int_equal(load_be16(seen->payload), number);
    assert_int_equal(load_be16(seen->payload + 2), len);
    assert_memory_equal(seen->payload + 4, rig_data, len);
}

static void assert_data(const struct wire_seen *seen, const char *peer, size_t len)
{
    struct data_seen message;
    message_read_data(seen->payload, seen->len, &message);
    assert_string_equal(message.peer, peer);
    assert_false(message.has_icmp);
    assert_non_null(message.data);
    assert_int_equal(message.len, len);
    assert_memory_equal(message.data, rig_data, len);
}

static void a_peer_with_a_channel_gets_through_as_channel_data(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    for (size_t len = 0; len <= 43; len++) {
        receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", len);
        assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
        assert_channel_data(&seen, 0x4000, len);
        receive(rig, PEER_V6, "[" RELAY_V6 "]:50002", len);
        assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
        assert_channel_data(&seen, 0x4FFF, len);
    }
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 88);
    assert_int_equal(rig_counter(rig, COUNTER_TO_CLIENT_BYTES), 2 * 43 * 44 / 2);
}

static void a_peer_with_a_permission_gets_through_in_data_indications(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    for (size_t len = 0; len <= 43; len++) {
        receive(rig, PEER_V4, RELAY_V4_LOCAL ":50003", len);
        assert_to_client(rig, LISTENER_V6, CLIENT_V6, &seen);
        assert_data(&seen, PEER_V4, len);
        receive(rig, PEER_V6, "[" RELAY_V6 "]:50004", len);
        assert_to_client(rig, LISTENER_V6, CLIENT_V6, &seen);
        assert_data(&seen, PEER_V6, len);
    }
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_DATA), 88);
}

// The client gets zeros, not what stood behind the datagram in the frame.
static void the_padding_of_a_data_indication_is_zero(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    for (size_t len = 1; len <= 4; len++) {
        uint8_t frame[64];
        struct wire wire = {.source = PEER_V4,
                            .destination = RELAY_V4_LOCAL ":50003",
                            .payload = rig_data,
                            .len = len};
        size_t frame_len = wire_write(&wire, frame);
        memset(frame + frame_len, 0xFF, sizeof(frame) - frame_len);
        rig_receive(rig, 0, frame, sizeof(frame));
        rig_poll(rig);
        assert_to_client(rig, LISTENER_V6, CLIENT_V6, &seen);
        assert_data(&seen, PEER_V4, len); // looks at the padding
    }
}

static void another_port_of_a_peer_with_a_channel_comes_in_data_indications(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    receive(rig, "192.0.2.200:50001", RELAY_V4_LOCAL ":50001", 5);
    assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
    assert_data(&seen, "192.0.2.200:50001", 5);
}

static void every_data_indication_has_a_transaction_of_its_own(void **state)
{
    struct rig *rig = *state;
    uint8_t seen_ids[20][12];
    for (unsigned i = 0; i < 20; i++) {
        struct wire_seen seen;
        struct data_seen message;
        receive(rig, PEER_V4, RELAY_V4_LOCAL ":50003", 5);
        rig_sent_wire(rig, 0, &seen);
        message_read_data(seen.payload, seen.len, &message);
        memcpy(seen_ids[i], message.transaction_id, 12);
        for (unsigned j = 0; j < i; j++) {
            assert_memory_not_equal(seen_ids[i], seen_ids[j], 12);
            assert_memory_not_equal(seen_ids[i] + 8, seen_ids[j] + 8, 4); // in every part
        }
    }
}

static void a_peer_without_permission_is_kept_out(void **state)
{
    receive(*state, "192.0.2.201:50000", RELAY_V4_LOCAL ":50001", 5);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_PERMISSION);
}

static void a_channel_rests_while_its_permission_is_gone(void **state)
{
    struct rig *rig = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_REMOVE_PERMISSION;
    command.allocation = 1;
    assert_int_equal(ip_address_parse("192.0.2.200", &command.permission.peer), 0);
    rig_command(rig, 0, &command);
    rig_poll(rig);
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 5);
    receive(rig, "192.0.2.200:50001", RELAY_V4_LOCAL ":50001", 5);
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_NO_PERMISSION), 2);
    receive(rig, PEER_V6, "[" RELAY_V6 "]:50002", 5);
    struct wire_seen seen;
    rig_sent_wire(rig, 0, &seen);
}

static void set_channel(struct rig *rig, enum command_kind kind, uint16_t number, const char *peer)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = kind;
    command.allocation = 1;
    command.channel.number = number;
    assert_int_equal(transport_address_parse(peer, &command.channel.peer), 0);
    command.channel.path = (struct peer_path){RIG_TO_PEERS, RELAY_NONE};
    rig_command(rig, 0, &command);
    rig_poll(rig);
}

// The last channel of a port is remembered, and must be forgotten.
static void
what_was_unbound_comes_in_data_indications_and_what_is_bound_anew_by_its_new_number(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 5);
    assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
    assert_channel_data(&seen, 0x4000, 5);
    set_channel(rig, COMMAND_REMOVE_CHANNEL, 0x4000, PEER_V4);
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 5);
    assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
    assert_data(&seen, PEER_V4, 5);
    set_channel(rig, COMMAND_INSTALL_CHANNEL, 0x4123, PEER_V4);
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 5);
    assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
    assert_channel_data(&seen, 0x4123, 5);
}

static void two_channels_of_one_port_take_turns(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    const struct tables *tables = &rig->workers[0]->tables;
    const struct relay_slot *slot = tables_relay_slot(tables, RIG_RELAY_V4, 50001);
    set_channel(rig, COMMAND_INSTALL_CHANNEL, 0x4123, "192.0.2.200:50001");
    for (unsigned i = 0; i < 6; i++) {
        uint16_t number = i % 2 == 0 ? 0x4000 : 0x4123;
        receive(rig, i % 2 == 0 ? PEER_V4 : "192.0.2.200:50001", RELAY_V4_LOCAL ":50001", 5);
        assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
        assert_channel_data(&seen, number, 5);
        assert_int_equal(channel_number(&tables->channels.at[slot->guess]), number);
    }
}

static void peers_with_ipv6_take_turns_by_their_whole_address(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    rig_permission(rig, 0, 1, "2001:db8:e::9:9");
    set_channel(rig, COMMAND_INSTALL_CHANNEL, 0x4123, OTHER_PEER_V6);
    for (unsigned i = 0; i < 6; i++) {
        receive(rig, i % 2 == 0 ? PEER_V6 : OTHER_PEER_V6, "[" RELAY_V6 "]:50002", 5);
        assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
        assert_channel_data(&seen, i % 2 == 0 ? 0x4FFF : 0x4123, 5);
    }
}

// The memory of a channel that is gone goes to the next one, and the port's guess still leads
// there.
static void a_channel_in_the_place_of_another_is_no_other_clients(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    set_channel(rig, COMMAND_REMOVE_CHANNEL, 0x4000, PEER_V4);
    rig_channel(rig, 0, 2, 0x4000, PEER_V4);
    rig_poll(rig);
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 5);
    assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
    assert_data(&seen, PEER_V4, 5);
}

static void a_relay_port_that_nobody_has_swallows_all(void **state)
{
    receive(*state, PEER_V4, RELAY_V4_LOCAL ":50002", 5); // the other family's
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_RELAYED_ADDRESS);
}

static void a_port_below_the_relay_range_is_not_ours(void **state)
{
    receive(*state, PEER_V4, RELAY_V4_LOCAL ":49151", 5);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NOT_OURS);
}

static void an_absent_checksum_is_absent_for_the_client_too(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct wire wire = {.source = PEER_V4,
                        .destination = RELAY_V4_LOCAL ":50001",
                        .payload = rig_data,
                        .len = 9,
                        .no_checksum = true};
    rig_process_wire(rig, 0, &wire);
    assert_to_client(rig, LISTENER_V4, CLIENT_V4, &seen);
    assert_channel_data(&seen, 0x4000, 9);
    assert_int_equal(seen.checksum, 0);
    wire.destination = RELAY_V4_LOCAL ":50003";
    rig_process_wire(rig, 0, &wire);
    assert_to_client(rig, LISTENER_V6, CLIENT_V6, &seen);
    assert_data(&seen, PEER_V4, 9);
    assert_int_not_equal(seen.checksum, 0);
}

static void an_absent_checksum_over_ipv6_is_refused(void **state)
{
    struct wire wire = {.source = PEER_V6,
                        .destination = "[" RELAY_V6 "]:50002",
                        .payload = rig_data,
                        .len = 9,
                        .no_checksum = true};
    rig_process_wire(*state, 0, &wire);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_BAD_CHECKSUM);
}

static void traffic_class_and_df_go_along(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct wire wire = {.source = PEER_V4,
                        .destination = RELAY_V4_LOCAL ":50001",
                        .payload = rig_data,
                        .len = 9,
                        .traffic_class = 0x4B,
                        .dont_fragment = true};
    rig_process_wire(rig, 0, &wire);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(seen.traffic_class, 0x4B);
    assert_true(seen.dont_fragment);
    wire.destination = RELAY_V4_LOCAL ":50003";
    rig_process_wire(rig, 0, &wire);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(seen.traffic_class, 0x4B);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_with_a_channel_gets_through_as_channel_data),
        TEST(a_peer_with_a_permission_gets_through_in_data_indications),
        TEST(the_padding_of_a_data_indication_is_zero),
        TEST(another_port_of_a_peer_with_a_channel_comes_in_data_indications),
        TEST(every_data_indication_has_a_transaction_of_its_own),
        TEST(a_peer_without_permission_is_kept_out),
        TEST(a_channel_rests_while_its_permission_is_gone),
        TEST(what_was_unbound_comes_in_data_indications_and_what_is_bound_anew_by_its_new_number),
        TEST(two_channels_of_one_port_take_turns),
        TEST(peers_with_ipv6_take_turns_by_their_whole_address),
        TEST(a_channel_in_the_place_of_another_is_no_other_clients),
        TEST(a_relay_port_that_nobody_has_swallows_all),
        TEST(a_port_below_the_relay_range_is_not_ours),
        TEST(an_absent_checksum_is_absent_for_the_client_too),
        TEST(an_absent_checksum_over_ipv6_is_refused),
        TEST(traffic_class_and_df_go_along),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
