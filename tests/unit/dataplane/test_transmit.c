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
    for (unsigned i = 0; i <= WORKER_BURST; i++)
        transmit_new(rig, 60);
    assert_int_equal(rig_counter(rig, COUNTER_TX_PACKETS), WORKER_BURST);
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

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(frames_wait_for_the_flush),
        TEST(a_full_buffer_flushes_itself),
        TEST(what_the_port_refuses_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
