// SPDX-License-Identifier: BSD-3-Clause
// turn/identity.h.
#include "turn/identity.h"

#include "turn_fixture.h"

static const struct siphash_key map_key = {{1, 2}};

static struct span name(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static struct integrity_key key_of(uint8_t fill, uint8_t len)
{
    struct integrity_key key = {.len = len};
    memset(key.bytes, fill, len);
    return key;
}

static uint32_t take(struct identity_table *table, const char *text, uint8_t fill)
{
    struct integrity_key key = key_of(fill, 16);
    return identity_take(table, name(text), STUN_PASSWORD_ALGORITHM_MD5, &key);
}

static int setup(void **state)
{
    struct identity_table *table = test_malloc(sizeof(*table));
    assert_int_equal(identity_table_init(table, 3, &map_key), 0);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    identity_table_done(*state);
    test_free(*state);
    return 0;
}

static void the_same_is_kept_once_and_goes_with_its_last_reference(void **state)
{
    struct identity_table *table = *state;
    uint32_t alice = take(table, "alice", 1);
    assert_int_equal(take(table, "alice", 1), alice);
    assert_int_equal(index_pool_used(&table->pool), 1);
    assert_string_equal(identity_name(table, alice), "alice");
    identity_give(table, alice);
    assert_string_equal(identity_name(table, alice), "alice");
    identity_give(table, alice);
    assert_int_equal(index_pool_used(&table->pool), 0);
}

static void name_key_and_algorithm_make_it(void **state)
{
    struct identity_table *table = *state;
    struct integrity_key long_key = key_of(1, 32), got;
    uint32_t alice = take(table, "alice", 1);
    uint32_t changed = take(table, "alice", 2);
    uint32_t other = identity_take(table, name("alice"), STUN_PASSWORD_ALGORITHM_SHA256, &long_key);
    assert_true(alice != changed && changed != other && other != alice);
    assert_int_equal(identity_algorithm(table, other), STUN_PASSWORD_ALGORITHM_SHA256);
    identity_get_key(table, other, &got);
    assert_memory_equal(&got, &long_key, sizeof(got));
    identity_get_key(table, changed, &got);
    assert_int_equal(got.len, 16);
    assert_int_equal(got.bytes[15], 2);
    identity_give(table, alice);
    assert_int_equal(take(table, "alice", 2), changed);
}

static void is_refused_when_the_table_is_full_and_only_then(void **state)
{
    struct identity_table *table = *state;
    uint32_t alice = take(table, "alice", 1);
    take(table, "bob", 1);
    take(table, "carol", 1);
    assert_int_equal(take(table, "dave", 1), INDEX_NONE);
    assert_int_equal(take(table, "alice", 1), alice);
    identity_give(table, alice);
    identity_give(table, alice);
    assert_int_not_equal(take(table, "dave", 1), INDEX_NONE);
}

static void no_key_outlives_its_identity(void **state)
{
    struct identity_table *table = *state;
    static const uint8_t zero[IDENTITY_KEY_MAX_LEN];
    uint32_t alice = take(table, "alice", 0xAA);
    assert_memory_not_equal(table->at[alice].key, zero, sizeof(zero));
    identity_give(table, alice);
    assert_memory_equal(table->at[alice].key, zero, sizeof(zero));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_same_is_kept_once_and_goes_with_its_last_reference),
        CASE(name_key_and_algorithm_make_it),
        CASE(is_refused_when_the_table_is_full_and_only_then),
        CASE(no_key_outlives_its_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
