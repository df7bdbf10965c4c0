// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

static int set_up(void **state)
{
    rig_set_up(state);
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 50002);
    rig_allocation(rig, 0, 2, CLIENT_V6, 50003, 0);
    for (uint32_t id = 1; id <= 2; id++) {
        rig_permission(rig, 0, id, "192.0.2.200");
        rig_permission(rig, 0, id, "2001:db8:e::9");
    }
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    return 0;
}

static const struct wire from_v4 = {.source = CLIENT_V4, .destination = LISTENER_V4};
static const struct wire from_v6 = {.source = CLIENT_V6, .destination = LISTENER_V6};

static void receive_message(struct rig *rig, struct wire wire, const uint8_t *message, size_t len)
{
    wire.payload = message;
    wire.len = len;
    rig_process_wire(rig, 0, &wire);
}

static void receive(struct rig *rig, struct wire wire, const char *peer, size_t len,
                    bool dont_fragment)
{
    uint8_t message[256];
    receive_message(rig, wire, message, message_send(message, peer, rig_data, len, dont_fragment));
}

static void assert_sent(struct rig *rig, const char *source, const char *destination, size_t len,
                        struct wire_seen *ret_seen)
{
    static const uint8_t to_peers[6] = {2, 0, 0, 0, 0, 0xEE};
    rig_sent_wire(rig, 0, ret_seen);
    assert_string_equal(ret_seen->source, source);
    assert_string_equal(ret_seen->destination, destination);
    assert_int_equal(ret_seen->len, len);
    assert_memory_equal(ret_seen->payload, rig_data, len);
    assert_memory_equal(ret_seen->destination_mac, to_peers, 6);
    assert_int_equal(ret_seen->ttl, 63);
}

static void relays_every_length_in_every_family(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    for (size_t len = 0; len <= 43; len++) {
        receive(rig, from_v4, PEER_V4, len, len & 1);
        assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, len, &seen);
        receive(rig, from_v4, PEER_V6, len, len & 1);
        assert_sent(rig, "[" RELAY_V6 "]:50002", PEER_V6, len, &seen);
        receive(rig, from_v6, PEER_V4, len, len & 1);
        assert_sent(rig, RELAY_V4_LOCAL ":50003", PEER_V4, len, &seen);
    }
    assert_int_equal(rig_counter(rig, COUNTER_SEND_TO_PEER), 3 * 44);
    assert_int_equal(rig_counter(rig, COUNTER_TO_PEER_BYTES), 3 * 43 * 44 / 2);
}

static void any_port_of_a_permitted_peer_is_reached(void **state)
{
    struct wire_seen seen;
    receive(*state, from_v4, "192.0.2.200:1", 7, false);
    assert_sent(*state, RELAY_V4_LOCAL ":50001", "192.0.2.200:1", 7, &seen);
}

static void an_absent_checksum_stays_absent_over_ipv4_and_is_made_for_ipv6(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct wire wire = from_v4;
    wire.no_checksum = true;
    receive(rig, wire, PEER_V4, 13, false);
    assert_sent(rig, RELAY_V4_LOCAL ":50001", PEER_V4, 13, &seen);
    assert_int_equal(seen.checksum, 0);
    receive(rig, wire, PEER_V6, 13, false);
    assert_sent(rig, "[" RELAY_V6 "]:50002", PEER_V6, 13, &seen);
    assert_int_not_equal(seen.checksum, 0);
}

// RFC 8656 section 14; across families the attribute is ignored (section 13).
static void dont_fragment_sets_df_and_df_is_kept_without_it(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct wire wire = from_v4;
    receive(rig, wire, PEER_V4, 7, false);
    rig_sent_wire(rig, 0, &seen);
    assert_false(seen.dont_fragment);
    receive(rig, wire, PEER_V4, 7, true);
    rig_sent_wire(rig, 0, &seen);
    assert_true(seen.dont_fragment);
    wire.dont_fragment = true;
    receive(rig, wire, PEER_V4, 7, false);
    rig_sent_wire(rig, 0, &seen);
    assert_true(seen.dont_fragment);
    receive(rig, from_v6, PEER_V4, 7, true);
    rig_sent_wire(rig, 0, &seen);
    assert_false(seen.dont_fragment);
}

static void traffic_class_goes_along(void **state)
{
    struct wire wire = from_v4;
    struct wire_seen seen;
    wire.traffic_class = 0x2A;
    receive(*state, wire, PEER_V6, 7, false);
    rig_sent_wire(*state, 0, &seen);
    assert_int_equal(seen.traffic_class, 0x2A);
}

static void drops_without_an_allocation(void **state)
{
    struct wire wire = from_v4;
    wire.source = "192.0.2.8:40000";
    receive(*state, wire, PEER_V4, 7, false);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_ALLOCATION);
}

static void drops_without_a_permission(void **state)
{
    receive(*state, from_v4, "192.0.2.201:50000", 7, false);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_PERMISSION);
}

static void drops_a_family_that_the_allocation_does_not_have(void **state)
{
    receive(*state, from_v6, PEER_V6, 7, false);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_NO_PERMISSION);
}

static void drops_port_zero(void **state)
{
    receive(*state, from_v4, "192.0.2.200:0", 7, false);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_BAD_SEND);
}

static void does_not_relay_at_the_last_hop(void **state)
{
    struct wire wire = from_v4;
    wire.ttl = 1;
    receive(*state, wire, PEER_V4, 7, false);
    static uint8_t frame[RIG_FRAME_MAX];
    assert_int_not_equal(rig_sent(*state, 0, frame), 0); // to the client: icmp_answer
    rig_sent_nothing(*state);
    assert_int_equal(rig_counter(*state, COUNTER_TIME_EXCEEDED), 1);
    assert_int_equal(rig_counter(*state, COUNTER_TO_PEER_BYTES), 0);
}

static void drops_an_unknown_attribute_that_must_be_understood(void **state)
{
    uint8_t message[256];
    size_t len = message_send(message, PEER_V4, rig_data, 8, true);
    store_be16(message + 32, 0x7F00); // was DONT-FRAGMENT
    receive_message(*state, from_v4, message, len);
    rig_sent_nothing(*state);
    rig_dropped_once(*state, DROP_BAD_SEND);
}

static void passes_over_an_unknown_attribute_that_need_not_be(void **state)
{
    uint8_t message[256];
    struct wire_seen seen;
    size_t len = message_send(message, PEER_V4, rig_data, 8, true);
    store_be16(message + 32, 0xFF00);
    receive_message(*state, from_v4, message, len);
    assert_sent(*state, RELAY_V4_LOCAL ":50001", PEER_V4, 8, &seen);
}

static void drops_without_peer_or_without_data(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    size_t len = message_send(message, PEER_V4, rig_data, 8, false);
    store_be16(message + 20, 0xFF00); // was XOR-PEER-ADDRESS
    receive_message(rig, from_v4, message, len);
    len = message_send(message, PEER_V4, rig_data, 8, false);
    store_be16(message + 32, 0xFF00); // was DATA
    receive_message(rig, from_v4, message, len);
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_BAD_SEND), 2);
}

static void drops_what_is_no_stun_message(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    size_t len = message_send(message, PEER_V4, rig_data, 8, false);
    for (size_t cut = 2; cut < len; cut++) {
        receive_message(rig, from_v4, message, cut);
        assert_int_equal(rig_drops(rig, DROP_BAD_STUN), cut - 1);
    }
    rig_sent_nothing(rig);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(relays_every_length_in_every_family),
        TEST(any_port_of_a_permitted_peer_is_reached),
        TEST(an_absent_checksum_stays_absent_over_ipv4_and_is_made_for_ipv6),
        TEST(dont_fragment_sets_df_and_df_is_kept_without_it),
        TEST(traffic_class_goes_along),
        TEST(drops_without_an_allocation),
        TEST(drops_without_a_permission),
        TEST(drops_a_family_that_the_allocation_does_not_have),
        TEST(drops_port_zero),
        TEST(does_not_relay_at_the_last_hop),
        TEST(drops_an_unknown_attribute_that_must_be_understood),
        TEST(passes_over_an_unknown_attribute_that_need_not_be),
        TEST(drops_without_peer_or_without_data),
        TEST(drops_what_is_no_stun_message),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
