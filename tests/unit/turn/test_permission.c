// SPDX-License-Identifier: BSD-3-Clause
// turn/permission.h.
#include "turn/permission.h"

#include "allocation_pair.h"

struct tables {
    struct allocation_pair pair;
    struct permission_table permissions;
    struct allocation *one;
    struct allocation *other;
};

// Two workers of three permissions each, two an allocation.
static int setup(void **state)
{
    static const struct peer_entry_limits limits = {
        .per_worker = 3, .per_allocation = 2, .worker_count = 2};
    struct tables *tables = test_malloc(sizeof(*tables));
    allocation_pair_init(&tables->pair);
    assert_int_equal(
        permission_table_init(&tables->permissions, &limits, &tables->pair.addresses, &pair_key),
        0);
    tables->one = tables->pair.one;
    tables->other = tables->pair.other;
    *state = tables;
    return 0;
}

static int teardown(void **state)
{
    struct tables *tables = *state;
    permission_table_done(&tables->permissions);
    allocation_pair_done(&tables->pair);
    test_free(tables);
    return 0;
}

static void belongs_to_one_allocation_and_one_address(void **state)
{
    struct tables *tables = *state;
    struct ip_address peer = ip("8.8.8.8");
    struct ip_address other_peer = ip("8.8.8.9");
    uint32_t permission = permission_create(&tables->permissions, tables->one, &peer);
    assert_int_equal(permission_find(&tables->permissions, tables->one, &peer), permission);
    assert_int_equal(permission_find(&tables->permissions, tables->one, &other_peer), INDEX_NONE);
    assert_int_equal(permission_find(&tables->permissions, tables->other, &peer), INDEX_NONE);
    struct ip_address kept = permission_peer(&tables->permissions, permission);
    assert_true(ip_address_equal(&kept, &peer));
}

static void destroying_any_of_them_keeps_the_rest(void **state)
{
    struct tables *tables = *state;
    static const char *const texts[] = {"8.8.8.1", "8.8.8.2"};
    for (unsigned gone = 0; gone < 2; gone++) {
        uint32_t permissions[2];
        for (unsigned i = 0; i < 2; i++) {
            struct ip_address peer = ip(texts[i]);
            permissions[i] = permission_create(&tables->permissions, tables->one, &peer);
        }
        permission_destroy(&tables->permissions, tables->one, permissions[gone]);
        assert_false(permission_is_live(&tables->permissions, permissions[gone]));
        uint32_t left[PEER_ENTRIES_FOUND_MAX];
        assert_int_equal(
            permission_find_family(&tables->permissions, tables->one, IP_FAMILY_V4, left), 1);
        assert_int_equal(left[0], permissions[1 - gone]);
        permission_destroy(&tables->permissions, tables->one, permissions[1 - gone]);
        assert_int_equal(tables->one->permissions, INDEX_NONE);
        assert_int_equal(tables->one->permission_count, 0);
    }
}

// So many that trees have levels: found and gone in any order, of either family.
static void many_are_found_and_go_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static const struct peer_entry_limits limits = {
        .per_worker = COUNT, .per_allocation = COUNT, .worker_count = 1};
    struct address_store addresses;
    struct permission_table table;
    struct allocation allocation = {
        .permissions = INDEX_NONE, .channels = INDEX_NONE, .channel_numbers = INDEX_NONE};
    uint32_t made[COUNT];
    struct ip_address peers[COUNT];
    uint32_t found[PEER_ENTRIES_FOUND_MAX];
    assert_int_equal(address_store_init(&addresses, COUNT, &pair_key), 0);
    assert_int_equal(permission_table_init(&table, &limits, &addresses, &pair_key), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        peers[i] = i % 3 == 0 ? ip("2600::1") : ip("8.8.0.0");
        peers[i].bytes[2] = (uint8_t)(i >> 8);
        peers[i].bytes[3] = (uint8_t)i;
        made[i] = permission_create(&table, &allocation, &peers[i]);
    }
    assert_int_equal(permission_find_family(&table, &allocation, IP_FAMILY_V6, found),
                     PEER_ENTRIES_FOUND_MAX);
    for (unsigned i = 0; i < PEER_ENTRIES_FOUND_MAX; i++)
        assert_int_equal(permission_peer(&table, found[i]).family, IP_FAMILY_V6);
    for (unsigned step = 0; step < COUNT; step++) {
        unsigned gone = step * 7 % COUNT;
        permission_destroy(&table, &allocation, made[gone]);
        for (unsigned i = 0; i < COUNT; i++) {
            bool is_gone = !permission_is_live(&table, made[i]);
            assert_int_equal(permission_find(&table, &allocation, &peers[i]),
                             is_gone ? INDEX_NONE : made[i]);
        }
    }
    assert_int_equal(allocation.permissions, INDEX_NONE);
    assert_int_equal(permission_find_family(&table, &allocation, IP_FAMILY_V4, found), 0);
    permission_table_done(&table);
    address_store_done(&addresses);
}

static void room_ends_at_the_allocations_limit_and_at_the_workers(void **state)
{
    struct tables *tables = *state;
    struct ip_address peers[] = {ip("8.8.8.1"), ip("8.8.8.2")};
    assert_true(permission_table_has_room(&tables->permissions, tables->one, 2));
    assert_false(permission_table_has_room(&tables->permissions, tables->one, 3));
    permission_create(&tables->permissions, tables->one, &peers[0]);
    permission_create(&tables->permissions, tables->one, &peers[1]);
    assert_true(permission_table_has_room(&tables->permissions, tables->one, 0));
    assert_false(permission_table_has_room(&tables->permissions, tables->one, 1));
    assert_true(permission_table_has_room(&tables->permissions, tables->other, 1));
    assert_false(permission_table_has_room(&tables->permissions, tables->other, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(belongs_to_one_allocation_and_one_address, setup, teardown),
        cmocka_unit_test_setup_teardown(destroying_any_of_them_keeps_the_rest, setup, teardown),
        cmocka_unit_test(many_are_found_and_go_in_any_order),
        cmocka_unit_test_setup_teardown(room_ends_at_the_allocations_limit_and_at_the_workers,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
