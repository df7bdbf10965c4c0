// SPDX-License-Identifier: BSD-3-Clause
// Claims about tags at a port's edge. The port is a ring: what is sent there can be looked at, or
// is received again.
#include "platform/vlan.h"

#include "../exchange/eal_fixture.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define OURS      42
#define FRAME_LEN 60

static struct rte_mempool *pool;
static struct rte_ring *wire;
static uint16_t port;
static struct worker_counters counters[1];
static struct vlan *vlan;

static int start_port(void)
{
    const struct rte_eth_conf configuration = {};

    if (rte_eal_hotplug_add("vdev", "net_ring0", "") != 0 ||
        rte_eth_dev_get_port_by_name("net_ring0", &port) != 0 ||
        rte_eth_dev_configure(port, 1, 1, &configuration) != 0 ||
        rte_eth_rx_queue_setup(port, 0, 128, SOCKET_ID_ANY, NULL, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, 128, SOCKET_ID_ANY, NULL) != 0)
        return -1;
    return rte_eth_dev_start(port);
}

static int set_up_group(void **state)
{
    (void)state;
    if (eal_start() != 0)
        return -1;
    pool = rte_pktmbuf_pool_create("vlan", 127, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!pool || start_port() != 0)
        return -1;
    wire = rte_ring_lookup("ETH_RXTX0_net_ring0");
    return wire ? 0 : -1;
}

static int join(bool device_inserts)
{
    const struct vlan_config config = {
        .port = port,
        .queue_count = 1,
        .id = OURS,
        .device_inserts = device_inserts,
        .counters = counters,
    };

    memset(counters, 0, sizeof(counters));
    return vlan_create(&config, &vlan);
}

static int set_up(void **state)
{
    (void)state;
    return join(false);
}

static int set_up_inserting(void **state)
{
    (void)state;
    return join(true);
}

static int tear_down(void **state)
{
    (void)state;
    vlan_destroy(vlan);
    // Nothing was lost.
    return rte_mempool_in_use_count(pool) == 0 ? 0 : -1;
}

static struct rte_mbuf *frame_of(uint16_t ethertype)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
    uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(frame, FRAME_LEN);

    for (unsigned i = 0; i < FRAME_LEN; i++)
        bytes[i] = (uint8_t)i;
    bytes[12] = (uint8_t)(ethertype >> 8);
    bytes[13] = (uint8_t)ethertype;
    return frame;
}

static struct rte_mbuf *tagged_frame(uint16_t tci)
{
    struct rte_mbuf *frame = frame_of(RTE_ETHER_TYPE_VLAN);
    uint8_t *bytes = rte_pktmbuf_mtod(frame, uint8_t *);

    bytes[14] = (uint8_t)(tci >> 8);
    bytes[15] = (uint8_t)tci;
    bytes[16] = 0x08;
    bytes[17] = 0x00;
    return frame;
}

static struct rte_mbuf *receive_one(struct rte_mbuf *frame)
{
    struct rte_mbuf *received[4];

    assert_int_equal(rte_ring_enqueue(wire, frame), 0);
    return rte_eth_rx_burst(port, 0, received, 4) > 0 ? received[0] : NULL;
}

static void a_frame_of_ours_comes_without_its_tag(void **state)
{
    // Whatever its priority.
    struct rte_mbuf *frame = receive_one(tagged_frame(5 << 13 | OURS));
    const uint8_t *bytes;

    (void)state;
    assert_non_null(frame);
    assert_int_equal(rte_pktmbuf_pkt_len(frame), FRAME_LEN - 4);
    bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(bytes[i], i);
    assert_memory_equal(bytes + 12, "\x08\x00\x12\x13", 4);
    // The worker counts what it sees.
    assert_int_equal(counters[0].counters[COUNTER_RX_BYTES], 4);
    assert_int_equal(counters[0].counters[COUNTER_RX_PACKETS], 0);
    rte_pktmbuf_free(frame);
}

static void frames_of_others_and_of_nobody_are_dropped_and_counted(void **state)
{
    struct rte_mbuf *cut = tagged_frame(OURS);

    (void)state;
    rte_pktmbuf_trim(cut, FRAME_LEN - 17);
    assert_null(receive_one(tagged_frame(OURS + 1)));
    assert_null(receive_one(tagged_frame(0)));
    assert_null(receive_one(frame_of(RTE_ETHER_TYPE_IPV4)));
    assert_null(receive_one(cut));
    assert_int_equal(counters[0].drops[DROP_OTHER_VLAN], 4);
    assert_int_equal(counters[0].counters[COUNTER_RX_PACKETS], 4);
    assert_int_equal(counters[0].counters[COUNTER_RX_BYTES], 3 * FRAME_LEN + 17);
}

static void of_a_burst_ours_stay_in_order(void **state)
{
    struct rte_mbuf *sent[] = {tagged_frame(7), tagged_frame(OURS), tagged_frame(8),
                               tagged_frame(OURS)};
    struct rte_mbuf *received[4];

    (void)state;
    assert_int_equal(rte_ring_enqueue_bulk(wire, (void **)sent, 4, NULL), 4);
    assert_int_equal(rte_eth_rx_burst(port, 0, received, 4), 2);
    assert_ptr_equal(received[0], sent[1]);
    assert_ptr_equal(received[1], sent[3]);
    rte_pktmbuf_free_bulk(received, 2);
}

static void a_tag_that_the_device_took_off_is_believed(void **state)
{
    struct rte_mbuf *ours = frame_of(RTE_ETHER_TYPE_IPV4), *others = frame_of(RTE_ETHER_TYPE_IPV4);
    struct rte_mbuf *inner = tagged_frame(7);

    (void)state;
    ours->ol_flags = others->ol_flags = inner->ol_flags =
        RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    ours->vlan_tci = inner->vlan_tci = 3 << 13 | OURS;
    others->vlan_tci = OURS - 1;
    assert_ptr_equal(receive_one(ours), ours);
    assert_int_equal(rte_pktmbuf_pkt_len(ours), FRAME_LEN);
    // What is inside of ours is somebody else's business.
    assert_ptr_equal(receive_one(inner), inner);
    assert_int_equal(rte_pktmbuf_pkt_len(inner), FRAME_LEN);
    assert_null(receive_one(others));
    assert_int_equal(counters[0].drops[DROP_OTHER_VLAN], 1);
    rte_pktmbuf_free(ours);
    rte_pktmbuf_free(inner);
}

static struct rte_mbuf *send_one(struct rte_mbuf *frame)
{
    void *sent = NULL;

    assert_int_equal(rte_eth_tx_burst(port, 0, &frame, 1), 1);
    assert_int_equal(rte_ring_dequeue(wire, &sent), 0);
    return sent;
}

static void what_is_sent_has_the_tag(void **state)
{
    struct rte_mbuf *frame = send_one(frame_of(RTE_ETHER_TYPE_IPV4));
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);

    (void)state;
    assert_int_equal(rte_pktmbuf_pkt_len(frame), FRAME_LEN + 4);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(bytes[i], i);
    assert_memory_equal(bytes + 12, "\x81\x00\x00\x2a\x08\x00\x0e\x0f", 8);
    assert_int_equal(counters[0].counters[COUNTER_TX_BYTES], 4);
    rte_pktmbuf_free(frame);
}

static void a_device_that_inserts_tags_is_told_of_ours(void **state)
{
    struct rte_mbuf *frame = send_one(frame_of(RTE_ETHER_TYPE_IPV4));

    (void)state;
    assert_int_equal(rte_pktmbuf_pkt_len(frame), FRAME_LEN);
    assert_int_equal(frame->ol_flags, RTE_MBUF_F_TX_VLAN);
    assert_int_equal(frame->vlan_tci, OURS);
    assert_int_equal(counters[0].counters[COUNTER_TX_BYTES], 0);
    rte_pktmbuf_free(frame);
}

static void a_frame_without_room_for_a_tag_is_not_taken_and_the_others_are(void **state)
{
    struct rte_mbuf *tight = frame_of(RTE_ETHER_TYPE_IPV4), *loose = frame_of(RTE_ETHER_TYPE_IPV4);
    struct rte_mbuf *frames[] = {tight, loose};
    void *sent;

    (void)state;
    assert_non_null(rte_pktmbuf_prepend(tight, RTE_PKTMBUF_HEADROOM));
    assert_int_equal(rte_eth_tx_burst(port, 0, frames, 2), 1);
    assert_ptr_equal(frames[1], tight);
    assert_int_equal(rte_ring_dequeue(wire, &sent), 0);
    assert_ptr_equal(sent, loose);
    assert_int_equal(counters[0].counters[COUNTER_TX_BYTES], 4);
    rte_pktmbuf_free(tight);
    rte_pktmbuf_free(loose);
}

static void afterwards_frames_pass_as_they_are(void **state)
{
    struct rte_mbuf *frame;

    (void)state;
    assert_int_equal(join(false), 0);
    vlan_destroy(vlan);
    frame = receive_one(send_one(frame_of(RTE_ETHER_TYPE_IPV4)));
    assert_non_null(frame);
    assert_int_equal(rte_pktmbuf_pkt_len(frame), FRAME_LEN);
    rte_pktmbuf_free(frame);
}

#define TAGGED(claim)    cmocka_unit_test_setup_teardown(claim, set_up, tear_down)
#define INSERTING(claim) cmocka_unit_test_setup_teardown(claim, set_up_inserting, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAGGED(a_frame_of_ours_comes_without_its_tag),
        TAGGED(frames_of_others_and_of_nobody_are_dropped_and_counted),
        TAGGED(of_a_burst_ours_stay_in_order),
        TAGGED(a_tag_that_the_device_took_off_is_believed),
        TAGGED(what_is_sent_has_the_tag),
        INSERTING(a_device_that_inserts_tags_is_told_of_ours),
        TAGGED(a_frame_without_room_for_a_tag_is_not_taken_and_the_others_are),
        cmocka_unit_test(afterwards_frames_pass_as_they_are),
    };

    return cmocka_run_group_tests_name("platform/vlan", tests, set_up_group, NULL);
}
