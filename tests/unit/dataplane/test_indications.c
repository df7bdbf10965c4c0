// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/indications.h"

#include "dataplane/burst.h"
#include "dataplane/media.h"
#include "rig.h"

#include <rte_mbuf.h>
#include <stdlib.h>

#define LEN_MAX 1200

static uint8_t noise[LEN_MAX];

// Allocations 1 (IPv4) and 2 (IPv6) with permissions and channels to PEER_V4 and PEER_V6; what is
// sent here is of another port of that peer, which has no channel.
#define OTHER_PORT_V4 "203.0.113.9:7000"

static int set_up(void **state)
{
    int error = rig_set_up_clients(state);
    struct rig *rig = *state;
    rig_permission(rig, 0, 1, "203.0.113.9");
    rig_channel(rig, 0, 1, 0x4000, "203.0.113.9:7777");
    rig_permission(rig, 0, 2, "203.0.113.9");
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)(i * 41 + 3);
    return error;
}

static const struct wire from_client = {.source = CLIENT_V4, .destination = LISTENER_V4};
static const struct wire from_peer = {.source = OTHER_PORT_V4,
                                      .destination = RELAY_V4_LOCAL ":50001"};

// How many went the long way. All have gone it, and have been forwarded or dropped, at the end.
static unsigned pass(struct rig *rig, const struct wire *wire, bool in_two)
{
    struct rte_mbuf *frame = rig_frame(wire, in_two);
    rig->transmit_commands++; // it comes from no port
    unsigned left = media_forward(rig->workers[0], &frame, 1);
    burst_process(rig->workers[0], &frame, left, false);
    rig_poll(rig);
    return left;
}

static size_t sent(struct rig *rig, uint8_t *ret_frame)
{
    size_t len = rig_sent(rig, 0, ret_frame);
    struct wire_seen seen;
    if (len > 0)
        wire_read(ret_frame, len, &seen);
    return len;
}

// A first one, so that the permission is guessed from then on.
static void introduce(struct rig *rig, const struct wire *wire)
{
    static uint8_t frame[RIG_FRAME_MAX];
    pass(rig, wire, false);
    assert_int_not_equal(sent(rig, frame), 0);
}

// Whatever a sender may choose, and both ways go by.
static void vary(struct wire *wire)
{
    for (unsigned i = 0; i < 8; i++)
        noise[(unsigned)rand() % LEN_MAX] = (uint8_t)rand();
    wire->traffic_class = (uint8_t)rand();
    wire->ttl = (uint8_t)(2 + rand() % 254);
    wire->dont_fragment = rand() & 1;
}

// The same datagram on the short way, then on the long one. Both are as long.
static size_t pass_both(struct rig *rig, const struct wire *wire, uint8_t *ret_first,
                        uint8_t *ret_second)
{
    struct worker *worker = rig->workers[0];
    uint16_t id = worker->ipv4_id;
    assert_int_equal(pass(rig, wire, false), 0);
    worker->ipv4_id = id;
    assert_int_equal(pass(rig, wire, true), 1);
    size_t len = sent(rig, ret_first);
    assert_int_equal(sent(rig, ret_second), len);
    return len;
}

static void send_indications_end_in_the_same_bytes_either_way(void **state)
{
    struct rig *rig = *state;
    static uint8_t message[LEN_MAX + 64], first[RIG_FRAME_MAX], second[RIG_FRAME_MAX];
    uint64_t wire_bytes = 0;
    srand(9);
    for (unsigned round = 0; round < 3000; round++) {
        struct wire wire = from_client;
        size_t len = (size_t)rand() % LEN_MAX;
        vary(&wire);
        wire.payload = message;
        wire.len = message_send(message, OTHER_PORT_V4, noise, len, false);
        if (round == 0) {
            introduce(rig, &wire);
            wire_bytes = rig_counter(rig, COUNTER_TX_BYTES);
        }
        size_t sent_len = pass_both(rig, &wire, first, second);
        wire_bytes += 2 * sent_len;
        assert_int_equal(sent_len, 42 + len);
        assert_memory_equal(first, second, sent_len);
        assert_memory_equal(first + 42, noise, len);
    }
    assert_int_equal(rig_counter(rig, COUNTER_SEND_TO_PEER), 6001);
    assert_int_equal(rig_counter(rig, COUNTER_TX_BYTES), wire_bytes);
    assert_int_equal(rig_drops(rig, DROP_BAD_CHECKSUM), 0);
}

// But for the transaction id, and the checksum that it changes.
static void data_indications_end_in_the_same_bytes_either_way(void **state)
{
    struct rig *rig = *state;
    static uint8_t first[RIG_FRAME_MAX], second[RIG_FRAME_MAX];
    const size_t checksum_at = 40, id_at = 42 + 8;
    uint64_t wire_bytes = 0;
    srand(10);
    for (unsigned round = 0; round < 3000; round++) {
        struct wire wire = from_peer;
        vary(&wire);
        wire.payload = noise;
        wire.len = 4 + (size_t)rand() % (LEN_MAX - 4); // less goes the long way
        if (round == 0) {
            introduce(rig, &wire);
            wire_bytes = rig_counter(rig, COUNTER_TX_BYTES);
        }
        size_t len = pass_both(rig, &wire, first, second);
        struct data_seen seen;
        wire_bytes += 2 * len;
        message_read_data(first + 42, len - 42, &seen);
        assert_string_equal(seen.peer, OTHER_PORT_V4);
        assert_int_equal(seen.len, wire.len);
        assert_memory_equal(seen.data, noise, wire.len);
        assert_memory_not_equal(first + id_at, second + id_at, 12);
        memset(first + id_at, 0, 12);
        memset(second + id_at, 0, 12);
        memset(first + checksum_at, 0, 2);
        memset(second + checksum_at, 0, 2);
        assert_memory_equal(first, second, len);
    }
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_DATA), 6001);
    assert_int_equal(rig_counter(rig, COUNTER_TX_BYTES), wire_bytes);
}

// As many as a worker takes at once, of which some are for the long way: each is what its own
// sender sent, in their order, with an id of its own, and all are counted.
static void a_burst_of_data_goes_out_in_order(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX], ids[COUNTERS_BURST_MAX][12];
    struct rte_mbuf *frames[COUNTERS_BURST_MAX];
    struct wire wire = from_peer;
    wire.payload = noise;
    wire.len = 100;
    introduce(rig, &wire);
    unsigned sent_count = 0, stranger_count = 0;
    uint64_t data_bytes = rig_counter(rig, COUNTER_TO_CLIENT_BYTES);
    for (unsigned i = 0; i < COUNTERS_BURST_MAX; i++) {
        bool is_stranger = i % 5 == 3;
        wire.source = is_stranger ? "203.0.113.10:7000" : OTHER_PORT_V4;
        wire.payload = noise + i;
        wire.len = 300 + i;
        frames[i] = rig_frame(&wire, false);
        stranger_count += is_stranger;
        data_bytes += is_stranger ? 0 : wire.len;
    }
    unsigned left = media_forward(rig->workers[0], frames, COUNTERS_BURST_MAX);
    assert_int_equal(left, stranger_count);
    rig->transmit_commands += COUNTERS_BURST_MAX; // they come from no port
    burst_process(rig->workers[0], frames, left, false);
    rig_poll(rig);
    for (unsigned i = 0; i < COUNTERS_BURST_MAX; i++) {
        struct data_seen seen;
        if (i % 5 == 3)
            continue;
        size_t len = sent(rig, frame);
        message_read_data(frame + 42, len - 42, &seen);
        assert_int_equal(seen.len, 300 + i);
        assert_memory_equal(seen.data, noise + i, seen.len);
        memcpy(ids[sent_count], frame + 42 + 8, sizeof(ids[0]));
        for (unsigned k = 0; k < sent_count; k++)
            assert_memory_not_equal(ids[k], ids[sent_count], sizeof(ids[0]));
        sent_count++;
    }
    rig_sent_nothing(rig);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_DATA), 1 + sent_count);
    assert_int_equal(rig_counter(rig, COUNTER_TO_CLIENT_BYTES), data_bytes);
    assert_int_equal(rig_drops(rig, DROP_NO_PERMISSION), stranger_count);
}

static void a_channels_peer_gets_its_channel(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    struct wire wire = from_peer;
    wire.payload = noise;
    wire.len = 100;
    introduce(rig, &wire);
    rig_channel(rig, 0, 1, 0x4001, OTHER_PORT_V4);
    rig_poll(rig);
    pass(rig, &wire, false);
    sent(rig, frame);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 1);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_DATA), 1);
}

static void without_a_permission_nothing_passes(void **state)
{
    struct rig *rig = *state;
    uint8_t message[128];
    struct wire wires[2] = {from_client, from_peer};
    wires[0].payload = message;
    wires[0].len = message_send(message, OTHER_PORT_V4, noise, 40, false);
    wires[1].payload = noise;
    wires[1].len = 40;
    introduce(rig, &wires[0]);
    assert_int_equal(pass(rig, &wires[1], false), 0);
    static uint8_t frame[RIG_FRAME_MAX];
    sent(rig, frame);
    struct command command = {.kind = COMMAND_REMOVE_PERMISSION, .allocation = 1};
    struct transport_address peer;
    assert_int_equal(transport_address_parse(OTHER_PORT_V4, &peer), 0);
    command.permission.peer = peer.ip;
    rig_command(rig, 0, &command);
    rig_poll(rig);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pass(rig, &wires[i], false), 1);
        assert_int_equal(rig_drops(rig, DROP_NO_PERMISSION), i + 1);
    }
    rig_sent_nothing(rig);
}

// Each is left to the long way, which knows better, and none is forwarded by mistake.
static void what_is_not_just_so_goes_the_long_way(void **state)
{
    struct rig *rig = *state;
    static uint8_t message[256], changed[256], frame[RIG_FRAME_MAX];
    struct wire wire = from_client;
    wire.payload = message;
    wire.len = message_send(message, OTHER_PORT_V4, noise, 41, false);
    introduce(rig, &wire);
    wire.payload = changed;
    for (size_t at = 0; at < 36; at++) {
        if (at >= 8 && at < 20)
            continue; // the transaction id: any will do
        memcpy(changed, message, wire.len);
        changed[at] ^= 0x01;
        unsigned left = pass(rig, &wire, false);
        // Another port of that peer is as good, and a reserved byte means nothing.
        bool is_port = at == 26 || at == 27, is_reserved = at == 24;
        assert_int_equal(left, is_port ? 0 : 1);
        assert_int_equal(sent(rig, frame) > 0, is_port || is_reserved);
    }
    memcpy(changed, message, wire.len);
    changed[wire.len - 1] = 1; // padding of any value is ignored (RFC 8489 section 14)
    assert_int_equal(pass(rig, &wire, false), 1);
    assert_int_not_equal(sent(rig, frame), 0);
    wire.len = message_send(changed, OTHER_PORT_V4, noise, 41, true); // DONT-FRAGMENT
    assert_int_equal(pass(rig, &wire, false), 1);
    assert_int_not_equal(sent(rig, frame), 0);
    wire.source = "192.0.2.77:99"; // nobody's client
    assert_int_equal(pass(rig, &wire, false), 1);
    assert_int_equal(sent(rig, frame), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(send_indications_end_in_the_same_bytes_either_way),
        TEST(data_indications_end_in_the_same_bytes_either_way),
        TEST(a_burst_of_data_goes_out_in_order),
        TEST(a_channels_peer_gets_its_channel),
        TEST(without_a_permission_nothing_passes),
        TEST(what_is_not_just_so_goes_the_long_way),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
