// SPDX-License-Identifier: BSD-3-Clause
// Cutting a byte stream into STUN messages and ChannelData (RFC 8656 sections 2.1, 12.4-12.6).
#include "proto/stream_framing.h"

#include "support.h"

#include <stdlib.h>

// A Binding request, ChannelData of five bytes padded to eight, ChannelData of none, a Binding
// indication with an attribute.
static const uint8_t stream[] = {
    0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42, 1,    2,    3,    4,    5,    6,    7,
    8,    9,    10,   11,   12,   0x4A, 0xBC, 0x00, 0x05, 'h',  'e',  'l',  'l',  'o',  0xFF,
    0xFF, 0xFF, 0x40, 0x00, 0x00, 0x00, 0x00, 0x11, 0x00, 0x04, 0x21, 0x12, 0xA4, 0x42, 1,
    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   0x80, 0x22, 0x00, 0x00,
};

static const struct {
    size_t offset, message_len, framed_len;
    enum stream_frame_kind kind;
} frames[] = {
    {0, 20, 20, STREAM_FRAME_STUN},
    {20, 9, 12, STREAM_FRAME_CHANNEL_DATA},
    {32, 4, 4, STREAM_FRAME_CHANNEL_DATA},
    {36, 24, 24, STREAM_FRAME_STUN},
};

#define FRAME_COUNT (sizeof(frames) / sizeof(frames[0]))

static enum stream_frame_verdict next(const void *bytes, size_t len, struct stream_frame *ret_frame)
{
    return stream_frame_next((struct span){bytes, len}, STREAM_FRAME_MAX_LEN, false, ret_frame);
}

// From bytes that end where their allocation ends, so that a sanitizer sees a read behind them.
static enum stream_frame_verdict next_tight(const uint8_t *bytes, size_t len)
{
    struct stream_frame frame;
    uint8_t *copy = malloc(len + 1);
    enum stream_frame_verdict verdict;

    assert_non_null(copy);
    memcpy(copy + 1, bytes, len);
    verdict = next(copy + 1, len, &frame);
    free(copy);
    return verdict;
}

// How many bytes of these it takes to be BAD; 0: all of them are not enough.
static size_t bytes_until_bad(const uint8_t *bytes, size_t len)
{
    for (size_t there = 1; there <= len; there++)
        if (next_tight(bytes, there) == STREAM_FRAME_BAD)
            return there;
    return 0;
}

static void cuts_a_stream_into_its_messages(void **state)
{
    struct stream_frame frame;

    (void)state;
    for (size_t i = 0; i < FRAME_COUNT; i++) {
        const uint8_t *start = stream + frames[i].offset;

        assert_int_equal(next(start, sizeof(stream) - frames[i].offset, &frame),
                         STREAM_FRAME_WHOLE);
        assert_int_equal(frame.kind, frames[i].kind);
        assert_int_equal(frame.framed_len, frames[i].framed_len);
        assert_ptr_equal(frame.message.data, start);
        assert_int_equal(frame.message.len, frames[i].message_len);
    }
}

static void waits_for_the_last_byte_of_the_padding(void **state)
{
    (void)state;
    for (size_t i = 0; i < FRAME_COUNT; i++) {
        for (size_t there = 0; there < frames[i].framed_len; there++)
            assert_int_equal(next_tight(stream + frames[i].offset, there), STREAM_FRAME_NEED_MORE);
        assert_int_equal(next_tight(stream + frames[i].offset, frames[i].framed_len),
                         STREAM_FRAME_WHOLE);
    }
}

static void says_what_a_frame_takes_as_soon_as_its_length_is_there(void **state)
{
    struct stream_frame frame;

    (void)state;
    for (size_t i = 0; i < FRAME_COUNT; i++) {
        for (size_t there = 0; there < frames[i].framed_len; there++) {
            assert_int_equal(next(stream + frames[i].offset, there, &frame),
                             STREAM_FRAME_NEED_MORE);
            assert_int_equal(frame.framed_len, there < 4 ? 4 : frames[i].framed_len);
            assert_int_equal(frame.message.len, 0);
        }
    }
}

static void takes_nothing_at_all(void **state)
{
    struct stream_frame frame;

    (void)state;
    assert_int_equal(next(NULL, 0, &frame), STREAM_FRAME_NEED_MORE);
    assert_int_equal(frame.framed_len, 4);
}

static void refuses_a_first_byte_that_is_neither_stun_nor_a_channel(void **state)
{
    struct stream_frame frame;

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t first = (uint8_t)byte;

        assert_int_equal(next(&first, 1, &frame),
                         byte < 80 ? STREAM_FRAME_NEED_MORE : STREAM_FRAME_BAD);
    }
}

static void takes_the_channels_of_rfc_5766_where_they_are_allowed(void **state)
{
    struct stream_frame frame;

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t header[] = {(uint8_t)byte, 0xFF, 0, 0};

        if (byte < 64)
            continue;
        assert_int_equal(stream_frame_next(SPAN(header), 4, true, &frame),
                         byte < 128 ? STREAM_FRAME_WHOLE : STREAM_FRAME_BAD);
        assert_int_equal(stream_frame_next(SPAN(header), 4, false, &frame),
                         byte < 80 ? STREAM_FRAME_WHOLE : STREAM_FRAME_BAD);
    }
}

static void refuses_a_wrong_cookie_at_its_first_wrong_byte(void **state)
{
    uint8_t request[20];

    (void)state;
    for (size_t wrong = 4; wrong < 8; wrong++) {
        memcpy(request, stream, sizeof(request));
        request[wrong] ^= 1;
        assert_int_equal(bytes_until_bad(request, sizeof(request)), wrong + 1);
    }
    assert_int_equal(bytes_until_bad(stream, 20), 0);
}

static void refuses_a_stun_length_that_is_no_multiple_of_four(void **state)
{
    uint8_t request[20];

    (void)state;
    memcpy(request, stream, sizeof(request));
    for (unsigned len = 0; len < 256; len++) {
        request[3] = (uint8_t)len;
        assert_int_equal(bytes_until_bad(request, sizeof(request)), len % 4 == 0 ? 0 : 4);
    }
}

static void refuses_what_other_protocols_begin_with(void **state)
{
    static const uint8_t tls_client_hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01};
    static const uint8_t ssh[] = "SSH-2.0-";
    static const uint8_t proxy_header[] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51};

    (void)state;
    assert_int_equal(bytes_until_bad(tls_client_hello, sizeof(tls_client_hello)), 4);
    assert_int_equal(bytes_until_bad(ssh, sizeof(ssh)), 1);
    assert_int_equal(bytes_until_bad(proxy_header, sizeof(proxy_header)), 4);
}

static void refuses_a_frame_longer_than_the_limit(void **state)
{
    struct stream_frame frame = {.framed_len = 7};

    (void)state;
    for (size_t i = 0; i < FRAME_COUNT; i++) {
        struct span bytes = {stream + frames[i].offset, frames[i].framed_len};

        assert_int_equal(stream_frame_next(bytes, frames[i].framed_len - 1, false, &frame),
                         STREAM_FRAME_BAD);
        bytes.len = 4;
        assert_int_equal(stream_frame_next(bytes, frames[i].framed_len - 1, false, &frame),
                         STREAM_FRAME_BAD);
        assert_int_equal(frame.framed_len, 7);
    }
    for (size_t i = 0; i < FRAME_COUNT; i++) {
        struct span bytes = {stream + frames[i].offset, frames[i].framed_len};

        assert_int_equal(stream_frame_next(bytes, frames[i].framed_len, false, &frame),
                         STREAM_FRAME_WHOLE);
    }
}

static void takes_the_longest_frames(void **state)
{
    static uint8_t bytes[STREAM_FRAME_MAX_LEN];
    struct stream_frame frame;

    (void)state;
    memcpy(bytes, stream, 20);
    store_be16(bytes + 2, 65532);
    assert_int_equal(next(bytes, sizeof(bytes) - 1, &frame), STREAM_FRAME_NEED_MORE);
    assert_int_equal(next(bytes, sizeof(bytes), &frame), STREAM_FRAME_WHOLE);
    assert_int_equal(frame.message.len, sizeof(bytes));
    channel_data_write_header(bytes, 0x4FFF, 65535);
    assert_int_equal(next(bytes, 65539, &frame), STREAM_FRAME_NEED_MORE);
    assert_int_equal(next(bytes, 65540, &frame), STREAM_FRAME_WHOLE);
    assert_int_equal(frame.message.len, 65539);
    assert_int_equal(frame.framed_len, 65540);
}

static void takes_back_what_is_written_with_its_padding(void **state)
{
    uint8_t bytes[CHANNEL_DATA_HEADER_LEN + 16] = {0};
    struct stream_frame frame;

    (void)state;
    for (uint16_t len = 0; len <= 12; len++) {
        channel_data_write_header(bytes, 0x4001, len);
        assert_int_equal(next(bytes, sizeof(bytes), &frame), STREAM_FRAME_WHOLE);
        assert_int_equal(frame.message.len, CHANNEL_DATA_HEADER_LEN + len);
        assert_int_equal(frame.framed_len, frame.message.len + channel_data_stream_padding(len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_a_stream_into_its_messages),
        cmocka_unit_test(waits_for_the_last_byte_of_the_padding),
        cmocka_unit_test(says_what_a_frame_takes_as_soon_as_its_length_is_there),
        cmocka_unit_test(takes_nothing_at_all),
        cmocka_unit_test(refuses_a_first_byte_that_is_neither_stun_nor_a_channel),
        cmocka_unit_test(takes_the_channels_of_rfc_5766_where_they_are_allowed),
        cmocka_unit_test(refuses_a_wrong_cookie_at_its_first_wrong_byte),
        cmocka_unit_test(refuses_a_stun_length_that_is_no_multiple_of_four),
        cmocka_unit_test(refuses_what_other_protocols_begin_with),
        cmocka_unit_test(refuses_a_frame_longer_than_the_limit),
        cmocka_unit_test(takes_the_longest_frames),
        cmocka_unit_test(takes_back_what_is_written_with_its_padding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
