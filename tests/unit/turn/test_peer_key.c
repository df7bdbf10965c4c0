// SPDX-License-Identifier: BSD-3-Clause
// turn/peer_key.h.
#include "turn/peer_key.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static struct address_store addresses;

static int setup(void **state)
{
    (void)state;
    return address_store_init(&addresses, 8, &key);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(index_pool_used(&addresses.pool), 0);
    address_store_done(&addresses);
    return 0;
}

static void is_the_same_for_one_allocation_and_one_address_only(void **state)
{
    (void)state;
    const struct allocation one = {.id = 1};
    const struct allocation last = {.id = ALLOCATION_IDS_MAX - 1};
    struct ip_address peer = ip("8.8.8.8");
    struct ip_address other_peer = ip("8.8.8.9");
    struct peer_key taken = peer_key_take(&addresses, &one, &peer);
    struct peer_key found;
    assert_true(peer_key_find(&addresses, &one, &peer, &found));
    assert_memory_equal(&found, &taken, sizeof(found));
    assert_true(peer_key_find(&addresses, &one, &other_peer, &found));
    assert_memory_not_equal(&found, &taken, sizeof(found));
    assert_true(peer_key_find(&addresses, &last, &peer, &found));
    assert_memory_not_equal(&found, &taken, sizeof(found));
    assert_int_equal(found.allocation, ALLOCATION_IDS_MAX - 1);
}

static void knows_the_address_it_was_made_of(void **state)
{
    (void)state;
    const struct allocation allocation = {.id = 1};
    static const char *const texts[] = {"8.8.8.8", "255.255.255.255", "2600::1"};
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ip_address peer = ip(texts[i]);
        struct peer_key taken = peer_key_take(&addresses, &allocation, &peer);
        struct ip_address kept = peer_key_ip(&addresses, &taken);
        assert_true(ip_address_equal(&kept, &peer));
        assert_int_equal(peer_key_family(&taken), peer.family);
        peer_key_give(&addresses, &taken);
    }
}

// The first place of the store, and the IPv4 address of that number.
static void an_ipv6_address_is_no_ipv4_address(void **state)
{
    (void)state;
    const struct allocation allocation = {.id = 1};
    struct ip_address v4 = ip("0.0.0.0");
    struct ip_address v6 = ip("2600::1");
    struct peer_key taken = peer_key_take(&addresses, &allocation, &v6);
    struct peer_key found;
    assert_true(peer_key_find(&addresses, &allocation, &v4, &found));
    assert_int_equal(found.peer, taken.peer);
    assert_memory_not_equal(&found, &taken, sizeof(found));
    peer_key_give(&addresses, &taken);
}

static void nothing_is_found_by_a_key_that_was_given_back(void **state)
{
    (void)state;
    const struct allocation allocation = {.id = 1};
    struct ip_address v4 = ip("8.8.8.8");
    struct ip_address v6 = ip("2600::1");
    struct peer_key taken = peer_key_take(&addresses, &allocation, &v4);
    struct peer_key found;
    assert_true(taken.is_live);
    peer_key_give(&addresses, &taken);
    assert_false(taken.is_live);
    assert_true(peer_key_find(&addresses, &allocation, &v4, &found));
    assert_memory_not_equal(&found, &taken, sizeof(found));

    assert_false(peer_key_find(&addresses, &allocation, &v6, &found));
    taken = peer_key_take(&addresses, &allocation, &v6);
    assert_true(peer_key_find(&addresses, &allocation, &v6, &found));
    peer_key_give(&addresses, &taken);
    assert_false(peer_key_find(&addresses, &allocation, &v6, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_the_same_for_one_allocation_and_one_address_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_the_address_it_was_made_of, setup, teardown),
        cmocka_unit_test_setup_teardown(an_ipv6_address_is_no_ipv4_address, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_found_by_a_key_that_was_given_back, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
