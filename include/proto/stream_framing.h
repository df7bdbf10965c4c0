// SPDX-License-Identifier: BSD-3-Clause
// Cutting a byte stream into STUN messages and ChannelData (RFC 8656 sections 2.1, 12.4-12.6; RFC 8489 section 6.2.2).
#pragma once

#include "base/bytes.h"
#include "proto/channel_data.h"
#include "proto/stun.h"

#include <stdbool.h>
#include <stdint.h>

// The longest frame that a header can announce.
#define STREAM_FRAME_MAX_LEN (STUN_HEADER_LEN + 65532)

enum stream_frame_verdict {
    STREAM_FRAME_WHOLE,
    STREAM_FRAME_NEED_MORE,
    STREAM_FRAME_BAD, // no frame begins here: where the next one would is unknown, so the stream is of no more use
};

enum stream_frame_kind {
    STREAM_FRAME_STUN,
    STREAM_FRAME_CHANNEL_DATA,
};

// A view into the caller's buffer, valid while that is.
struct stream_frame {
    struct span message;         // header and contents, without padding; empty until the frame is whole
    size_t framed_len;           // bytes of the stream that the frame takes, padding included
    enum stream_frame_kind kind; // of a whole frame
};

// The frame at the start of what has been received and not yet been consumed. The verdict on a stream does not depend
// on how it is split: once WHOLE or BAD, more bytes change nothing. BAD is said as soon as the bytes at hand show it.
// NEED_MORE: the frame is whole when framed_len bytes are there, or its length is known when that many are, which then
// is CHANNEL_DATA_HEADER_LEN. A frame of more than max_len bytes is BAD. *ret_frame is untouched on BAD.
// Only framing is judged: a STUN message that is WHOLE has yet to be parsed. What is written to a stream is padded by
// channel_data_stream_padding().
enum stream_frame_verdict stream_frame_next(struct span received, size_t max_len, bool rfc5766_channels,
                                            struct stream_frame *ret_frame);

// Whether a message is a STUN message of this type, class and method.
static inline bool stream_message_is(struct span message, uint16_t type)
{
    return message.len >= STUN_HEADER_LEN && load_be16(message.data) == type;
}
