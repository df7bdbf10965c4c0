// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/burst.h"

#include "rig.h"

#include <stdio.h>

static int set_up(void **state)
{
    rig_set_up(state);
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 0);
    for (unsigned i = 0; i < 32; i++) {
        char peer[64];
        snprintf(peer, sizeof(peer), "192.0.2.100:%u", 1000 + i);
        rig_channel(rig, 0, 1, (uint16_t)(0x4000 + i), peer);
    }
    rig_poll(rig);
    return 0;
}

static struct rte_mbuf *frame_of(const struct wire *wire)
{
    uint8_t bytes[256];
    size_t len = wire_write(wire, bytes);
    struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
    assert_non_null(frame);
    frame->port = 0;
    memcpy(rte_pktmbuf_append(frame, (uint16_t)len), bytes, len);
    return frame;
}

static struct rte_mbuf *channel_data(unsigned n, uint8_t mark)
{
    uint8_t message[64];
    struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    wire.len = message_channel_data(message, (uint16_t)(0x4000 + n), &mark, 1);
    return frame_of(&wire);
}

static struct rte_mbuf *peer_data(unsigned n, uint8_t mark)
{
    char peer[64];
    snprintf(peer, sizeof(peer), "192.0.2.100:%u", 1000 + n);
    struct wire wire = {
        .source = peer, .destination = RELAY_V4_LOCAL ":50001", .payload = &mark, .len = 1};
    return frame_of(&wire);
}

static struct rte_mbuf *send_indication(uint8_t mark)
{
    uint8_t message[128];
    struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    wire.len = message_send(message, "192.0.2.100:7", &mark, 1, false);
    return frame_of(&wire);
}

// Not through the port, which the worker polls: straight in. The frames count as received.
static void process(struct rig *rig, struct rte_mbuf **frames, unsigned count)
{
    rig->plane->counters[0].counters[COUNTER_RX_PACKETS] += count;
    burst_process(rig->workers[0], frames, count, true);
    rig_poll(rig);
}

static void each_frame_of_a_mixed_burst_finds_its_own_way(void **state)
{
    struct rig *rig = *state;
    static uint8_t sent[RIG_FRAME_MAX];
    struct rte_mbuf *frames[64];
    for (unsigned i = 0; i < 64; i++)
        frames[i] = i % 4 == 0   ? channel_data(i / 2, (uint8_t)i)
                    : i % 4 == 1 ? peer_data(i / 2, (uint8_t)i)
                    : i % 4 == 2 ? send_indication((uint8_t)i)
                                 : peer_data(1000, (uint8_t)i); // no channel: a Data indication
    process(rig, frames, 64);
    bool seen[64] = {false};
    for (size_t len; (len = rig_sent(rig, 0, sent)) > 0;) {
        struct wire_seen wire;
        char peer[64];
        wire_read(sent, len, &wire);
        uint8_t mark;
        if (strcmp(wire.destination, CLIENT_V4) != 0) {
            mark = wire.payload[0];
            snprintf(peer, sizeof(peer), "192.0.2.100:%u", mark % 4 == 0 ? 1000 + mark / 2 : 7);
            assert_true(mark % 4 == 0 || mark % 4 == 2);
            assert_string_equal(wire.destination, peer);
        } else if (wire.payload[0] == 0x40) {
            mark = wire.payload[4];
            assert_int_equal(mark % 4, 1);
            assert_int_equal(load_be16(wire.payload), 0x4000 + mark / 2);
        } else {
            struct data_seen data;
            message_read_data(wire.payload, wire.len, &data);
            mark = data.data[0];
            assert_int_equal(mark % 4, 3);
            assert_string_equal(data.peer, "192.0.2.100:2000");
        }
        assert_false(seen[mark]);
        seen[mark] = true;
    }
    for (unsigned i = 0; i < 64; i++)
        assert_true(seen[i]);
}

static void frames_of_one_flow_keep_their_order(void **state)
{
    struct rig *rig = *state;
    static uint8_t sent[RIG_FRAME_MAX];
    struct rte_mbuf *frames[64];
    for (unsigned i = 0; i < 64; i++)
        frames[i] = i % 2 == 0 ? channel_data(3, (uint8_t)i) : peer_data(3, (uint8_t)i);
    process(rig, frames, 64);
    int last_to_peer = -1, last_to_client = -1;
    for (size_t len; (len = rig_sent(rig, 0, sent)) > 0;) {
        struct wire_seen wire;
        wire_read(sent, len, &wire);
        bool to_client = strcmp(wire.destination, CLIENT_V4) == 0;
        int mark = wire.payload[to_client ? 4 : 0];
        int *last = to_client ? &last_to_client : &last_to_peer;
        assert_true(mark > *last);
        *last = mark;
    }
    assert_int_equal(last_to_peer, 62);
    assert_int_equal(last_to_client, 63);
}

static void a_burst_of_nothing_is_nothing(void **state)
{
    process(*state, NULL, 0);
    rig_sent_nothing(*state);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_frame_of_a_mixed_burst_finds_its_own_way),
        TEST(frames_of_one_flow_keep_their_order),
        TEST(a_burst_of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
