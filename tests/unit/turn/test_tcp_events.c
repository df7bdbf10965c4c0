// SPDX-License-Identifier: BSD-3-Clause
// Peers that connect, and connections that end (RFC 6062 sections 5.3 and 5.5).
#include "turn/tcp_events.h"

#include "turn_fixture.h"

static bool accept_at(struct fixture *fixture, struct turn_relayed_address at, const char *from,
                      uint32_t *ret_connection)
{
    struct transport_address peer = address(from);
    return turn_server_tcp_accepted(fixture->server, &fixture->now, fixture->listener.allocation,
                                    at, &peer, &fixture->output, ret_connection);
}

static bool accept_from(struct fixture *fixture, const char *from, uint32_t *ret_connection)
{
    return accept_at(fixture, fixture->listener.address, from, ret_connection);
}

static void the_client_is_told_who_has_connected(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct turn_output *output = &fixture->output;
    struct transport_address expected = address("8.8.8.8:80");
    struct transport_address peer;
    struct stun_message indication;
    uint32_t connection = client_attempted(fixture, &client, 80);
    uint32_t told;
    assert_true(five_tuple_equal(&output->response_to, &client.five_tuple));
    assert_int_equal(output->command_count, 0);
    assert_int_equal(
        stun_message_parse((struct span){output->response, output->response_len}, &indication),
        STUN_VALID);
    assert_int_equal(indication.message_class, STUN_CLASS_INDICATION);
    assert_int_equal(indication.method, STUN_METHOD_CONNECTION_ATTEMPT);
    assert_int_equal(stun_message_u32(&indication, STUN_ATTRIBUTE_CONNECTION_ID, &told),
                     STUN_VALUE_OK);
    assert_int_equal(told, connection);
    assert_int_equal(stun_message_xor_address(&indication, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer),
                     STUN_VALUE_OK);
    assert_true(transport_address_equal(&peer, &expected));
}

static void a_peer_without_permission_is_closed_and_never_mentioned(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint32_t connection = 5;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.4.4"), 0);
    assert_int_equal(fixture->output.command_count, 0); // no worker hears of it
    assert_false(accept_from(fixture, "8.8.8.8:80", &connection));
    assert_int_equal(fixture->output.response_len, 0);
    assert_int_equal(connection, 5);
    assert_true(accept_from(fixture, "8.8.4.4:80", &connection));
    fixture_advance_ms(fixture, 300000);
    assert_false(accept_from(fixture, "8.8.4.4:81", &connection));
    // A Connect makes no permission.
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    assert_false(accept_from(fixture, "8.8.8.8:81", &connection));
}

static void a_second_connection_of_a_peer_and_too_many_are_closed(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint32_t connection;
    uint32_t first = client_attempted(fixture, &client, 80);
    assert_false(accept_from(fixture, "8.8.8.8:80", &connection));
    assert_true(accept_from(fixture, "8.8.8.8:81", &connection));
    assert_true(accept_from(fixture, "8.8.8.8:82", &connection));
    assert_true(accept_from(fixture, "8.8.8.8:83", &connection));
    assert_false(accept_from(fixture, "8.8.8.8:84", &connection));
    turn_server_tcp_closed(fixture->server, &fixture->now, first, &fixture->output);
    assert_true(accept_from(fixture, "8.8.8.8:84", &connection));
}

static void what_is_not_listened_at_accepts_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct client udp = client_make(999);
    struct client client = client_make_tcp(1000);
    uint32_t connection;
    assert_int_equal(client_allocate(fixture, &udp), 0);
    assert_int_equal(client_permit(fixture, &udp, "8.8.8.8"), 0);
    const struct turn_command *permission = &fixture->output.commands[0];
    fixture->listener.allocation = permission->allocation;
    assert_false(accept_from(fixture, "8.8.8.8:80", &connection));
    fixture->listener.allocation = 77;
    assert_false(accept_from(fixture, "8.8.8.8:80", &connection));
    client_attempted(fixture, &client, 80);
    struct turn_relayed_address elsewhere = fixture->listener.address;
    elsewhere.port ^= 1;
    assert_false(accept_at(fixture, elsewhere, "8.8.8.8:81", &connection));
    elsewhere = fixture->listener.address;
    elsewhere.relay ^= 1;
    assert_false(accept_at(fixture, elsewhere, "8.8.8.8:81", &connection));
    assert_true(accept_from(fixture, "8.8.8.8:81", &connection));
}

static void one_that_nobody_binds_is_closed_after_thirty_seconds(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint32_t connections[2] = {client_attempted(fixture, &client, 80)};
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:79", &connections[1]), 0);
    fixture->now.monotonic_ms += 20000;
    turn_server_tcp_connected(fixture->server, &fixture->now, connections[1], &fixture->output);
    for (unsigned i = 0; i < 2; i++) {
        fixture->now.monotonic_ms += i == 0 ? 9999 : 19999;
        turn_server_expire(fixture->server, &fixture->now, &fixture->output);
        assert_int_equal(fixture->output.command_count, 0);
        fixture->now.monotonic_ms += 1;
        assert_int_equal(turn_server_next_expiry_ms(fixture->server), fixture->now.monotonic_ms);
        turn_server_expire(fixture->server, &fixture->now, &fixture->output);
        assert_int_equal(fixture->output.command_count, 1);
        assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_TCP_CLOSE);
        assert_int_equal(fixture->output.commands[0].tcp_close, connections[i]);
        assert_int_equal(fixture->output.response_len, 0);
    }
}

static void a_closed_end_closes_the_other(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection = client_attempted(fixture, &client, 80);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    turn_server_disconnected(fixture->server, &fixture->now, &data.five_tuple, &fixture->output);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_TCP_CLOSE);
    assert_int_equal(fixture->output.commands[0].tcp_close, connection);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 0);
    assert_int_equal(fixture_usage(fixture).allocations, 1);

    // Whoever reports an end has closed both.
    assert_true(accept_from(fixture, "8.8.8.8:81", &connection));
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    turn_server_tcp_closed(fixture->server, &fixture->now, connection, &fixture->output);
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(fixture->output.response_len, 0);
    turn_server_tcp_closed(fixture->server, &fixture->now, connection, &fixture->output);
    turn_server_tcp_connected(fixture->server, &fixture->now, connection, &fixture->output);
    assert_int_equal(fixture->output.response_len, 0);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 0);
}

static void all_goes_with_the_control_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection;
    uint32_t bound = client_attempted(fixture, &client, 80);
    struct turn_relayed_address at = fixture->listener.address;
    assert_int_equal(client_connection_bind(fixture, &data, bound), 0);
    assert_true(accept_from(fixture, "8.8.8.8:81", &connection));
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:82", &connection), 0);
    turn_server_disconnected(fixture->server, &fixture->now, &client.five_tuple, &fixture->output);
    assert_int_equal(fixture->output.command_count, 1);
    const struct turn_command *command = &fixture->output.commands[0];
    assert_int_equal(command->kind, TURN_COMMAND_TCP_UNLISTEN);
    assert_int_equal(command->tcp_unlisten.relayed_v4.port, at.port);
    assert_int_equal(command->tcp_unlisten.relayed_v4.relay, at.relay);
    assert_int_equal(command->tcp_unlisten.relayed_v6.port, 0);
    assert_int_equal(fixture->output.response_len, 0);
    assert_all_released(fixture);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 400);
}

static void all_goes_with_the_allocations_end(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    client_attempted(fixture, &client, 80);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_TCP_UNLISTEN);
    assert_all_released(fixture);
    client_attempted(fixture, &client, 80);
    fixture_advance_ms(fixture, 600000);
    assert_all_released(fixture);
}

static void allocate_both_families(struct fixture *fixture, struct client *client)
{
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 6);
    stun_add_address_family(&request.builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY,
                            IP_FAMILY_V6);
    assert_int_equal(client_send(fixture, client, &request), 0);
}

static void one_family_takes_its_own_connections_along(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint32_t v4;
    uint32_t v6;
    allocate_both_families(fixture, &client);
    assert_int_equal(fixture_usage(fixture).tcp_ports, 2);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &v4), 0);
    assert_int_equal(client_connect(fixture, &client, "[2600::1]:80", &v6), 0);
    struct turn_relayed_address from = fixture->output.commands[0].tcp_connect.from;
    assert_int_equal(from.relay, 1);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 0), 0);
    assert_int_equal(fixture->output.command_count, 1);
    const struct turn_command *command = &fixture->output.commands[0];
    assert_int_equal(command->kind, TURN_COMMAND_TCP_UNLISTEN);
    assert_int_equal(command->tcp_unlisten.relayed_v4.port, 0);
    assert_int_equal(command->tcp_unlisten.relayed_v6.port, from.port);
    assert_int_equal(fixture_usage(fixture).tcp_ports, 1);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 1);
    turn_server_tcp_connected(fixture->server, &fixture->now, v6, &fixture->output);
    assert_int_equal(fixture->output.response_len, 0);
    turn_server_tcp_connected(fixture->server, &fixture->now, v4, &fixture->output);
    assert_int_not_equal(fixture->output.response_len, 0);
}

static void says_where_it_listens_and_how_many_there_are(void **state)
{
    struct fixture *fixture = *state;
    struct client udp = client_make(999), v4 = client_make_tcp(1000), both = client_make_tcp(1001);
    struct turn_relayed_address at = {77, 77};
    assert_int_equal(client_allocate(fixture, &udp), 0);
    assert_false(turn_server_tcp_relayed(fixture->server, 0, &at));
    assert_int_equal(fixture_usage(fixture).tcp_allocations, 0);
    assert_int_equal(client_allocate_tcp(fixture, &v4), 0);
    assert_true(turn_server_tcp_relayed(fixture->server, 1, &at));
    assert_int_equal(at.relay, 0);
    assert_int_equal(at.port, fixture->listener.address.port);
    allocate_both_families(fixture, &both);
    assert_int_equal(fixture_usage(fixture).tcp_allocations, 2);
    assert_int_equal(fixture_usage(fixture).allocations, 3);
    assert_true(turn_server_tcp_relayed(fixture->server, 2, &at));
    assert_int_equal(at.relay, 0);
    assert_int_equal(client_refresh_family(fixture, &both, IP_FAMILY_V4, 0), 0);
    assert_true(turn_server_tcp_relayed(fixture->server, 2, &at));
    assert_int_equal(at.relay, 1);
    assert_int_equal(client_refresh(fixture, &both, 0), 0);
    assert_false(turn_server_tcp_relayed(fixture->server, 2, &at));
    assert_int_equal(fixture_usage(fixture).tcp_allocations, 1);
    assert_int_equal(client_refresh(fixture, &udp, 0), 0);
    assert_int_equal(fixture_usage(fixture).tcp_allocations, 1);
}

static void no_worker_is_told_of_a_tcp_allocation(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint64_t cursor = 0;
    client_attempted(fixture, &client, 80);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:80"), 400);
    assert_int_equal(fixture->output.command_count, 0);
    assert_false(turn_server_walk(fixture->server, &cursor, &fixture->output));
    assert_int_equal(fixture->output.command_count, 0);
    fixture->now.monotonic_ms += 300000;
    while (turn_server_expire(fixture->server, &fixture->now, &fixture->output))
        assert_true(turn_command_is_tcp(&fixture->output.commands[0]));
    assert_int_equal(fixture_usage(fixture).permissions, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_tcp, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_client_is_told_who_has_connected),
        CASE(a_peer_without_permission_is_closed_and_never_mentioned),
        CASE(a_second_connection_of_a_peer_and_too_many_are_closed),
        CASE(what_is_not_listened_at_accepts_nobody),
        CASE(one_that_nobody_binds_is_closed_after_thirty_seconds),
        CASE(a_closed_end_closes_the_other),
        CASE(all_goes_with_the_control_connection),
        CASE(all_goes_with_the_allocations_end),
        CASE(one_family_takes_its_own_connections_along),
        CASE(says_where_it_listens_and_how_many_there_are),
        CASE(no_worker_is_told_of_a_tcp_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
