// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

static uint8_t message[9000];

static int set_up(void **state)
{
    rig_set_up_channels(state);
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 13 + (i >> 8));
    return 0;
}

// Frames of up to 9000 bytes reach the worker whole: its own link is not the one that is narrow.
static void receive(struct rig *rig, const char *client, uint16_t number, size_t len,
                    bool dont_fragment)
{
    struct wire wire = {.source = client, .payload = message, .dont_fragment = dont_fragment};
    wire.destination = client[0] == '[' ? LISTENER_V6 : LISTENER_V4;
    store_be16(message, number);
    store_be16(message + 2, (uint16_t)len);
    wire.len = 4 + len;
    rig_process_wire(rig, 0, &wire);
}

// Puts together what was sent and checks every fragment against mtu.
static unsigned assert_fragments(struct rig *rig, size_t len, size_t mtu)
{
    static uint8_t frame[RIG_FRAME_MAX], whole[RIG_FRAME_MAX];
    size_t at = 0;
    unsigned count = 0;
    bool more = true;
    uint32_t id = 0;
    size_t frame_len;
    while ((frame_len = rig_sent(rig, 0, frame)) > 0) {
        bool is_v4 = frame[14] >> 4 == 4;
        size_t headers = is_v4 ? 34 : 62;
        uint32_t fragment = is_v4 ? load_be16(frame + 20) : load_be16(frame + 56);
        uint32_t this_id = is_v4 ? load_be16(frame + 18) : load_be32(frame + 58);
        assert_true(more);
        assert_true(frame_len - 14 <= mtu);
        if (is_v4) {
            assert_int_equal(load_be16(frame + 16), frame_len - 14);
            assert_int_equal(wire_checksum(frame + 14, 20, 0), 0);
            assert_int_equal((fragment & 0x1FFF) * 8, at);
            assert_int_equal(fragment & 0xC000, 0);
            more = fragment & 0x2000;
        } else {
            assert_int_equal(load_be16(frame + 18), frame_len - 54);
            assert_int_equal(frame[20], 44);
            assert_int_equal(frame[54], 17);
            assert_int_equal(frame[55], 0);
            assert_int_equal(fragment & 0xFFF8, at);
            assert_int_equal(fragment & 6, 0);
            more = fragment & 1;
        }
        if (count > 0)
            assert_int_equal(this_id, id);
        id = this_id;
        if (count == 0)
            memcpy(whole, frame, is_v4 ? 34 : 54);
        memcpy(whole + (is_v4 ? 34 : 54) + at, frame + headers, frame_len - headers);
        at += frame_len - headers;
        count++;
    }
    assert_false(more);
    assert_int_equal(at, 8 + len);
    bool is_v4 = whole[14] >> 4 == 4;
    if (is_v4) {
        store_be16(whole + 16, (uint16_t)(20 + at));
        store_be16(whole + 20, 0);
        wire_fix_ipv4(whole);
    } else {
        store_be16(whole + 18, (uint16_t)at);
        whole[20] = 17;
    }
    struct wire_seen seen;
    wire_read(whole, (is_v4 ? 34 : 54) + at, &seen);
    assert_memory_equal(seen.payload, message + 4, len);
    return count;
}

static void ipv4_without_df_is_cut_at_the_mtu(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    receive(rig, CLIENT_V4, 0x4000, 1472, false); // 1500 with headers
    rig_sent_wire(rig, 0, &seen);
    receive(rig, CLIENT_V4, 0x4000, 1473, false);
    assert_int_equal(assert_fragments(rig, 1473, 1500), 2);
    receive(rig, CLIENT_V4, 0x4000, 8000, false);
    assert_int_equal(assert_fragments(rig, 8000, 1500), 6);
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), 2);
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTS_MADE), 1 + 5);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), 1 + 2 + 6);
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 3);
}

// Nothing went to the peer; what the sender is told is icmp_answer's.
static void assert_too_big(struct rig *rig)
{
    static uint8_t frame[RIG_FRAME_MAX];
    assert_int_equal(rig_counter(rig, COUNTER_PACKET_TOO_BIG), 1);
    assert_int_not_equal(rig_sent(rig, 0, frame), 0);
    rig_sent_nothing(rig);
}

static void ipv4_with_df_is_too_big(void **state)
{
    struct wire_seen seen;
    receive(*state, CLIENT_V4, 0x4000, 1472, true); // fits exactly
    rig_sent_wire(*state, 0, &seen);
    receive(*state, CLIENT_V4, 0x4000, 1473, true);
    assert_too_big(*state);
}

// RFC 7915 section 4: fragments of 1280 bytes, because nobody will tell an IPv4 sender without DF
// of less.
static void ipv4_without_df_is_cut_to_1280_for_ipv6(void **state)
{
    struct wire_seen seen;
    receive(*state, CLIENT_V4, 0x4001, 1452, false);
    rig_sent_wire(*state, 0, &seen);
    receive(*state, CLIENT_V4, 0x4001, 1453, false);
    assert_int_equal(assert_fragments(*state, 1453, 1280), 2);
    receive(*state, CLIENT_V4, 0x4001, 8000, false);
    assert_int_equal(assert_fragments(*state, 8000, 1280), 7);
}

static void ipv4_with_df_is_too_big_for_ipv6(void **state)
{
    receive(*state, CLIENT_V4, 0x4001, 1453, true);
    assert_too_big(*state);
}

// RFC 8656 section 13.2: who sent it whole over IPv6 is to find out.
static void ipv6_that_came_whole_is_too_big(void **state)
{
    struct wire_seen seen;
    receive(*state, CLIENT_V6, 0x4001, 1452, false); // fits exactly
    rig_sent_wire(*state, 0, &seen);
    receive(*state, CLIENT_V6, 0x4001, 1453, false);
    assert_too_big(*state);
}

static void ipv6_that_came_whole_is_too_big_for_ipv4(void **state)
{
    receive(*state, CLIENT_V6, 0x4000, 1473, false);
    assert_too_big(*state);
}

// Behind a Fragment header, and in one piece: an atomic fragment.
static void receive_with_fragment_header(struct rig *rig, uint16_t number, size_t len)
{
    static const uint8_t header[9] = {44, 17, 0, 0, 0, 0xDE, 0xAD, 0xBE, 0xEF};
    struct wire wire = {.source = CLIENT_V6, .destination = LISTENER_V6, .payload = message};
    wire.options = header;
    wire.options_len = sizeof(header);
    store_be16(message, number);
    store_be16(message + 2, (uint16_t)len);
    wire.len = 4 + len;
    rig_process_wire(rig, 0, &wire);
}

static void ipv6_that_came_in_fragments_is_cut_to_1280(void **state)
{
    receive_with_fragment_header(*state, 0x4001, 1453);
    assert_int_equal(assert_fragments(*state, 1453, 1280), 2);
}

static void ipv6_that_came_in_fragments_is_cut_at_the_mtu_for_ipv4(void **state)
{
    receive_with_fragment_header(*state, 0x4000, 1473);
    assert_int_equal(assert_fragments(*state, 1473, 1500), 2);
}

// Whatever the link can carry: 2048 bytes of room, less 14.
static void no_frame_is_longer_than_a_buffer(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_ADJACENCY;
    command.set_adjacency.index = RIG_TO_PEERS;
    command.set_adjacency.adjacency = (struct adjacency){{2}, {2}, 9000, rig->port, 1};
    rig_command(rig, 0, &command);
    receive(rig, CLIENT_V4, 0x4000, 2034 - 28, false);
    rig_sent_wire(rig, 0, &seen);
    receive(rig, CLIENT_V4, 0x4000, 2034 - 27, false);
    assert_int_equal(assert_fragments(rig, 2034 - 27, 2034), 2);
    receive(rig, CLIENT_V4, 0x4000, 8000, true);
    assert_too_big(rig);
}

static void drops_when_no_buffer_is_left(void **state)
{
    struct rig *rig = *state;
    static struct rte_mbuf *held[4096];
    unsigned count = 0;
    struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    store_be16(message, 0x4000);
    store_be16(message + 2, 1800);
    wire.len = 1804;
    rig_receive_wire(rig, 0, &wire);
    while ((held[count] = rte_pktmbuf_alloc(rig_pool)) != NULL)
        count++;
    rig_poll(rig);
    while (count > 0)
        rte_pktmbuf_free(held[--count]);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_BUFFER);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ipv4_without_df_is_cut_at_the_mtu),
        TEST(ipv4_with_df_is_too_big),
        TEST(ipv4_without_df_is_cut_to_1280_for_ipv6),
        TEST(ipv4_with_df_is_too_big_for_ipv6),
        TEST(ipv6_that_came_whole_is_too_big),
        TEST(ipv6_that_came_whole_is_too_big_for_ipv4),
        TEST(ipv6_that_came_in_fragments_is_cut_to_1280),
        TEST(ipv6_that_came_in_fragments_is_cut_at_the_mtu_for_ipv4),
        TEST(no_frame_is_longer_than_a_buffer),
        TEST(drops_when_no_buffer_is_left),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
