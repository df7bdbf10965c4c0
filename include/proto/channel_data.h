// SPDX-License-Identifier: BSD-3-Clause
// ChannelData messages on datagrams and on streams (RFC 8656 sections 12.4-12.6).
#pragma once

#include "base/bytes.h"
#include "proto/stun.h"

#include <stdbool.h>
#include <stdint.h>

#define CHANNEL_DATA_HEADER_LEN 4

// The last channel number: RFC 8656's, or the higher one of RFC 5766, from before RFC 7983 gave other protocols their
// first bytes.
static inline uint16_t channel_data_max(bool rfc5766_channels)
{
    return rfc5766_channels ? TURN_CHANNEL_MAX_RFC5766 : TURN_CHANNEL_MAX;
}

// True when the first byte is one that only ChannelData uses (RFC 8656 section 12): 64..79, or 64..127.
static inline bool channel_data_first_byte(uint8_t byte, bool rfc5766_channels)
{
    return byte >= TURN_CHANNEL_MIN >> 8 && byte <= channel_data_max(rfc5766_channels) >> 8;
}

struct channel_data {
    uint16_t channel;
    struct span payload;
};

// A datagram: padding after the payload is allowed and ignored. False: too short for the claimed length, or a channel
// number below TURN_CHANNEL_MIN or above channel_data_max().
bool channel_data_parse(struct span datagram, bool rfc5766_channels, struct channel_data *ret_message);

// On a stream: bytes that the message starting here takes, padding included, from its 4-byte header.
size_t channel_data_framed_len(const uint8_t header[CHANNEL_DATA_HEADER_LEN]);

void channel_data_write_header(uint8_t header[CHANNEL_DATA_HEADER_LEN], uint16_t channel, uint16_t payload_len);

// Bytes of zero padding that a stream needs after a payload of this length: 0..3.
static inline unsigned channel_data_stream_padding(size_t payload_len)
{
    return (4 - (payload_len & 3)) & 3;
}
