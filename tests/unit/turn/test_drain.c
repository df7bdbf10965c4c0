// SPDX-License-Identifier: BSD-3-Clause
// turn/drain.h: what goes on while a server drains, and how it ends.
#include "turn_fixture.h"

static const struct turn_alternates nowhere;

static void what_there_is_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    struct span bytes;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    bytes = client_sign(fixture, &client, &request);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    turn_server_drain(fixture->server, &nowhere);
    // Of the answer that got lost.
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    assert_int_equal(client_allocate(fixture, &client), 437);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    fixture_advance_ms(fixture, 500 * 1000);
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    fixture_advance_ms(fixture, 500 * 1000);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
    assert_int_equal(client_allocate(fixture, &client), 508);
}

static void tcp_allocations_go_on_and_get_new_connections(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000), data = client_make_tcp(1001);
    uint32_t connection = client_attempted(fixture, &client, 5000), other;
    turn_server_drain(fixture->server, &nowhere);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &other), 0);
}

static void who_drains_no_more_serves_everybody(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    turn_server_drain(fixture->server, &nowhere);
    assert_int_equal(client_allocate(fixture, &client), 508);
    turn_server_undrain(fixture->server);
    assert_int_equal(client_allocate(fixture, &client), 0);
}

static void allocations_are_ended_some_at_a_time_with_all_they_have(void **state)
{
    (void)state;
    struct fixture whole, *fixture = &whole;
    fixture_init(fixture);
    fixture->config.limits.allocations = 400;
    fixture->config.limits.allocations_per_worker = 400;
    fixture->config.limits.permissions_per_worker = 400;
    fixture->config.limits.channels_per_worker = 400;
    fixture_start(fixture);
    uint64_t cursor = 0;
    unsigned calls = 0, ended = 0;
    bool more;
    for (uint16_t i = 0; i < 300; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(i % 3 == 0 ? client_allocate_dual(fixture, &client)
                                    : client_allocate(fixture, &client),
                         0);
        assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    }
    turn_server_drain(fixture->server, &nowhere);
    do {
        more = turn_server_end_allocations(fixture->server, &cursor, &fixture->output);
        ended += fixture_count_commands(fixture, TURN_COMMAND_REMOVE_ALLOCATION);
        assert_in_range(fixture->output.command_count, 0, TURN_OUTPUT_COMMANDS_MAX);
        assert_int_equal(fixture->output.response_len, 0);
        fixture_acknowledge(fixture);
        calls++;
    } while (more);
    assert_int_equal(ended, 300);
    assert_in_range(calls, 3, 10);
    assert_all_released(fixture);
    fixture_done(fixture);
}

// As at the deadline of a full relay: each call is short, and none is left out.
static void a_hundred_thousand_are_ended_in_short_steps(void **state)
{
    enum { MANY = 100000 };
    (void)state;
    struct fixture whole, *fixture = &whole;
    fixture_init(fixture);
    fixture->config.limits.allocations = MANY;
    fixture->config.limits.allocations_per_worker = MANY;
    fixture->config.relays[0].min_port = 1024;
    fixture->config.relays[2] = fixture->config.relays[0];
    fixture->config.relays[2].local = fixture->config.relays[2].advertised = ip("203.0.113.2");
    fixture->config.relay_count = 3;
    fixture_start(fixture);
    uint64_t cursor = 0;
    unsigned calls = 0, ended = 0;
    bool more;
    for (unsigned i = 0; i < MANY; i++) {
        struct client client = client_make((uint16_t)(1000 + i % 50000));
        client.five_tuple.client.ip.bytes[3] = (uint8_t)(1 + i / 50000);
        assert_int_equal(client_allocate(fixture, &client), 0);
    }
    turn_server_drain(fixture->server, &nowhere);
    do {
        more = turn_server_end_allocations(fixture->server, &cursor, &fixture->output);
        ended += fixture_count_commands(fixture, TURN_COMMAND_REMOVE_ALLOCATION);
        assert_in_range(fixture->output.command_count, 0, TURN_OUTPUT_COMMANDS_MAX);
        fixture_acknowledge(fixture);
        calls++;
    } while (more);
    assert_int_equal(ended, MANY);
    assert_true(calls >= MANY / TURN_OUTPUT_COMMANDS_MAX);
    assert_all_released(fixture);
    fixture_done(fixture);
}

static void tcp_allocations_are_ended_with_connections_and_their_connects(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint64_t cursor = 0;
    uint32_t connection;
    client_attempted(fixture, &client, 5000);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    turn_server_drain(fixture->server, &nowhere);
    assert_false(turn_server_end_allocations(fixture->server, &cursor, &fixture->output));
    assert_int_equal(fixture_count_commands(fixture, TURN_COMMAND_TCP_UNLISTEN), 1);
    assert_all_released(fixture);
}

// Or one could come behind the walk.
static void from_the_end_on_tokens_are_refused_too(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000), other = client_make(1001);
    uint64_t cursor = 0;
    uint8_t token[8];
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    turn_server_drain(fixture->server, &nowhere);
    assert_false(turn_server_end_allocations(fixture->server, &cursor, &fixture->output));
    fixture_acknowledge(fixture);
    assert_int_equal(client_allocate_token(fixture, &other, token), 508);
    fixture_advance_ms(fixture, 60 * 1000);
    assert_all_released(fixture);
}

#define CASE(test)     cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define TCP_CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_tcp, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_there_is_goes_on),
        TCP_CASE(tcp_allocations_go_on_and_get_new_connections),
        CASE(who_drains_no_more_serves_everybody),
        cmocka_unit_test(a_hundred_thousand_are_ended_in_short_steps),
        cmocka_unit_test(allocations_are_ended_some_at_a_time_with_all_they_have),
        TCP_CASE(tcp_allocations_are_ended_with_connections_and_their_connects),
        CASE(from_the_end_on_tokens_are_refused_too),
    };
    return cmocka_run_group_tests_name("turn/drain", tests, NULL, NULL);
}
