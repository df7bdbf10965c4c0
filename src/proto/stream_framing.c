// SPDX-License-Identifier: BSD-3-Clause
// Stream framing (RFC 8656 sections 12.4-12.6, RFC 8489 section 5).
#include "proto/stream_framing.h"

// Both kinds of frame have their length here.
#define LENGTH_OFFSET       2
#define MAGIC_COOKIE_OFFSET 4

// RFC 8489 section 5: what has come of the magic cookie is right.
static bool cookie_is_right(struct span received)
{
    uint8_t cookie[4];
    size_t len = received.len - MAGIC_COOKIE_OFFSET;

    store_be32(cookie, STUN_MAGIC_COOKIE);
    return memcmp(received.data + MAGIC_COOKIE_OFFSET, cookie, len < 4 ? len : 4) == 0;
}

static enum stream_frame_verdict judge(struct span received, size_t max_len,
                                       struct stream_frame frame, struct stream_frame *ret_frame)
{
    if (frame.framed_len > max_len)
        return STREAM_FRAME_BAD;
    if (frame.framed_len > received.len)
        frame.message = (struct span){0};
    *ret_frame = frame;
    return frame.framed_len > received.len ? STREAM_FRAME_NEED_MORE : STREAM_FRAME_WHOLE;
}

static enum stream_frame_verdict next_stun(struct span received, size_t max_len,
                                           struct stream_frame *ret_frame)
{
    size_t len = (size_t)STUN_HEADER_LEN + load_be16(received.data + LENGTH_OFFSET);
    struct stream_frame frame = {{received.data, len}, len, STREAM_FRAME_STUN};

    if (len % 4 != 0 || !cookie_is_right(received))
        return STREAM_FRAME_BAD;
    return judge(received, max_len, frame, ret_frame);
}

static enum stream_frame_verdict next_channel_data(struct span received, size_t max_len,
                                                   struct stream_frame *ret_frame)
{
    size_t len = (size_t)CHANNEL_DATA_HEADER_LEN + load_be16(received.data + LENGTH_OFFSET);
    struct stream_frame frame = {
        {received.data, len}, channel_data_framed_len(received.data), STREAM_FRAME_CHANNEL_DATA};

    return judge(received, max_len, frame, ret_frame);
}

// A reserved channel number is discarded with its message (RFC 8656 section 12.6), but what is
// reserved has no length that we know. So the stream ends there.
enum stream_frame_verdict stream_frame_next(struct span received, size_t max_len,
                                            bool rfc5766_channels, struct stream_frame *ret_frame)
{
    bool is_stun = received.len > 0 && (received.data[0] & 0xC0) == 0;

    if (received.len > 0 && !is_stun &&
        !channel_data_first_byte(received.data[0], rfc5766_channels))
        return STREAM_FRAME_BAD;
    if (received.len < CHANNEL_DATA_HEADER_LEN) {
        *ret_frame = (struct stream_frame){.framed_len = CHANNEL_DATA_HEADER_LEN};
        return STREAM_FRAME_NEED_MORE;
    }
    return is_stun ? next_stun(received, max_len, ret_frame)
                   : next_channel_data(received, max_len, ret_frame);
}
