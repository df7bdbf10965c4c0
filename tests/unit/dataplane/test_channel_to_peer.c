// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

static int set_up(void **state)
{
    rig_set_up_clients(state);
    struct rig *rig = *state;
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_channel(rig, 0, 1, 0x4FFF, PEER_V6);
    rig_channel(rig, 0, 2, 0x4001, PEER_V4);
    rig_channel(rig, 0, 2, 0x4002, PEER_V6);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    return 0;
}

static void receive(struct rig *rig, struct wire wire, uint16_t number, size_t len,
                    size_t behind_len)
{
    uint8_t message[256];
    memset(message, 0xA5, sizeof(message));
    wire.len = message_channel_data(message, number, rig_data, len) + behind_len;
    wire.payload = message;
    rig_process_wire(rig, 0, &wire);
}

static const struct wire from_v4 = {.source = CLIENT_V4, .destination = LISTENER_V4};
static const struct wire from_v6 = {.source = CLIENT_V6, .destination = LISTENER_V6};

static void assert_sent(struct rig *rig, const char *source, const char *destination, size_t len,
                        struct wire_seen *ret_seen)
{
    static const uint8_t to_peers[6] = {2, 0, 0, 0, 0, 0xEE};
    static const uint8_t own[6] = {2, 0, 0, 0, 0xFF, 0};
    rig_sent_wire(rig, 0, ret_seen);
    assert_string_equal(ret_seen->source, source);
    assert_string_equal(ret_seen->destination, destination);
    assert_int_equal(ret_seen->len, len);
    assert_memory_equal(ret_seen->payload, rig_data, len);
    assert_memory_equal(ret_seen->destination_mac, to_peers, 6);
    assert_memory_equal(ret_seen->source_mac, own, 6);
    assert_int_equal(ret_seen->ttl, 63);
}

static void relays_between_every_two_families(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    receive(rig, from_v4, 0x4000, 43, 0);
    assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, 43, &seen);
    receive(rig, from_v4, 0x4FFF, 43, 0);
    assert_sent(rig, "[" RELAY_V6 "]:50002", PEER_V6, 43, &seen);
    receive(rig, from_v6, 0x4001, 43, 0);
    assert_sent(rig, RELAY_V4_LOCAL ":50003", PEER_V4, 43, &seen);
    receive(rig, from_v6, 0x4002, 43, 0);
    assert_sent(rig, "[" RELAY_V6 "]:50004", PEER_V6, 43, &seen);
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 4);
    assert_int_equal(rig_counter(rig, COUNTER_TO_PEER_BYTES), 4 * 43);
}

static void every_length_keeps_a_right_checksum(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    for (size_t len = 0; len <= 43; len++) {
        for (size_t behind_len = 0; behind_len < 6; behind_len++) {
            receive(rig, from_v4, 0x4000, len, behind_len);
            assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, len, &seen);
            receive(rig, from_v6, 0x4001, len, behind_len);
            assert_sent(rig, RELAY_V4_LOCAL ":50003", PEER_V4, len, &seen);
            receive(rig, from_v4, 0x4FFF, len, behind_len);
            assert_sent(rig, "[" RELAY_V6 "]:50002", PEER_V6, len, &seen);
        }
    }
}

static void an_absent_checksum_stays_absent_over_ipv4_and_is_made_for_ipv6(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct wire wire = from_v4;
    wire.no_checksum = true;
    for (size_t len = 0; len <= 43; len++) {
        receive(rig, wire, 0x4000, len, 3);
        assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, len, &seen);
        assert_int_equal(seen.checksum, 0);
        receive(rig, wire, 0x4FFF, len, 3);
        assert_sent(rig, "[" RELAY_V6 "]:50002", PEER_V6, len, &seen);
        assert_int_not_equal(seen.checksum, 0);
    }
}

// The sum still protects the bytes end to end: what was damaged before the relay is found out
// behind it.
static void damage_on_the_way_here_is_not_healed(void **state)
{
    struct rig *rig = *state;
    uint8_t message[64], frame[256];
    struct wire wire = from_v4;
    wire.len = message_channel_data(message, 0x4000, rig_data, 20);
    wire.payload = message;
    size_t len = wire_write(&wire, frame);
    frame[len - 1] ^= 0x10;
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    uint8_t sent[RIG_FRAME_MAX];
    assert_int_equal(rig_sent(rig, 0, sent), len - 4);
    uint16_t sum = load_be16(sent + 40);
    store_be16(sent + 40, 0);
    sent[len - 4 - 1] ^= 0x10;
    uint32_t pseudo = 17 + 28;
    for (unsigned i = 26; i < 34; i += 2)
        pseudo += load_be16(sent + i);
    assert_int_equal(wire_checksum(sent + 34, 28, pseudo),
                     sum); // right for the bytes that the client sent
}

static void traffic_class_and_df_go_along(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct wire wire = from_v4;
    wire.traffic_class = 0xB9; // EF, ECT(1)
    wire.dont_fragment = true;
    wire.ttl = 2;
    receive(rig, wire, 0x4000, 10, 0);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(seen.traffic_class, 0xB9);
    assert_true(seen.dont_fragment);
    assert_int_equal(seen.ttl, 1);
    receive(rig, wire, 0x4FFF, 10, 0);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(seen.traffic_class, 0xB9);
    assert_int_equal(seen.ttl, 1);
    wire.dont_fragment = false;
    receive(rig, wire, 0x4000, 10, 0);
    rig_sent_wire(rig, 0, &seen);
    assert_false(seen.dont_fragment);
    uint16_t id = seen.ip_id;
    receive(rig, wire, 0x4000, 10, 0);
    rig_sent_wire(rig, 0, &seen);
    assert_int_not_equal(seen.ip_id, id);
}

// RFC 7915 section 5.1.
static void a_long_datagram_from_ipv6_gets_df_and_a_short_one_does_not(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    static uint8_t message[1400];
    struct wire wire = from_v6;
    wire.traffic_class = 0x2E;
    wire.payload = message;
    for (size_t packet_len = 1259; packet_len <= 1262; packet_len++) {
        wire.len = message_channel_data(message, 0x4001, message + 4, packet_len - 28);
        rig_process_wire(rig, 0, &wire);
        rig_sent_wire(rig, 0, &seen);
        assert_int_equal(seen.dont_fragment, packet_len > 1260);
        assert_int_equal(seen.traffic_class, 0x2E);
    }
}

static void each_flow_has_a_label_of_its_own(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    receive(rig, from_v4, 0x4FFF, 10, 0);
    rig_sent_wire(rig, 0, &seen);
    uint32_t label = seen.flow_label;
    receive(rig, from_v4, 0x4FFF, 20, 0);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(seen.flow_label, label);
    receive(rig, from_v6, 0x4002, 10, 0);
    rig_sent_wire(rig, 0, &seen);
    assert_int_not_equal(seen.flow_label, label);
    assert_int_not_equal(seen.flow_label, 0x54321); // the client's
}

static void does_not_relay_at_the_last_hop(void **state)
{
    struct wire wire = from_v4;
    wire.ttl = 1;
    receive(*state, wire, 0x4000, 10, 0);
    static uint8_t frame[RIG_FRAME_MAX];
    assert_int_not_equal(rig_sent(*state, 0, frame), 0); // to the client: icmp_answer
    rig_sent_nothing(*state);
    assert_int_equal(rig_counter(*state, COUNTER_TIME_EXCEEDED), 1);
    assert_int_equal(rig_counter(*state, COUNTER_TO_PEER_BYTES), 0);
}

static void drops_a_channel_that_is_not_bound(void **state)
{
    receive(*state, from_v4, 0x4001, 10, 0); // another client's
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_UNBOUND_CHANNEL);
}

static void drops_another_port_of_the_same_host(void **state)
{
    struct wire wire = from_v4;
    wire.source = "192.0.2.7:40001";
    receive(*state, wire, 0x4000, 10, 0);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_UNBOUND_CHANNEL);
}

static void drops_what_is_shorter_than_it_claims(void **state)
{
    struct rig *rig = *state;
    uint8_t message[8];
    message_channel_data(message, 0x4000, rig_data, 4);
    struct wire wire = from_v4;
    wire.payload = message;
    for (wire.len = 1; wire.len < 8; wire.len++) {
        rig_process_wire(rig, 0, &wire);
        assert_int_equal(rig_drops(rig, DROP_BAD_CHANNEL_DATA), wire.len);
    }
    rig_sent_nothing(rig);
}

static void set_permission(struct rig *rig, enum command_kind kind)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = kind;
    command.allocation = 1;
    assert_int_equal(ip_address_parse("192.0.2.200", &command.permission.peer), 0);
    command.permission.path = (struct peer_path){RIG_TO_PEERS, RELAY_NONE};
    rig_command(rig, 0, &command);
    rig_poll(rig);
}

// RFC 8656 section 9: a channel does not replace the permission.
static void a_channel_rests_while_its_permission_is_gone(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    set_permission(rig, COMMAND_REMOVE_PERMISSION);
    receive(rig, from_v4, 0x4000, 10, 0);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_PERMISSION);
    set_permission(rig, COMMAND_INSTALL_PERMISSION);
    receive(rig, from_v4, 0x4000, 10, 0);
    assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, 10, &seen);
}

static void drops_when_the_next_hop_is_not_resolved(void **state)
{
    struct rig *rig = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_INSTALL_CHANNEL;
    command.allocation = 1;
    command.channel.number = 0x4000;
    assert_int_equal(transport_address_parse(PEER_V4, &command.channel.peer), 0);
    command.channel.path = (struct peer_path){RIG_UNRESOLVED, RELAY_NONE};
    rig_command(rig, 0, &command);
    rig_poll(rig);
    receive(rig, from_v4, 0x4000, 10, 0);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_NEIGHBOUR);
}

static void skips_what_ethernet_padded(void **state)
{
    struct rig *rig = *state;
    uint8_t message[8], frame[64] = {0};
    struct wire wire = from_v4;
    wire.len = message_channel_data(message, 0x4000, rig_data, 2);
    wire.payload = message;
    size_t len = wire_write(&wire, frame);
    memset(frame + len, 0xFF, 60 - len);
    rig_receive(rig, 0, frame, 60);
    rig_poll(rig);
    struct wire_seen seen;
    assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, 2, &seen);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(relays_between_every_two_families),
        TEST(every_length_keeps_a_right_checksum),
        TEST(an_absent_checksum_stays_absent_over_ipv4_and_is_made_for_ipv6),
        TEST(damage_on_the_way_here_is_not_healed),
        TEST(traffic_class_and_df_go_along),
        TEST(a_long_datagram_from_ipv6_gets_df_and_a_short_one_does_not),
        TEST(each_flow_has_a_label_of_its_own),
        TEST(does_not_relay_at_the_last_hop),
        TEST(drops_a_channel_that_is_not_bound),
        TEST(drops_another_port_of_the_same_host),
        TEST(drops_what_is_shorter_than_it_claims),
        TEST(a_channel_rests_while_its_permission_is_gone),
        TEST(drops_when_the_next_hop_is_not_resolved),
        TEST(skips_what_ethernet_padded),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
