// SPDX-License-Identifier: BSD-3-Clause
// Claims about ranges of addresses that routes treat alike.
#include "control/route_ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static int set_up(void **state)
{
    static struct route_ranges ranges;

    route_ranges_init(&ranges);
    *state = &ranges;
    return 0;
}

static int tear_down(void **state)
{
    route_ranges_done(*state);
    return 0;
}

static void add(struct route_ranges *ranges, const char *text)
{
    struct ip_prefix prefix;

    assert_int_equal(ip_prefix_parse(text, &prefix), 0);
    assert_true(route_ranges_add(ranges, &prefix));
}

static void assert_start(const struct route_ranges *ranges, const char *address, const char *start)
{
    struct ip_address ip;
    char text[IP_ADDRESS_TEXT_LEN];

    assert_int_equal(ip_address_parse(address, &ip), 0);
    ip = route_ranges_start(ranges, &ip);
    assert_string_equal(ip_address_format(&ip, text), start);
}

static void without_prefixes_all_addresses_of_a_family_are_alike(void **state)
{
    route_ranges_begin(*state);
    route_ranges_end(*state, true);
    assert_start(*state, "0.0.0.0", "0.0.0.0");
    assert_start(*state, "255.255.255.255", "0.0.0.0");
    assert_start(*state, "2001:db8::1", "::");
}

static void a_prefix_cuts_where_it_begins_and_ends(void **state)
{
    route_ranges_begin(*state);
    add(*state, "192.0.2.64/26");
    add(*state, "0.0.0.0/0");
    add(*state, "10.255.0.0/16");
    add(*state, "192.0.2.0/24");
    add(*state, "192.0.2.64/26");
    route_ranges_end(*state, true);
    assert_start(*state, "9.1.2.3", "0.0.0.0");
    assert_start(*state, "10.255.255.255", "10.255.0.0");
    assert_start(*state, "11.0.0.0", "11.0.0.0");
    assert_start(*state, "192.0.1.255", "11.0.0.0");
    assert_start(*state, "192.0.2.0", "192.0.2.0");
    assert_start(*state, "192.0.2.63", "192.0.2.0");
    assert_start(*state, "192.0.2.64", "192.0.2.64");
    assert_start(*state, "192.0.2.127", "192.0.2.64");
    assert_start(*state, "192.0.2.128", "192.0.2.128");
    assert_start(*state, "192.0.2.255", "192.0.2.128");
    assert_start(*state, "192.0.3.0", "192.0.3.0");
    assert_start(*state, "255.255.255.255", "192.0.3.0");
}

static void families_do_not_mix(void **state)
{
    route_ranges_begin(*state);
    add(*state, "224.0.0.0/4");
    add(*state, "2001:db8::/33");
    add(*state, "ff00::/8");
    route_ranges_end(*state, true);
    assert_start(*state, "::1", "::");
    assert_start(*state, "2001:db8:7fff::1", "2001:db8::");
    assert_start(*state, "2001:db8:8000::1", "2001:db8:8000::");
    assert_start(*state, "ffff::1", "ff00::");
    assert_start(*state, "223.255.255.255", "0.0.0.0");
    assert_start(*state, "255.0.0.1", "240.0.0.0");
}

static void what_begins_anew_forgets(void **state)
{
    const struct route_ranges *ranges = *state;

    assert_false(ranges->is_known);
    route_ranges_begin(*state);
    add(*state, "10.0.0.0/8");
    route_ranges_end(*state, true);
    assert_true(ranges->is_known);
    route_ranges_begin(*state);
    assert_false(ranges->is_known);
    route_ranges_end(*state, true);
    assert_start(*state, "10.1.1.1", "0.0.0.0");
}

static void takes_so_many_prefixes_and_no_more(void **state)
{
    struct ip_prefix prefix = {.ip = {.family = IP_FAMILY_V4}, .length = 32};
    char text[IP_ADDRESS_TEXT_LEN];

    route_ranges_begin(*state);
    for (unsigned i = 0; i <= ROUTE_RANGES_PREFIXES_MAX; i++) {
        prefix.ip.bytes[1] = (uint8_t)(i >> 8);
        prefix.ip.bytes[2] = (uint8_t)i;
        assert_int_equal(route_ranges_add(*state, &prefix), i < ROUTE_RANGES_PREFIXES_MAX);
    }
    route_ranges_end(*state, true);
    for (unsigned i = 0; i < ROUTE_RANGES_PREFIXES_MAX; i++) {
        snprintf(text, sizeof(text), "0.%u.%u.0", i >> 8, i & 0xFF);
        assert_start(*state, text, text);
    }
}

int main(void)
{
#define WITH_RANGES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RANGES(without_prefixes_all_addresses_of_a_family_are_alike),
        WITH_RANGES(a_prefix_cuts_where_it_begins_and_ends),
        WITH_RANGES(families_do_not_mix),
        WITH_RANGES(what_begins_anew_forgets),
        WITH_RANGES(takes_so_many_prefixes_and_no_more),
    };

    return cmocka_run_group_tests_name("control/route_ranges", tests, NULL, NULL);
}
