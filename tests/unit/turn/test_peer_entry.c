// SPDX-License-Identifier: BSD-3-Clause
// turn/peer_entry.h, with elements that have a word of their key and a word of no key behind.
#include "turn/peer_entry.h"

#include "turn_fixture.h"

struct element {
    struct peer_entry entry;
    uint32_t of_key;
    uint32_t other;
};

enum { PER_WORKER = 2 * PEER_ENTRIES_FOUND_MAX + 4, WORKERS = 2 };

static const struct siphash_key key = {{1, 2}};
static const struct peer_entry_limits limits = {
    .per_worker = PER_WORKER, .per_allocation = 5, .worker_count = WORKERS};
static const struct allocation allocation = {.id = 1};

static struct address_store addresses;
static struct peer_entry_table table;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(address_store_init(&addresses, 8, &key), 0);
    return peer_entry_table_init(&table, sizeof(struct element),
                                 offsetof(struct element, other) -
                                     offsetof(struct element, entry.key),
                                 &limits, &addresses, &key);
}

static int teardown(void **state)
{
    (void)state;
    peer_entry_table_done(&table);
    address_store_done(&addresses);
    return 0;
}

static struct element element_of(const char *peer, uint32_t of_key, uint32_t other)
{
    struct ip_address address = ip(peer);
    return (struct element){
        .entry.key = peer_key_take(&addresses, &allocation, &address),
        .of_key = of_key,
        .other = other,
    };
}

static void is_found_by_all_of_its_key_and_nothing_else(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    struct element element = element_of("8.8.8.8", 1, 7);
    uint32_t index = peer_entry_create(&table, 0, &root, &element.entry);
    const struct element *at = (const struct element *)peer_entry_at(&table, index);
    assert_int_equal(at->of_key, 1);
    assert_int_equal(at->other, 7);
    assert_true(peer_entry_is_live(&table, index));
    element.other = 8;
    assert_int_equal(peer_entry_find(&table, root, &element.entry), index);
    element.of_key = 2;
    assert_int_equal(peer_entry_find(&table, root, &element.entry), INDEX_NONE);
    element.of_key = 1;
    element.entry.key.allocation = 2;
    assert_int_equal(peer_entry_find(&table, root, &element.entry), INDEX_NONE);
    assert_int_equal(peer_entry_find(&table, INDEX_NONE, &element.entry), INDEX_NONE);
}

static void gives_place_and_address_back_when_destroyed(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    struct element element = element_of("2600::1", 1, 7);
    uint32_t index = peer_entry_create(&table, 1, &root, &element.entry);
    assert_int_equal(table.count_by_worker[1], 1);
    peer_entry_destroy(&table, 1, &root, index);
    assert_int_equal(root, INDEX_NONE);
    assert_false(peer_entry_is_live(&table, index));
    assert_false(peer_entry_is_live(&table, UINT32_MAX - 1));
    assert_int_equal(table.count_by_worker[1], 0);
    assert_int_equal(index_pool_used(&table.pool), 0);
    assert_int_equal(index_pool_used(&addresses.pool), 0);
}

static void room_is_what_allocation_worker_and_table_have_left(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    assert_true(peer_entry_table_has_room(&table, 0, 2, 3));
    assert_false(peer_entry_table_has_room(&table, 0, 2, 4));
    for (uint32_t i = 0; i < PER_WORKER - 1; i++) {
        struct element element = element_of("8.8.8.8", i, 0);
        peer_entry_create(&table, 0, &root, &element.entry);
    }
    assert_true(peer_entry_table_has_room(&table, 0, 0, 1));
    assert_false(peer_entry_table_has_room(&table, 0, 0, 2));
    assert_true(peer_entry_table_has_room(&table, 1, 0, 5));
    assert_false(peer_entry_table_has_room(&table, 1, 0, PER_WORKER + 2));
}

static void finds_those_of_one_family(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    uint32_t found[PEER_ENTRIES_FOUND_MAX];
    bool seen[PER_WORKER] = {false};
    assert_int_equal(peer_entry_find_family(&table, root, IP_FAMILY_V4, found), 0);
    for (uint32_t i = 0; i < PER_WORKER; i++) {
        struct element element = element_of(i < 3 ? "2600::1" : "8.8.8.8", i, 0);
        assert_int_equal(peer_entry_create(&table, 0, &root, &element.entry), i);
    }
    assert_int_equal(peer_entry_find_family(&table, root, IP_FAMILY_V6, found), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(found[i], 0, 2);
        assert_false(seen[found[i]]);
        seen[found[i]] = true;
    }
    assert_int_equal(peer_entry_find_family(&table, root, IP_FAMILY_V4, found),
                     PEER_ENTRIES_FOUND_MAX);
    for (unsigned i = 0; i < PEER_ENTRIES_FOUND_MAX; i++) {
        assert_in_range(found[i], 3, PER_WORKER - 1);
        assert_false(seen[found[i]]);
        seen[found[i]] = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_found_by_all_of_its_key_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(gives_place_and_address_back_when_destroyed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(room_is_what_allocation_worker_and_table_have_left, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(finds_those_of_one_family, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
