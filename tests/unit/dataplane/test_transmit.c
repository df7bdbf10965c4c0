// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/transmit.h"

#include "rig.h"

static struct rte_mbuf *frame_of_len(uint16_t len)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
    assert_non_null(frame);
    assert_non_null(rte_pktmbuf_append(frame, len));
    return frame;
}

// These frames come from no port: told as commands, so that the rig's books balance.
static void transmit_new(struct rig *rig, uint16_t len)
{
    rig->transmit_commands++;
    transmit(rig->workers[0], frame_of_len(len));
}

static void frames_wait_for_the_flush(void **state)
{
    struct rig *rig = *state;
    uint8_t sent[RIG_FRAME_MAX];
    transmit_new(rig, 60);
    transmit_new(rig, 70);
    rig_sent_nothing(rig);
    transmit_flush(rig->workers[0]);
    assert_int_equal(rig_sent(rig, 0, sent), 60);
    assert_int_equal(rig_sent(rig, 0, sent), 70);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), 2);
    assert_int_equal(rig_counter(rig, COUNTER_TX_BYTES), 130);
    transmit_flush(rig->workers[0]);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), 2);
}

static void a_full_buffer_flushes_itself(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i <= WORKER_TX_MOST; i++)
        transmit_new(rig, 60);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), WORKER_TX_MOST);
}

static void what_the_port_refuses_is_dropped_and_counted(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 1100; i++) // the ring holds 1023
        transmit_new(rig, 100);
    transmit_flush(rig->workers[0]);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), 1023);
    assert_int_equal(rig_counter(rig, COUNTER_TX_BYTES), 102300);
    assert_int_equal(rig_drops(rig, DROP_TX_FULL), 1100 - 1023);
}

static void transmit_by(struct rig *rig, uint16_t port, uint16_t len)
{
    struct rte_mbuf *frame = frame_of_len(len);
    rig->transmit_commands++;
    frame->port = port;
    transmit(rig->workers[0], frame);
}

static void of_two_ports_each_frame_leaves_by_its_own_in_order(void **state)
{
    struct rig *rig = *state;
    struct worker *worker = rig->workers[0];
    static uint8_t sent[RIG_FRAME_MAX];
    for (uint16_t i = 0; i < WORKER_TX_MOST; i++)
        transmit_by(rig, i % 3 == 0 ? worker->relay_port : worker->port, 60 + i);
    transmit_flush(worker);
    for (uint16_t i = 0; i < WORKER_TX_MOST; i++)
        assert_int_equal(rig_sent(rig, i % 3 == 0 ? RIG_RELAY_PORT(0) : 0, sent), 60 + i);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), WORKER_TX_MOST);
    transmit_by(rig, worker->relay_port, 60);
    transmit_flush(worker);
    assert_int_equal(rig_sent(rig, RIG_RELAY_PORT(0), sent), 60);
}

static void a_port_that_takes_no_more_leaves_the_other_alone(void **state)
{
    struct rig *rig = *state;
    struct worker *worker = rig->workers[0];
    static uint8_t sent[RIG_FRAME_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < 1100; i++) // the ring holds 1023
        transmit_by(rig, worker->relay_port, 100);
    for (unsigned i = 0; i < 50; i++)
        transmit_by(rig, worker->port, 70);
    transmit_flush(worker);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), 1023 + 50);
    assert_int_equal(rig_counter(rig, COUNTER_TX_BYTES), 102300 + 50 * 70);
    assert_int_equal(rig_drops(rig, DROP_TX_FULL), 1100 - 1023);
    while (rig_sent(rig, 0, sent) > 0)
        count++;
    assert_int_equal(count, 50);
}

// A client of channel 0x4000 to PEER_V4 and one of indications, as the wire has them.
static size_t to_peer(uint8_t *message, bool is_channel, size_t len)
{
    return is_channel ? message_channel_data(message, 0x4000, rig_data, len)
                      : message_send(message, PEER_V4, rig_data, len, 0);
}

static void sent_once(struct rig *rig, unsigned port, const char *destination)
{
    static uint8_t sent[RIG_FRAME_MAX];
    struct wire_seen seen;
    rig_sent_wire(rig, port, &seen);
    assert_string_equal(seen.destination, destination);
    assert_int_equal(rig_sent(rig, 0, sent), 0);
    assert_int_equal(rig_sent(rig, RIG_RELAY_PORT(0), sent), 0);
}

// Whatever way through the worker it takes, and whichever port it came by.
static void media_leaves_by_the_port_that_its_next_hop_is_behind(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    rig_allocation(rig, 0, 1, CLIENT_V4, 50112, 0);
    rig_permission(rig, 0, 1, "192.0.2.200");
    for (unsigned i = 0; i < 24; i++) {
        bool is_channel = i >= 12, is_long_way = i & 1;
        unsigned received_by = i & 2 ? RIG_RELAY_PORT(0) : 0;
        struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
        if (i == 12)
            rig_channel(rig, 0, 1, 0x4000, PEER_V4);
        wire.no_checksum = is_long_way;
        wire.len = to_peer(message, is_channel, 20);
        rig_receive_wire(rig, received_by, &wire);
        rig_poll(rig);
        sent_once(rig, RIG_RELAY_PORT(0), PEER_V4);
        wire = (struct wire){.source = PEER_V4,
                             .destination = RELAY_V4_LOCAL ":50112",
                             .payload = rig_data,
                             .len = 20,
                             .no_checksum = is_long_way};
        rig_receive_wire(rig, received_by, &wire);
        rig_poll(rig);
        sent_once(rig, 0, CLIENT_V4);
    }
}

static void pieces_of_a_datagram_leave_by_one_port(void **state)
{
    struct rig *rig = *state;
    static uint8_t data[1400], message[1408], sent[RIG_FRAME_MAX];
    struct command narrow = {
        .kind = COMMAND_SET_ADJACENCY,
        .set_adjacency =
            {
                .index = RIG_TO_PEERS,
                .adjacency = {.port = (uint8_t)rig->workers[0]->relay_port,
                              .mtu = 1280,
                              .resolved = 1},
            },
    };
    struct wire wire = {.source = CLIENT_V4,
                        .destination = LISTENER_V4,
                        .payload = message,
                        .len = message_channel_data(message, 0x4000, data, sizeof(data))};
    rig_command(rig, 0, &narrow);
    rig_allocation(rig, 0, 1, CLIENT_V4, 50112, 0);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_poll(rig);
    rig_receive_wire(rig, 0, &wire);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), 1);
    assert_int_not_equal(rig_sent(rig, RIG_RELAY_PORT(0), sent), 0);
    assert_int_not_equal(rig_sent(rig, RIG_RELAY_PORT(0), sent), 0);
    assert_int_equal(rig_sent(rig, 0, sent), 0);
}

static void an_answer_leaves_by_the_port_that_the_question_came_by(void **state)
{
    static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1};
    struct rig *rig = *state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned port = i & 1 ? RIG_RELAY_PORT(0) : 0;
        struct wire wire = {.source = i & 2 ? CLIENT_V6 : CLIENT_V4,
                            .destination = i & 2 ? LISTENER_V6 : LISTENER_V4,
                            .payload = binding,
                            .len = sizeof(binding)};
        rig_receive_wire(rig, port, &wire);
        rig_poll(rig);
        sent_once(rig, port, wire.source);
    }
}

static void what_is_handed_on_leaves_by_the_port_of_its_next_hop(void **state)
{
    struct rig *rig = *state;
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 20};
    uint8_t message[64];
    unsigned owner = port_slice_worker(50112, 2);
    struct wire_seen seen;
    rig_allocation(rig, owner, 1, CLIENT_V4, 50112, 0);
    rig_channel(rig, owner, 1, 0x4000, PEER_V4);
    rig_receive_wire(rig, RIG_RELAY_PORT(1 - owner), &wire);
    rig_poll(rig);
    rig_sent_wire(rig, owner, &seen);
    assert_string_equal(seen.destination, CLIENT_V4);
    wire = (struct wire){.source = CLIENT_V4,
                         .destination = LISTENER_V4,
                         .payload = message,
                         .len = message_channel_data(message, 0x4000, rig_data, 20)};
    rig_receive_wire(rig, RIG_RELAY_PORT(owner), &wire);
    rig_poll(rig);
    rig_sent_wire(rig, RIG_RELAY_PORT(owner), &seen);
    assert_string_equal(seen.destination, PEER_V4);
}

int main(void)
{
#define TEST(test)       cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
#define TEST_SIDES(test) cmocka_unit_test_setup_teardown(test, rig_set_up_sides, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(frames_wait_for_the_flush),
        TEST(a_full_buffer_flushes_itself),
        TEST(what_the_port_refuses_is_dropped_and_counted),
        TEST_SIDES(of_two_ports_each_frame_leaves_by_its_own_in_order),
        TEST_SIDES(a_port_that_takes_no_more_leaves_the_other_alone),
        TEST_SIDES(media_leaves_by_the_port_that_its_next_hop_is_behind),
        TEST_SIDES(pieces_of_a_datagram_leave_by_one_port),
        TEST_SIDES(an_answer_leaves_by_the_port_that_the_question_came_by),
        cmocka_unit_test_setup_teardown(what_is_handed_on_leaves_by_the_port_of_its_next_hop,
                                        rig_set_up_two_with_sides, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
