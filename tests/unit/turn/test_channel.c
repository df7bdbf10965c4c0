// SPDX-License-Identifier: BSD-3-Clause
// turn/channel.h.
#include "turn/channel.h"

#include "allocation_pair.h"

struct tables {
    struct allocation_pair pair;
    struct channel_table channels;
    struct allocation *one;
    struct allocation *other;
};

// Two workers of three channels each, two an allocation.
static int setup(void **state)
{
    static const struct peer_entry_limits limits = {
        .per_worker = 3, .per_allocation = 2, .worker_count = 2};
    struct tables *tables = test_malloc(sizeof(*tables));
    allocation_pair_init(&tables->pair);
    assert_int_equal(
        channel_table_init(&tables->channels, &limits, &tables->pair.addresses, &pair_key), 0);
    tables->one = tables->pair.one;
    tables->other = tables->pair.other;
    *state = tables;
    return 0;
}

static int teardown(void **state)
{
    struct tables *tables = *state;
    channel_table_done(&tables->channels);
    allocation_pair_done(&tables->pair);
    test_free(tables);
    return 0;
}

static void is_found_by_number_and_by_peer_in_its_allocation_only(void **state)
{
    struct tables *tables = *state;
    struct transport_address peer = address("8.8.8.8:5000");
    struct transport_address other_port = address("8.8.8.8:5001");
    uint32_t channel = channel_create(&tables->channels, tables->one, 0x4001, &peer);
    assert_int_equal(channel_find_number(&tables->channels, tables->one, 0x4001), channel);
    assert_int_equal(channel_find_peer(&tables->channels, tables->one, &peer), channel);
    assert_int_equal(channel_find_number(&tables->channels, tables->one, 0x4002), INDEX_NONE);
    assert_int_equal(channel_find_peer(&tables->channels, tables->one, &other_port), INDEX_NONE);
    assert_int_equal(channel_find_number(&tables->channels, tables->other, 0x4001), INDEX_NONE);
    assert_int_equal(channel_find_peer(&tables->channels, tables->other, &peer), INDEX_NONE);
    struct transport_address kept = channel_peer(&tables->channels, channel);
    assert_true(transport_address_equal(&kept, &peer));
}

static void an_ipv6_peer_is_kept_as_long_as_its_channel(void **state)
{
    struct tables *tables = *state;
    struct transport_address peer = address("[2600::1]:5000");
    struct transport_address as_v4 = address("0.0.0.0:5000");
    uint32_t one = channel_create(&tables->channels, tables->one, 0x4001, &peer);
    uint32_t other = channel_create(&tables->channels, tables->other, 0x4001, &peer);
    assert_int_equal(channel_find_peer(&tables->channels, tables->one, &peer), one);
    // The first place of the store, and the IPv4 address of that number.
    assert_int_equal(channel_find_peer(&tables->channels, tables->one, &as_v4), INDEX_NONE);
    channel_destroy(&tables->channels, tables->one, one);
    assert_int_equal(channel_find_peer(&tables->channels, tables->one, &peer), INDEX_NONE);
    struct transport_address kept = channel_peer(&tables->channels, other);
    assert_true(transport_address_equal(&kept, &peer));
    channel_destroy(&tables->channels, tables->other, other);
    assert_int_equal(index_pool_used(&tables->pair.addresses.pool), 0);
}

static void is_gone_from_both_lookups_when_destroyed(void **state)
{
    struct tables *tables = *state;
    struct transport_address peer = address("8.8.8.8:5000");
    uint32_t channel = channel_create(&tables->channels, tables->one, 0x4001, &peer);
    assert_true(channel_is_live(&tables->channels, channel));
    channel_destroy(&tables->channels, tables->one, channel);
    assert_false(channel_is_live(&tables->channels, channel));
    assert_int_equal(channel_find_number(&tables->channels, tables->one, 0x4001), INDEX_NONE);
    assert_int_equal(channel_find_peer(&tables->channels, tables->one, &peer), INDEX_NONE);
    assert_int_equal(tables->one->channels, INDEX_NONE);
    assert_int_equal(tables->one->channel_count, 0);
}

static void destroying_any_of_them_keeps_the_rest(void **state)
{
    struct tables *tables = *state;
    static const char *const texts[] = {"8.8.8.8:1", "8.8.8.8:2"};
    for (unsigned gone = 0; gone < 2; gone++) {
        uint32_t channels[2];
        for (unsigned i = 0; i < 2; i++) {
            struct transport_address peer = address(texts[i]);
            channels[i] =
                channel_create(&tables->channels, tables->one, (uint16_t)(0x4000 + i), &peer);
        }
        channel_destroy(&tables->channels, tables->one, channels[gone]);
        uint32_t left[PEER_ENTRIES_FOUND_MAX];
        assert_int_equal(channel_find_family(&tables->channels, tables->one, IP_FAMILY_V4, left),
                         1);
        assert_int_equal(left[0], channels[1 - gone]);
        channel_destroy(&tables->channels, tables->one, channels[1 - gone]);
    }
}

// So many that both trees have levels.
static void many_are_found_by_either_and_go_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static const struct peer_entry_limits limits = {
        .per_worker = COUNT, .per_allocation = COUNT, .worker_count = 1};
    struct address_store addresses;
    struct channel_table table;
    struct allocation allocation = {
        .permissions = INDEX_NONE, .channels = INDEX_NONE, .channel_numbers = INDEX_NONE};
    uint32_t made[COUNT];
    struct transport_address peers[COUNT];
    uint32_t found[PEER_ENTRIES_FOUND_MAX];
    assert_int_equal(address_store_init(&addresses, COUNT, &pair_key), 0);
    assert_int_equal(channel_table_init(&table, &limits, &addresses, &pair_key), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        peers[i] = i % 3 == 0 ? address("[2600::1]:5000") : address("8.8.8.8:5000");
        peers[i].port = (uint16_t)(5000 + i);
        made[i] = channel_create(&table, &allocation, (uint16_t)(0x4000 + i), &peers[i]);
    }
    assert_int_equal(channel_find_family(&table, &allocation, IP_FAMILY_V4, found),
                     PEER_ENTRIES_FOUND_MAX);
    for (unsigned i = 0; i < PEER_ENTRIES_FOUND_MAX; i++)
        assert_int_equal(channel_peer(&table, found[i]).ip.family, IP_FAMILY_V4);
    for (unsigned step = 0; step < COUNT; step++) {
        unsigned gone = step * 7 % COUNT;
        channel_destroy(&table, &allocation, made[gone]);
        for (unsigned i = 0; i < COUNT; i++) {
            uint32_t expected = channel_is_live(&table, made[i]) ? made[i] : INDEX_NONE;
            assert_int_equal(channel_find_peer(&table, &allocation, &peers[i]), expected);
            assert_int_equal(channel_find_number(&table, &allocation, (uint16_t)(0x4000 + i)),
                             expected);
        }
    }
    assert_int_equal(allocation.channels, INDEX_NONE);
    assert_int_equal(allocation.channel_numbers, INDEX_NONE);
    channel_table_done(&table);
    address_store_done(&addresses);
}

static void room_ends_at_the_allocations_limit_and_at_the_workers(void **state)
{
    struct tables *tables = *state;
    struct transport_address peers[] = {address("8.8.8.8:1"), address("8.8.8.8:2")};
    channel_create(&tables->channels, tables->one, 0x4000, &peers[0]);
    assert_true(channel_table_has_room(&tables->channels, tables->one));
    channel_create(&tables->channels, tables->one, 0x4001, &peers[1]);
    assert_false(channel_table_has_room(&tables->channels, tables->one));
    assert_true(channel_table_has_room(&tables->channels, tables->other));
    channel_create(&tables->channels, tables->other, 0x4000, &peers[0]);
    assert_false(channel_table_has_room(&tables->channels, tables->other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_found_by_number_and_by_peer_in_its_allocation_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_ipv6_peer_is_kept_as_long_as_its_channel, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(is_gone_from_both_lookups_when_destroyed, setup, teardown),
        cmocka_unit_test_setup_teardown(destroying_any_of_them_keeps_the_rest, setup, teardown),
        cmocka_unit_test(many_are_found_by_either_and_go_in_any_order),
        cmocka_unit_test_setup_teardown(room_ends_at_the_allocations_limit_and_at_the_workers,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
