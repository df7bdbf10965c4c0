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

static void finds_the_entries_of_one_family(void **state)
{
    (void)state;
    enum { COUNT = 2 * PEER_ENTRIES_FOUND_MAX + 4 };
    const struct allocation allocation = {.id = 1};
    const struct ip_address v4 = ip("8.8.8.8");
    const struct ip_address v6 = ip("2600::1");
    struct peer_entry entries[COUNT];
    const struct index_tree_nodes nodes = {entries, sizeof(entries[0])};
    uint32_t root = INDEX_NONE;
    uint32_t found[PEER_ENTRIES_FOUND_MAX];
    bool seen[COUNT] = {false};
    assert_int_equal(peer_entries_find(nodes, root, IP_FAMILY_V4, found), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        entries[i].key = peer_key_take(&addresses, &allocation, i < 3 ? &v6 : &v4);
        assert_true(index_tree_insert(nodes, &root, i, i * 0x9E3779B97F4A7C15u));
    }
    assert_int_equal(peer_entries_find(nodes, root, IP_FAMILY_V6, found), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(found[i], 0, 2);
        assert_false(seen[found[i]]);
        seen[found[i]] = true;
    }
    assert_int_equal(peer_entries_find(nodes, root, IP_FAMILY_V4, found), PEER_ENTRIES_FOUND_MAX);
    for (unsigned i = 0; i < PEER_ENTRIES_FOUND_MAX; i++) {
        assert_in_range(found[i], 3, COUNT - 1);
        assert_false(seen[found[i]]);
        seen[found[i]] = true;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        peer_key_give(&addresses, &entries[i].key);
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
        cmocka_unit_test_setup_teardown(finds_the_entries_of_one_family, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
