// SPDX-License-Identifier: BSD-3-Clause
#include "base/bytes.h"
#include "base/checksum.h"
#include "eal_fixture.h"
#include "exchange/reply.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct rte_mempool *pool;

// The plain definition of RFC 1071, byte by byte, shared with nothing that is tested.
static uint16_t internet_checksum(const uint8_t *bytes, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static const uint8_t ethernet_v4[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x08, 0x00};
static const uint8_t ethernet_v6[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xDD};
static const uint8_t turned_macs[12] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1};

static struct rte_mbuf *frame_make(const uint8_t *bytes, size_t len)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
    assert_non_null(frame);
    memcpy(rte_pktmbuf_append(frame, (uint16_t)len), bytes, len);
    return frame;
}

// A request over IPv4 with 4 bytes of options: 198.51.100.7:40000 to 203.0.113.1:3478.
static struct rte_mbuf *request_v4(uint16_t *ret_message_offset)
{
    uint8_t bytes[14 + 24 + 8 + 20] = {0};
    memcpy(bytes, ethernet_v4, 14);
    const uint8_t ip[24] = {0x46, 0xB9, 0,   52, 0xAB, 0xCD, 0x40, 0, 3, 17, 0, 0,
                            198,  51,   100, 7,  203,  0,    113,  1, 1, 1,  1, 0};
    memcpy(bytes + 14, ip, sizeof(ip));
    store_be16(bytes + 38, 40000);
    store_be16(bytes + 40, 3478);
    store_be16(bytes + 42, 28);
    *ret_message_offset = 46;
    return frame_make(bytes, sizeof(bytes));
}

// A request over IPv6 behind a destination-options header: [2001:db8::7]:40000 to
// [2001:db8::1]:3478.
static struct rte_mbuf *request_v6(uint16_t *ret_message_offset)
{
    uint8_t bytes[14 + 40 + 8 + 8 + 20] = {0};
    memcpy(bytes, ethernet_v6, 14);
    store_be32(bytes + 14, 0x6B9ABCDEu); // traffic class 0xB9, flow label 0xABCDE
    store_be16(bytes + 18, 36);
    bytes[20] = 60;
    bytes[21] = 3;
    const uint8_t source[16] = {0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    const uint8_t destination[16] = {0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    memcpy(bytes + 22, source, 16);
    memcpy(bytes + 38, destination, 16);
    bytes[54] = 17;
    bytes[56] = 1; // PadN
    bytes[57] = 4;
    store_be16(bytes + 62, 40000);
    store_be16(bytes + 64, 3478);
    store_be16(bytes + 66, 28);
    *ret_message_offset = 70;
    return frame_make(bytes, sizeof(bytes));
}

static void assert_v4_reply(const struct rte_mbuf *frame, const uint8_t *response, size_t len)
{
    const uint8_t *data = rte_pktmbuf_mtod(frame, const uint8_t *);
    assert_int_equal(rte_pktmbuf_pkt_len(frame), 14 + 20 + 8 + len);
    assert_int_equal(rte_pktmbuf_data_len(frame), 14 + 20 + 8 + len);
    assert_memory_equal(data, turned_macs, 12);
    assert_int_equal(load_be16(data + 12), 0x0800);
    const uint8_t *ip = data + 14;
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(ip[1], 0xB8); // DSCP kept, ECN gone
    assert_int_equal(load_be16(ip + 2), 28 + len);
    assert_int_equal(load_be16(ip + 6), 0); // not a fragment, may become some
    assert_int_equal(ip[8], REPLY_TTL);
    assert_int_equal(ip[9], 17);
    assert_int_equal(internet_checksum(ip, 20, 0), 0);
    assert_memory_equal(ip + 12, ((const uint8_t[]){203, 0, 113, 1, 198, 51, 100, 7}), 8);
    const uint8_t *udp = ip + 20;
    assert_int_equal(load_be16(udp), 3478);
    assert_int_equal(load_be16(udp + 2), 40000);
    assert_int_equal(load_be16(udp + 4), 8 + len);
    uint32_t pseudo =
        (203u << 8) + (113u << 8) + 1 + (198u << 8) + 51 + (100u << 8) + 7 + 17 + 8 + (uint32_t)len;
    assert_int_not_equal(load_be16(udp + 6), 0);
    assert_int_equal(internet_checksum(udp, 8 + len, pseudo), 0);
    assert_memory_equal(udp + 8, response, len);
}

static void turns_an_ipv4_request_round_and_drops_its_options(void **state)
{
    (void)state;
    uint8_t response[301];
    for (size_t i = 0; i < sizeof(response); i++)
        response[i] = (uint8_t)(i * 7 + 1);
    for (size_t len = 0; len <= sizeof(response); len += 43) {
        uint16_t message_offset;
        struct rte_mbuf *frame = request_v4(&message_offset);
        assert_int_equal(reply_frame(frame, message_offset, response, len), 0);
        assert_v4_reply(frame, response, len);
        rte_pktmbuf_free(frame);
    }
}

static void turns_an_ipv6_request_round_and_drops_its_extension_headers(void **state)
{
    (void)state;
    uint8_t response[99];
    memset(response, 0x5A, sizeof(response));
    uint16_t message_offset;
    struct rte_mbuf *frame = request_v6(&message_offset);
    assert_int_equal(reply_frame(frame, message_offset, response, sizeof(response)), 0);
    const uint8_t *data = rte_pktmbuf_mtod(frame, const uint8_t *);
    assert_int_equal(rte_pktmbuf_pkt_len(frame), 14 + 40 + 8 + sizeof(response));
    assert_memory_equal(data, turned_macs, 12);
    const uint8_t *ip = data + 14;
    assert_int_equal(load_be32(ip), 0x6B800000u); // DSCP kept; ECN and flow label gone
    assert_int_equal(load_be16(ip + 4), 8 + sizeof(response));
    assert_int_equal(ip[6], 17);
    assert_int_equal(ip[7], REPLY_TTL);
    assert_int_equal(ip[8 + 15], 1);
    assert_int_equal(ip[24 + 15], 7);
    const uint8_t *udp = ip + 40;
    assert_int_equal(load_be16(udp), 3478);
    assert_int_equal(load_be16(udp + 2), 40000);
    uint32_t pseudo = 2 * (0x2001u + 0x0DB8u) + 7 + 1 + 17 + 8 + (uint32_t)sizeof(response);
    assert_int_equal(internet_checksum(udp, 8 + sizeof(response), pseudo), 0);
    assert_memory_equal(udp + 8, response, sizeof(response));
    rte_pktmbuf_free(frame);
}

// From the same request without options.
static struct rte_mbuf *request_plain(void)
{
    uint16_t message_offset;
    struct rte_mbuf *frame = request_v4(&message_offset);
    uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
    memmove(data + 34, data + 38, rte_pktmbuf_data_len(frame) - 38);
    rte_pktmbuf_trim(frame, 4);
    data[14] = 0x45;
    return frame;
}

static void turns_a_plain_request_round_where_it_is(void **state)
{
    (void)state;
    uint8_t response[300];
    for (size_t i = 0; i < sizeof(response); i++)
        response[i] = (uint8_t)(i * 11 + 3);
    for (size_t len = 0; len <= sizeof(response); len += 60) {
        struct rte_mbuf *frame = request_plain();
        uint16_t data_off = frame->data_off;
        frame->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        memcpy(rte_pktmbuf_mtod_offset(frame, uint8_t *, 42), response, len);
        reply_to_plain(frame, len, checksum_add_bytes(0, response, len));
        assert_int_equal(frame->data_off, data_off);
        assert_int_equal(frame->ol_flags, 0);
        assert_v4_reply(frame, response, len);
        rte_pktmbuf_free(frame);
    }
}

static void a_checksum_of_zero_is_sent_as_all_ones(void **state)
{
    (void)state;
    uint8_t response[2] = {0, 0};
    uint16_t message_offset;
    struct rte_mbuf *frame = request_v4(&message_offset);
    assert_int_equal(reply_frame(frame, message_offset, response, sizeof(response)), 0);
    uint8_t *udp = rte_pktmbuf_mtod_offset(frame, uint8_t *, 34);
    memcpy(response, udp + 6,
           2); // with its own checksum as payload, the datagram sums up to all ones
    rte_pktmbuf_free(frame);
    frame = request_v4(&message_offset);
    assert_int_equal(reply_frame(frame, message_offset, response, sizeof(response)), 0);
    udp = rte_pktmbuf_mtod_offset(frame, uint8_t *, 34);
    assert_int_equal(load_be16(udp + 6), 0xFFFF);
    rte_pktmbuf_free(frame);
}

static void refuses_what_does_not_fit_and_leaves_the_frame(void **state)
{
    (void)state;
    static uint8_t response[4096];
    uint16_t message_offset;
    struct rte_mbuf *frame = request_v4(&message_offset);
    uint8_t before[66];
    memcpy(before, rte_pktmbuf_mtod(frame, void *), sizeof(before));
    size_t room = (size_t)frame->buf_len - frame->data_off - message_offset;
    assert_int_equal(reply_frame(frame, message_offset, response, room + 1), -ENOSPC);
    assert_int_equal(rte_pktmbuf_pkt_len(frame), sizeof(before));
    assert_memory_equal(rte_pktmbuf_mtod(frame, void *), before, sizeof(before));
    assert_int_equal(reply_frame(frame, message_offset, response, room), 0);
    rte_pktmbuf_free(frame);
}

static void refuses_a_frame_that_holds_no_datagram_there(void **state)
{
    (void)state;
    uint8_t response[4] = {0};
    uint16_t message_offset;
    struct rte_mbuf *frame = request_v4(&message_offset);
    assert_int_equal(reply_frame(frame, 14 + 20 + 7, response, 4), -EINVAL);
    assert_int_equal(reply_frame(frame, 67, response, 4), -EINVAL);
    rte_pktmbuf_mtod(frame, uint8_t *)[12] = 0x81;
    assert_int_equal(reply_frame(frame, message_offset, response, 4), -EINVAL);
    rte_pktmbuf_free(frame);
    frame = request_v6(&message_offset);
    assert_int_equal(reply_frame(frame, 14 + 40 + 7, response, 4), -EINVAL);
    rte_pktmbuf_free(frame);
}

static void gives_back_the_segments_that_it_does_not_need(void **state)
{
    (void)state;
    uint8_t response[8] = {0};
    uint16_t message_offset;
    unsigned free_before = rte_mempool_avail_count(pool);
    struct rte_mbuf *frame = request_v4(&message_offset);
    assert_int_equal(rte_pktmbuf_chain(frame, frame_make(response, sizeof(response))), 0);
    assert_int_equal(reply_frame(frame, message_offset, response, sizeof(response)), 0);
    assert_int_equal(frame->nb_segs, 1);
    assert_v4_reply(frame, response, sizeof(response));
    rte_pktmbuf_free(frame);
    assert_int_equal(rte_mempool_avail_count(pool), free_before);
}

static int pool_set_up(void **state)
{
    (void)state;
    if (eal_start() != 0)
        return -1;
    pool = rte_pktmbuf_pool_create("reply", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool == NULL ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_an_ipv4_request_round_and_drops_its_options),
        cmocka_unit_test(turns_an_ipv6_request_round_and_drops_its_extension_headers),
        cmocka_unit_test(turns_a_plain_request_round_where_it_is),
        cmocka_unit_test(a_checksum_of_zero_is_sent_as_all_ones),
        cmocka_unit_test(refuses_what_does_not_fit_and_leaves_the_frame),
        cmocka_unit_test(refuses_a_frame_that_holds_no_datagram_there),
        cmocka_unit_test(gives_back_the_segments_that_it_does_not_need),
    };
    return cmocka_run_group_tests(tests, pool_set_up, NULL);
}
