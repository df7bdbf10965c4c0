// SPDX-License-Identifier: BSD-3-Clause
// ChannelData framing on datagrams and streams against a byte-wise reference (RFC 8656
// sections 12.4-12.6).
#include "proto/channel_data.h"

#include "fuzz.h"

// RFC 8656 section 12.6, byte by byte.
static bool parse_reference(struct span datagram, bool rfc5766_channels,
                            struct channel_data *ret_message)
{
    size_t len;

    if (datagram.len < 4 || datagram.data[0] < 0x40 ||
        datagram.data[0] > (rfc5766_channels ? 0x7F : 0x4F))
        return false;
    len = (size_t)datagram.data[2] * 256 + datagram.data[3];
    if (4 + len > datagram.len)
        return false;
    ret_message->channel = (uint16_t)(datagram.data[0] * 256 + datagram.data[1]);
    ret_message->payload = (struct span){datagram.data + 4, len};
    return true;
}

static void check_datagram(struct span datagram, bool rfc5766_channels)
{
    struct channel_data expected;
    struct channel_data message;
    uint8_t header[CHANNEL_DATA_HEADER_LEN];

    if (!parse_reference(datagram, rfc5766_channels, &expected)) {
        REQUIRE(!channel_data_parse(datagram, rfc5766_channels, &message));
        return;
    }
    REQUIRE(channel_data_first_byte(datagram.data[0], rfc5766_channels));
    REQUIRE(channel_data_parse(datagram, rfc5766_channels, &message));
    REQUIRE(message.channel == expected.channel);
    REQUIRE(message.payload.data == expected.payload.data);
    REQUIRE(message.payload.len == expected.payload.len);
    channel_data_write_header(header, message.channel, (uint16_t)message.payload.len);
    REQUIRE(memcmp(header, datagram.data, sizeof(header)) == 0);
}

// Bytes as they come one by one: how many until a message and its padding are whole.
static size_t frame_reference(struct span stream)
{
    size_t claimed = 0;
    size_t taken = 0;

    while (taken < stream.len) {
        if (taken == 2)
            claimed = (size_t)stream.data[2] << 8;
        if (taken == 3)
            claimed |= stream.data[3];
        taken++;
        if (taken >= 4 && taken >= 4 + claimed && taken % 4 == 0)
            return taken;
    }
    return 0;
}

// Cut into messages until one is not whole.
static void check_stream(struct span stream)
{
    while (stream.len >= CHANNEL_DATA_HEADER_LEN) {
        size_t expected = frame_reference(stream);
        size_t len = channel_data_framed_len(stream.data);

        REQUIRE(len % 4 == 0);
        REQUIRE(expected == 0 ? len > stream.len : len == expected);
        if (expected == 0)
            return;
        REQUIRE(len == 4 + (size_t)load_be16(stream.data + 2) +
                           channel_data_stream_padding(load_be16(stream.data + 2)));
        check_datagram((struct span){stream.data, len}, false);
        stream.data += len;
        stream.len -= len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_datagram((struct span){data, size}, false);
    check_datagram((struct span){data, size}, true);
    check_stream((struct span){data, size});
    return 0;
}
