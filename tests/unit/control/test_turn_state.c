// SPDX-License-Identifier: BSD-3-Clause
// Claims about the TURN server that a configuration makes.
#include "control/turn_state.h"

#include <errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct settings_user users[] = {
    {.name = (char *)"alice", .password = (char *)"wonderland"},
    {.name = (char *)"bob", .password = (char *)"", .key_md5 = {.len = 16}},
};
static char *secrets[] = {(char *)"north", (char *)"south"};

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct settings make_settings(void)
{
    return (struct settings){
        .realm = (char *)"example.org",
        .software = (char *)"turnpike",
        .users = {users, 2},
        .static_auth_secrets = {secrets, 2},
        .nonce_lifetime_s = 600,
    };
}

static struct plane_config make_plane(const struct settings *settings)
{
    struct plane_config plane = {.worker_count = 1, .listener_count = 1, .relay_count = 1};

    plane.listeners[0] = (struct transport_address){ip("192.0.2.2"), 3478};
    plane.relays[0] = (struct plane_relay){ip("10.0.0.1"), ip("203.0.113.7"), 49152, 65535};
    assert_int_equal(turn_state_make_policy(settings, &plane.stateless), 0);
    return plane;
}

static const struct turn_limits limits = {
    .allocations = 10,
    .allocations_per_worker = 10,
    .permissions_per_worker = 10,
    .channels_per_worker = 10,
    .permissions_per_allocation = 10,
    .channels_per_allocation = 10,
    .default_lifetime_s = 600,
    .max_lifetime_s = 3600,
};

static void every_run_has_a_nonce_key_of_its_own(void **state)
{
    const struct settings settings = make_settings();
    struct stateless_policy one, other;

    (void)state;
    assert_int_equal(turn_state_make_policy(&settings, &one), 0);
    assert_int_equal(turn_state_make_policy(&settings, &other), 0);
    assert_memory_not_equal(&one.nonce.current.mac, &other.nonce.current.mac,
                            sizeof(one.nonce.current.mac));
    assert_memory_equal(&one.nonce.current, &one.nonce.previous, sizeof(one.nonce.current));
    assert_string_equal(one.realm, "example.org");
    assert_string_equal(one.software, "turnpike");
    assert_int_equal(one.nonce.lifetime_s, 600);
}

// U+0344 is two code points in NFC: the text is longer than the file's.
static void a_realm_that_grows_too_long_is_refused(void **state)
{
    struct settings settings = make_settings();
    struct stateless_policy policy;
    char realm[STATELESS_TEXT_MAX_LEN + 1];

    (void)state;
    memset(realm, 'a', sizeof(realm));
    memcpy(realm + STATELESS_TEXT_MAX_LEN - 2, "\xCD\x84", 3);
    settings.realm = realm;
    assert_int_not_equal(turn_state_make_policy(&settings, &policy), 0);
    // One letter less, and it just fits.
    settings.realm = realm + 1;
    assert_int_equal(turn_state_make_policy(&settings, &policy), 0);
    assert_int_equal(strlen(policy.realm), STATELESS_TEXT_MAX_LEN);
}

static void userhash_is_announced_when_it_is_served(void **state)
{
    struct settings settings = make_settings();
    struct stateless_policy policy;

    (void)state;
    assert_int_equal(turn_state_make_policy(&settings, &policy), 0);
    assert_int_equal(policy.nonce.features, NONCE_FEATURE_PASSWORD_ALGORITHMS);
    settings.userhash = true;
    assert_int_equal(turn_state_make_policy(&settings, &policy), 0);
    assert_int_equal(policy.nonce.features,
                     NONCE_FEATURE_PASSWORD_ALGORITHMS | NONCE_FEATURE_USERNAME_ANONYMITY);
}

static int listen_nowhere(void *context, uint32_t allocation, struct turn_relayed_address address)
{
    (void)context;
    (void)allocation;
    (void)address;
    return -EADDRINUSE;
}

static const struct turn_tcp_listener nowhere = {.listen = listen_nowhere};

static enum peer_verdict check(const struct turn_state *turn, const char *peer)
{
    struct transport_address address;

    assert_int_equal(transport_address_parse(peer, &address), 0);
    return peer_policy_check(turn->peer_policy, &address);
}

static void of_our_own_addresses_only_advertised_relay_ports_are_reachable(void **state)
{
    const struct settings settings = make_settings();
    const struct plane_config plane = make_plane(&settings);
    const struct interface interface = {.address_count = 1, .addresses = {ip("8.8.4.4")}};
    struct turn_state turn;

    (void)state;
    assert_int_equal(turn_state_init(&settings, &interface, &plane, &limits, &nowhere, &turn), 0);
    assert_int_equal(check(&turn, "203.0.113.7:50000"), PEER_HAIRPIN);
    assert_int_equal(check(&turn, "203.0.113.7:3478"), PEER_DENIED_OWN);
    assert_int_equal(check(&turn, "10.0.0.1:50000"), PEER_DENIED_OWN);
    assert_int_equal(check(&turn, "192.0.2.2:50000"), PEER_DENIED_OWN);
    assert_int_equal(check(&turn, "8.8.4.4:50000"), PEER_DENIED_OWN);
    assert_int_equal(check(&turn, "8.8.8.8:50000"), PEER_ALLOWED);
    assert_int_equal(check(&turn, "10.9.9.9:50000"), PEER_DENIED_DEFAULT);
    turn_state_done(&turn);
}

static void of_other_addresses_there_is_another_peer_policy(void **state)
{
    const struct settings settings = make_settings();
    const struct plane_config plane = make_plane(&settings);
    struct interface interface = {.address_count = 1, .addresses = {ip("8.8.4.4")}};
    struct credentials *credentials;
    struct turn_state turn;

    (void)state;
    assert_int_equal(turn_state_init(&settings, &interface, &plane, &limits, &nowhere, &turn), 0);
    credentials = turn.credentials;
    interface.addresses[0] = ip("8.8.8.8");
    assert_int_equal(turn_state_renew_peer_policy(&settings, &interface, &plane, &turn), 0);
    assert_int_equal(check(&turn, "8.8.8.8:50000"), PEER_DENIED_OWN);
    assert_int_equal(check(&turn, "8.8.4.4:50000"), PEER_ALLOWED);
    assert_int_equal(check(&turn, "203.0.113.7:50000"), PEER_HAIRPIN);
    assert_ptr_equal(turn.credentials, credentials);
    turn_state_done(&turn);
}

static void the_rules_of_the_configuration_hold(void **state)
{
    struct settings settings = make_settings();
    const struct plane_config plane = make_plane(&settings);
    const struct interface interface = {};
    struct ip_prefix allow, deny;
    struct turn_state turn;

    (void)state;
    assert_int_equal(ip_prefix_parse("10.0.0.0/8", &allow), 0);
    assert_int_equal(ip_prefix_parse("10.1.0.0/16", &deny), 0);
    settings.allow_peer = (struct setting_list){&allow, 1};
    settings.deny_peer = (struct setting_list){&deny, 1};
    assert_int_equal(turn_state_init(&settings, &interface, &plane, &limits, &nowhere, &turn), 0);
    assert_int_equal(check(&turn, "10.9.9.9:9"), PEER_ALLOWED);
    assert_int_equal(check(&turn, "10.1.9.9:9"), PEER_DENIED_RULE);
    turn_state_done(&turn);
}

static void a_user_that_cannot_be_used_fails_the_start(void **state)
{
    struct settings settings = make_settings();
    const struct plane_config plane = make_plane(&settings);
    const struct interface interface = {};
    struct settings_user twice[] = {users[0], users[0]};
    struct turn_state turn = {};

    (void)state;
    settings.users = (struct setting_list){twice, 2};
    assert_int_not_equal(turn_state_init(&settings, &interface, &plane, &limits, &nowhere, &turn),
                         0);
    assert_null(turn.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_run_has_a_nonce_key_of_its_own),
        cmocka_unit_test(a_realm_that_grows_too_long_is_refused),
        cmocka_unit_test(userhash_is_announced_when_it_is_served),
        cmocka_unit_test(of_our_own_addresses_only_advertised_relay_ports_are_reachable),
        cmocka_unit_test(of_other_addresses_there_is_another_peer_policy),
        cmocka_unit_test(the_rules_of_the_configuration_hold),
        cmocka_unit_test(a_user_that_cannot_be_used_fails_the_start),
    };

    return cmocka_run_group_tests_name("control/turn_state", tests, NULL, NULL);
}
