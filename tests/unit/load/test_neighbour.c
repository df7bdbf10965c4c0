// SPDX-License-Identifier: BSD-3-Clause
// bench/load/neighbour.h.
#include "neighbour.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t own_mac[] = {2, 0, 0, 0, 0, 1}, their_mac[] = {2, 0, 0, 0, 0, 2};
static const char *const own_texts[] = {"192.0.2.2", "2001:db8::2"};
static const char *const their_texts[] = {"192.0.2.1", "2001:db8::1"};

static uint8_t question[NEIGHBOUR_FRAME_MAX_LEN], reply[NEIGHBOUR_FRAME_MAX_LEN];

static struct ip_address parse(const char *text)
{
    struct ip_address ip;
    assert_int_equal(ip_address_parse(text, &ip), 0);
    return ip;
}

static struct neighbour_own own_of(const char *prefix)
{
    struct neighbour_own own = {.count = 1};
    assert_int_equal(ip_prefix_parse(prefix, &own.prefixes[0]), 0);
    return own;
}

// They ask for us.
static size_t ask(unsigned family)
{
    struct ip_address source = parse(their_texts[family]), target = parse(own_texts[family]);
    return neighbour_write_question(question, their_mac, &source, &target);
}

static void an_answer_tells_where_the_target_is(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        struct neighbour_own own = own_of(own_texts[family]);
        struct ip_address target = parse(own_texts[family]), other = parse(their_texts[family]);
        uint8_t mac[ETHERNET_ADDRESS_LEN];
        size_t len = neighbour_answer(&own, own_mac, question, ask(family), reply);
        assert_int_not_equal(len, 0);
        assert_memory_equal(reply, their_mac, sizeof(their_mac));
        assert_false(neighbour_learn(reply, len, &other, mac));
        assert_true(neighbour_learn(reply, len, &target, mac));
        assert_memory_equal(mac, own_mac, sizeof(mac));
    }
}

static void a_prefix_is_answered_for_and_nothing_else(void **state)
{
    (void)state;
    const char *const covering[] = {"192.0.2.0/24", "2001:db8::/64"};
    const char *const elsewhere[] = {"198.51.100.0/24", "2001:db8:1::/64"};
    for (unsigned family = 0; family < 2; family++) {
        struct neighbour_own own = own_of(covering[family]);
        assert_int_not_equal(neighbour_answer(&own, own_mac, question, ask(family), reply), 0);
        own = own_of(elsewhere[family]);
        assert_int_equal(neighbour_answer(&own, own_mac, question, ask(family), reply), 0);
    }
}

static void a_solicitation_goes_to_the_targets_group(void **state)
{
    (void)state;
    struct ip_address source = parse("2001:db8::1"), target = parse("2001:db8::a1b2:c3d4");
    static const uint8_t group_mac[] = {0x33, 0x33, 0xFF, 0xB2, 0xC3, 0xD4};
    struct ip_address group = parse("ff02::1:ffb2:c3d4");
    neighbour_write_question(question, their_mac, &source, &target);
    assert_memory_equal(question, group_mac, sizeof(group_mac));
    assert_memory_equal(question + ETHERNET_HEADER_LEN + 24, group.bytes, 16);
}

static void an_advertisement_is_solicited_and_its_checksum_right(void **state)
{
    (void)state;
    struct neighbour_own own = own_of(own_texts[1]);
    struct ip_address source = parse(own_texts[1]), destination = parse(their_texts[1]);
    size_t len = neighbour_answer(&own, own_mac, question, ask(1), reply);
    uint8_t *message = reply + ETHERNET_HEADER_LEN + IPV6_HEADER_LEN;
    uint16_t checksum;
    assert_int_equal(reply[ETHERNET_HEADER_LEN + 7], 255);
    assert_int_equal(load_be32(message + 4), 0x60000000);
    memcpy(&checksum, message + 2, sizeof(checksum));
    store_be16(message + 2, 0);
    assert_int_equal(frame_checksum(&source, &destination, 58, message,
                                    len - ETHERNET_HEADER_LEN - IPV6_HEADER_LEN),
                     checksum);
}

static void an_answer_is_not_answered(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        struct neighbour_own own = own_of(own_texts[family]);
        uint8_t again[NEIGHBOUR_FRAME_MAX_LEN];
        size_t len = neighbour_answer(&own, own_mac, question, ask(family), reply);
        own = own_of(their_texts[family]);
        assert_int_equal(neighbour_answer(&own, own_mac, reply, len, again), 0);
    }
}

static void who_looks_for_a_double_gets_no_answer(void **state)
{
    (void)state;
    struct neighbour_own own = own_of(own_texts[1]);
    size_t len = ask(1);
    memset(question + ETHERNET_HEADER_LEN + 8, 0, 16);
    assert_int_equal(neighbour_answer(&own, own_mac, question, len, reply), 0);
}

static void what_is_cut_short_says_nothing(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        struct neighbour_own own = own_of(own_texts[family]);
        struct ip_address target = parse(own_texts[family]);
        size_t len = neighbour_answer(&own, own_mac, question, ask(family), reply);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *copy = malloc(cut ? cut : 1), mac[ETHERNET_ADDRESS_LEN];
            memcpy(copy, reply, cut);
            assert_false(neighbour_learn(copy, cut, &target, mac));
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_tells_where_the_target_is),
        cmocka_unit_test(a_prefix_is_answered_for_and_nothing_else),
        cmocka_unit_test(a_solicitation_goes_to_the_targets_group),
        cmocka_unit_test(an_advertisement_is_solicited_and_its_checksum_right),
        cmocka_unit_test(an_answer_is_not_answered),
        cmocka_unit_test(who_looks_for_a_double_gets_no_answer),
        cmocka_unit_test(what_is_cut_short_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
