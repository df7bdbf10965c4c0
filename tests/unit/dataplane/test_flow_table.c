// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table.h"

#include "rig.h"

#include <errno.h>
#include <stdlib.h>

#define KEYS 20000u

struct fixture {
    struct flow_table table;
    struct flow_key keys[KEYS]; // value n has keys[n]
};

static int set_up(void **state)
{
    struct fixture *fixture = NULL;
    if (posix_memalign((void **)&fixture, 64, sizeof(*fixture)) != 0)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    assert_int_equal(flow_table_init(&fixture->table, KEYS, SOCKET_ID_ANY), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t ip[4];
        store_be32(ip, 0x0A000000u + i / 100);
        flow_key_set(&fixture->keys[i], FLOW_KEY_CLIENT, IP_FAMILY_V4, (struct flow_end){0, 0}, ip,
                     (uint16_t)(i % 100), 0);
    }
    *state = fixture;
    return 0;
}

// As on a CPU without AES.
static int set_up_without_aes(void **state)
{
    if (set_up(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    fixture->table.hash_keys.has_aes = false;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    flow_table_done(&fixture->table);
    free(fixture);
    return 0;
}

static bool match(const void *context, uint32_t value, const struct flow_key *key)
{
    const struct fixture *fixture = context;
    return memcmp(&fixture->keys[value], key, sizeof(*key)) == 0;
}

static uint64_t hash_of(const struct fixture *fixture, const struct flow_key *key)
{
    uint64_t hash;
    flow_table_hash(&fixture->table, key, 1, &hash);
    return hash;
}

static uint32_t lookup(const struct fixture *fixture, uint32_t n)
{
    return flow_table_lookup(&fixture->table, &fixture->keys[n],
                             hash_of(fixture, &fixture->keys[n]), match, fixture);
}

static void finds_what_was_inserted_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < KEYS; i += 2)
        assert_int_equal(flow_table_insert(&fixture->table, hash_of(fixture, &fixture->keys[i]), i),
                         0);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(lookup(fixture, i), i % 2 == 0 ? i : FLOW_NONE);
}

static void a_full_table_keeps_all_and_refuses_one_more(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(flow_table_insert(&fixture->table, hash_of(fixture, &fixture->keys[i]), i),
                         0);
    assert_int_equal(flow_table_insert(&fixture->table, 12345, 0), -ENOSPC);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(lookup(fixture, i), i);
}

static uint64_t passed_sum(const struct flow_table *table)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < table->bucket_count; i++)
        sum += table->buckets[i].passed;
    return sum;
}

// Overflow must be undone too, or lookups grow ever longer.
static void random_churn_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    static bool present[KEYS];
    srand(1);
    uint32_t count = 0;
    for (unsigned round = 0; round < 400000; round++) {
        uint32_t n = (uint32_t)rand() % KEYS;
        uint64_t hash = hash_of(fixture, &fixture->keys[n]);
        assert_int_equal(lookup(fixture, n), present[n] ? n : FLOW_NONE);
        if (present[n])
            flow_table_remove(&fixture->table, hash, n);
        else
            assert_int_equal(flow_table_insert(&fixture->table, hash, n), 0);
        present[n] = !present[n];
        count += present[n] ? 1 : UINT32_MAX;
        assert_int_equal(fixture->table.count, count);
    }
    for (uint32_t n = 0; n < KEYS; n++) {
        if (present[n])
            flow_table_remove(&fixture->table, hash_of(fixture, &fixture->keys[n]), n);
        present[n] = false;
    }
    assert_int_equal(fixture->table.count, 0);
    assert_int_equal(passed_sum(&fixture->table), 0);
    for (uint64_t i = 0; i < fixture->table.bucket_count; i++) {
        for (unsigned slot = 0; slot < FLOW_BUCKET_SLOTS; slot++)
            assert_int_equal(fixture->table.buckets[i].tags[slot], 0);
    }
}

// Keys of one hash: as many as the probes reach, each found by its own key.
static void one_hash_for_all_overflows_into_the_next_buckets_and_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    // The fourth bucket from the end, so that it wraps round.
    const uint64_t count = fixture->table.bucket_count;
    const uint64_t hash = 0xFFFF000000000000u | (((count - 4) << 32) / count + 1);
    assert_ptr_equal(flow_table_home(&fixture->table, hash), &fixture->table.buckets[count - 4]);
    const uint32_t fits = FLOW_BUCKET_SLOTS * FLOW_PROBES_MAX;
    for (uint32_t i = 0; i < fits; i++)
        assert_int_equal(flow_table_insert(&fixture->table, hash, i), 0);
    assert_int_equal(flow_table_insert(&fixture->table, hash, fits), -ENOSPC);
    assert_int_equal(fixture->table.count, fits);
    for (uint32_t i = 0; i < fits; i++)
        assert_int_equal(
            flow_table_lookup(&fixture->table, &fixture->keys[i], hash, match, fixture), i);
    for (uint32_t i = 0; i < fits; i += 3)
        flow_table_remove(&fixture->table, hash, i);
    for (uint32_t i = 0; i < fits; i++)
        assert_int_equal(
            flow_table_lookup(&fixture->table, &fixture->keys[i], hash, match, fixture),
            i % 3 == 0 ? FLOW_NONE : i);
    for (uint32_t i = 0; i < fits; i++) {
        if (i % 3 != 0)
            flow_table_remove(&fixture->table, hash, i);
    }
    assert_int_equal(passed_sum(&fixture->table), 0);
}

static void a_tag_of_zero_is_not_an_empty_slot(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(flow_table_lookup(&fixture->table, &fixture->keys[0], 5, match, fixture),
                     FLOW_NONE);
    assert_int_equal(flow_table_insert(&fixture->table, 5, 0), 0);
    assert_int_equal(flow_table_lookup(&fixture->table, &fixture->keys[0], 5, match, fixture), 0);
    flow_table_remove(&fixture->table, 5, 0);
    assert_int_equal(flow_table_lookup(&fixture->table, &fixture->keys[0], 5, match, fixture),
                     FLOW_NONE);
}

static void the_stages_of_a_burst_find_a_first_candidate(void **state)
{
    struct fixture *fixture = *state;
    uint64_t hashes[64];
    uint32_t values[64];
    for (uint32_t i = 0; i < KEYS; i += 2)
        assert_int_equal(flow_table_insert(&fixture->table, hash_of(fixture, &fixture->keys[i]), i),
                         0);
    flow_table_hash(&fixture->table, fixture->keys, 64, hashes);
    flow_table_find(&fixture->table, hashes, 64, values);
    unsigned right = 0;
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(hashes[i], hash_of(fixture, &fixture->keys[i]));
        right += i % 2 == 0 ? values[i] == i : values[i] == FLOW_NONE;
    }
    assert_true(right >= 63); // a tag may be another's, once in 6,500 keys
}

// But for what tells a steering from a channel.
static void every_bit_of_a_key_changes_its_hash(void **state)
{
    struct fixture *fixture = *state;
    struct flow_key key = fixture->keys[7];
    for (unsigned bit = 0; bit < sizeof(key) * 8; bit++) {
        if (bit == 64 + FLOW_KEY_KIND_SHIFT + 1)
            continue;
        if (bit == sizeof(key.words) * 8) // an IPv4 key has no more
            key.words[1] |= flow_key_type(FLOW_KEY_CLIENT, IP_FAMILY_V6);
        uint64_t hash = hash_of(fixture, &key);
        ((uint8_t *)&key)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        uint64_t changed = hash_of(fixture, &key);
        int distance = __builtin_popcountll(hash ^ changed);
        assert_in_range(distance, 8, 56); // 32 on average, 4 standard deviations and more
        ((uint8_t *)&key)[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_steering_has_the_hash_of_its_clients_first_channel(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t ip[16] = {192, 0, 2, 7};
    const struct flow_end end = {1, 2};
    static const uint8_t families[] = {IP_FAMILY_V4, IP_FAMILY_V6};
    for (unsigned i = 0; i < 2; i++) {
        struct flow_key channel, steering, other;
        flow_key_set(&channel, FLOW_KEY_CLIENT, families[i], end, ip, 3, __builtin_bswap16(0x4000));
        flow_key_set(&other, FLOW_KEY_CLIENT, families[i], end, ip, 3, __builtin_bswap16(0x4001));
        flow_key_set(&steering, FLOW_KEY_STEERING, families[i], end, ip, 3,
                     FLOW_STEERING_NUMBER_BE);
        assert_false(flow_key_equal(&channel, &steering));
        assert_int_equal(hash_of(fixture, &steering), hash_of(fixture, &channel));
        assert_int_not_equal(hash_of(fixture, &steering), hash_of(fixture, &other));
    }
}

static void every_table_hashes_with_a_key_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct flow_table other;
    uint64_t hash;
    assert_int_equal(flow_table_init(&other, 100, SOCKET_ID_ANY), 0);
    flow_table_hash(&other, &fixture->keys[0], 1, &hash);
    assert_int_not_equal(hash, hash_of(fixture, &fixture->keys[0]));
    flow_table_done(&other);
}

int main(void)
{
#define TEST(test)             cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define TEST_WITHOUT_AES(test) cmocka_unit_test_setup_teardown(test, set_up_without_aes, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(finds_what_was_inserted_and_nothing_else),
        TEST(a_full_table_keeps_all_and_refuses_one_more),
        TEST(random_churn_leaves_no_trace),
        TEST(one_hash_for_all_overflows_into_the_next_buckets_and_is_bounded),
        TEST(a_tag_of_zero_is_not_an_empty_slot),
        TEST(the_stages_of_a_burst_find_a_first_candidate),
        TEST(every_bit_of_a_key_changes_its_hash),
        TEST(a_steering_has_the_hash_of_its_clients_first_channel),
        TEST(every_table_hashes_with_a_key_of_its_own),
        TEST_WITHOUT_AES(finds_what_was_inserted_and_nothing_else),
        TEST_WITHOUT_AES(a_full_table_keeps_all_and_refuses_one_more),
        TEST_WITHOUT_AES(random_churn_leaves_no_trace),
        TEST_WITHOUT_AES(every_bit_of_a_key_changes_its_hash),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
