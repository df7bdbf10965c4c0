// SPDX-License-Identifier: BSD-3-Clause
// bench/load/prepared.h: frames go out, are given back as a port would, and go out again.
#include "prepared.h"

#include "../exchange/eal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLOWS    5
#define PAYLOAD  160
#define RING_LEN 128
#define IN_LEN   (14 + 20 + 8 + 4 + PAYLOAD) // ChannelData
#define OUT_LEN  (14 + 20 + 8 + PAYLOAD)

static const struct link link_of = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static struct flows flows;
static struct media media;
static struct prepared prepared;
static struct device device;

static int begin(void **state)
{
    struct endpoint_range clients = {.first_port = 1, .last_port = 9};
    struct endpoint_range peers = {.first_port = 1, .last_port = 9};
    struct media_config config = {.flows = &flows,
                                  .link = &link_of,
                                  .directions = {true, true},
                                  .lens = {PAYLOAD},
                                  .len_count = 1,
                                  .has_checksum = true,
                                  .is_prepared = true};
    struct transport_address server;
    (void)state;
    device = (struct device){0};
    payload_setup(1);
    if (ip_prefix_parse("198.18.0.0/16", &clients.prefix) != 0 ||
        ip_prefix_parse("198.19.0.0/16", &peers.prefix) != 0 ||
        transport_address_parse("192.0.2.1:3478", &server) != 0 ||
        flows_init(&flows, FLOWS, &server, &clients, &peers) != 0)
        return -1;
    flows_pretend(&flows);
    flows_gather(&flows);
    return media_init(&media, &config) == 0 && prepared_open(&prepared, RING_LEN, PAYLOAD) == 0
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    rte_pktmbuf_free_bulk(device.queued, device.queued_count);
    prepared_close(&prepared);
    media_done(&media);
    flows_done(&flows);
    return 0;
}

// As macswap returns it.
static void receive_reflected(const struct rte_mbuf *frame, bool ret_is_seen[][DIRECTION_COUNT])
{
    uint8_t bytes[MEDIA_FRAME_MAX_LEN];
    struct datagram datagram;
    memcpy(bytes, rte_pktmbuf_mtod(frame, const uint8_t *), frame->data_len);
    memcpy(bytes, link_of.own, ETHERNET_ADDRESS_LEN);
    memcpy(bytes + ETHERNET_ADDRESS_LEN, link_of.next_hop, ETHERNET_ADDRESS_LEN);
    assert_int_equal(frame_read(bytes, frame->data_len, &datagram), FRAME_UDP);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct transport_address client = flow_client(&flows, i), peer = flow_peer(&flows, i);
        ret_is_seen[i][TO_PEER] |= transport_address_equal(&datagram.source, &client);
        ret_is_seen[i][TO_CLIENT] |= transport_address_equal(&datagram.source, &peer);
    }
    media_receive_swapped(&media, bytes, &datagram, 1);
}

static void give_back(void)
{
    rte_pktmbuf_free_bulk(device.queued, device.queued_count);
    device.queued_count = 0;
}

static void every_frame_is_a_whole_one_of_either_direction(void **state)
{
    (void)state;
    struct datagram datagram;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    prepared_send(&prepared, &media, &device, DEVICE_BURST);
    assert_int_equal(device.queued_count, DEVICE_BURST);
    for (unsigned i = 0; i < DEVICE_BURST; i++) {
        struct rte_mbuf *frame = device.queued[i];
        assert_true(frame->data_len == IN_LEN || frame->data_len == OUT_LEN);
        assert_int_equal(frame->pkt_len, frame->data_len);
        assert_int_equal(frame_read(rte_pktmbuf_mtod(frame, uint8_t *), frame->data_len, &datagram),
                         FRAME_UDP);
    }
    assert_int_equal(media.counts[TO_PEER].sent, DEVICE_BURST / 2);
    assert_int_equal(media.counts[TO_CLIENT].sent, DEVICE_BURST / 2);
    assert_int_equal(media.counts[TO_CLIENT].sent_len, DEVICE_BURST / 2 * PAYLOAD);
}

// Whatever was in the buffer before: every flow's frame is right to the last byte.
static void every_frame_is_a_flows_own_again_and_again(void **state)
{
    (void)state;
    bool is_seen[FLOWS][DIRECTION_COUNT] = {0};
    assert_int_equal(prepared_fill(&prepared, &media, true), 0);
    for (unsigned i = 0; i < 100; i++) {
        unsigned count = i % 2 == 0 ? 1 : DEVICE_BURST;
        prepared_send(&prepared, &media, &device, count);
        assert_int_equal(device.queued_count, count);
        for (unsigned j = 0; j < device.queued_count; j++)
            receive_reflected(device.queued[j], is_seen);
        give_back();
    }
    for (unsigned i = 0; i < FLOWS; i++)
        assert_true(is_seen[i][TO_PEER] && is_seen[i][TO_CLIENT]);
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        assert_int_equal(media.counts[i].received, media.counts[i].sent);
        assert_int_equal(media.counts[i].checked, media.counts[i].sent);
    }
}

static void one_direction_alone_is_sent_alone(void **state)
{
    (void)state;
    media.config.directions[TO_PEER] = false;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    prepared_send(&prepared, &media, &device, DEVICE_BURST);
    assert_int_equal(media.counts[TO_CLIENT].sent, DEVICE_BURST);
    for (unsigned i = 0; i < DEVICE_BURST; i++)
        assert_int_equal(device.queued[i]->data_len, OUT_LEN);
}

static void nothing_is_sent_while_the_port_has_all_frames(void **state)
{
    (void)state;
    struct rte_mbuf *kept[2 * RING_LEN];
    unsigned count;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    count = rte_mempool_avail_count(prepared.pools[TO_CLIENT]);
    assert_int_equal(rte_mempool_get_bulk(prepared.pools[TO_CLIENT], (void **)kept, count), 0);
    prepared_send(&prepared, &media, &device, DEVICE_BURST);
    assert_int_equal(device.queued_count, 0);
    assert_int_equal(media.counts[TO_PEER].sent, 0);
    assert_int_equal(rte_mempool_avail_count(prepared.pools[TO_PEER]), count);
    rte_mempool_put_bulk(prepared.pools[TO_CLIENT], (void **)kept, count);
    prepared_send(&prepared, &media, &device, DEVICE_BURST);
    assert_int_equal(device.queued_count, DEVICE_BURST);
}

// A relay takes ChannelData's header off on the way to the peer.
static void what_arrives_is_told_by_its_length(void **state)
{
    (void)state;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    assert_true(prepared_receive(&prepared, &media, OUT_LEN));
    assert_int_equal(media.counts[TO_PEER].received, 1);
    assert_true(prepared_receive(&prepared, &media, IN_LEN));
    assert_int_equal(media.counts[TO_CLIENT].received, 1);
    assert_false(prepared_receive(&prepared, &media, 60));
    end(NULL);
    assert_int_equal(begin(NULL), 0);
    assert_int_equal(prepared_fill(&prepared, &media, true), 0);
    assert_true(prepared_receive(&prepared, &media, IN_LEN));
    assert_int_equal(media.counts[TO_PEER].received, 1);
    assert_int_equal(media.counts[TO_PEER].received_len, PAYLOAD);
}

static void one_of_so_many_is_left_to_be_checked(void **state)
{
    (void)state;
    unsigned left = 0;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    for (unsigned i = 0; i < 10 * PREPARED_CHECK_EVERY; i++)
        left += !prepared_receive(&prepared, &media, OUT_LEN);
    assert_int_equal(left, 10);
    assert_int_equal(media.counts[TO_PEER].received, 10 * (PREPARED_CHECK_EVERY - 1));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_frame_is_a_whole_one_of_either_direction),
        CASE(every_frame_is_a_flows_own_again_and_again),
        CASE(one_direction_alone_is_sent_alone),
        CASE(nothing_is_sent_while_the_port_has_all_frames),
        CASE(what_arrives_is_told_by_its_length),
        CASE(one_of_so_many_is_left_to_be_checked),
    };
    if (eal_start() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
