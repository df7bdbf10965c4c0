// SPDX-License-Identifier: BSD-3-Clause
// ChannelData framing (RFC 8656 sections 12.4-12.6).
#include "proto/channel_data.h"

#include "support.h"

static void knows_the_first_bytes_that_only_channel_data_uses(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        assert_int_equal(channel_data_first_byte((uint8_t)byte, false), byte >= 64 && byte <= 79);
        assert_int_equal(channel_data_first_byte((uint8_t)byte, true), byte >= 64 && byte <= 127);
    }
}

static void reads_a_datagram_that_ends_with_its_payload(void **state)
{
    static const uint8_t datagram[] = {0x40, 0x01, 0x00, 0x03, 'a', 'b', 'c'};
    struct channel_data message;

    (void)state;
    assert_true(channel_data_parse(SPAN(datagram), false, &message));
    assert_int_equal(message.channel, 0x4001);
    assert_span_equal(message.payload, "abc", 3);
}

static void ignores_padding_after_the_payload(void **state)
{
    static const uint8_t datagram[] = {0x4F, 0xFF, 0x00, 0x01, 'a', 0xFF, 0xFF, 0xFF};
    struct channel_data message;

    (void)state;
    assert_true(channel_data_parse(SPAN(datagram), false, &message));
    assert_int_equal(message.channel, 0x4FFF);
    assert_span_equal(message.payload, "a", 1);
}

static void takes_an_empty_payload(void **state)
{
    static const uint8_t datagram[] = {0x40, 0x00, 0x00, 0x00};
    struct channel_data message;

    (void)state;
    assert_true(channel_data_parse(SPAN(datagram), false, &message));
    assert_int_equal(message.payload.len, 0);
}

static void refuses_a_datagram_too_short_for_the_claimed_length(void **state)
{
    static const uint8_t bytes[16] = {0x40, 0x00, 0x00, 0x0C};
    struct channel_data message = {.channel = 7};

    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        assert_false(channel_data_parse((struct span){bytes, len}, false, &message));
        assert_int_equal(message.channel, 7);
    }
    assert_true(channel_data_parse(SPAN(bytes), false, &message));
}

static void refuses_every_channel_number_outside_the_range(void **state)
{
    struct channel_data message;

    (void)state;
    for (unsigned channel = 0; channel <= UINT16_MAX; channel++) {
        const uint8_t datagram[] = {(uint8_t)(channel >> 8), (uint8_t)channel, 0, 0};

        assert_int_equal(channel_data_parse(SPAN(datagram), false, &message),
                         channel >= 0x4000 && channel <= 0x4FFF);
        assert_int_equal(channel_data_parse(SPAN(datagram), true, &message),
                         channel >= 0x4000 && channel <= 0x7FFF);
    }
}

static void frames_a_stream_to_whole_words(void **state)
{
    static const size_t expected[] = {4, 8, 8, 8, 8, 12};

    (void)state;
    for (uint8_t len = 0; len < 6; len++) {
        const uint8_t header[CHANNEL_DATA_HEADER_LEN] = {0x40, 0, 0, len};

        assert_int_equal(channel_data_framed_len(header), expected[len]);
        assert_int_equal(channel_data_stream_padding(len), expected[len] - 4 - len);
    }
}

static void frames_the_longest_payload(void **state)
{
    static const uint8_t header[CHANNEL_DATA_HEADER_LEN] = {0x40, 0, 0xFF, 0xFF};

    (void)state;
    assert_int_equal(channel_data_framed_len(header), 65540);
}

static void writes_the_header_that_it_reads(void **state)
{
    uint8_t datagram[CHANNEL_DATA_HEADER_LEN + 300] = {0};
    struct channel_data message;

    (void)state;
    channel_data_write_header(datagram, 0x4ABC, 300);
    assert_true(channel_data_parse(SPAN(datagram), false, &message));
    assert_int_equal(message.channel, 0x4ABC);
    assert_int_equal(message.payload.len, 300);
    assert_ptr_equal(message.payload.data, datagram + CHANNEL_DATA_HEADER_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_first_bytes_that_only_channel_data_uses),
        cmocka_unit_test(reads_a_datagram_that_ends_with_its_payload),
        cmocka_unit_test(ignores_padding_after_the_payload),
        cmocka_unit_test(takes_an_empty_payload),
        cmocka_unit_test(refuses_a_datagram_too_short_for_the_claimed_length),
        cmocka_unit_test(refuses_every_channel_number_outside_the_range),
        cmocka_unit_test(frames_a_stream_to_whole_words),
        cmocka_unit_test(frames_the_longest_payload),
        cmocka_unit_test(writes_the_header_that_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
