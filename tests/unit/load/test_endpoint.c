// SPDX-License-Identifier: BSD-3-Clause
// bench/load/endpoint.h.
#include "endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct endpoint_range range_of(const char *prefix, uint16_t first_port, uint16_t last_port)
{
    struct endpoint_range range = {.first_port = first_port, .last_port = last_port};
    assert_int_equal(ip_prefix_parse(prefix, &range.prefix), 0);
    return range;
}

static void assert_is(const struct endpoint_range *range, uint32_t number, const char *expected)
{
    struct transport_address address = endpoint_at(range, number);
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    assert_string_equal(transport_address_format(&address, text), expected);
}

static void consecutive_ones_are_far_apart_in_the_prefix(void **state)
{
    (void)state;
    struct endpoint_range v4 = range_of("10.0.0.0/8", 5000, 5001);
    struct endpoint_range v6 = range_of("2001:2:0:1800::/56", 5000, 5000);
    assert_is(&v4, 0, "10.128.0.0:5000");
    assert_is(&v4, 1, "10.64.0.0:5000");
    assert_is(&v4, 2, "10.192.0.0:5000");
    assert_is(&v6, 0, "[2001:2:0:1880::]:5000");
    assert_is(&v6, 2, "[2001:2:0:18c0::]:5000");
}

static void hosts_come_before_ports(void **state)
{
    (void)state;
    struct endpoint_range range = range_of("192.0.2.0/30", 5000, 5001);
    assert_int_equal(endpoint_range_count(&range), 4);
    assert_is(&range, 0, "192.0.2.2:5000");
    assert_is(&range, 1, "192.0.2.1:5000");
    assert_is(&range, 2, "192.0.2.2:5001");
    assert_is(&range, 3, "192.0.2.1:5001");
}

static void one_address_has_as_many_as_it_has_ports(void **state)
{
    (void)state;
    struct endpoint_range v4 = range_of("192.0.2.7", 1024, 65535);
    struct endpoint_range v6 = range_of("2001:db8::7", 1024, 65535);
    assert_int_equal(endpoint_range_count(&v4), 64512);
    assert_int_equal(endpoint_range_count(&v6), 64512);
    assert_is(&v4, 64511, "192.0.2.7:65535");
    assert_is(&v6, 1, "[2001:db8::7]:1025");
}

static void both_addresses_of_a_pair_are_used(void **state)
{
    (void)state;
    struct endpoint_range range = range_of("192.0.2.6/31", 1, 1);
    assert_int_equal(endpoint_range_count(&range), 2);
    assert_is(&range, 0, "192.0.2.6:1");
    assert_is(&range, 1, "192.0.2.7:1");
}

static void no_two_are_alike_and_none_leaves_the_prefix(void **state)
{
    (void)state;
    struct endpoint_range range = range_of("198.18.32.0/20", 7, 9);
    static bool is_taken[4096][3];
    uint32_t count = endpoint_range_count(&range);
    assert_int_equal(count, 3 * 4094);
    for (uint32_t i = 0; i < count; i++) {
        struct transport_address address = endpoint_at(&range, i);
        unsigned host = (address.ip.bytes[2] & 0xF) << 8 | address.ip.bytes[3];
        assert_true(ip_prefix_contains(&range.prefix, &address.ip));
        assert_in_range(address.port, 7, 9);
        assert_in_range(host, 1, 4094);
        assert_false(is_taken[host][address.port - 7]);
        is_taken[host][address.port - 7] = true;
    }
}

static void a_vast_prefix_does_not_overflow(void **state)
{
    (void)state;
    struct endpoint_range v6 = range_of("2001:2::/32", 1, 65535);
    struct endpoint_range v4 = range_of("10.0.0.0/8", 1, 65535);
    assert_int_equal(endpoint_range_count(&v6), UINT32_MAX);
    assert_int_equal(endpoint_range_count(&v4), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consecutive_ones_are_far_apart_in_the_prefix),
        cmocka_unit_test(hosts_come_before_ports),
        cmocka_unit_test(one_address_has_as_many_as_it_has_ports),
        cmocka_unit_test(both_addresses_of_a_pair_are_used),
        cmocka_unit_test(no_two_are_alike_and_none_leaves_the_prefix),
        cmocka_unit_test(a_vast_prefix_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
