// SPDX-License-Identifier: BSD-3-Clause
// Claims about sizes: every quota that is configured can be used to the full by somebody.
#include "control/sizing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct settings usual = {
    .workers = 1,
    .total_quota = 16384,
    .permissions_per_allocation = 64,
    .channels_per_allocation = 64,
    .default_lifetime_s = 600,
    .max_lifetime_s = 3600,
    .unauthenticated_rate = 500,
    .unauthenticated_burst = 2000,
};

static void one_worker_can_take_everything(void **state)
{
    struct turn_limits limits;

    (void)state;
    sizing_limits(&usual, &limits);
    assert_int_equal(limits.allocations, 16384);
    assert_int_equal(limits.allocations_per_worker, 16384);
    assert_true(limits.permissions_per_worker >= 4 * 16384);
    assert_true(limits.channels_per_worker >= 2 * 16384);
}

static void peers_over_tcp_have_no_room_where_they_are_not_relayed(void **state)
{
    struct settings settings = usual;
    struct turn_limits limits;

    (void)state;
    settings.tcp_connections = 9;
    settings.tcp_connections_per_allocation = 3;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.tcp_connections, 0);
    settings.tcp_relay = true;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.tcp_connections, 9);
    assert_int_equal(limits.tcp_connections_per_allocation, 3);
}

static void workers_take_twice_their_share_at_most(void **state)
{
    struct settings settings = usual;
    struct turn_limits limits;

    (void)state;
    settings.workers = 8;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.allocations_per_worker, 4096);
    settings.workers = 2;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.allocations_per_worker, 16384);
    settings.total_quota = 1;
    settings.workers = 64;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.allocations_per_worker, 1);
}

static void users_take_memory_only_where_they_have_a_limit(void **state)
{
    struct settings settings = usual;
    struct plane_config config = {};
    struct turn_limits limits;

    (void)state;
    sizing_limits(&settings, &limits);
    sizing_plane(&settings, &limits, &config);
    assert_int_equal(config.users, 0);
    settings.user_max_bps = 1000;
    settings.total_max_bps = 5000000000;
    settings.max_bps = 3000;
    settings.bps_capacity = 6000000000;
    sizing_limits(&settings, &limits);
    sizing_plane(&settings, &limits, &config);
    assert_int_equal(config.users, 2 * 16384);
    assert_int_equal(config.user_max_bps, 1000);
    assert_int_equal(config.total_max_bps, 5000000000);
    assert_int_equal(limits.max_bps, 3000);
    assert_int_equal(limits.bps_capacity, 6000000000);
}

static void few_allocations_may_all_be_at_their_limits(void **state)
{
    struct settings settings = usual;
    struct turn_limits limits;

    (void)state;
    settings.total_quota = 3;
    settings.permissions_per_allocation = 500;
    settings.channels_per_allocation = 200;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.permissions_per_worker, 1500);
    assert_int_equal(limits.channels_per_worker, 600);
}

static void no_pool_is_larger_than_can_be_used(void **state)
{
    struct settings settings = usual;
    struct turn_limits limits;

    (void)state;
    settings.permissions_per_allocation = 1;
    settings.channels_per_allocation = 1;
    sizing_limits(&settings, &limits);
    assert_int_equal(limits.permissions_per_worker, 16384);
    assert_int_equal(limits.channels_per_worker, 16384);
}

static bool is_power_of_two(uint32_t value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

static void the_plane_gets_the_same_limits_and_rings_that_work(void **state)
{
    struct plane_config config = {};
    struct turn_limits limits;

    (void)state;
    sizing_limits(&usual, &limits);
    sizing_plane(&usual, &limits, &config);
    assert_int_equal(config.worker_count, 1);
    assert_int_equal(config.allocations, limits.allocations);
    assert_int_equal(config.permissions_per_worker, limits.permissions_per_worker);
    assert_int_equal(config.channels_per_worker, limits.channels_per_worker);
    assert_int_equal(config.steerings_per_worker, 0);
    assert_int_equal(config.rate_limit.answers_per_second, 500);
    assert_int_equal(config.rate_limit.burst, 2000);
    assert_false(config.proxied_clients);
    assert_true(is_power_of_two(config.command_ring_len));
    assert_true(is_power_of_two(config.punt_ring_len));
    assert_true(is_power_of_two(config.handoff_ring_len));
    assert_int_equal(config.kernel_ring_len, 0);
    // One event's commands, their adjacencies and the response have to fit.
    assert_true(config.command_ring_len > 4 * TURN_OUTPUT_COMMANDS_MAX);
}

static void rings_of_many_stream_threads_hold_no_more_than_one_threads(void **state)
{
    struct settings settings = usual;
    struct plane_config alone = {}, one = {}, four = {}, many = {};
    struct turn_limits limits;

    (void)state;
    sizing_limits(&usual, &limits);
    sizing_plane(&settings, &limits, &alone);
    settings.tls_threads = 1;
    sizing_plane(&settings, &limits, &one);
    settings.tls_threads = 4;
    sizing_plane(&settings, &limits, &four);
    settings.tls_threads = 32;
    sizing_plane(&settings, &limits, &many);
    assert_true(is_power_of_two(alone.stream_ring_len));
    assert_int_equal(one.stream_ring_len, alone.stream_ring_len);
    assert_int_equal(four.stream_ring_len, alone.stream_ring_len / 4);
    assert_true(many.stream_ring_len >= 1024);
}

static void a_device_of_ones_own_needs_rings_to_the_kernel(void **state)
{
    struct settings settings = usual;
    struct plane_config config = {};
    struct turn_limits limits;
    char device[] = "net_memif0";

    (void)state;
    settings.device = device;
    sizing_limits(&settings, &limits);
    sizing_plane(&settings, &limits, &config);
    assert_true(is_power_of_two(config.kernel_ring_len));
}

static void where_workers_are_several_each_can_know_all_clients(void **state)
{
    struct settings settings = usual;
    struct plane_config config = {};
    struct turn_limits limits;

    (void)state;
    settings.workers = 4;
    sizing_limits(&settings, &limits);
    sizing_plane(&settings, &limits, &config);
    assert_int_equal(config.steerings_per_worker, limits.allocations);
}

static void memory_is_what_was_configured_or_what_buffers_need(void **state)
{
    struct settings settings = usual;

    (void)state;
    assert_true(sizing_memory_mb(&settings, UINT64_C(500) << 20) > 500);
    settings.memory_mb = 77;
    assert_int_equal(sizing_memory_mb(&settings, UINT64_C(500) << 20), 77);
    assert_int_equal(sizing_buffer_count(&settings), 16384);
    settings.workers = 3;
    assert_int_equal(sizing_buffer_count(&settings), 3 * 16384);
    settings.packet_buffers = 99999;
    assert_int_equal(sizing_buffer_count(&settings), 99999);
}

static void there_is_room_for_every_client_and_peer(void **state)
{
    const struct plane_config config = {
        .allocations = 10, .permissions_per_worker = 100, .worker_count = 2};

    (void)state;
    assert_true(sizing_destinations(&config) >= 2 * (10 + 2 * 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker_can_take_everything),
        cmocka_unit_test(peers_over_tcp_have_no_room_where_they_are_not_relayed),
        cmocka_unit_test(workers_take_twice_their_share_at_most),
        cmocka_unit_test(users_take_memory_only_where_they_have_a_limit),
        cmocka_unit_test(few_allocations_may_all_be_at_their_limits),
        cmocka_unit_test(no_pool_is_larger_than_can_be_used),
        cmocka_unit_test(the_plane_gets_the_same_limits_and_rings_that_work),
        cmocka_unit_test(rings_of_many_stream_threads_hold_no_more_than_one_threads),
        cmocka_unit_test(a_device_of_ones_own_needs_rings_to_the_kernel),
        cmocka_unit_test(where_workers_are_several_each_can_know_all_clients),
        cmocka_unit_test(memory_is_what_was_configured_or_what_buffers_need),
        cmocka_unit_test(there_is_room_for_every_client_and_peer),
    };

    return cmocka_run_group_tests_name("control/sizing", tests, NULL, NULL);
}
