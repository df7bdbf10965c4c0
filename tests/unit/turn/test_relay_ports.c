// SPDX-License-Identifier: BSD-3-Clause
// turn/relay_ports.h.
#include "turn/relay_ports.h"

#include "base/port_slice.h"
#include "turn_fixture.h"

#include <errno.h>

#define WORKERS 4

struct pool {
    struct turn_relay relays[2];
    struct relay_ports ports;
};

static void init_pool(struct pool *pool, uint16_t min_port, uint16_t max_port,
                      uint16_t worker_count)
{
    for (unsigned i = 0; i < 2; i++)
        pool->relays[i] = (struct turn_relay){.min_port = min_port, .max_port = max_port};
    assert_int_equal(relay_ports_init(&pool->ports, pool->relays, 2, worker_count), 0);
}

static int setup(void **state)
{
    struct pool *pool = test_malloc(sizeof(*pool));
    init_pool(pool, 50000, 50999, WORKERS);
    *state = pool;
    return 0;
}

static int teardown(void **state)
{
    struct pool *pool = *state;
    relay_ports_done(&pool->ports);
    test_free(pool);
    return 0;
}

static void knows_how_many_of_a_workers_ports_are_taken(void **state)
{
    struct pool *pool = *state;
    uint32_t capacity = 0;
    uint16_t port;
    for (uint16_t worker = 0; worker < WORKERS; worker++)
        capacity += relay_ports_capacity(&pool->ports, 1, worker);
    assert_int_equal(capacity, 1000);
    assert_true(relay_ports_take(&pool->ports, 1, 2, RELAY_PORT_PAIR, &random_system, &port));
    assert_int_equal(relay_ports_taken(&pool->ports, 1, 2), 2);
    assert_int_equal(relay_ports_taken(&pool->ports, 1, 1), 0);
    assert_int_equal(relay_ports_taken(&pool->ports, 0, 2), 0);
    relay_ports_give(&pool->ports, 1, port);
    assert_int_equal(relay_ports_taken(&pool->ports, 1, 2), 1);
}

static void gives_each_port_of_a_slice_once_until_none_is_left(void **state)
{
    struct pool *pool = *state;
    static bool taken[65536];
    memset(taken, 0, sizeof(taken));
    unsigned total = 0;
    for (uint16_t worker = 0; worker < WORKERS; worker++) {
        uint16_t port;
        while (relay_ports_take(&pool->ports, 0, worker, RELAY_PORT_ANY, &random_system, &port)) {
            assert_in_range(port, 50000, 50999);
            assert_int_equal(port_slice_worker(port, WORKERS), worker);
            assert_false(taken[port]);
            taken[port] = true;
            total++;
        }
    }
    assert_int_equal(total, 1000);
    assert_int_equal(pool->ports.taken_count, 1000);
}

static void a_full_relay_leaves_the_other_alone(void **state)
{
    struct pool *pool = *state;
    uint16_t port;
    while (relay_ports_take(&pool->ports, 0, 1, RELAY_PORT_ANY, &random_system, &port))
        ;
    assert_true(relay_ports_take(&pool->ports, 1, 1, RELAY_PORT_ANY, &random_system, &port));
    assert_true(relay_ports_take(&pool->ports, 0, 2, RELAY_PORT_ANY, &random_system, &port));
}

static void gives_only_even_ports_when_asked(void **state)
{
    struct pool *pool = *state;
    uint16_t port;
    unsigned count = 0;
    while (relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_EVEN, &random_system, &port)) {
        assert_int_equal(port & 1, 0);
        count++;
    }
    assert_true(count > 100);
    // The odd ones are still there.
    while (relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_ANY, &random_system, &port)) {
        assert_int_equal(port & 1, 1);
        count--;
    }
    assert_int_equal(count, 0);
}

static void a_pair_takes_both_of_its_ports(void **state)
{
    struct pool *pool = *state;
    uint16_t port;
    static bool taken[65536];
    memset(taken, 0, sizeof(taken));
    while (relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_PAIR, &random_system, &port)) {
        assert_int_equal(port & 1, 0);
        assert_false(taken[port] || taken[port + 1]);
        taken[port] = taken[port + 1] = true;
    }
    assert_false(relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_ANY, &random_system, &port));
}

static void a_pair_comes_back_only_when_both_halves_do(void **state)
{
    struct pool *pool = *state;
    uint16_t port;
    uint16_t pair = 0;
    while (relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_PAIR, &random_system, &port))
        pair = port;
    relay_ports_give(&pool->ports, 0, pair + 1);
    assert_false(relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_PAIR, &random_system, &port));
    relay_ports_give(&pool->ports, 0, pair);
    assert_true(relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_PAIR, &random_system, &port));
    assert_int_equal(port, pair);
}

static void assert_has(const struct pool *pool, uint16_t worker, bool any, bool even, bool pair)
{
    const struct relay_ports *ports = &pool->ports;
    assert_int_equal(relay_ports_free(ports, 0, worker, RELAY_PORT_ANY) > 0, any);
    assert_int_equal(relay_ports_free(ports, 0, worker, RELAY_PORT_EVEN) > 0, even);
    assert_int_equal(relay_ports_free(ports, 0, worker, RELAY_PORT_PAIR) > 0, pair);
}

static void knows_what_each_worker_has_of_each_kind(void **state)
{
    (void)state;
    struct pool pool;
    uint16_t even;
    uint16_t port;
    init_pool(&pool, 49213, 49217, 2); // 49216 and 49217 are the second worker's
    assert_has(&pool, 0, true, true, true);
    assert_true(relay_ports_take(&pool.ports, 0, 0, RELAY_PORT_PAIR, &random_system, &even));
    assert_has(&pool, 0, true, false, false);
    assert_true(relay_ports_take(&pool.ports, 0, 0, RELAY_PORT_ANY, &random_system, &port));
    assert_has(&pool, 0, false, false, false);
    assert_has(&pool, 1, true, true, true);
    assert_int_equal(relay_ports_free(&pool.ports, 1, 0, RELAY_PORT_PAIR), 1);
    relay_ports_give(&pool.ports, 0, even);
    assert_has(&pool, 0, true, true, false);
    relay_ports_give(&pool.ports, 0, even + 1);
    assert_has(&pool, 0, true, true, true);
    relay_ports_done(&pool.ports);
}

static void a_pair_half_outside_the_range_is_no_pair(void **state)
{
    (void)state;
    struct pool pool;
    uint16_t port;
    init_pool(&pool, 50001, 50002, 1);
    assert_false(relay_ports_take(&pool.ports, 0, 0, RELAY_PORT_PAIR, &random_system, &port));
    assert_true(relay_ports_take(&pool.ports, 0, 0, RELAY_PORT_EVEN, &random_system, &port));
    assert_int_equal(port, 50002);
    relay_ports_done(&pool.ports);
}

static void serves_the_whole_port_space(void **state)
{
    (void)state;
    struct pool pool;
    uint16_t port;
    unsigned count = 0;
    init_pool(&pool, 1, 65535, 1);
    while (relay_ports_take(&pool.ports, 0, 0, RELAY_PORT_PAIR, &random_system, &port))
        count += 2;
    while (relay_ports_take(&pool.ports, 0, 0, RELAY_PORT_ANY, &random_system, &port))
        count++;
    assert_int_equal(count, 65535);
    for (uint32_t i = 1; i <= 65535; i++)
        relay_ports_give(&pool.ports, 0, (uint16_t)i);
    assert_int_equal(pool.ports.taken_count, 0);
    relay_ports_done(&pool.ports);
}

static void ports_follow_no_order(void **state)
{
    struct pool *pool = *state;
    uint16_t previous = 0;
    unsigned near_count = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint16_t port;
        assert_true(relay_ports_take(&pool->ports, 0, 0, RELAY_PORT_ANY, &random_system, &port));
        near_count += abs(port - previous) <= 8;
        previous = port;
    }
    assert_true(near_count < 40); // 7 expected of a uniform choice, 99 of a counter
}

static void stays_right_through_random_churn(void **state)
{
    struct pool *pool = *state;
    static bool taken[65536];
    memset(taken, 0, sizeof(taken));
    unsigned seed = 1;
    unsigned count = 0;
    for (unsigned step = 0; step < 100000; step++) {
        uint16_t given = (uint16_t)(50000 + rand_r(&seed) % 1000);
        uint16_t port;
        enum relay_port_kind kind = (enum relay_port_kind)(rand_r(&seed) % 3);
        if (taken[given]) {
            relay_ports_give(&pool->ports, 0, given);
            taken[given] = false;
            count--;
        } else if (relay_ports_take(&pool->ports, 0, (uint16_t)(rand_r(&seed) % WORKERS), kind,
                                    &random_system, &port)) {
            unsigned width = kind == RELAY_PORT_PAIR ? 2 : 1;
            for (unsigned i = 0; i < width; i++) {
                assert_false(taken[port + i]);
                taken[port + i] = true;
            }
            count += width;
        }
        assert_int_equal(pool->ports.taken_count, count);
    }
}

static void a_port_is_taken_until_it_is_given_back(void **state)
{
    (void)state;
    struct turn_relay relay = {.min_port = 50000, .max_port = 50001};
    struct relay_ports ports;
    uint16_t port;
    assert_int_equal(relay_ports_init(&ports, &relay, 1, 1), 0);
    assert_false(relay_ports_is_taken(&ports, 0, 50000));
    assert_true(relay_ports_take(&ports, 0, 0, RELAY_PORT_ANY, &random_system, &port));
    assert_true(relay_ports_is_taken(&ports, 0, port));
    assert_false(relay_ports_is_taken(&ports, 0, port ^ 1));
    assert_false(relay_ports_is_taken(&ports, 0, 49999));
    assert_false(relay_ports_is_taken(&ports, 0, 50002));
    relay_ports_give(&ports, 0, port);
    assert_false(relay_ports_is_taken(&ports, 0, port));
    relay_ports_done(&ports);
}

static void refuses_a_range_that_leaves_a_worker_without_ports(void **state)
{
    (void)state;
    struct turn_relay relay = {.min_port = 50000, .max_port = 50003};
    struct relay_ports ports;
    assert_int_equal(relay_ports_init(&ports, &relay, 1, 64), -EINVAL);
    assert_int_equal(relay_ports_init(&ports, &relay, 1, 1), 0);
    relay_ports_done(&ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(knows_how_many_of_a_workers_ports_are_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(gives_each_port_of_a_slice_once_until_none_is_left, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_relay_leaves_the_other_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_only_even_ports_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pair_takes_both_of_its_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pair_comes_back_only_when_both_halves_do, setup,
                                        teardown),
        cmocka_unit_test(knows_what_each_worker_has_of_each_kind),
        cmocka_unit_test(a_pair_half_outside_the_range_is_no_pair),
        cmocka_unit_test(serves_the_whole_port_space),
        cmocka_unit_test_setup_teardown(ports_follow_no_order, setup, teardown),
        cmocka_unit_test_setup_teardown(stays_right_through_random_churn, setup, teardown),
        cmocka_unit_test(a_port_is_taken_until_it_is_given_back),
        cmocka_unit_test(refuses_a_range_that_leaves_a_worker_without_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
