// SPDX-License-Identifier: BSD-3-Clause
// turn/peer_policy.h: every special-purpose block at its edges, and how rules and own addresses
// change it.
#include "turn_fixture.h"

#include <string.h>

static struct peer_policy *default_policy(void)
{
    struct peer_policy *policy;
    assert_int_equal(peer_policy_create(NULL, 0, NULL, 0, &policy), 0);
    return policy;
}

static struct peer_policy *policy_with(const char *allow, const char *deny)
{
    struct peer_policy *policy;
    struct ip_prefix allowed = prefix(allow ? allow : "0.0.0.0/0");
    struct ip_prefix denied = prefix(deny ? deny : "0.0.0.0/0");
    assert_int_equal(peer_policy_create(&allowed, allow != NULL, &denied, deny != NULL, &policy),
                     0);
    return policy;
}

// Both functions say the same of an address with an ordinary port.
static enum peer_verdict check(const struct peer_policy *policy, const struct ip_address *peer)
{
    struct transport_address with_port = {.ip = *peer, .port = 5000};
    enum peer_verdict verdict = peer_policy_check_ip(policy, peer);
    assert_int_equal(peer_policy_check(policy, &with_port), verdict);
    return verdict;
}

static enum peer_verdict check_text(const struct peer_policy *policy, const char *peer)
{
    struct ip_address parsed = ip(peer);
    return check(policy, &parsed);
}

// The address after (step 1) or before (step -1); false at the end of the address space.
static bool neighbour(const struct ip_address *from, int step, struct ip_address *ret_ip)
{
    struct ip_address next = *from;
    uint8_t limit = step > 0 ? 0xFF : 0x00;
    for (unsigned i = ip_address_len(from); i-- > 0;) {
        next.bytes[i] = (uint8_t)(next.bytes[i] + step);
        if (from->bytes[i] != limit) {
            *ret_ip = next;
            return true;
        }
    }
    return false;
}

static struct ip_address last_of(const struct ip_prefix *block)
{
    struct ip_address last = block->ip;
    for (unsigned bit = block->length; bit < ip_address_len(&last) * 8; bit++)
        last.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
    return last;
}

// A block, and whether the addresses just outside are allowed.
static const struct {
    const char *block;
    bool before;
    bool after;
} blocks[] = {
    {"0.0.0.0/8", false, true},
    {"10.0.0.0/8", true, true},
    {"100.64.0.0/10", true, true},
    {"127.0.0.0/8", true, true},
    {"169.254.0.0/16", true, true},
    {"172.16.0.0/12", true, true},
    {"192.0.0.0/24", true, true},
    {"192.0.2.0/24", true, true},
    {"192.31.196.0/24", true, true},
    {"192.52.193.0/24", true, true},
    {"192.88.99.0/24", true, true},
    {"192.168.0.0/16", true, true},
    {"192.175.48.0/24", true, true},
    {"198.18.0.0/15", true, true},
    {"198.51.100.0/24", true, true},
    {"203.0.113.0/24", true, true},
    {"224.0.0.0/4", true, false}, // 240/4 follows
    {"240.0.0.0/4", false, false},
    {"::/3", false, true},
    {"4000::/2", true, false},
    {"8000::/1", false, false},
    {"2001::/23", true, true},
    {"2001:db8::/32", true, true},
    {"2002::/16", true, true},
    {"2620:4f:8000::/48", true, true},
    {"3fff::/20", true, true},
    // Whole inside what is denied anyway.
    {"::/96", false, false},
    {"::ffff:0:0/96", false, false},
    {"64:ff9b::/96", false, false},
    {"64:ff9b:1::/48", false, false},
    {"2001::/32", true, false},
    {"fc00::/7", false, false},
    {"fe80::/10", false, false},
    {"ff00::/8", false, false},
};

static void denies_every_special_block_from_first_to_last_address(void **state)
{
    (void)state;
    struct peer_policy *policy = default_policy();
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct ip_prefix block = prefix(blocks[i].block);
        struct ip_address last = last_of(&block);
        assert_int_equal(check(policy, &block.ip), PEER_DENIED_DEFAULT);
        assert_int_equal(check(policy, &last), PEER_DENIED_DEFAULT);
    }
    peer_policy_destroy(policy);
}

static void allows_the_addresses_just_outside_a_block(void **state)
{
    (void)state;
    struct peer_policy *policy = default_policy();
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct ip_prefix block = prefix(blocks[i].block);
        struct ip_address last = last_of(&block);
        struct ip_address outside;
        if (neighbour(&block.ip, -1, &outside))
            assert_int_equal(check(policy, &outside),
                             blocks[i].before ? PEER_ALLOWED : PEER_DENIED_DEFAULT);
        if (neighbour(&last, 1, &outside))
            assert_int_equal(check(policy, &outside),
                             blocks[i].after ? PEER_ALLOWED : PEER_DENIED_DEFAULT);
    }
    peer_policy_destroy(policy);
}

static void denies_an_embedded_address_even_when_the_ipv4_address_is_allowed(void **state)
{
    (void)state;
    struct peer_policy *policy = default_policy();
    static const char *const embedded[] = {
        "::8.8.8.8",       "::ffff:8.8.8.8",    "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8",
        "2002:808:808::1", "2001:0:808:808::1", "::ffff:0:8.8.8.8",
    };
    assert_int_equal(check_text(policy, "8.8.8.8"), PEER_ALLOWED);
    for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]); i++)
        assert_int_equal(check_text(policy, embedded[i]), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);
}

static void a_broad_allow_rule_opens_no_special_block(void **state)
{
    (void)state;
    struct ip_prefix everything[] = {prefix("0.0.0.0/0"), prefix("::/0")};
    struct peer_policy *policy;
    assert_int_equal(peer_policy_create(everything, 2, NULL, 0, &policy), 0);
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct ip_prefix block = prefix(blocks[i].block);
        assert_int_equal(check(policy, &block.ip), PEER_DENIED_DEFAULT);
    }
    assert_int_equal(check_text(policy, "::ffff:10.0.0.1"), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);
}

static void an_allow_rule_for_a_special_block_opens_just_that(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with("10.1.0.0/16", NULL);
    assert_int_equal(check_text(policy, "10.1.2.3"), PEER_ALLOWED);
    assert_int_equal(check_text(policy, "10.2.0.0"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "10.0.255.255"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "::ffff:10.1.2.3"), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);

    // Around a block in which IPv4 addresses hide, first to last.
    policy = policy_with("::/8", NULL);
    assert_int_equal(check_text(policy, "::1:0:0:1"), PEER_ALLOWED);
    assert_int_equal(check_text(policy, "::8.8.8.8"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "::200.8.8.8"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "::ffff:200.8.8.8"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "::ffff:0:200.8.8.8"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "64:ff9b::200.8.8.8"), PEER_DENIED_DEFAULT);
    assert_int_equal(check_text(policy, "64:ff9b:1:c808:8:800::"), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);

    policy = policy_with("2001::/24", NULL);
    assert_int_equal(check_text(policy, "2001:1::1"), PEER_ALLOWED);
    assert_int_equal(check_text(policy, "2001:0:808:808::1"), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);

    policy = policy_with("fd00::/8", NULL);
    assert_int_equal(check_text(policy, "fd00::1"), PEER_ALLOWED);
    assert_int_equal(check_text(policy, "fc00::1"), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);
}

static void a_deny_rule_closes_what_is_open(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with(NULL, "8.8.0.0/16");
    assert_int_equal(check_text(policy, "8.8.8.8"), PEER_DENIED_RULE);
    assert_int_equal(check_text(policy, "8.9.0.0"), PEER_ALLOWED);
    peer_policy_destroy(policy);
}

static void the_longer_of_two_rules_wins(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with("8.8.8.0/24", "8.8.0.0/16");
    assert_int_equal(check_text(policy, "8.8.8.8"), PEER_ALLOWED);
    assert_int_equal(check_text(policy, "8.8.9.8"), PEER_DENIED_RULE);
    peer_policy_destroy(policy);

    policy = policy_with("8.8.0.0/16", "8.8.8.0/24");
    assert_int_equal(check_text(policy, "8.8.8.8"), PEER_DENIED_RULE);
    assert_int_equal(check_text(policy, "8.8.9.8"), PEER_ALLOWED);
    peer_policy_destroy(policy);
}

static void deny_wins_over_allow_for_the_same_prefix(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with("10.0.0.0/8", "10.0.0.0/8");
    assert_int_equal(check_text(policy, "10.0.0.1"), PEER_DENIED_RULE);
    peer_policy_destroy(policy);
}

static void denies_port_zero_but_not_for_a_permission(void **state)
{
    (void)state;
    struct peer_policy *policy = default_policy();
    struct transport_address peer = {.ip = ip("8.8.8.8"), .port = 0};
    assert_int_equal(peer_policy_check(policy, &peer), PEER_DENIED_PORT);
    assert_int_equal(peer_policy_check_ip(policy, &peer.ip), PEER_ALLOWED);
    peer_policy_destroy(policy);
}

static void denies_an_address_of_no_family(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with("0.0.0.0/0", NULL);
    struct ip_address none = {0};
    assert_int_equal(check(policy, &none), PEER_DENIED_DEFAULT);
    peer_policy_destroy(policy);
}

static void own_addresses_are_denied_whatever_the_rules_say(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with("8.8.8.8/32", NULL);
    struct ip_address own = ip("8.8.8.8");
    assert_int_equal(peer_policy_add_own(policy, &own), 0);
    assert_int_equal(check_text(policy, "8.8.8.8"), PEER_DENIED_OWN);
    assert_int_equal(check_text(policy, "8.8.8.9"), PEER_ALLOWED);
    peer_policy_destroy(policy);
}

static void a_relay_address_is_reached_through_the_hairpin_on_relay_ports_only(void **state)
{
    (void)state;
    struct peer_policy *policy = policy_with(NULL, "203.0.113.0/24");
    struct transport_address peer = address("203.0.113.1:49152");
    assert_int_equal(peer_policy_add_own(policy, &peer.ip), 0);
    assert_int_equal(peer_policy_add_relay(policy, &peer.ip, 49152, 65000), 0);
    assert_int_equal(peer_policy_check_ip(policy, &peer.ip), PEER_HAIRPIN);
    static const struct {
        uint16_t port;
        enum peer_verdict verdict;
    } ports[] = {
        {0, PEER_DENIED_PORT}, {3478, PEER_DENIED_OWN}, {49151, PEER_DENIED_OWN},
        {49152, PEER_HAIRPIN}, {65000, PEER_HAIRPIN},   {65001, PEER_DENIED_OWN},
    };
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        peer.port = ports[i].port;
        assert_int_equal(peer_policy_check(policy, &peer), ports[i].verdict);
    }
    peer_policy_destroy(policy);
}

static void a_relay_of_two_ranges_is_reached_on_both(void **state)
{
    (void)state;
    struct peer_policy *policy = default_policy();
    struct transport_address peer = address("203.0.113.1:1500");
    assert_int_equal(peer_policy_add_relay(policy, &peer.ip, 1000, 2000), 0);
    assert_int_equal(peer_policy_add_relay(policy, &peer.ip, 3000, 4000), 0);
    assert_int_equal(peer_policy_check(policy, &peer), PEER_HAIRPIN);
    peer.port = 2500;
    assert_int_equal(peer_policy_check(policy, &peer), PEER_DENIED_OWN);
    peer.port = 4000;
    assert_int_equal(peer_policy_check(policy, &peer), PEER_HAIRPIN);
    peer_policy_destroy(policy);
}

static void only_allowed_and_hairpin_allow(void **state)
{
    (void)state;
    assert_true(peer_verdict_allows(PEER_ALLOWED));
    assert_true(peer_verdict_allows(PEER_HAIRPIN));
    assert_false(peer_verdict_allows(PEER_DENIED_DEFAULT));
    assert_false(peer_verdict_allows(PEER_DENIED_RULE));
    assert_false(peer_verdict_allows(PEER_DENIED_OWN));
    assert_false(peer_verdict_allows(PEER_DENIED_PORT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denies_every_special_block_from_first_to_last_address),
        cmocka_unit_test(allows_the_addresses_just_outside_a_block),
        cmocka_unit_test(denies_an_embedded_address_even_when_the_ipv4_address_is_allowed),
        cmocka_unit_test(a_broad_allow_rule_opens_no_special_block),
        cmocka_unit_test(an_allow_rule_for_a_special_block_opens_just_that),
        cmocka_unit_test(a_deny_rule_closes_what_is_open),
        cmocka_unit_test(the_longer_of_two_rules_wins),
        cmocka_unit_test(deny_wins_over_allow_for_the_same_prefix),
        cmocka_unit_test(denies_port_zero_but_not_for_a_permission),
        cmocka_unit_test(denies_an_address_of_no_family),
        cmocka_unit_test(own_addresses_are_denied_whatever_the_rules_say),
        cmocka_unit_test(a_relay_address_is_reached_through_the_hairpin_on_relay_ports_only),
        cmocka_unit_test(a_relay_of_two_ranges_is_reached_on_both),
        cmocka_unit_test(only_allowed_and_hairpin_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
