// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of the flow table: AES rounds under secret round keys, or SipHash on a CPU without instructions for
// them. The rounds are no cipher, and nobody sees what comes out: what they must resist is a sender who picks addresses
// that fall into one bucket.
#pragma once

#include "base/siphash.h"
#include "dataplane/aes.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FLOW_HASH_ROUNDS 4 // a block: each bit of it has reached all others after two

struct flow_hash_keys {
    uint8_t rounds[2 * FLOW_HASH_ROUNDS + 1][16];
    struct siphash_key sip; // instead of the rounds
    bool has_aes;           // this CPU has
} __attribute__((aligned(16)));

#define FLOW_HASH_SECRET_LEN (16 * (2 * FLOW_HASH_ROUNDS + 1) + sizeof(struct siphash_key))

// Random keys, and the quickest way that this CPU and this build know.
void flow_hash_init(struct flow_hash_keys *keys);
// The same from a random secret: who has it as well hashes alike.
void flow_hash_share(struct flow_hash_keys *keys, const uint8_t secret[FLOW_HASH_SECRET_LEN]);

#ifdef AES_IS_KNOWN

static inline aes_block flow_hash_round_key(const struct flow_hash_keys *keys, unsigned round)
{
    return aes_load_aligned(keys->rounds[round]);
}

static inline aes_block flow_hash_mix(const struct flow_hash_keys *keys, aes_block state, unsigned from)
{
    for (unsigned round = from; round < from + FLOW_HASH_ROUNDS; round++)
        state = aes_round(state, flow_hash_round_key(keys, round));
    return state;
}

#endif

// Of a key of two words.
static inline uint64_t flow_hash_short(const struct flow_hash_keys *keys, uint64_t first, uint64_t second)
{
#ifdef AES_IS_KNOWN
    if (__builtin_expect(keys->has_aes, true)) {
        aes_block block = aes_xor(aes_block_of(first, second), flow_hash_round_key(keys, 0));
        return aes_first(flow_hash_mix(keys, block, 1));
    }
#endif
    const uint64_t words[2] = {first, second};
    return siphash(&keys->sip, words, sizeof(words));
}

// The same of both words where they lie.
static inline uint64_t flow_hash_short_at(const struct flow_hash_keys *keys, const uint64_t words[2])
{
#ifdef AES_IS_KNOWN
    if (__builtin_expect(keys->has_aes, true)) {
        aes_block block = aes_xor(aes_load(words), flow_hash_round_key(keys, 0));
        return aes_first(flow_hash_mix(keys, block, 1));
    }
#endif
    return siphash(&keys->sip, words, 2 * sizeof(words[0]));
}

// Of a key of two words and 16 bytes.
static inline uint64_t flow_hash_long(const struct flow_hash_keys *keys, uint64_t first, uint64_t second,
                                      const void *bytes)
{
#ifdef AES_IS_KNOWN
    if (__builtin_expect(keys->has_aes, true)) {
        aes_block block = aes_xor(aes_block_of(first, second), flow_hash_round_key(keys, 0));
        block = aes_xor(flow_hash_mix(keys, block, 1), aes_load(bytes));
        return aes_first(flow_hash_mix(keys, block, 1 + FLOW_HASH_ROUNDS));
    }
#endif
    uint64_t words[4] = {first, second};
    memcpy(words + 2, bytes, 16);
    return siphash(&keys->sip, words, sizeof(words));
}
