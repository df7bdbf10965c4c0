// SPDX-License-Identifier: BSD-3-Clause
// Values that nobody outside can foretell, one after the other, made many at a time: transaction
// ids of Data indications (RFC 8489 section 5), nonce salts, IPv6 fragment identifications (RFC
// 7739).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_STREAM_KEY_LEN 16
#define TOKEN_STREAM_BATCH   32
#define TOKEN_STREAM_KEYS    11 // of AES-128

struct token_stream {
    uint64_t values[TOKEN_STREAM_BATCH]; // the first `left` are still to be given out
    uint8_t round_keys[TOKEN_STREAM_KEYS][TOKEN_STREAM_KEY_LEN];
    uint64_t counter; // of blocks of two values
    uint32_t left;
    bool has_aes; // this CPU has
} __attribute__((aligned(16)));

// With a key of the system's random source.
void token_stream_init(struct token_stream *stream);

// Two streams with the same key give out the same values.
void token_stream_start(struct token_stream *stream, const uint8_t key[TOKEN_STREAM_KEY_LEN]);

// So many blocks of 16 bytes at once, which no value is given out of as well.
void token_stream_blocks(struct token_stream *stream, unsigned count, uint64_t (*ret_blocks)[2]);

void token_stream_refill(struct token_stream *stream);

static inline uint64_t token_stream_next(struct token_stream *stream)
{
    if (__builtin_expect(stream->left == 0, 0))
        token_stream_refill(stream);
    return stream->values[--stream->left];
}
