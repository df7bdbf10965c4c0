// SPDX-License-Identifier: BSD-3-Clause
// ChannelData framing (RFC 8656 sections 12.4-12.6).
#include "proto/channel_data.h"

bool channel_data_parse(struct span datagram, bool rfc5766_channels,
                        struct channel_data *ret_message)
{
    uint16_t channel;
    uint16_t payload_len;

    if (datagram.len < CHANNEL_DATA_HEADER_LEN)
        return false;
    channel = load_be16(datagram.data);
    payload_len = load_be16(datagram.data + 2);
    if (channel < TURN_CHANNEL_MIN || channel > channel_data_max(rfc5766_channels))
        return false;
    if (payload_len > datagram.len - CHANNEL_DATA_HEADER_LEN)
        return false;
    ret_message->channel = channel;
    ret_message->payload = (struct span){datagram.data + CHANNEL_DATA_HEADER_LEN, payload_len};
    return true;
}

size_t channel_data_framed_len(const uint8_t header[CHANNEL_DATA_HEADER_LEN])
{
    size_t payload_len = load_be16(header + 2);

    return CHANNEL_DATA_HEADER_LEN + payload_len + channel_data_stream_padding(payload_len);
}

void channel_data_write_header(uint8_t header[CHANNEL_DATA_HEADER_LEN], uint16_t channel,
                               uint16_t payload_len)
{
    store_be16(header, channel);
    store_be16(header + 2, payload_len);
}
