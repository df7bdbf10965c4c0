// SPDX-License-Identifier: BSD-3-Clause
// turn/address_store.h.
#include "turn/address_store.h"

#include "turn_fixture.h"

static int setup(void **state)
{
    static const struct siphash_key key = {{1, 2}};
    struct address_store *store = test_malloc(sizeof(*store));
    assert_int_equal(address_store_init(store, 2, &key), 0);
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    address_store_done(*state);
    test_free(*state);
    return 0;
}

static void assert_is(const struct address_store *store, uint16_t family, uint32_t stored,
                      const char *text)
{
    struct ip_address wanted = ip(text), got = address_store_get(store, family, stored);
    assert_true(ip_address_equal(&wanted, &got));
}

static void an_ipv4_address_takes_no_place(void **state)
{
    struct address_store *store = *state;
    static const char *const texts[] = {"0.0.0.0", "8.8.8.8", "8.8.4.4", "255.255.255.255"};
    for (unsigned i = 0; i < 4; i++) {
        struct ip_address address = ip(texts[i]);
        uint32_t stored = address_store_take(store, &address), found = 1;
        assert_is(store, IP_FAMILY_V4, stored, texts[i]);
        assert_true(address_store_find(store, &address, &found));
        assert_int_equal(found, stored);
        address_store_give(store, IP_FAMILY_V4, stored);
    }
    assert_int_equal(index_pool_used(&store->pool), 0);
}

static void an_ipv6_address_is_kept_once_until_all_have_given_it_back(void **state)
{
    struct address_store *store = *state;
    struct ip_address one = ip("2600::1"), other = ip("2600::2");
    uint32_t found = 77;
    assert_false(address_store_find(store, &one, &found));
    assert_int_equal(found, 77);
    uint32_t stored = address_store_take(store, &one);
    assert_int_equal(address_store_take(store, &one), stored);
    assert_int_not_equal(address_store_take(store, &other), stored);
    assert_is(store, IP_FAMILY_V6, stored, "2600::1");
    assert_int_equal(index_pool_used(&store->pool), 2);
    address_store_give(store, IP_FAMILY_V6, stored);
    assert_true(address_store_find(store, &one, &found));
    assert_int_equal(found, stored);
    address_store_give(store, IP_FAMILY_V6, stored);
    assert_false(address_store_find(store, &one, &found));
    assert_true(address_store_find(store, &other, &found));
    assert_int_equal(index_pool_used(&store->pool), 1);
    // Its place is another's.
    struct ip_address third = ip("2600::3");
    assert_is(store, IP_FAMILY_V6, address_store_take(store, &third), "2600::3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_ipv4_address_takes_no_place, setup, teardown),
        cmocka_unit_test_setup_teardown(an_ipv6_address_is_kept_once_until_all_have_given_it_back,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
