// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

static int set_up(void **state)
{
    rig_set_up_clients(state);
    struct rig *rig = *state;
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_permission(rig, 0, 1, "2001:db8:e::9");
    rig_permission(rig, 0, 2, "192.0.2.200");
    rig_poll(rig);
    return 0;
}

// An ICMP error from some router about the datagram sent; the first quoted_len bytes of its packet
// are in it.
struct error {
    const char *router; // with a port that does not matter
    const char *local;
    const uint8_t *quoted;
    size_t quoted_len;
    uint8_t type;
    uint8_t code;
    uint32_t rest;
    bool no_checksum;
};

static size_t error_write(const struct error *error, uint8_t *frame)
{
    uint8_t body[300];
    struct wire wire = {.source = error->router, .destination = error->local, .payload = body};
    wire.len = error->quoted_len;
    memcpy(body, error->quoted, error->quoted_len);
    size_t len = wire_write(&wire, frame);
    bool is_v4 = frame[14] >> 4 == 4;
    uint8_t *icmp = frame + (is_v4 ? 34 : 54);
    size_t icmp_len = 8 + error->quoted_len;
    icmp[0] = error->type;
    icmp[1] = error->code;
    store_be16(icmp + 2, 0);
    store_be32(icmp + 4, error->rest);
    uint32_t pseudo = 0;
    if (is_v4) {
        frame[23] = 1;
        wire_fix_ipv4(frame);
    } else {
        frame[20] = 58;
        pseudo = 58 + (uint32_t)icmp_len;
        for (unsigned i = 22; i < 54; i += 2)
            pseudo += load_be16(frame + i);
        pseudo = (pseudo & 0xFFFF) + (pseudo >> 16);
    }
    if (!error->no_checksum)
        store_be16(icmp + 2, wire_checksum(icmp, icmp_len, pseudo));
    return len;
}

static void receive(struct rig *rig, const struct error *error)
{
    uint8_t frame[600];
    rig_receive(rig, 0, frame, error_write(error, frame));
    rig_poll(rig);
}

// The packet that our relay sent, without Ethernet header.
static size_t sent_packet(uint8_t *packet, const char *source, const char *destination)
{
    uint8_t frame[300];
    struct wire wire = {
        .source = source, .destination = destination, .payload = rig_data, .len = 43};
    size_t len = wire_write(&wire, frame) - 14;
    memcpy(packet, frame + 14, len);
    return len;
}

static struct error error_v4(uint8_t *packet)
{
    sent_packet(packet, RELAY_V4_LOCAL ":50001", PEER_V4);
    return (struct error){"192.0.2.1:9", RELAY_V4_LOCAL ":9", packet, 28, 3, 3, 0, false};
}

static struct error error_v6(uint8_t *packet)
{
    size_t len = sent_packet(packet, "[" RELAY_V6 "]:50002", PEER_V6);
    return (struct error){"[2001:db8:ff::1]:9", "[" RELAY_V6 "]:9", packet, len, 1, 4, 0, false};
}

static void assert_told(struct rig *rig, const char *client, const char *peer, uint8_t type,
                        uint8_t code, uint32_t error_data)
{
    static const uint8_t to_clients[6] = {2, 0, 0, 0, 0, 0xC1};
    struct wire_seen seen;
    struct data_seen message;
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, client);
    assert_memory_equal(seen.destination_mac, to_clients, 6);
    assert_int_equal(seen.ttl, 64);
    assert_int_equal(seen.traffic_class, 0);
    assert_int_not_equal(seen.checksum, 0);
    message_read_data(seen.payload, seen.len, &message);
    assert_null(message.data);
    assert_true(message.has_icmp);
    assert_string_equal(message.peer, peer);
    assert_int_equal(message.icmp_type, type);
    assert_int_equal(message.icmp_code, code);
    assert_int_equal(message.icmp_data, error_data);
}

static void assert_refused(struct rig *rig, enum drop drop)
{
    rig_sent_nothing(rig);
    rig_dropped_once(rig, drop);
}

// Even where a channel is bound (RFC 8656 section 12.5).
static void tells_the_client_in_a_data_indication(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V4, 3, 3, 0);
    error = error_v6(packet);
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V6, 1, 4, 0);
    error = error_v4(packet);
    sent_packet(packet, RELAY_V4_LOCAL ":50003", PEER_V4);
    receive(*state, &error);
    assert_told(*state, CLIENT_V6, PEER_V4, 3, 3, 0);
    assert_int_equal(rig_counter(*state, COUNTER_ICMP_TO_DATA), 3);
}

static void only_a_packet_too_big_carries_its_mtu(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    error.rest = 0xABCD0578;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V4, 3, 3, 0);
    error.code = 4;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V4, 3, 4, 1400);
    error.type = 11;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V4, 11, 4, 0);
    error = error_v6(packet);
    error.rest = 0x00010500;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V6, 1, 4, 0);
    error.type = 2;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V6, 2, 4, 0x00010500);
    error.type = 3;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V6, 3, 4, 0);
}

static void the_permission_of_the_peer_counts_not_that_of_the_router(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    error.router = PEER_V4;
    sent_packet(packet, RELAY_V4_LOCAL ":50001", "192.0.2.201:50000");
    receive(*state, &error);
    assert_refused(*state, DROP_NO_PERMISSION);
}

static void a_channel_is_no_permission(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200];
    struct error error = error_v4(packet);
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_REMOVE_PERMISSION;
    command.allocation = 1;
    assert_int_equal(ip_address_parse("192.0.2.200", &command.permission.peer), 0);
    rig_command(rig, 0, &command);
    receive(rig, &error);
    assert_refused(rig, DROP_NO_PERMISSION);
}

static void any_port_of_a_permitted_peer_is_told(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    sent_packet(packet, RELAY_V4_LOCAL ":50001", "192.0.2.200:7");
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, "192.0.2.200:7", 3, 3, 0);
}

// RFC 4443 section 2.4 (e): not even where the way to the client is too narrow.
static void an_error_is_never_answered_with_an_error(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200];
    struct error error = error_v6(packet);
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_ADJACENCY;
    command.set_adjacency.index = RIG_TO_CLIENTS;
    command.set_adjacency.adjacency = (struct adjacency){{2}, {2}, 80, rig->port, 1};
    rig_command(rig, 0, &command);
    rig_allocation(rig, 0, 3, "[2001:db8:c::8]:40000", 0, 50010);
    rig_permission(rig, 0, 3, "2001:db8:e::9");
    sent_packet(packet, "[" RELAY_V6 "]:50010", PEER_V6);
    receive(rig, &error);
    assert_refused(rig, DROP_TOO_BIG);
}

static void refuses_other_types(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200];
    uint64_t refused = 0;
    for (unsigned type = 0; type < 256; type++) {
        struct error error = error_v4(packet);
        error.type = (uint8_t)type;
        if (type != 3 && type != 11) {
            receive(rig, &error);
            refused++;
        }
        error = error_v6(packet);
        error.type = (uint8_t)type;
        if (type < 1 || type > 3) {
            receive(rig, &error);
            refused++;
        }
    }
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_BAD_ICMP), refused);
}

static void refuses_a_quote_at_every_length_that_lacks_the_ports(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200];
    uint64_t refused = 0;
    struct error error = error_v4(packet);
    for (error.quoted_len = 0; error.quoted_len < 28; error.quoted_len++, refused++)
        receive(rig, &error);
    error = error_v6(packet);
    for (error.quoted_len = 0; error.quoted_len < 48; error.quoted_len++, refused++)
        receive(rig, &error);
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_BAD_ICMP), refused);
}

static void refuses_a_wrong_checksum(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    error.no_checksum = true;
    receive(*state, &error);
    assert_refused(*state, DROP_BAD_ICMP);
}

static void refuses_a_wrong_checksum_over_ipv6(void **state)
{
    uint8_t packet[200];
    struct error error = error_v6(packet);
    error.no_checksum = true;
    receive(*state, &error);
    assert_refused(*state, DROP_BAD_ICMP);
}

static void refuses_what_is_not_about_udp(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    packet[9] = 6;
    receive(*state, &error);
    assert_refused(*state, DROP_BAD_ICMP);
}

static void refuses_a_later_fragment(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    store_be16(packet + 6, 0x0010);
    receive(*state, &error);
    assert_refused(*state, DROP_BAD_ICMP);
}

static void refuses_what_no_relayed_address_sent(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200];
    struct error error = error_v4(packet);
    sent_packet(packet, RELAY_V4_LOCAL ":50009", PEER_V4); // not live
    receive(rig, &error);
    sent_packet(packet, "10.0.0.6:50001", PEER_V4); // not ours
    receive(rig, &error);
    sent_packet(packet, LISTENER_V4, PEER_V4); // ours, but the listener's
    receive(rig, &error);
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_BAD_ICMP), 3);
}

static void looks_behind_the_options_and_the_fragment_header_of_the_quote(void **state)
{
    uint8_t packet[200], quoted[208];
    struct error error = error_v4(packet);
    memcpy(quoted, packet, 20);
    quoted[0] = 0x46;
    memset(quoted + 20, 1, 4);
    memcpy(quoted + 24, packet + 20, 8);
    error.quoted = quoted;
    error.quoted_len = 32;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V4, 3, 3, 0);
    error = error_v6(packet);
    memcpy(quoted, packet, 40);
    quoted[6] = 44;
    memset(quoted + 40, 0, 8);
    quoted[40] = 17;
    quoted[43] = 1; // more follow
    memcpy(quoted + 48, packet + 40, 8);
    error.quoted = quoted;
    error.quoted_len = 56;
    receive(*state, &error);
    assert_told(*state, CLIENT_V4, PEER_V6, 1, 4, 0);
}

static void an_error_to_another_address_is_not_ours(void **state)
{
    uint8_t packet[200];
    struct error error = error_v4(packet);
    error.local = "10.0.0.6:9";
    receive(*state, &error);
    assert_refused(*state, DROP_NOT_OURS);
}

// And each client has a rate of its own.
static void keeps_to_a_rate(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200], frame[RIG_FRAME_MAX];
    struct error error = error_v4(packet);
    uint64_t told;
    for (unsigned i = 0; i < 100; i++)
        receive(rig, &error);
    while (rig_sent(rig, 0, frame) > 0)
        ;
    told = rig_counter(rig, COUNTER_ICMP_TO_DATA);
    assert_true(told >= 20);
    assert_true(rig_drops(rig, DROP_ICMP_RATE) > 0);
    assert_int_equal(told + rig_drops(rig, DROP_ICMP_RATE), 100);
    sent_packet(packet, RELAY_V4_LOCAL ":50003", PEER_V4);
    receive(rig, &error);
    assert_told(rig, CLIENT_V6, PEER_V4, 3, 3, 0);
}

static void a_new_allocation_has_the_whole_burst(void **state)
{
    struct rig *rig = *state;
    uint8_t packet[200], frame[RIG_FRAME_MAX];
    struct error error = error_v4(packet);
    for (unsigned i = 0; i < 100; i++)
        receive(rig, &error);
    rig_remove(rig, 0, 1);
    rig_poll(rig); // its place is free from now on
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 50002);
    rig_permission(rig, 0, 1, "192.0.2.200");
    rig_poll(rig);
    while (rig_sent(rig, 0, frame) > 0)
        ;
    sent_packet(packet, RELAY_V4_LOCAL ":50001", "192.0.2.200:7");
    for (unsigned i = 0; i < 20; i++) {
        receive(rig, &error);
        assert_told(rig, CLIENT_V4, "192.0.2.200:7", 3, 3, 0);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tells_the_client_in_a_data_indication),
        TEST(only_a_packet_too_big_carries_its_mtu),
        TEST(the_permission_of_the_peer_counts_not_that_of_the_router),
        TEST(a_channel_is_no_permission),
        TEST(any_port_of_a_permitted_peer_is_told),
        TEST(an_error_is_never_answered_with_an_error),
        TEST(refuses_other_types),
        TEST(refuses_a_quote_at_every_length_that_lacks_the_ports),
        TEST(refuses_a_wrong_checksum),
        TEST(refuses_a_wrong_checksum_over_ipv6),
        TEST(refuses_what_is_not_about_udp),
        TEST(refuses_a_later_fragment),
        TEST(refuses_what_no_relayed_address_sent),
        TEST(looks_behind_the_options_and_the_fragment_header_of_the_quote),
        TEST(an_error_to_another_address_is_not_ours),
        TEST(keeps_to_a_rate),
        TEST(a_new_allocation_has_the_whole_burst),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
