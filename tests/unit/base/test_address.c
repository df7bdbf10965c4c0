// SPDX-License-Identifier: BSD-3-Clause
// Text forms, prefixes and equality of addresses.
#include "base/address.h"

#include "support.h"

#include <errno.h>

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix result;

    assert_int_equal(ip_prefix_parse(text, &result), 0);
    return result;
}

static void holds_an_ipv4_address_in_four_bytes_and_twelve_zeros(void **state)
{
    static const uint8_t expected[16] = {192, 0, 2, 33};
    struct ip_address address = ip("192.0.2.33");

    (void)state;
    assert_int_equal(address.family, IP_FAMILY_V4);
    assert_memory_equal(address.bytes, expected, sizeof(expected));
}

static void holds_an_ipv6_address_in_network_order(void **state)
{
    static const uint8_t expected[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                                         0,    0,    0,    0,    0, 0, 0, 1};
    struct ip_address address = ip("2001:db8::1");

    (void)state;
    assert_int_equal(address.family, IP_FAMILY_V6);
    assert_memory_equal(address.bytes, expected, sizeof(expected));
}

static void keeps_a_mapped_ipv4_address_as_ipv6(void **state)
{
    struct ip_address mapped = ip("::ffff:192.0.2.33");
    struct ip_address plain = ip("192.0.2.33");

    (void)state;
    assert_int_equal(mapped.family, IP_FAMILY_V6);
    assert_false(ip_address_equal(&mapped, &plain));
}

static void makes_equal_addresses_from_bytes_and_from_text(void **state)
{
    static const uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
    struct ip_address v4 = ip_address_from_bytes(IP_FAMILY_V4, bytes);
    struct ip_address v6 = ip_address_from_bytes(IP_FAMILY_V6, bytes);
    struct ip_address expected_v4 = ip("32.1.13.184");
    struct ip_address expected_v6 = ip("2001:db8::7");

    (void)state;
    assert_true(ip_address_equal(&v4, &expected_v4));
    assert_true(ip_address_equal(&v6, &expected_v6));
}

static void gives_each_family_its_length(void **state)
{
    struct ip_address v4 = ip("0.0.0.0");
    struct ip_address v6 = ip("::");
    struct ip_address none = {.family = IP_FAMILY_NONE};

    (void)state;
    assert_int_equal(ip_address_len(&v4), 4);
    assert_int_equal(ip_address_len(&v6), 16);
    assert_int_equal(ip_address_len(&none), 0);
}

static void refuses_what_is_no_numeric_address(void **state)
{
    static const char *const texts[] = {
        "",           "1.2.3",    "1.2.3.4.5", "256.0.0.1", "1.2.3.04", "localhost", "2001:db8:::",
        "fe80::1%lo", " 1.2.3.4", "1.2.3.4 ",  "[::1]",     "12345::",  "1.2.3.4/32"};

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ip_address address = {.family = 99};

        assert_int_equal(ip_address_parse(texts[i], &address), -EINVAL);
        assert_int_equal(address.family, 99);
    }
}

static void reads_a_prefix(void **state)
{
    struct ip_prefix result = prefix("198.51.100.128/25");
    struct ip_address expected = ip("198.51.100.128");

    (void)state;
    assert_int_equal(result.length, 25);
    assert_true(ip_address_equal(&result.ip, &expected));
}

static void reads_an_address_alone_as_the_whole_address(void **state)
{
    (void)state;
    assert_int_equal(prefix("198.51.100.7").length, 32);
    assert_int_equal(prefix("2001:db8::7").length, 128);
}

static void reads_a_prefix_of_length_zero(void **state)
{
    (void)state;
    assert_int_equal(prefix("0.0.0.0/0").length, 0);
    assert_int_equal(prefix("::/0").length, 0);
}

static void refuses_a_malformed_prefix(void **state)
{
    static const char *const texts[] = {
        "",
        "/24",
        "10.0.0.0/",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/ 8",
        "10.0.0.0/8x",
        "10.0.0.0/8/8",
        "10/8",
        "10.0.0.0/4294967304",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8"};

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ip_prefix result = {.length = 99};

        assert_int_equal(ip_prefix_parse(texts[i], &result), -EINVAL);
        assert_int_equal(result.length, 99);
    }
}

static void refuses_a_prefix_with_a_bit_set_past_its_length(void **state)
{
    static const char *const texts[] = {"10.0.0.1/31",     "10.128.0.0/8",  "0.0.0.1/0",
                                        "2001:db8::1/127", "2001:db8::/28", "::1/0"};
    struct ip_prefix result;

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(ip_prefix_parse(texts[i], &result), -EINVAL);
}

static void contains_its_first_and_last_address_and_no_neighbour(void **state)
{
    static const struct {
        const char *prefix, *before, *first, *last, *after;
    } cases[] = {
        {"100.64.0.0/10", "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
        {"10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"192.0.2.1/32", "192.0.2.0", "192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"2001::/23", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
        {"fe80::/10", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::"},
        {"::1/128", "::", "::1", "::1", "::2"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ip_prefix range = prefix(cases[i].prefix);
        struct ip_address address, behind;

        address = ip(cases[i].before);
        assert_false(ip_prefix_contains(&range, &address));
        address = ip(cases[i].first);
        assert_true(ip_prefix_contains(&range, &address));
        address = ip(cases[i].last);
        assert_true(ip_prefix_contains(&range, &address));
        address = ip(cases[i].after);
        assert_false(ip_prefix_contains(&range, &address));
        assert_true(ip_prefix_behind(&range, &behind));
        assert_true(ip_address_equal(&behind, &address));
    }
}

static void nothing_is_behind_a_prefix_that_has_the_last_address(void **state)
{
    static const char *const prefixes[] = {"0.0.0.0/0", "240.0.0.0/4", "255.255.255.255/32", "::/0",
                                           "ffff::/16"};

    (void)state;
    for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        struct ip_prefix range = prefix(prefixes[i]);
        struct ip_address behind;

        assert_false(ip_prefix_behind(&range, &behind));
    }
}

static void orders_addresses_by_family_and_number(void **state)
{
    static const char *const rising[] = {"0.0.0.0", "0.0.1.0", "1.0.0.0", "255.0.0.0",
                                         "::",      "::1",     "1::",     "ff00::"};

    (void)state;
    for (unsigned i = 0; i < sizeof(rising) / sizeof(rising[0]); i++) {
        for (unsigned j = 0; j < sizeof(rising) / sizeof(rising[0]); j++) {
            struct ip_address a = ip(rising[i]), b = ip(rising[j]);
            int order = ip_address_compare(&a, &b);

            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void contains_nothing_of_the_other_family(void **state)
{
    struct ip_prefix all_v4 = prefix("0.0.0.0/0");
    struct ip_prefix all_v6 = prefix("::/0");
    struct ip_address v4 = ip("1.2.3.4");
    struct ip_address v6 = ip("102:304::");

    (void)state;
    assert_true(ip_prefix_contains(&all_v4, &v4));
    assert_false(ip_prefix_contains(&all_v4, &v6));
    assert_true(ip_prefix_contains(&all_v6, &v6));
    assert_false(ip_prefix_contains(&all_v6, &v4));
}

static void reads_transport_addresses_of_both_families(void **state)
{
    struct transport_address address;
    struct ip_address expected = ip("192.0.2.1");

    (void)state;
    assert_int_equal(transport_address_parse("192.0.2.1:3478", &address), 0);
    assert_int_equal(address.port, 3478);
    assert_true(ip_address_equal(&address.ip, &expected));
    expected = ip("2001:db8::1");
    assert_int_equal(transport_address_parse("[2001:db8::1]:65535", &address), 0);
    assert_int_equal(address.port, 65535);
    assert_true(ip_address_equal(&address.ip, &expected));
}

static void refuses_a_malformed_transport_address(void **state)
{
    static const char *const texts[] = {"",
                                        "192.0.2.1",
                                        "192.0.2.1:",
                                        "192.0.2.1:65536",
                                        "[::1]",
                                        "::1:80",
                                        "[192.0.2.1]:80",
                                        "192.0.2.1:080",
                                        "[::1:80",
                                        "::1]:80",
                                        "[]:80",
                                        "[:80",
                                        ":80",
                                        "192.0.2.1: 80",
                                        "192.0.2.1:+80",
                                        "[::1]]:80",
                                        "host:3478",
                                        "0000000000000000000000000000000000000000000000:80",
                                        "192.0.2.1:99999999999999999999"};

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct transport_address address = {.port = 99};

        assert_int_equal(transport_address_parse(texts[i], &address), -EINVAL);
        assert_int_equal(address.port, 99);
    }
}

static void tells_transport_addresses_apart_by_port(void **state)
{
    struct transport_address a = {.ip = ip("192.0.2.1"), .port = 1};
    struct transport_address b = a;

    (void)state;
    assert_true(transport_address_equal(&a, &b));
    b.port = 2;
    assert_false(transport_address_equal(&a, &b));
}

static void writes_text_that_reads_back_the_same(void **state)
{
    static const char *const ips[] = {"0.0.0.0", "255.255.255.255", "::", "2001:db8::1",
                                      "1111:2222:3333:4444:5555:6666:7777:8888"};
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    (void)state;
    for (unsigned i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
        struct transport_address address = {.ip = ip(ips[i]), .port = 65535};
        struct transport_address read;
        struct ip_prefix whole = prefix(ips[i]);

        assert_string_equal(ip_address_format(&address.ip, text), ips[i]);
        assert_int_equal(transport_address_parse(transport_address_format(&address, text), &read),
                         0);
        assert_true(transport_address_equal(&address, &read));
        assert_int_equal(ip_prefix_parse(ip_prefix_format(&whole, text), &whole), 0);
        assert_int_equal(whole.length, 8 * ip_address_len(&address.ip));
    }
}

static void writes_the_forms_of_the_contract(void **state)
{
    struct transport_address address = {.ip = ip("2001:db8::1"), .port = 3478};
    struct ip_prefix range = prefix("10.0.0.0/8");
    struct ip_address none = {.family = IP_FAMILY_NONE};
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    (void)state;
    assert_string_equal(transport_address_format(&address, text), "[2001:db8::1]:3478");
    address.ip = ip("192.0.2.1");
    assert_string_equal(transport_address_format(&address, text), "192.0.2.1:3478");
    assert_string_equal(ip_prefix_format(&range, text), "10.0.0.0/8");
    assert_string_equal(ip_address_format(&none, text), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_an_ipv4_address_in_four_bytes_and_twelve_zeros),
        cmocka_unit_test(holds_an_ipv6_address_in_network_order),
        cmocka_unit_test(keeps_a_mapped_ipv4_address_as_ipv6),
        cmocka_unit_test(makes_equal_addresses_from_bytes_and_from_text),
        cmocka_unit_test(gives_each_family_its_length),
        cmocka_unit_test(refuses_what_is_no_numeric_address),
        cmocka_unit_test(reads_a_prefix),
        cmocka_unit_test(reads_an_address_alone_as_the_whole_address),
        cmocka_unit_test(reads_a_prefix_of_length_zero),
        cmocka_unit_test(refuses_a_malformed_prefix),
        cmocka_unit_test(refuses_a_prefix_with_a_bit_set_past_its_length),
        cmocka_unit_test(contains_its_first_and_last_address_and_no_neighbour),
        cmocka_unit_test(nothing_is_behind_a_prefix_that_has_the_last_address),
        cmocka_unit_test(orders_addresses_by_family_and_number),
        cmocka_unit_test(contains_nothing_of_the_other_family),
        cmocka_unit_test(reads_transport_addresses_of_both_families),
        cmocka_unit_test(refuses_a_malformed_transport_address),
        cmocka_unit_test(tells_transport_addresses_apart_by_port),
        cmocka_unit_test(writes_text_that_reads_back_the_same),
        cmocka_unit_test(writes_the_forms_of_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
