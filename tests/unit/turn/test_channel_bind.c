// SPDX-License-Identifier: BSD-3-Clause
// turn/channel_bind.h: RFC 8656 section 12.2.
#include "turn_fixture.h"

static void binds_the_channel_after_its_permission(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct transport_address peer = address("8.8.8.8:5000");
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4abc, "8.8.8.8:5000"), 0);
    assert_int_equal(fixture->output.command_count, 2);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_INSTALL_PERMISSION);
    assert_true(ip_address_equal(&fixture->output.commands[0].permission, &peer.ip));
    assert_int_equal(fixture->output.commands[1].kind, TURN_COMMAND_INSTALL_CHANNEL);
    assert_int_equal(fixture->output.commands[1].channel.number, 0x4abc);
    assert_true(transport_address_equal(&fixture->output.commands[1].channel.peer, &peer));
}

static void a_permission_that_exists_is_refreshed_not_installed(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    fixture_advance_ms(fixture, 200000);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_INSTALL_CHANNEL);
    fixture_advance_ms(fixture, 299000);
    assert_int_equal(fixture_usage(fixture).permissions, 1);
}

static void lasts_six_hundred_seconds_and_its_permission_three_hundred(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &client, 3600), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    fixture_advance_ms(fixture, 300000);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
    assert_int_equal(fixture_usage(fixture).channels, 1);
    fixture_advance_ms(fixture, 299999);
    assert_int_equal(fixture_usage(fixture).channels, 1);
    fixture->now.monotonic_ms += 1;
    turn_server_expire(fixture->server, &fixture->now, &fixture->output);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_CHANNEL);
    assert_int_equal(fixture->output.commands[0].channel.number, 0x4000);
    assert_int_equal(fixture_usage(fixture).channels, 0);
}

static void rebinding_refreshes_channel_and_permission(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &client, 3600), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    fixture_advance_ms(fixture, 400000);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    // The permission had expired: it alone is installed again.
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_INSTALL_PERMISSION);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(fixture->output.command_count, 0);
    fixture_advance_ms(fixture, 599000);
    assert_int_equal(fixture_usage(fixture).channels, 1);
}

static void number_and_peer_are_needed_and_in_range(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct transport_address peer = address("8.8.8.8:5000");
    struct request request;
    assert_int_equal(client_allocate(fixture, &client), 0);
    request_begin(fixture, &request, STUN_METHOD_CHANNEL_BIND);
    stun_add_channel_number(&request.builder, 0x4000);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_CHANNEL_BIND);
    stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_CHANNEL_BIND);
    stun_add_channel_number(&request.builder, 0x4000);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, "\0\3\0\0\1\2\3\4", 8);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    static const struct {
        uint16_t number;
        unsigned error;
    } numbers[] = {{0, 400},      {0x3FFF, 400}, {0x5000, 400}, {0x7FFF, 400},
                   {0x8000, 400}, {0xFFFF, 400}, {0x4000, 0}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_int_equal(client_bind(fixture, &client, numbers[i].number, "8.8.8.8:5000"),
                         numbers[i].error);
    assert_int_equal(client_bind(fixture, &client, 0x4FFF, "8.8.8.8:5001"), 0);
}

static void numbers_of_rfc_5766_serve_where_they_are_let_in(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    fixture_init(&fixture);
    fixture.config.rfc5766_channels = true;
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_bind(&fixture, &client, 0x3FFF, "8.8.8.8:5000"), 400);
    assert_int_equal(client_bind(&fixture, &client, 0x5000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(&fixture, &client, 0x7FFF, "8.8.8.8:5001"), 0);
    assert_int_equal(client_bind(&fixture, &client, 0x8000, "8.8.8.8:5002"), 400);
    fixture_done(&fixture);
}

static void neither_number_nor_peer_is_bound_twice(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &other), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5001"), 400);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.8.8:5000"), 400);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.8.8:5001"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.8.8:5000"),
                     400); // both bound, to others
    assert_int_equal(client_bind(fixture, &other, 0x4000, "8.8.8.8:5001"), 0);
    assert_int_equal(fixture_usage(fixture).channels, 3);
}

static void a_number_is_free_again_once_it_expired(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &client, 3600), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    fixture_advance_ms(fixture, 600000);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5001"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.8.8:5000"), 0);
}

static void another_family_gets_443_and_a_denied_peer_403(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 437);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "[2600::8]:5000"), 443);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "10.0.0.1:5000"), 403);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:0"), 403);
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
    // 400 before 443 before 403.
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "[fe80::1]:5000"), 400);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "[fe80::1]:5000"), 443);
}

static void hairpin_peers_are_bound_on_relay_ports_only(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct ip_address relay = ip("203.0.113.1");
    assert_int_equal(peer_policy_add_relay(fixture->policy, &relay, 49152, 65535), 0);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "203.0.113.1:50000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "203.0.113.1:3478"), 403);
}

static void full_tables_refuse_with_508_and_keep_the_old(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    fixture_init(&fixture);
    fixture.config.limits.channels_per_allocation = 2;
    fixture.config.limits.channels_per_worker = 3;
    fixture.config.limits.permissions_per_allocation = 2;
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_allocate(&fixture, &other), 0);
    assert_int_equal(client_bind(&fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(&fixture, &client, 0x4001, "8.8.8.8:5001"), 0);
    assert_int_equal(client_bind(&fixture, &client, 0x4002, "8.8.8.8:5002"), 508);
    assert_int_equal(client_bind(&fixture, &client, 0x4001, "8.8.8.8:5001"), 0);
    assert_int_equal(client_bind(&fixture, &other, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(&fixture, &other, 0x4001, "8.8.8.8:5001"),
                     508); // the worker is full
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    assert_int_equal(client_bind(&fixture, &other, 0x4001, "8.8.8.8:5001"), 0);

    // No room for the permission: no channel either.
    struct client third = client_make(1002);
    third.worker = 1;
    assert_int_equal(client_allocate(&fixture, &third), 0);
    assert_int_equal(client_permit(&fixture, &third, "8.8.8.1"), 0);
    assert_int_equal(client_permit(&fixture, &third, "8.8.8.2"), 0);
    assert_int_equal(client_bind(&fixture, &third, 0x4000, "8.8.8.3:5000"), 508);
    assert_int_equal(fixture.output.command_count, 0);
    assert_int_equal(client_bind(&fixture, &third, 0x4000, "8.8.8.2:5000"), 0);
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(binds_the_channel_after_its_permission),
        CASE(a_permission_that_exists_is_refreshed_not_installed),
        CASE(lasts_six_hundred_seconds_and_its_permission_three_hundred),
        CASE(rebinding_refreshes_channel_and_permission),
        CASE(number_and_peer_are_needed_and_in_range),
        cmocka_unit_test(numbers_of_rfc_5766_serve_where_they_are_let_in),
        CASE(neither_number_nor_peer_is_bound_twice),
        CASE(a_number_is_free_again_once_it_expired),
        CASE(another_family_gets_443_and_a_denied_peer_403),
        CASE(hairpin_peers_are_bound_on_relay_ports_only),
        cmocka_unit_test(full_tables_refuse_with_508_and_keep_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
