// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

static uint8_t message[3000];

static int set_up(void **state)
{
    rig_set_up_channels(state);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 7);
    return 0;
}

// What was received, for what the error must quote.
static uint8_t received[RIG_FRAME_MAX];
static size_t received_len;

static void receive(struct rig *rig, const char *source, const char *destination, size_t len,
                    uint8_t ttl)
{
    struct wire wire = {
        .source = source, .destination = destination, .payload = message, .len = len, .ttl = ttl};
    wire.dont_fragment = true;
    received_len = wire_write(&wire, received);
    rig_receive(rig, 0, received, received_len);
    rig_poll(rig);
}

static void receive_channel_data(struct rig *rig, const char *client, uint16_t number, size_t len,
                                 uint8_t ttl)
{
    store_be16(message, number);
    store_be16(message + 2, (uint16_t)len);
    receive(rig, client, client[0] == '[' ? LISTENER_V6 : LISTENER_V4, 4 + len, ttl);
}

// From the address that was sent to, by the way it came, with the packet itself quoted.
static void assert_answer(struct rig *rig, uint8_t type, uint8_t code, uint32_t rest)
{
    static uint8_t frame[RIG_FRAME_MAX];
    static const uint8_t sender_mac[6] = {2, 0, 0, 0, 0xAA, 0xAA};
    static const uint8_t own_mac[6] = {2, 0, 0, 0, 0xFF, 0};
    size_t len = rig_sent(rig, 0, frame);
    assert_int_not_equal(len, 0);
    rig_sent_nothing(rig);
    bool is_v4 = received[14] >> 4 == 4;
    size_t ip_len = is_v4 ? 20 : 40;
    size_t ips = is_v4 ? 26 : 22, ip_size = is_v4 ? 4 : 16;
    size_t icmp_len = len - 14 - ip_len;
    const uint8_t *icmp = frame + 14 + ip_len;
    uint32_t pseudo = 0;
    assert_memory_equal(frame, sender_mac, 6);
    assert_memory_equal(frame + 6, own_mac, 6);
    assert_memory_equal(frame + 12, received + 12, 2);
    assert_memory_equal(frame + ips, received + ips + ip_size, ip_size);
    assert_memory_equal(frame + ips + ip_size, received + ips, ip_size);
    if (is_v4) {
        assert_int_equal(frame[14], 0x45);
        assert_int_equal(load_be16(frame + 16), len - 14);
        assert_int_equal(load_be16(frame + 20), 0);
        assert_int_equal(frame[22], 64);
        assert_int_equal(frame[23], 1);
        assert_int_equal(wire_checksum(frame + 14, 20, 0), 0);
        assert_true(len - 14 <= 576);
    } else {
        assert_int_equal(load_be32(frame + 14), 0x60000000);
        assert_int_equal(load_be16(frame + 18), icmp_len);
        assert_int_equal(frame[20], 58);
        assert_int_equal(frame[21], 64);
        for (size_t i = 22; i < 54; i += 2)
            pseudo += load_be16(frame + i);
        pseudo += 58 + (uint32_t)icmp_len;
        pseudo = (pseudo & 0xFFFF) + (pseudo >> 16);
        assert_true(len - 14 <= 1280);
    }
    assert_int_equal(wire_checksum(icmp, icmp_len, pseudo), 0);
    assert_int_equal(icmp[0], type);
    assert_int_equal(icmp[1], code);
    assert_int_equal(load_be32(icmp + 4), rest);
    size_t quoted = received_len - 14, room = (is_v4 ? 576 : 1280) - ip_len - 8;
    assert_int_equal(icmp_len - 8, quoted < room ? quoted : room);
    assert_memory_equal(icmp + 8, received + 14, icmp_len - 8);
}

// RFC 1191, RFC 4443 section 3.2; the MTU is told in terms of the sender's own IP header.
static void tells_a_client_how_much_fits(void **state)
{
    struct rig *rig = *state;
    receive_channel_data(rig, CLIENT_V4, 0x4000, 1473, 64);
    assert_answer(rig, 3, 4, 1500);
    receive_channel_data(rig, CLIENT_V4, 0x4001, 1453, 64);
    assert_answer(rig, 3, 4, 1480);
    receive_channel_data(rig, CLIENT_V6, 0x4001, 1453, 64);
    assert_answer(rig, 2, 0, 1500);
    receive_channel_data(rig, CLIENT_V6, 0x4000, 1473, 64);
    assert_answer(rig, 2, 0, 1520);
    assert_int_equal(rig_counter(rig, COUNTER_PACKET_TOO_BIG), 4);
    assert_int_equal(rig_counter(rig, COUNTER_TO_PEER_BYTES), 0);
}

// RFC 8656 section 13.2: less 48 bytes, which a Data indication takes.
static void tells_a_peer_to_leave_room_for_a_data_indication(void **state)
{
    struct rig *rig = *state;
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 1470, 64);
    assert_answer(rig, 3, 4, 1452);
    receive(rig, PEER_V6, "[" RELAY_V6 "]:50004", 1450, 64);
    assert_answer(rig, 2, 0, 1452);
    receive(rig, PEER_V6, "[" RELAY_V6 "]:50002", 1470, 64);
    assert_answer(rig, 2, 0, 1472);
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50003", 1450, 64);
    assert_answer(rig, 3, 4, 1432);
}

static void tells_no_less_than_every_link_has(void **state)
{
    struct rig *rig = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_ADJACENCY;
    command.set_adjacency.index = RIG_TO_PEERS;
    command.set_adjacency.adjacency = (struct adjacency){{2}, {2}, 1000, 0, 1};
    command.set_adjacency.adjacency.port = rig->port;
    rig_command(rig, 0, &command);
    receive_channel_data(rig, CLIENT_V6, 0x4001, 1000, 64);
    assert_answer(rig, 2, 0, 1280);
}

static void tells_when_the_hops_are_used_up(void **state)
{
    struct rig *rig = *state;
    receive_channel_data(rig, CLIENT_V4, 0x4000, 20, 1);
    assert_answer(rig, 11, 0, 0);
    receive_channel_data(rig, CLIENT_V6, 0x4001, 20, 1);
    assert_answer(rig, 3, 0, 0);
    receive(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 20, 1);
    assert_answer(rig, 11, 0, 0);
    assert_int_equal(rig_counter(rig, COUNTER_TIME_EXCEEDED), 3);
}

static void quotes_what_stood_before_the_udp_header(void **state)
{
    struct rig *rig = *state;
    static const uint8_t options[4] = {1, 1, 1, 0};
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50001", .payload = message, .len = 9};
    wire.ttl = 1;
    wire.options = options;
    wire.options_len = sizeof(options);
    received_len = wire_write(&wire, received);
    rig_receive(rig, 0, received, received_len);
    rig_poll(rig);
    assert_answer(rig, 11, 0, 0);
}

// RFC 4443 section 2.4 (f).
static void keeps_to_a_rate(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    for (unsigned i = 0; i < 300; i++)
        receive_channel_data(rig, CLIENT_V4, 0x4000, 20, 1);
    while (rig_sent(rig, 0, frame) > 0)
        ;
    assert_true(rig_counter(rig, COUNTER_TIME_EXCEEDED) >= 20);
    assert_true(rig_drops(rig, DROP_TTL_EXPIRED) > 0);
    assert_int_equal(rig_counter(rig, COUNTER_TIME_EXCEEDED) + rig_drops(rig, DROP_TTL_EXPIRED),
                     300);
}

static void says_nothing_about_what_goes_nowhere(void **state)
{
    struct rig *rig = *state;
    receive(rig, "192.0.2.201:50000", RELAY_V4_LOCAL ":50001", 20, 1); // no permission
    receive_channel_data(rig, CLIENT_V4, 0x4002, 2000, 64);            // no channel
    rig_sent_nothing(rig);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tells_a_client_how_much_fits),
        TEST(tells_a_peer_to_leave_room_for_a_data_indication),
        TEST(tells_no_less_than_every_link_has),
        TEST(tells_when_the_hops_are_used_up),
        TEST(quotes_what_stood_before_the_udp_header),
        TEST(keeps_to_a_rate),
        TEST(says_nothing_about_what_goes_nowhere),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
