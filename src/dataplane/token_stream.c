// SPDX-License-Identifier: BSD-3-Clause
// AES-128 in counter mode, where the processor has AES (FIPS 197, NIST SP 800-38A section 6.5);
// elsewhere, and on other architectures, SipHash of a counter.
#include "dataplane/token_stream.h"

#include "base/random.h"
#include "base/siphash.h"
#include "dataplane/aes.h"

#include <string.h>

#ifdef __AES__

static __m128i next_key(__m128i key, __m128i assist)
{
    assist = _mm_shuffle_epi32(assist, 0xFF);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, assist);
}

// FIPS 197 section 5.2. The round constants have to be literals.
static void expand_key(struct token_stream *stream, const uint8_t *key)
{
    __m128i *keys = (__m128i *)stream->round_keys;
    keys[0] = _mm_loadu_si128((const __m128i *)key);
#define EXPAND(round, constant)                                                                    \
    keys[round] = next_key(keys[(round)-1], _mm_aeskeygenassist_si128(keys[(round)-1], constant))
    EXPAND(1, 0x01);
    EXPAND(2, 0x02);
    EXPAND(3, 0x04);
    EXPAND(4, 0x08);
    EXPAND(5, 0x10);
    EXPAND(6, 0x20);
    EXPAND(7, 0x40);
    EXPAND(8, 0x80);
    EXPAND(9, 0x1B);
    EXPAND(10, 0x36);
#undef EXPAND
}

static void make_blocks_by_aes(const struct token_stream *stream, unsigned count,
                               uint64_t (*ret_blocks)[2])
{
    const __m128i *keys = (const __m128i *)stream->round_keys;
    const __m128i one = _mm_set_epi64x(0, 1);
    __m128i counter = _mm_set_epi64x(0, (int64_t)stream->counter);
    for (unsigned i = 0; i < count; i++, counter = _mm_add_epi64(counter, one)) {
        __m128i block = _mm_xor_si128(counter, keys[0]);
        for (unsigned round = 1; round < TOKEN_STREAM_KEYS - 1; round++)
            block = _mm_aesenc_si128(block, keys[round]);
        block = _mm_aesenclast_si128(block, keys[TOKEN_STREAM_KEYS - 1]);
        _mm_storeu_si128((__m128i *)ret_blocks[i], block);
    }
}

#endif

static void make_blocks_by_hash(const struct token_stream *stream, unsigned count,
                                uint64_t (*ret_blocks)[2])
{
    struct siphash_key key;
    memcpy(&key, stream->round_keys[0], sizeof(key));
    for (unsigned i = 0; i < count; i++) {
        for (uint64_t half = 0; half < 2; half++) {
            uint64_t input[2] = {stream->counter + i, half};
            ret_blocks[i][half] = siphash(&key, input, sizeof(input));
        }
    }
}

void token_stream_blocks(struct token_stream *stream, unsigned count, uint64_t (*ret_blocks)[2])
{
#ifdef __AES__
    if (stream->has_aes)
        make_blocks_by_aes(stream, count, ret_blocks);
    else
#endif
        make_blocks_by_hash(stream, count, ret_blocks);
    stream->counter += count;
}

void token_stream_start(struct token_stream *stream, const uint8_t key[TOKEN_STREAM_KEY_LEN])
{
    memset(stream, 0, sizeof(*stream));
    memcpy(stream->round_keys[0], key, TOKEN_STREAM_KEY_LEN);
#ifdef __AES__
    stream->has_aes = aes_is_usable();
    if (stream->has_aes)
        expand_key(stream, key);
#endif
}

void token_stream_init(struct token_stream *stream)
{
    uint8_t key[TOKEN_STREAM_KEY_LEN];
    random_fill(&random_system, key, sizeof(key));
    token_stream_start(stream, key);
    explicit_bzero(key, sizeof(key));
}

void token_stream_refill(struct token_stream *stream)
{
    token_stream_blocks(stream, TOKEN_STREAM_BATCH / 2, (uint64_t(*)[2])stream->values);
    stream->left = TOKEN_STREAM_BATCH;
}
