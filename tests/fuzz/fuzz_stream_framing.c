// SPDX-License-Identifier: BSD-3-Clause
// A stream is cut into the same frames however it is split (RFC 8656 sections 2.1, 12.4-12.6).
#include "proto/message.h"
#include "proto/stream_framing.h"

#include "fuzz.h"

// An input is: flags, the longest frame (two bytes, doubled by the second flag), the stream.
#define STREAM_OFFSET 3

struct limits {
    size_t max_len;
    bool rfc5766_channels;
};

// Bytes whose end a sanitizer knows.
static enum stream_frame_verdict next_tight(struct span received, struct limits limits,
                                            struct stream_frame *ret_frame)
{
    uint8_t *copy = malloc(received.len + 1);
    enum stream_frame_verdict verdict;

    REQUIRE(copy != NULL);
    memcpy(copy + 1, received.data, received.len);
    verdict = stream_frame_next((struct span){copy + 1, received.len}, limits.max_len,
                                limits.rfc5766_channels, ret_frame);
    free(copy);
    return verdict;
}

// RFC 8489 section 5, RFC 8656 section 12.5.
static size_t framed_len_reference(const uint8_t *header)
{
    size_t len = (size_t)header[2] * 256 + header[3];

    return header[0] < 0x40 ? 20 + len : (4 + len + 3) / 4 * 4;
}

// Byte by byte, until there is something to say. The frame is that of the bytes in place.
static enum stream_frame_verdict next_by_bytes(struct span stream, struct limits limits,
                                               struct stream_frame *ret_frame)
{
    enum stream_frame_verdict verdict = STREAM_FRAME_NEED_MORE;
    struct span received = {stream.data, 0};

    for (; received.len <= stream.len; received.len++) {
        struct stream_frame tight;

        verdict = stream_frame_next(received, limits.max_len, limits.rfc5766_channels, ret_frame);
        if (received.len <= 24)
            REQUIRE(next_tight(received, limits, &tight) == verdict);
        if (verdict != STREAM_FRAME_NEED_MORE)
            break;
        REQUIRE(ret_frame->framed_len > received.len);
        REQUIRE(ret_frame->framed_len ==
                (received.len < 4 ? 4 : framed_len_reference(received.data)));
        REQUIRE(ret_frame->message.len == 0);
    }
    return verdict;
}

static void check_whole(struct span stream, struct limits limits, const struct stream_frame *frame)
{
    struct stun_message message;
    struct channel_data data;
    enum stun_verdict verdict;

    REQUIRE(frame->framed_len <= stream.len && frame->framed_len <= limits.max_len);
    REQUIRE(frame->framed_len == framed_len_reference(stream.data));
    REQUIRE(frame->framed_len % 4 == 0);
    REQUIRE(frame->message.data == stream.data && frame->message.len <= frame->framed_len);
    if (frame->kind == STREAM_FRAME_CHANNEL_DATA) {
        REQUIRE(channel_data_parse(frame->message, limits.rfc5766_channels, &data));
        REQUIRE(CHANNEL_DATA_HEADER_LEN + data.payload.len == frame->message.len);
        return;
    }
    verdict = stun_message_parse(frame->message, &message);
    REQUIRE(verdict != STUN_TOO_SHORT && verdict != STUN_NOT_STUN && verdict != STUN_BAD_COOKIE);
    REQUIRE(verdict != STUN_BAD_LENGTH || frame->message.len > STUN_MESSAGE_MAX_LEN);
}

// What is BAD has a reason that can be seen from outside.
static bool may_be_bad(struct span stream, struct limits limits)
{
    static const uint8_t cookie[] = {0x21, 0x12, 0xA4, 0x42};
    bool is_stun = stream.data[0] < 0x40;

    if (stream.data[0] > (limits.rfc5766_channels ? 0x7F : 0x4F))
        return true;
    if (stream.len < 4)
        return false;
    if (framed_len_reference(stream.data) > limits.max_len)
        return true;
    return is_stun && (stream.data[3] % 4 != 0 ||
                       memcmp(stream.data + 4, cookie, stream.len < 8 ? stream.len - 4 : 4) != 0);
}

static enum stream_frame_verdict check_next(struct span stream, struct limits limits,
                                            size_t *ret_consumed)
{
    struct stream_frame frame = {0};
    struct stream_frame gathered = {0};
    enum stream_frame_verdict verdict =
        stream_frame_next(stream, limits.max_len, limits.rfc5766_channels, &frame);

    REQUIRE(next_by_bytes(stream, limits, &gathered) == verdict);
    REQUIRE((verdict == STREAM_FRAME_BAD) == (stream.len > 0 && may_be_bad(stream, limits)));
    if (verdict == STREAM_FRAME_BAD)
        return verdict;
    REQUIRE(gathered.framed_len == frame.framed_len);
    REQUIRE(gathered.kind == frame.kind);
    REQUIRE(gathered.message.data == frame.message.data);
    REQUIRE(gathered.message.len == frame.message.len);
    if (verdict == STREAM_FRAME_WHOLE)
        check_whole(stream, limits, &frame);
    *ret_consumed = frame.framed_len;
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct limits limits;
    struct span stream;
    size_t consumed;

    if (size < STREAM_OFFSET)
        return 0;
    limits = (struct limits){(size_t)load_be16(data + 1) << (data[0] >> 1 & 1), data[0] & 1};
    stream = (struct span){data + STREAM_OFFSET, size - STREAM_OFFSET};
    while (check_next(stream, limits, &consumed) == STREAM_FRAME_WHOLE) {
        stream.data += consumed;
        stream.len -= consumed;
    }
    return 0;
}
