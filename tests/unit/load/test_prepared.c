// SPDX-License-Identifier: BSD-3-Clause
// bench/load/prepared.h: frames go out, are given back as a port would, and go out again.
#include "prepared.h"

#include "../exchange/eal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FLOWS   5
#define PAYLOAD 160
#define IN_LEN  (14 + 20 + 8 + 4 + PAYLOAD) // ChannelData
#define OUT_LEN (14 + 20 + 8 + PAYLOAD)

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
    return media_init(&media, &config) == 0 && prepared_open(&prepared, FLOWS, PAYLOAD) == 0 ? 0
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

static void what_was_given_back_is_sent_again_after_all_others(void **state)
{
    (void)state;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    unsigned bursts = rte_mempool_avail_count(prepared.pool) / DEVICE_BURST;
    struct rte_mbuf *first = NULL;
    unsigned seen = 0;
    for (unsigned i = 0; i < bursts + 1; i++) {
        prepared_send(&prepared, &media, &device, DEVICE_BURST);
        assert_int_equal(device.queued_count, DEVICE_BURST);
        if (i == 0)
            first = device.queued[0];
        for (unsigned j = 0; j < DEVICE_BURST; j++)
            seen += device.queued[j] == first;
        assert_int_equal(seen, i < bursts ? 1 : 2);
        give_back();
    }
}

static void no_more_are_sent_than_there_are(void **state)
{
    (void)state;
    assert_int_equal(prepared_fill(&prepared, &media, false), 0);
    unsigned count = rte_mempool_avail_count(prepared.pool);
    struct rte_mbuf **kept = calloc(count, sizeof(*kept));
    assert_non_null(kept);
    assert_int_equal(rte_mempool_get_bulk(prepared.pool, (void **)kept, count - 3), 0);
    prepared_send(&prepared, &media, &device, DEVICE_BURST);
    assert_int_equal(device.queued_count, 3);
    prepared_send(&prepared, &media, &device, DEVICE_BURST);
    assert_int_equal(device.queued_count, 3);
    rte_mempool_put_bulk(prepared.pool, (void **)kept, count - 3);
    free(kept);
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
        CASE(what_was_given_back_is_sent_again_after_all_others),
        CASE(no_more_are_sent_than_there_are),
        CASE(what_arrives_is_told_by_its_length),
        CASE(one_of_so_many_is_left_to_be_checked),
    };
    if (eal_start() != 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
