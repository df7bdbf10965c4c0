// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tables.h"

#include "tables_rig.h"

#include <errno.h>
#include <rte_common.h>

static const uint8_t client[4] = {192, 0, 2, 7};

static void assert_found(const struct tables *tables, const struct flow_key *key,
                         enum table_value_kind kind)
{
    assert_int_equal(table_value_kind(tables_lookup(tables, key)), kind);
}

static void each_key_leads_to_its_own_kind_of_entry(void **state)
{
    struct tables *tables = *state;
    struct flow_key keys[3];
    uint16_t client_port_be = __builtin_bswap16(1000);
    tables_client_key(tables, &keys[0], RIG_LISTENER_V4, IP_FAMILY_V4, client, client_port_be, 0);
    tables_client_key(tables, &keys[1], RIG_LISTENER_V4, IP_FAMILY_V4, client, client_port_be,
                      0x4000);
    tables_steering_key(tables, &keys[2], RIG_LISTENER_V4, IP_FAMILY_V4, client, client_port_be);
    for (unsigned i = 0; i < 3; i++)
        assert_found(tables, &keys[i], TABLE_VALUE_NONE);
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "192.0.2.1:5"), 0);
    assert_int_equal(tables_rig_install_steering(tables, 1000, 3), 0);
    static const enum table_value_kind kinds[3] = {TABLE_VALUE_ALLOCATION, TABLE_VALUE_CHANNEL,
                                                   TABLE_VALUE_STEERING};
    for (unsigned i = 0; i < 3; i++) {
        assert_found(tables, &keys[i], kinds[i]);
        assert_int_equal(tables_find(tables, &keys[i]), 0);
    }
    assert_int_equal(tables_rig_remove_allocation(tables, 1), 0);
    assert_int_equal(tables_rig_remove_steering(tables, 1000), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tables_find(tables, &keys[i]), TABLE_NONE);
}

// 1.2.3.4 and 102:304:: are the same sixteen bytes.
static void families_of_the_same_bytes_are_kept_apart(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_permission(tables, 1, "32.1.13.184"), 0);
    assert_int_equal(tables_rig_remove_permission(tables, 1, "2001:db8::"), -ENOENT);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4000, "32.1.13.184:5"), 0);
    assert_int_equal(tables_rig_install_channel(tables, 1, 0x4001, "[2001:db8::]:5"), 0);
    assert_true(tables_rig_channel(tables, 1000, 0x4000)->permitted);
    assert_false(tables_rig_channel(tables, 1000, 0x4001)->permitted);
}

static void no_two_arrays_share_a_byte(void **state)
{
    struct tables *tables = *state;
    struct {
        void *bytes;
        size_t len;
    } arrays[] = {
        {tables->allocations.at, TABLES_RIG_ALLOCATIONS * sizeof(struct allocation)},
        {tables->allocations.records, TABLES_RIG_ALLOCATIONS * sizeof(struct allocation_record)},
        {tables->allocations.ips, TABLES_RIG_ALLOCATIONS * 16},
        {tables->allocations.buckets, TABLES_RIG_ALLOCATIONS * 2 * sizeof(struct token_bucket)},
        {tables->permissions.at,
         (TABLES_RIG_PERMISSIONS + TABLES_RIG_CHANNELS) * sizeof(struct permission)},
        {tables->permissions.nodes,
         (TABLES_RIG_PERMISSIONS + TABLES_RIG_CHANNELS) * sizeof(struct index_tree_node)},
        {tables->permissions.ips, (TABLES_RIG_PERMISSIONS + TABLES_RIG_CHANNELS) * 16},
        {tables->channels.at, TABLES_RIG_CHANNELS * sizeof(struct channel)},
        {tables->channels.places, TABLES_RIG_CHANNELS * sizeof(struct channel_place)},
        {tables->channels.ips, TABLES_RIG_CHANNELS * sizeof(struct channel_ips)},
        {tables->steerings.at, TABLES_RIG_STEERINGS * sizeof(struct steering)},
    };
    for (unsigned i = 0; i < RTE_DIM(arrays); i++)
        memset(arrays[i].bytes, 1 + (int)i, arrays[i].len);
    for (unsigned i = 0; i < RTE_DIM(arrays); i++) {
        for (size_t at = 0; at < arrays[i].len; at++)
            assert_int_equal(((const uint8_t *)arrays[i].bytes)[at], 1 + i);
    }
    for (unsigned relay = 0; relay < tables->config->relay_count; relay++) {
        struct relay_slot none = {TABLE_NONE, TABLE_NONE};
        assert_memory_equal(tables_relay_slot(tables, relay, RELAY_MIN_PORT), &none, sizeof(none));
        assert_memory_equal(tables_relay_slot(tables, relay, 65535), &none, sizeof(none));
    }
    assert_int_equal(tables->allocations.by_id[0], 0);
}

static void refuses_sizes_that_an_index_cannot_hold(void **state)
{
    (void)state;
    struct tables tables;
    struct plane_config config;
    rig_config(&config, 1);
    config.channels_per_worker = TABLE_ENTRIES_MAX + 1;
    assert_int_equal(tables_init(&tables, &config, SOCKET_ID_ANY), -EINVAL);
    rig_config(&config, 1);
    config.relays[0].min_port = 60000;
    config.relays[0].max_port = 59999;
    assert_int_equal(tables_init(&tables, &config, SOCKET_ID_ANY), -EINVAL);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tables_rig_set_up, tables_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_key_leads_to_its_own_kind_of_entry),
        TEST(families_of_the_same_bytes_are_kept_apart),
        TEST(no_two_arrays_share_a_byte),
        cmocka_unit_test(refuses_sizes_that_an_index_cannot_hold),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
