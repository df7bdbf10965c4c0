// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KEYS    4096
#define BUCKETS 256

// Of the hash as it is on this CPU, then as it is on one that has no AES.
static void of_both(void (*test)(struct flow_hash_keys *keys))
{
    struct flow_hash_keys keys;
    flow_hash_init(&keys);
    test(&keys);
    keys.has_aes = false;
    test(&keys);
}

static uint64_t long_of(const struct flow_hash_keys *keys, const uint64_t words[4])
{
    return flow_hash_long(keys, words[0], words[1], words + 2);
}

static void assert_every_bit_counts(struct flow_hash_keys *keys)
{
    uint64_t words[4] = {1, 2, 3, 4};
    uint64_t of_short = flow_hash_short(keys, words[0], words[1]), of_long = long_of(keys, words);
    for (unsigned bit = 0; bit < 256; bit++) {
        words[bit / 64] ^= UINT64_C(1) << bit % 64;
        if (bit < 128)
            assert_true(flow_hash_short(keys, words[0], words[1]) != of_short);
        assert_true(long_of(keys, words) != of_long);
        words[bit / 64] ^= UINT64_C(1) << bit % 64;
    }
}

static void every_bit_of_a_key_counts(void **state)
{
    (void)state;
    of_both(assert_every_bit_counts);
}

static void assert_spread(struct flow_hash_keys *keys)
{
    unsigned short_counts[2][BUCKETS] = {{0}}, long_counts[2][BUCKETS] = {{0}};
    for (uint64_t i = 0; i < KEYS; i++) {
        const uint64_t words[4] = {UINT64_C(0x0B000000) + i / 8, i % 8 << 32, i, 0};
        uint64_t of_short = flow_hash_short(keys, words[0], words[1]);
        uint64_t of_long = long_of(keys, words);
        short_counts[0][of_short % BUCKETS]++;
        short_counts[1][of_short >> 56]++;
        long_counts[0][of_long % BUCKETS]++;
        long_counts[1][of_long >> 56]++;
    }
    // 16 are expected; 64 or more are once in 10^17 buckets.
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
            assert_in_range(short_counts[half][bucket], 0, 63);
            assert_in_range(long_counts[half][bucket], 0, 63);
        }
    }
}

static void neighbours_are_spread_by_either_end_of_the_hash(void **state)
{
    (void)state;
    of_both(assert_spread);
}

static void assert_secret(struct flow_hash_keys *keys)
{
    const uint64_t words[4] = {1, 2, 3, 4};
    struct flow_hash_keys others;
    flow_hash_init(&others);
    others.has_aes = keys->has_aes;
    assert_true(flow_hash_short(keys, 1, 2) != flow_hash_short(&others, 1, 2));
    assert_true(long_of(keys, words) != long_of(&others, words));
}

static void another_key_is_another_hash(void **state)
{
    (void)state;
    of_both(assert_secret);
}

static void assert_shared(struct flow_hash_keys *keys)
{
    static const uint8_t secret[FLOW_HASH_SECRET_LEN] = {1, 2, 3};
    const uint64_t words[4] = {1, 2, 3, 4};
    struct flow_hash_keys one, other;
    flow_hash_share(&one, secret);
    flow_hash_share(&other, secret);
    one.has_aes = other.has_aes = keys->has_aes;
    assert_true(flow_hash_short(&one, 1, 2) == flow_hash_short(&other, 1, 2));
    assert_true(long_of(&one, words) == long_of(&other, words));
    assert_true(flow_hash_short(&one, 1, 2) != flow_hash_short(keys, 1, 2));
}

static void who_shares_a_secret_hashes_alike(void **state)
{
    (void)state;
    of_both(assert_shared);
}

// The rounds have the first bytes, SipHash the last.
static void all_of_a_secret_counts(void **state)
{
    (void)state;
    const uint64_t words[4] = {1, 2, 3, 4};
    uint8_t secret[FLOW_HASH_SECRET_LEN] = {0};
    struct flow_hash_keys keys;
    flow_hash_share(&keys, secret);
    bool has_aes = keys.has_aes;
    uint64_t of_rounds = long_of(&keys, words);
    keys.has_aes = false;
    uint64_t of_sip = long_of(&keys, words);
    for (unsigned i = 0; i < sizeof(secret); i += 16) { // each round's key
        secret[i] = 1;
        flow_hash_share(&keys, secret);
        keys.has_aes = has_aes && i < sizeof(keys.rounds);
        if (has_aes || i >= sizeof(keys.rounds))
            assert_true(long_of(&keys, words) != (keys.has_aes ? of_rounds : of_sip));
        secret[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_of_a_key_counts),
        cmocka_unit_test(neighbours_are_spread_by_either_end_of_the_hash),
        cmocka_unit_test(another_key_is_another_hash),
        cmocka_unit_test(who_shares_a_secret_hashes_alike),
        cmocka_unit_test(all_of_a_secret_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
