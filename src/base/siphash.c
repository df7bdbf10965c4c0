// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 as "SipHash: a fast short-input PRF" (Aumasson, Bernstein, 2012) defines it in
// section 2.
#include "base/siphash.h"

#include <string.h>

static inline uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline void round_once(struct siphash_state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void compress(struct siphash_state *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

static inline struct siphash_state begin(const struct siphash_key *key)
{
    return (struct siphash_state){
        .v0 = key->k[0] ^ 0x736f6d6570736575u, // "somepseudorandomlygeneratedbytes"
        .v1 = key->k[1] ^ 0x646f72616e646f6du,
        .v2 = key->k[0] ^ 0x6c7967656e657261u,
        .v3 = key->k[1] ^ 0x7465646279746573u,
    };
}

// The last word: what is left, and the length modulo 256 in its top byte.
static inline uint64_t finish(struct siphash_state *s, uint64_t last, size_t len)
{
    compress(s, last | (uint64_t)len << 56);
    s->v2 ^= 0xFF;
    for (unsigned i = 0; i < 4; i++)
        round_once(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len)
{
    struct siphash_state s = begin(key);
    const uint8_t *next = bytes;
    size_t left = len;
    uint64_t word;

    for (; left >= sizeof(word); left -= sizeof(word), next += sizeof(word)) {
        memcpy(&word, next, sizeof(word));
        compress(&s, word);
    }
    word = 0;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)next[i] << (8 * i);
    return finish(&s, word, len);
}

void siphash_begin(const struct siphash_key *key, uint64_t first, struct siphash_state *ret_state)
{
    *ret_state = begin(key);
    compress(ret_state, first);
}

uint64_t siphash_end(const struct siphash_state *state, const uint64_t *words, size_t count,
                     uint64_t last)
{
    struct siphash_state s = *state;

    for (size_t i = 0; i < count; i++)
        compress(&s, words[i]);
    return finish(&s, last & 0x00FFFFFFFFFFFFFF, 8 + 8 * count + 7);
}
