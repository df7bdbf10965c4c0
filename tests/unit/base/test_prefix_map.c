// SPDX-License-Identifier: BSD-3-Clause
// base/prefix_map.h against a walk over all rules.
#include "base/prefix_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define RULES_MAX 200

static struct prefix_map_rule rules[RULES_MAX];
static size_t rule_count;
static unsigned seed;

static struct ip_address ip(const char *text)
{
    struct ip_address address;
    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static void add(const char *text, uint8_t value)
{
    assert_int_equal(ip_prefix_parse(text, &rules[rule_count].prefix), 0);
    rules[rule_count++].value = value;
}

static struct prefix_map *make(void)
{
    struct prefix_map *map;
    assert_int_equal(prefix_map_create(rules, rule_count, &map), 0);
    return map;
}

static uint8_t find(const struct prefix_map *map, const char *text)
{
    struct ip_address address = ip(text);
    return prefix_map_find(map, &address);
}

static int set_up(void **state)
{
    (void)state;
    rule_count = 0;
    seed = 1;
    return 0;
}

static void without_rules_nothing_is_found(void **state)
{
    struct prefix_map *map = make();
    (void)state;
    assert_int_equal(find(map, "0.0.0.0"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "ffff::"), PREFIX_MAP_NONE);
    prefix_map_destroy(map);
    prefix_map_destroy(NULL);
}

static void the_longest_prefix_decides(void **state)
{
    struct prefix_map *map;
    (void)state;
    add("10.1.0.0/16", 2);
    add("10.0.0.0/8", 1);
    add("10.1.255.255/32", 3);
    add("10.1.0.0/32", 4);
    map = make();
    assert_int_equal(find(map, "9.255.255.255"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "10.0.0.0"), 1);
    assert_int_equal(find(map, "10.0.255.255"), 1);
    assert_int_equal(find(map, "10.1.0.0"), 4);
    assert_int_equal(find(map, "10.1.0.1"), 2);
    assert_int_equal(find(map, "10.1.255.255"), 3);
    assert_int_equal(find(map, "10.2.0.0"), 1);
    assert_int_equal(find(map, "10.255.255.255"), 1);
    assert_int_equal(find(map, "11.0.0.0"), PREFIX_MAP_NONE);
    prefix_map_destroy(map);
}

static void of_two_for_one_prefix_the_smaller_value_counts(void **state)
{
    struct prefix_map *map;
    (void)state;
    add("2001:db8::/32", 7);
    add("2001:db8::/32", 5);
    add("2001:db8::/32", 6);
    map = make();
    assert_int_equal(find(map, "2001:db8::1"), 5);
    prefix_map_destroy(map);
}

static void the_last_address_of_a_family_is_no_others_neighbour(void **state)
{
    struct prefix_map *map;
    (void)state;
    add("0.0.0.0/0", 1);
    add("255.255.255.255/32", 2);
    add("ffff::/16", 3);
    map = make();
    assert_int_equal(find(map, "255.255.255.254"), 1);
    assert_int_equal(find(map, "255.255.255.255"), 2);
    assert_int_equal(find(map, "::"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "fffe:ffff::"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 3);
    prefix_map_destroy(map);
}

static void prefixes_of_every_length_nest(void **state)
{
    struct prefix_map *map;
    struct ip_address address = {.family = IP_FAMILY_V6};
    (void)state;
    for (unsigned length = 0; length <= 128; length++)
        rules[rule_count++] = (struct prefix_map_rule){{address, (uint16_t)length}, length};
    map = make();
    assert_int_equal(prefix_map_find(map, &address), 128);
    for (unsigned bit = 0; bit < 128; bit++) {
        struct ip_address other = address;
        other.bytes[bit / 8] = (uint8_t)(0x80 >> bit % 8);
        assert_int_equal(prefix_map_find(map, &other), bit);
    }
    prefix_map_destroy(map);
}

// What the longest rule says, and the smallest value of the longest ones.
static uint8_t walk(const struct ip_address *address)
{
    uint8_t value = PREFIX_MAP_NONE;
    int longest = -1;
    for (size_t i = 0; i < rule_count; i++) {
        const struct prefix_map_rule *rule = &rules[i];
        int length = rule->prefix.length;
        if (!ip_prefix_contains(&rule->prefix, address) || length < longest)
            continue;
        if (length > longest || rule->value < value)
            value = rule->value;
        longest = length;
    }
    return value;
}

static unsigned draw(unsigned below)
{
    return (unsigned)rand_r(&seed) % below;
}

// Of few different bytes, so that prefixes meet, nest and touch.
static struct ip_address draw_address(void)
{
    static const uint8_t bytes[] = {0, 0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0xFF};
    struct ip_address address = {.family = draw(2) ? IP_FAMILY_V4 : IP_FAMILY_V6};
    for (unsigned i = 0; i < ip_address_len(&address); i++)
        address.bytes[i] = draw(8) ? bytes[draw(sizeof(bytes))] : (uint8_t)draw(256);
    return address;
}

static struct ip_prefix draw_prefix(void)
{
    struct ip_prefix prefix = {.ip = draw_address()};
    unsigned bits = (unsigned)ip_address_len(&prefix.ip) * 8;
    prefix.length = (uint16_t)draw(bits + 1);
    for (unsigned bit = prefix.length; bit < bits; bit++)
        prefix.ip.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return prefix;
}

static void expect_same(const struct prefix_map *map, const struct ip_address *address)
{
    assert_int_equal(prefix_map_find(map, address), walk(address));
}

static void says_what_a_walk_over_all_rules_says(void **state)
{
    unsigned found = 0;
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        struct prefix_map *map;
        rule_count = draw(RULES_MAX + 1);
        for (size_t i = 0; i < rule_count; i++)
            rules[i] = (struct prefix_map_rule){draw_prefix(), (uint8_t)draw(3)};
        map = make();
        for (unsigned i = 0; i < 200; i++) {
            struct ip_address address = draw_address();
            expect_same(map, &address);
            found += walk(&address) != PREFIX_MAP_NONE;
        }
        for (size_t i = 0; i < rule_count; i++) {
            struct ip_address behind;
            expect_same(map, &rules[i].prefix.ip);
            if (ip_prefix_behind(&rules[i].prefix, &behind))
                expect_same(map, &behind);
        }
        prefix_map_destroy(map);
    }
    assert_in_range(found, 10000, 90000); // of 100000: both answers are common
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_rules_nothing_is_found, set_up),
        cmocka_unit_test_setup(the_longest_prefix_decides, set_up),
        cmocka_unit_test_setup(of_two_for_one_prefix_the_smaller_value_counts, set_up),
        cmocka_unit_test_setup(the_last_address_of_a_family_is_no_others_neighbour, set_up),
        cmocka_unit_test_setup(prefixes_of_every_length_nest, set_up),
        cmocka_unit_test_setup(says_what_a_walk_over_all_rules_says, set_up),
    };
    return cmocka_run_group_tests_name("base/prefix_map", tests, NULL, NULL);
}
