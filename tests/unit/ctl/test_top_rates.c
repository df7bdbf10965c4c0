// SPDX-License-Identifier: BSD-3-Clause
// Claims about what happened between two samples.
#include "ctl/top_rates.h"

#include "support.h"

static struct top_sample before, now;
static struct top_rates rates;

// Two seconds between the two, one worker, one drop, one allocation.
static int make_samples(void **state)
{
    (void)state;
    memset(&before, 0, sizeof(before));
    before = (struct top_sample){
        .workers_ms = 1000,
        .drops_ms = 1000,
        .allocations_ms = 1000,
        .status = {.pid = 7, .uptime_s = 50},
        .worker_count = 1,
        .drop_count = 1,
        .allocation_count = 1,
        .workers[0] = {.worker = 3,
                       .rx_packets = 100,
                       .rx_bytes = 1000,
                       .tx_packets = 10,
                       .tx_bytes = 50,
                       .dropped = 4},
        .drops[0] = {"not_ours", 10},
        .allocations[0] = {.session = "0001", .bytes_to_peer = 500, .packets_to_peer = 5},
    };
    now = before;
    now.workers_ms = now.drops_ms = now.allocations_ms = 3000;
    now.status.uptime_s = 52;
    return 0;
}

static void divides_by_the_time_between(void **state)
{
    (void)state;
    now.workers[0].rx_packets += 2000;
    now.workers[0].rx_bytes += 320000;
    now.workers[0].tx_packets += 1;
    now.workers[0].tx_bytes += 10;
    now.workers[0].dropped += 6;
    now.workers[0].busy_cycles += 10;
    now.workers[0].idle_cycles += 30;
    now.drops[0].count += 6;
    now.allocations[0].bytes_to_peer += 1000;
    now.allocations[0].packets_to_peer += 10;
    now.allocations[0].bytes_to_client += 4;
    now.allocations[0].packets_to_client += 2;
    top_rates_compute(&before, &now, &rates);
    assert_true(rates.all.known && rates.workers[0].known && rates.allocations[0].known);
    assert_float_equal(rates.workers[0].rx_packets, 1000, 0.001);
    assert_float_equal(rates.workers[0].rx_bits, 1280000, 0.001);
    assert_float_equal(rates.workers[0].tx_packets, 0.5, 0.001);
    assert_float_equal(rates.workers[0].tx_bits, 40, 0.001);
    assert_float_equal(rates.workers[0].dropped, 3, 0.001);
    assert_true(rates.workers[0].busy_is_known);
    assert_float_equal(rates.workers[0].busy_percent, 25, 0.001);
    assert_float_equal(rates.drops[0], 3, 0.001);
    assert_float_equal(rates.allocations[0].bits_to_peer, 4000, 0.001);
    assert_float_equal(rates.allocations[0].packets_to_peer, 5, 0.001);
    assert_float_equal(rates.allocations[0].bits_to_client, 16, 0.001);
    assert_float_equal(rates.allocations[0].packets_to_client, 1, 0.001);
}

static void what_peers_are_sent_over_tcp_is_no_workers(void **state)
{
    (void)state;
    before.status_ms = 1000;
    now.status_ms = 3000;
    now.status.tcp_bytes_to_peer += 1000;
    now.status.tcp_bytes_to_client += 4;
    top_rates_compute(&before, &now, &rates);
    assert_true(rates.tcp.known);
    assert_float_equal(rates.tcp.bits_to_peer, 4000, 0.001);
    assert_float_equal(rates.tcp.bits_to_client, 16, 0.001);
    assert_float_equal(rates.all.rx_bits + rates.all.tx_bits, 0, 0.001);
    top_rates_compute(&now, &now, &rates);
    assert_false(rates.tcp.known);
}

static void adds_workers_up_by_their_numbers(void **state)
{
    (void)state;
    before.worker_count = now.worker_count = 2;
    before.workers[1] = before.workers[0];
    before.workers[1].worker = 8;
    // The other way round.
    now.workers[0] = before.workers[1];
    now.workers[1] = before.workers[0];
    now.workers[0].rx_packets += 20;
    now.workers[1].rx_packets += 200;
    top_rates_compute(&before, &now, &rates);
    assert_float_equal(rates.workers[0].rx_packets, 10, 0.001);
    assert_float_equal(rates.workers[1].rx_packets, 100, 0.001);
    assert_float_equal(rates.all.rx_packets, 110, 0.001);
}

static void says_nothing_of_what_was_not_there_before(void **state)
{
    (void)state;
    top_rates_compute(&before, &now, &rates);
    assert_false(rates.workers[0].busy_is_known);
    strcpy(now.allocations[0].session, "0002");
    now.workers[0].worker = 4;
    top_rates_compute(&before, &now, &rates);
    assert_false(rates.allocations[0].known);
    assert_false(rates.workers[0].known);
    assert_false(rates.all.known);
}

static void counts_a_new_reason_from_zero(void **state)
{
    (void)state;
    now.drop_count = 2;
    now.drops[1] = (struct top_drop){"bad_stun", 8};
    top_rates_compute(&before, &now, &rates);
    assert_float_equal(rates.drops[0], 0, 0.001);
    assert_float_equal(rates.drops[1], 4, 0.001);
}

static void takes_no_counter_that_went_back_for_a_rate(void **state)
{
    (void)state;
    now.workers[0].rx_packets = 0;
    now.drops[0].count = 0;
    top_rates_compute(&before, &now, &rates);
    assert_float_equal(rates.workers[0].rx_packets, 0, 0);
    assert_float_equal(rates.drops[0], 0, 0);
}

static void says_nothing_of_another_process(void **state)
{
    (void)state;
    now.workers[0].rx_packets += 100;
    now.status.pid = 8;
    top_rates_compute(&before, &now, &rates);
    assert_false(rates.all.known);
    now.status.pid = 7;
    now.status.uptime_s = 3;
    top_rates_compute(&before, &now, &rates);
    assert_false(rates.all.known);
    assert_false(rates.allocations[0].known);
}

static void says_nothing_without_time_between(void **state)
{
    (void)state;
    now.workers[0].rx_packets += 100;
    now.workers_ms = before.workers_ms;
    top_rates_compute(&before, &now, &rates);
    assert_false(rates.workers[0].known);
    assert_true(rates.allocations[0].known);
    before.workers_ms = 0;
    top_rates_compute(&before, &now, &rates);
    assert_false(rates.workers[0].known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(divides_by_the_time_between, make_samples),
        cmocka_unit_test_setup(what_peers_are_sent_over_tcp_is_no_workers, make_samples),
        cmocka_unit_test_setup(adds_workers_up_by_their_numbers, make_samples),
        cmocka_unit_test_setup(says_nothing_of_what_was_not_there_before, make_samples),
        cmocka_unit_test_setup(counts_a_new_reason_from_zero, make_samples),
        cmocka_unit_test_setup(takes_no_counter_that_went_back_for_a_rate, make_samples),
        cmocka_unit_test_setup(says_nothing_of_another_process, make_samples),
        cmocka_unit_test_setup(says_nothing_without_time_between, make_samples),
    };

    return cmocka_run_group_tests_name("ctl/top_rates", tests, NULL, NULL);
}
