// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/rate_limiter.h"

#include "rig.h"

#define HZ 1000000u

static struct rate_limiter limiter;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    now = 1000000;
    return rate_limiter_init(&limiter, 10, 5, HZ, SOCKET_ID_ANY);
}

static int tear_down(void **state)
{
    (void)state;
    rate_limiter_done(&limiter);
    return 0;
}

static bool allows(const char *text)
{
    struct ip_address ip;
    assert_int_equal(ip_address_parse(text, &ip), 0);
    return rate_limiter_allows(&limiter, (uint8_t)ip.family, ip.bytes, now);
}

static unsigned allowed_of(const char *text, unsigned count)
{
    unsigned allowed = 0;
    for (unsigned i = 0; i < count; i++)
        allowed += allows(text);
    return allowed;
}

static void allows_the_burst_and_then_the_rate(void **state)
{
    (void)state;
    assert_int_equal(allowed_of("192.0.2.1", 20), 5);
    now += HZ / 10 - 1;
    assert_int_equal(allowed_of("192.0.2.1", 20), 0);
    now += 1;
    assert_int_equal(allowed_of("192.0.2.1", 20), 1);
    now += 3 * HZ / 10;
    assert_int_equal(allowed_of("192.0.2.1", 20), 3);
    now += 100 * (uint64_t)HZ;
    assert_int_equal(allowed_of("192.0.2.1", 20), 5); // no more than the burst is saved up
}

static void the_long_run_keeps_to_the_rate(void **state)
{
    (void)state;
    unsigned allowed = 0;
    for (unsigned i = 0; i < 100000; i++, now += HZ / 1000)
        allowed += allows("192.0.2.1");
    assert_in_range(allowed, 1000, 1006); // 100 s
}

static void addresses_of_one_prefix_share_and_others_do_not(void **state)
{
    (void)state;
    assert_int_equal(allowed_of("192.0.2.1", 9), 5);
    assert_false(allows("192.0.2.255"));
    assert_true(allows("192.0.3.1"));
    assert_int_equal(allowed_of("2001:db8:1:100::1", 9), 5);
    assert_false(allows("2001:db8:1:1ff:ffff::1"));
    assert_true(allows("2001:db8:1:200::1"));
}

static void a_flood_of_prefixes_does_not_lift_the_limit_of_one(void **state)
{
    (void)state;
    unsigned allowed = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        uint8_t ip[4] = {(uint8_t)(10 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i, 1};
        (void)rate_limiter_allows(&limiter, IP_FAMILY_V4, ip, now);
        if (i % 1000 == 0)
            allowed += allows("192.0.2.1");
    }
    assert_true(allowed <= 5);
}

static void a_prefix_whose_bucket_is_full_again_makes_room(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++, now += HZ) {
        unsigned allowed = 0;
        for (uint32_t i = 0; i < 20000; i++) {
            uint8_t ip[4] = {(uint8_t)(20 + round), (uint8_t)(i >> 8), (uint8_t)i, 1};
            allowed += rate_limiter_allows(&limiter, IP_FAMILY_V4, ip, now);
        }
        assert_true(allowed > 19500); // 65536 places in sets of 4
    }
}

static void without_a_rate_there_is_no_limit(void **state)
{
    (void)state;
    struct rate_limiter unlimited;
    const uint8_t ip[4] = {192, 0, 2, 1};
    assert_int_equal(rate_limiter_init(&unlimited, 0, 0, HZ, SOCKET_ID_ANY), 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(rate_limiter_allows(&unlimited, IP_FAMILY_V4, ip, now));
    rate_limiter_done(&unlimited);
}

static void a_new_rate_is_in_force_at_once(void **state)
{
    (void)state;
    assert_int_equal(allowed_of("192.0.2.1", 20), 5);
    rate_limiter_set(&limiter, 10, 8, HZ);
    assert_int_equal(allowed_of("192.0.2.1", 20), 8);
    rate_limiter_set(&limiter, 0, 0, HZ);
    assert_int_equal(allowed_of("192.0.2.1", 100), 100);
    rate_limiter_set(&limiter, 1000, 2, HZ);
    assert_int_equal(allowed_of("192.0.2.1", 100), 2);
    now += HZ / 1000;
    assert_int_equal(allowed_of("192.0.2.1", 100), 1);
}

// The last of the burst would come back after a day.
static void a_low_rate_is_not_remembered_under_a_higher_one(void **state)
{
    (void)state;
    rate_limiter_set(&limiter, 1, 100000, HZ);
    assert_int_equal(allowed_of("192.0.2.1", 100000), 100000);
    rate_limiter_set(&limiter, 10, 5, HZ);
    assert_int_equal(allowed_of("192.0.2.1", 20), 5);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(allows_the_burst_and_then_the_rate),
        TEST(the_long_run_keeps_to_the_rate),
        TEST(addresses_of_one_prefix_share_and_others_do_not),
        TEST(a_flood_of_prefixes_does_not_lift_the_limit_of_one),
        TEST(a_prefix_whose_bucket_is_full_again_makes_room),
        TEST(without_a_rate_there_is_no_limit),
        TEST(a_new_rate_is_in_force_at_once),
        TEST(a_low_rate_is_not_remembered_under_a_higher_one),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
