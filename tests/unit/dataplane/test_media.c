// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/media.h"

#include "dataplane/burst.h"
#include "rig.h"

#include <rte_mbuf.h>
#include <stdlib.h>

#define LEN_MAX 1200

static uint8_t noise[LEN_MAX + 8];

static int set_up(void **state)
{
    int error = rig_set_up_channels(state);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)(i * 37 + 11);
    return error;
}

static unsigned forward_one(struct rig *rig, const struct wire *wire)
{
    struct rte_mbuf *frame = rig_frame(wire, false);
    unsigned left = media_forward(rig->workers[0], &frame, 1);
    rig->transmit_commands++; // it comes from no port
    if (left > 0)
        burst_process(rig->workers[0], &frame, 1, false);
    rig_poll(rig);
    return left;
}

static size_t channel_data(uint8_t *ret_message, uint16_t number, size_t len)
{
    return message_channel_data(ret_message, number, noise, len);
}

// Each of both families, from a client and from a peer.
static void each_flow(unsigned flow, size_t len, uint8_t *message, struct wire *ret_wire)
{
    static const struct wire flows[4] = {
        {.source = CLIENT_V4, .destination = LISTENER_V4},
        {.source = PEER_V4, .destination = RELAY_V4_LOCAL ":50001"},
        {.source = CLIENT_V6, .destination = LISTENER_V6},
        {.source = PEER_V6, .destination = "[" RELAY_V6 "]:50004"},
    };
    *ret_wire = flows[flow];
    ret_wire->payload = noise;
    ret_wire->len = len;
    if (flow % 2 == 0) {
        ret_wire->len = channel_data(message, flow == 0 ? 0x4000 : 0x4001, len);
        ret_wire->payload = message;
    }
}

// The long way reads every header field by itself and makes checksums from the whole.
static void the_short_way_and_the_long_way_end_in_the_same_bytes(void **state)
{
    struct rig *rig = *state;
    static uint8_t message[LEN_MAX + 8], first[RIG_FRAME_MAX], second[RIG_FRAME_MAX];
    struct worker *worker = rig->workers[0];
    srand(7);
    for (unsigned round = 0; round < 8000; round++) {
        struct wire wire;
        for (unsigned i = 0; i < 8; i++)
            noise[(unsigned)rand() % LEN_MAX] = (uint8_t)rand();
        size_t len = 4 + (size_t)rand() % (LEN_MAX - 4);
        each_flow(round % 4, len, message, &wire);
        wire.traffic_class = (uint8_t)rand();
        wire.ttl = (uint8_t)(2 + rand() % 254);
        wire.dont_fragment = rand() & 1;
        struct rte_mbuf *frames[2] = {rig_frame(&wire, false), rig_frame(&wire, true)};
        rig->transmit_commands += 2;
        uint16_t id = worker->ipv4_id;
        assert_int_equal(media_forward(worker, frames, 1), 0);
        worker->ipv4_id = id;
        assert_int_equal(media_forward(worker, frames + 1, 1), 1);
        burst_process(worker, frames + 1, 1, false);
        rig_poll(rig);
        size_t sent_len = rig_sent(rig, 0, first);
        assert_int_equal(rig_sent(rig, 0, second), sent_len);
        assert_memory_equal(first, second, sent_len);
        struct wire_seen seen;
        wire_read(first, sent_len, &seen);
        assert_int_equal(seen.len, wire.len + (round % 2 == 0 ? -4 : 4));
    }
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 8000);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 8000);
}

// The same datagram twice, the second in two buffers, which no short way takes. What the first is
// taken for, the second is as well; what it is not taken for is as it was. Whether it was taken.
static bool both_ways(struct rig *rig, struct rte_mbuf *frames[2])
{
    static uint8_t first[RIG_FRAME_MAX], second[RIG_FRAME_MAX];
    struct worker *worker = rig->workers[0];
    uint16_t id = worker->ipv4_id, len = frames[0]->data_len;
    memcpy(first, rte_pktmbuf_mtod(frames[0], void *), len);
    if (media_forward(worker, frames, 1) == 1) {
        assert_int_equal(frames[0]->data_len, len);
        assert_memory_equal(first, rte_pktmbuf_mtod(frames[0], void *), len);
        rte_pktmbuf_free(frames[0]);
        rte_pktmbuf_free(frames[1]);
        return false;
    }
    rig->transmit_commands += 2;
    worker->ipv4_id = id;
    burst_process(worker, frames + 1, 1, false);
    rig_poll(rig);
    size_t sent_len = rig_sent(rig, 0, first);
    assert_true(sent_len > 0);
    assert_int_equal(rig_sent(rig, 0, second), sent_len);
    assert_memory_equal(first, second, sent_len);
    return true;
}

#define HEADERS_MAX (14 + 40 + 8 + 4)

static void whichever_bit_of_the_headers_is_another_both_ways_agree(void **state)
{
    struct rig *rig = *state;
    static const size_t padding_lens[] = {0, 9};
    unsigned taken = 0;
    for (unsigned i = 0; i < 4 * 2 * 2 * HEADERS_MAX * 8; i++) {
        unsigned flow = i % 4, bit = i / 16;
        unsigned udp_byte = bit / 8 - (flow < 2 ? 34 : 54);
        if (flow % 2 == 0 ? udp_byte == 8 : udp_byte < 2)
            continue; // another message, or another peer, to whose data a random number goes
        uint8_t message[64];
        struct wire wire;
        each_flow(flow, 40, message, &wire);
        wire.dont_fragment = i & 4;
        struct rte_mbuf *frames[2] = {rig_frame(&wire, false), rig_frame(&wire, true)};
        for (unsigned way = 0; way < 2; way++) {
            uint8_t *bytes = rte_pktmbuf_mtod(frames[way], uint8_t *);
            memset(rte_pktmbuf_append(frames[way], 9), 0, 9);
            rte_pktmbuf_trim(frames[way], (uint16_t)(9 - padding_lens[i / 8 % 2]));
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (flow < 2)
                wire_fix_ipv4(bytes);
        }
        taken += both_ways(rig, frames);
    }
    assert_true(taken >
                3000); // those of MAC addresses, classes, hops, sums and payload, for example
}

// Headers that agree with each other, in a frame that is longer.
static void whatever_length_the_headers_say_both_ways_agree(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 4 * 80; i++) {
        unsigned flow = i % 4, udp_len = i / 4, taken;
        uint8_t message[64];
        struct wire wire;
        each_flow(flow, 40, message, &wire);
        struct rte_mbuf *frames[2] = {rig_frame(&wire, false), rig_frame(&wire, true)};
        for (unsigned way = 0; way < 2; way++) {
            uint8_t *ip = rte_pktmbuf_mtod_offset(frames[way], uint8_t *, 14);
            ip[flow < 2 ? 20 + 5 : 40 + 5] = (uint8_t)udp_len;
            ip[flow < 2 ? 3 : 5] = (uint8_t)(flow < 2 ? 20 + udp_len : udp_len);
            if (flow < 2)
                wire_fix_ipv4(ip - 14);
        }
        taken = both_ways(rig, frames);
        assert_int_equal(taken,
                         flow % 2 == 0 ? udp_len == 8 + 4 + 40 : udp_len >= 8 && udp_len <= 48);
    }
}

static void a_burst_of_all_kinds_goes_where_each_belongs(void **state)
{
    struct rig *rig = *state;
    static uint8_t messages[64][LEN_MAX + 8];
    struct rte_mbuf *frames[64];
    for (unsigned i = 0; i < 64; i++) {
        struct wire wire;
        each_flow((i * 7 + i / 5) % 4, 20 + i, messages[i], &wire);
        wire.no_checksum = i % 9 == 0 && strchr(wire.source, '[') == NULL;
        frames[i] = rig_frame(&wire, false);
    }
    unsigned left = media_forward(rig->workers[0], frames, 64);
    assert_in_range(left, 1, 8);
    for (unsigned i = 0; i < left; i++) { // those without a checksum
        uint16_t checksum;
        memcpy(&checksum, rte_pktmbuf_mtod_offset(frames[i], uint8_t *, 40), 2);
        assert_int_equal(checksum, 0);
    }
    rig->transmit_commands += 64;
    burst_process(rig->workers[0], frames, left, false);
    rig_poll(rig);
    uint8_t sent[RIG_FRAME_MAX];
    unsigned count = 0;
    for (size_t len = rig_sent(rig, 0, sent); len > 0; len = rig_sent(rig, 0, sent), count++) {
        struct wire_seen seen;
        wire_read(sent, len, &seen);
    }
    assert_int_equal(count, 64);
}

static void what_is_special_is_left_as_it_came(void **state)
{
    struct rig *rig = *state;
    static const uint8_t nop_options[4] = {1, 1, 1, 1};
    uint8_t message[64], before[256];
    struct wire plain;
    each_flow(0, 40, message, &plain);
    struct wire last_hop = plain, options = plain, no_checksum = plain, unbound = plain;
    struct wire stranger = plain, response = plain, elsewhere = plain, shorter = plain;
    last_hop.ttl = 1;
    options.options = nop_options;
    options.options_len = sizeof(nop_options);
    no_checksum.no_checksum = true;
    stranger.source = "192.0.2.77:1234";
    elsewhere.destination = "203.0.113.1:3479";
    shorter.len -= 1; // than ChannelData says
    uint8_t other[64];
    unbound.len = channel_data(other, 0x4321, 40);
    unbound.payload = other;
    response.payload = "\1\1\0\0!\022\244Babcdefghijkl........................";
    response.len = 20;
    const struct wire *wires[] = {&last_hop, &options, &no_checksum, &stranger,
                                  &response, &unbound, &elsewhere,   &shorter};
    for (unsigned i = 0; i < RTE_DIM(wires); i++) {
        struct rte_mbuf *frame = rig_frame(wires[i], false), *left = frame;
        uint16_t len = frame->data_len;
        memcpy(before, rte_pktmbuf_mtod(frame, void *), len);
        assert_int_equal(media_forward(rig->workers[0], &left, 1), 1);
        assert_ptr_equal(left, frame);
        assert_int_equal(frame->data_len, len);
        assert_memory_equal(before, rte_pktmbuf_mtod(frame, void *), len);
        rte_pktmbuf_free(frame);
    }
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 0);
}

static const uint8_t binding[20] = "\0\1\0\0!\022\244Babcdefghijk";

// And a request that is not for a listener, or that the long way refuses by its headers.
static void a_request_is_answered_unless_it_is_special(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *source;
        const char *destination;
        uint16_t port;
        unsigned left;
    } requests[] = {
        {CLIENT_V4, LISTENER_V4, 0, 0},
        {CLIENT_V4, LISTENER_V4, UINT16_MAX, 1}, // through the hairpin
        {CLIENT_V4, LISTENER_V4, 0x8000, 1},     // of a stream's client
        {"192.0.2.7:0", LISTENER_V4, 0, 1},
        {"127.0.0.1:40000", LISTENER_V4, 0, 1},
        {CLIENT_V4, "203.0.113.1:3479", 0, 1},
        {CLIENT_V4, "203.0.113.77:3478", 0, 1},
        {CLIENT_V6, LISTENER_V6, 0, 1},
    };
    for (unsigned i = 0; i < RTE_DIM(requests); i++) {
        const struct wire wire = {.source = requests[i].source,
                                  .destination = requests[i].destination,
                                  .payload = binding,
                                  .len = sizeof(binding)};
        struct rte_mbuf *frame = rig_frame(&wire, false), *left = frame;
        frame->port = requests[i].port;
        assert_int_equal(media_forward(rig->workers[0], &left, 1), requests[i].left);
        if (requests[i].left == 0) {
            rig->transmit_commands++;
        } else {
            assert_ptr_equal(left, frame);
            rte_pktmbuf_free(frame);
        }
        rig_poll(rig);
    }
    assert_int_equal(rig_counter(rig, COUNTER_BINDING), 1);
    struct wire_seen seen;
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, CLIENT_V4);
}

// UDP that says it is shorter than its own header.
static void a_request_of_no_length_is_dropped(void **state)
{
    struct rig *rig = *state;
    const struct wire wire = {.source = CLIENT_V4,
                              .destination = LISTENER_V4,
                              .payload = binding,
                              .len = sizeof(binding)};
    for (uint8_t udp_len = 0; udp_len < 8; udp_len++) {
        struct rte_mbuf *frame = rig_frame(&wire, false);
        uint8_t *bytes = rte_pktmbuf_mtod(frame, uint8_t *);
        bytes[17] = (uint8_t)(20 + udp_len);
        bytes[39] = udp_len;
        wire_fix_ipv4(bytes);
        rig->transmit_commands++;
        assert_int_equal(media_forward(rig->workers[0], &frame, 1), 1);
        burst_process(rig->workers[0], &frame, 1, false);
    }
    assert_int_equal(rig_drops(rig, DROP_BAD_UDP), 8);
    rig_sent_nothing(rig);
}

static void a_damaged_header_is_dropped(void **state)
{
    struct rig *rig = *state;
    uint8_t message[64];
    struct wire wire;
    for (unsigned bit = 0; bit < 20 * 8; bit++) {
        each_flow(bit % 2, 40, message, &wire);
        struct rte_mbuf *frame = rig_frame(&wire, false);
        rte_pktmbuf_mtod(frame, uint8_t *)[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        rig->transmit_commands++;
        unsigned left = media_forward(rig->workers[0], &frame, 1);
        assert_int_equal(left, 1);
        burst_process(rig->workers[0], &frame, left, false);
    }
    rig_sent_nothing(rig);
}

// What a port says about checksums it has looked at.
static void a_ports_verdict_counts(void **state)
{
    struct rig *rig = *state;
    static const struct {
        uint64_t flags;
        unsigned left;
    } verdicts[] = {
        {RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0},
        {RTE_MBUF_F_RX_IP_CKSUM_BAD, 1},
        {RTE_MBUF_F_RX_L4_CKSUM_BAD, 1},
    };
    for (unsigned i = 0; i < RTE_DIM(verdicts); i++) {
        uint8_t message[64];
        struct wire wire;
        each_flow(0, 40, message, &wire);
        struct rte_mbuf *frame = rig_frame(&wire, false);
        frame->ol_flags = verdicts[i].flags;
        rig->transmit_commands++;
        unsigned left = media_forward(rig->workers[0], &frame, 1);
        assert_int_equal(left, verdicts[i].left);
        burst_process(rig->workers[0], &frame, left, false);
        rig_poll(rig);
    }
    struct wire_seen seen;
    rig_sent_wire(rig, 0, &seen);
}

static void a_channel_that_rests_or_is_gone_carries_nothing(void **state)
{
    struct rig *rig = *state;
    for (unsigned flow = 0; flow < 2; flow++) {
        uint8_t message[64];
        struct wire wire;
        each_flow(flow, 40, message, &wire);
        assert_int_equal(forward_one(rig, &wire), 0);
        struct wire_seen seen;
        rig_sent_wire(rig, 0, &seen);
    }
    struct command command = {.kind = COMMAND_REMOVE_PERMISSION, .allocation = 1};
    struct transport_address peer;
    assert_int_equal(transport_address_parse(PEER_V4, &peer), 0);
    command.permission.peer = peer.ip;
    rig_command(rig, 0, &command);
    rig_poll(rig);
    for (unsigned flow = 0; flow < 2; flow++) {
        uint8_t message[64];
        struct wire wire;
        each_flow(flow, 40, message, &wire);
        assert_int_equal(forward_one(rig, &wire), 1);
        rig_sent_nothing(rig);
        assert_int_equal(rig_drops(rig, DROP_NO_PERMISSION), flow + 1);
    }
}

static void a_next_hop_that_is_lost_lets_nothing_pass(void **state)
{
    struct rig *rig = *state;
    struct command command = {.kind = COMMAND_SET_ADJACENCY};
    command.set_adjacency.index = RIG_TO_PEERS;
    command.set_adjacency.adjacency.mtu = 1500;
    rig_command(rig, 0, &command);
    rig_poll(rig);
    uint8_t message[64];
    struct wire wire;
    each_flow(0, 40, message, &wire);
    assert_int_equal(forward_one(rig, &wire), 1);
    rig_dropped_once(rig, DROP_NO_NEIGHBOUR);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_short_way_and_the_long_way_end_in_the_same_bytes),
        TEST(whichever_bit_of_the_headers_is_another_both_ways_agree),
        TEST(whatever_length_the_headers_say_both_ways_agree),
        TEST(a_burst_of_all_kinds_goes_where_each_belongs),
        TEST(what_is_special_is_left_as_it_came),
        TEST(a_request_is_answered_unless_it_is_special),
        TEST(a_request_of_no_length_is_dropped),
        TEST(a_damaged_header_is_dropped),
        TEST(a_ports_verdict_counts),
        TEST(a_channel_that_rests_or_is_gone_carries_nothing),
        TEST(a_next_hop_that_is_lost_lets_nothing_pass),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
