// SPDX-License-Identifier: BSD-3-Clause
// How often one source prefix gets an answer without credentials. A bucket is one time stamp: when
// it will be full again (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T
// I.371). One that lies in the past says the same as none at all, so it may be overwritten, and
// nothing is ever swept.
#include "dataplane/rate_limiter.h"

#include "base/address.h"
#include "base/random.h"
#include "dataplane/aes.h"

#include <string.h>

#define RATE_LIMITER_SETS     16384u
#define RATE_LIMITER_SET_SIZE 4

struct rate_limiter_bucket {
    uint64_t prefix; // keyed hash of it
    uint64_t full_tsc;
};

struct rate_limiter_set {
    struct rate_limiter_bucket buckets[RATE_LIMITER_SET_SIZE];
} __attribute__((aligned(64)));

static_assert(sizeof(struct rate_limiter_set) == 64, "one cache line a set");

static void set_rate(struct rate_limiter *limiter, uint32_t answers_per_second, uint32_t burst,
                     uint64_t tsc_hz)
{
    limiter->interval_tsc = answers_per_second > 0 ? tsc_hz / answers_per_second : 0;
    limiter->burst_tsc = limiter->interval_tsc * (burst > 0 ? burst - 1 : 0);
}

// Buckets are filled by the old rate: one of a low rate could stay empty for days. It is a
// megabyte.
void rate_limiter_set(struct rate_limiter *limiter, uint32_t answers_per_second, uint32_t burst,
                      uint64_t tsc_hz)
{
    if (limiter->interval_tsc > 0)
        memset(limiter->sets, 0, RATE_LIMITER_SETS * sizeof(struct rate_limiter_set));
    set_rate(limiter, answers_per_second, burst, tsc_hz);
}

int rate_limiter_init(struct rate_limiter *limiter, uint32_t answers_per_second, uint32_t burst,
                      uint64_t tsc_hz, int socket)
{
    memset(limiter, 0, sizeof(*limiter));
    int error = table_memory_take(RATE_LIMITER_SETS * sizeof(struct rate_limiter_set), socket,
                                  &limiter->memory);
    if (error != 0)
        return error;
    limiter->sets = limiter->memory.bytes;
    limiter->mask = RATE_LIMITER_SETS - 1;
    set_rate(limiter, answers_per_second, burst, tsc_hz);
    random_fill(&random_system, limiter->keys, sizeof(limiter->keys));
    limiter->has_aes = aes_is_usable();
    return 0;
}

void rate_limiter_done(struct rate_limiter *limiter)
{
    table_memory_give(&limiter->memory);
}

// Apart, for it needs the word in memory.
static __attribute__((noinline)) uint64_t hash_word_slowly(const struct rate_limiter *limiter,
                                                           uint64_t word)
{
    return siphash(&limiter->keys[0], &word, sizeof(word));
}

// Four rounds of AES under secret round keys: no cipher, but nobody sees what comes out, and who
// picks source addresses cannot make them meet in one set.
static uint64_t hash_word(const struct rate_limiter *limiter, uint64_t word)
{
#ifdef AES_IS_KNOWN
    if (limiter->has_aes) {
        aes_block state = aes_xor(aes_block_of(word, 0), aes_load(&limiter->keys[0]));
        for (unsigned i = 1; i < RATE_LIMITER_KEYS; i++)
            state = aes_round(state, aes_load(&limiter->keys[i]));
        return aes_first(state);
    }
#endif
    return hash_word_slowly(limiter, word);
}

// RFC 8656's clients come from anywhere in their network's /24 or /56; a forger has no more of them
// than there are.
static uint64_t prefix_hash(const struct rate_limiter *limiter, uint8_t family, const uint8_t *ip)
{
    uint32_t v4;
    uint64_t prefix;
    if (family == IP_FAMILY_V4) {
        memcpy(&v4, ip, sizeof(v4));
        prefix = v4 & 0x00FFFFFF;
    } else {
        memcpy(&prefix, ip, sizeof(prefix));
        prefix &= 0x00FFFFFFFFFFFFFF;
    }
    return hash_word(limiter, prefix | (uint64_t)family << 56);
}

bool rate_limiter_allows(struct rate_limiter *limiter, uint8_t family, const uint8_t *ip,
                         uint64_t now_tsc)
{
    if (limiter->interval_tsc == 0)
        return true;
    uint64_t hash = prefix_hash(limiter, family, ip);
    struct rate_limiter_set *set = &limiter->sets[hash & limiter->mask];
    struct rate_limiter_bucket *found = NULL;
    for (unsigned i = 0; i < RATE_LIMITER_SET_SIZE; i++) {
        struct rate_limiter_bucket *bucket = &set->buckets[i];
        if (bucket->prefix == hash && bucket->full_tsc > now_tsc) {
            if (bucket->full_tsc - now_tsc > limiter->burst_tsc)
                return false;
            bucket->full_tsc += limiter->interval_tsc;
            return true;
        }
        if (bucket->full_tsc <= now_tsc && found == NULL)
            found = bucket;
    }
    // No room means that more prefixes are asking here than a set holds: the newcomer waits.
    if (found == NULL)
        return false;
    found->prefix = hash;
    found->full_tsc = now_tsc + limiter->interval_tsc;
    return true;
}
