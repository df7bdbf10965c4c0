// SPDX-License-Identifier: BSD-3-Clause
// turn/create_permission.h: RFC 8656 sections 9 and 10.2.
#include "turn_fixture.h"

#include <stdio.h>

// A CreatePermission with these peers; "" stands for a malformed one.
static unsigned permit_all(struct fixture *fixture, const struct client *client,
                           const char *const *peers, unsigned count)
{
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_CREATE_PERMISSION);
    for (unsigned i = 0; i < count; i++) {
        if (peers[i][0] == '\0') {
            stun_add_bytes(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, "\0\1\0\0\1\2\3", 7);
            continue;
        }
        struct transport_address peer = {.ip = ip(peers[i]), .port = (uint16_t)i};
        stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    }
    return client_send(fixture, client, &request);
}

#define PERMIT(...)                                                                                \
    permit_all(fixture, &client, (const char *const[]){__VA_ARGS__},                               \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void installs_every_peer_of_the_request(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.8", "8.8.8.9", "8.8.8.10"), 0);
    assert_int_equal(fixture->output.command_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        char text[16];
        snprintf(text, sizeof(text), "8.8.8.%u", 8 + i);
        struct ip_address peer = ip(text);
        assert_int_equal(fixture->output.commands[i].kind, TURN_COMMAND_INSTALL_PERMISSION);
        assert_true(ip_address_equal(&fixture->output.commands[i].permission, &peer));
    }
    assert_int_equal(fixture_usage(fixture).permissions, 3);
}

static void a_peer_named_twice_is_one_permission(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.8", "8.8.8.8"), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture_usage(fixture).permissions, 1);
}

static void lasts_three_hundred_seconds_to_the_second(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.8"), 0);
    fixture_advance_ms(fixture, 299999);
    assert_int_equal(fixture_usage(fixture).permissions, 1);
    fixture->now.monotonic_ms += 1;
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_PERMISSION);
    struct ip_address peer = ip("8.8.8.8");
    assert_true(ip_address_equal(&fixture->output.commands[0].permission, &peer));
    assert_int_equal(fixture_usage(fixture).permissions, 0);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

static void a_second_request_refreshes_without_a_command(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.8"), 0);
    fixture_advance_ms(fixture, 200000);
    assert_int_equal(PERMIT("8.8.8.8"), 0);
    assert_int_equal(fixture->output.command_count, 0);
    fixture_advance_ms(fixture, 299000);
    assert_int_equal(fixture_usage(fixture).permissions, 1);
    fixture_advance_ms(fixture, 1000);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
}

static void no_peer_and_a_malformed_peer_get_400(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    assert_int_equal(client_allocate(fixture, &client), 0);
    request_begin(fixture, &request, STUN_METHOD_CREATE_PERMISSION);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    assert_int_equal(PERMIT(""), 400);
    assert_int_equal(PERMIT("8.8.8.8", ""), 400);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
}

static void needs_an_allocation(void **state)
{
    struct client client = client_make(1000);
    assert_int_equal(client_permit(*state, &client, "8.8.8.8"), 437);
}

static void another_family_gets_443_and_a_denied_peer_403_for_all(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.8", "2600::8"), 443);
    assert_int_equal(PERMIT("2600::8", "8.8.8.8"), 443);
    assert_int_equal(PERMIT("8.8.8.8", "10.0.0.1"), 403);
    assert_int_equal(PERMIT("10.0.0.1", "8.8.8.8"), 403);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
    assert_int_equal(fixture->output.command_count, 0);
}

static void checks_come_in_the_order_of_the_rfc(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("10.0.0.1", "2600::8", ""), 400);
    assert_int_equal(PERMIT("10.0.0.1", "2600::8"), 443);
    // 121 peers, one of them denied.
    const char *peers[TURN_PEERS_PER_REQUEST_MAX + 1];
    for (unsigned i = 0; i < TURN_PEERS_PER_REQUEST_MAX + 1; i++)
        peers[i] = "8.8.8.8";
    assert_int_equal(permit_all(fixture, &client, peers, TURN_PEERS_PER_REQUEST_MAX + 1), 508);
    peers[TURN_PEERS_PER_REQUEST_MAX] = "10.0.0.1";
    assert_int_equal(permit_all(fixture, &client, peers, TURN_PEERS_PER_REQUEST_MAX + 1), 403);
    peers[TURN_PEERS_PER_REQUEST_MAX] = "";
    assert_int_equal(permit_all(fixture, &client, peers, TURN_PEERS_PER_REQUEST_MAX + 1), 400);
    assert_int_equal(permit_all(fixture, &client, peers, TURN_PEERS_PER_REQUEST_MAX), 0);
}

static void a_dual_allocation_takes_peers_of_both_families(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.8", "2600::8"), 0);
    assert_int_equal(fixture_usage(fixture).permissions, 2);
}

static void own_relay_addresses_are_peers_own_others_not(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct ip_address relay = ip("203.0.113.1");
    struct ip_address management = ip("9.9.9.9");
    assert_int_equal(peer_policy_add_relay(fixture->policy, &relay, 49152, 65535), 0);
    assert_int_equal(peer_policy_add_own(fixture->policy, &management), 0);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("203.0.113.1"), 0);
    assert_int_equal(PERMIT("9.9.9.9"), 403);
}

static void a_full_allocation_refuses_with_508_all_or_none(void **state)
{
    (void)state;
    struct fixture own;
    struct fixture *fixture = &own;
    struct client client = client_make(1000);
    fixture_init(fixture);
    fixture->config.limits.permissions_per_allocation = 3;
    fixture_start(fixture);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(PERMIT("8.8.8.1", "8.8.8.2"), 0);
    assert_int_equal(PERMIT("8.8.8.3", "8.8.8.4"), 508);
    assert_int_equal(fixture_usage(fixture).permissions, 2);
    // Those that are there, and repeats, take no room.
    assert_int_equal(PERMIT("8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.3"), 0);
    assert_int_equal(PERMIT("8.8.8.1", "8.8.8.2", "8.8.8.3"), 0);
    assert_int_equal(PERMIT("8.8.8.4"), 508);
    fixture_done(fixture);
}

static void a_full_worker_refuses_with_508_and_keeps_the_old(void **state)
{
    (void)state;
    struct fixture own;
    struct fixture *fixture = &own;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    fixture_init(fixture);
    fixture->config.limits.permissions_per_worker = 2;
    fixture_start(fixture);
    other.worker = 1;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &other), 0);
    assert_int_equal(PERMIT("8.8.8.1", "8.8.8.2"), 0);
    assert_int_equal(PERMIT("8.8.8.3"), 508);
    assert_int_equal(client_permit(fixture, &other, "8.8.8.3"), 0);
    assert_int_equal(PERMIT("8.8.8.1", "8.8.8.2"), 0);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    struct client late = client_make(1002);
    assert_int_equal(client_allocate(fixture, &late), 0);
    assert_int_equal(client_permit(fixture, &late, "8.8.8.3"), 0);
    fixture_done(fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(installs_every_peer_of_the_request),
        CASE(a_peer_named_twice_is_one_permission),
        CASE(lasts_three_hundred_seconds_to_the_second),
        CASE(a_second_request_refreshes_without_a_command),
        CASE(no_peer_and_a_malformed_peer_get_400),
        CASE(needs_an_allocation),
        CASE(another_family_gets_443_and_a_denied_peer_403_for_all),
        CASE(checks_come_in_the_order_of_the_rfc),
        CASE(a_dual_allocation_takes_peers_of_both_families),
        CASE(own_relay_addresses_are_peers_own_others_not),
        cmocka_unit_test(a_full_allocation_refuses_with_508_all_or_none),
        cmocka_unit_test(a_full_worker_refuses_with_508_and_keeps_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
