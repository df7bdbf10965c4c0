// SPDX-License-Identifier: BSD-3-Clause
// ConnectionBind requests (RFC 6062 section 5.4): a connection of the client's becomes a peer's.
#include "turn/connection_bind.h"

#include "turn_fixture.h"

static void pairs_the_clients_connection_with_the_peers(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection = client_attempted(fixture, &client, 80);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_TCP_BIND);
    assert_int_equal(fixture->output.commands[0].tcp_bind.connection, connection);
    assert_true(five_tuple_equal(&fixture->output.commands[0].tcp_bind.client, &data.five_tuple));
    assert_int_equal(fixture->output.response_to.transport, 0);
    // It lasts as long as its allocation.
    fixture_advance_ms(fixture, 599000);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 1);
}

static void binds_a_connection_once_and_only_one_that_stands(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    struct client late = client_make_tcp(1002);
    struct request request;
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connection_bind(fixture, &data, 7), 400);
    request_begin(fixture, &request, STUN_METHOD_CONNECTION_BIND);
    assert_int_equal(client_send(fixture, &data, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_CONNECTION_BIND);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_CONNECTION_ID, "\1\2", 2);
    assert_int_equal(client_send(fixture, &data, &request), 400);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 400);
    turn_server_tcp_connected(fixture->server, &fixture->now, connection, &fixture->output);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    assert_int_equal(client_connection_bind(fixture, &late, connection), 400);
}

static void comes_over_a_stream_that_is_no_control_connection(void **state)
{
    static const struct {
        enum five_tuple_transport transport;
        unsigned error;
    } transports[] = {{FIVE_TUPLE_UDP, 400}, {FIVE_TUPLE_DTLS, 400}, {FIVE_TUPLE_TLS, 0}};
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection = client_attempted(fixture, &client, 80);
    assert_int_equal(client_connection_bind(fixture, &client, connection), 400);
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        data.five_tuple.transport = transports[i].transport;
        assert_int_equal(client_connection_bind(fixture, &data, connection), transports[i].error);
    }
}

static void another_user_binds_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client bob = client_make_tcp(1001);
    struct client wrong = client_make_tcp(1001);
    bob.username = "bob";
    bob.password = "builder";
    wrong.password = "wander";
    uint32_t connection = client_attempted(fixture, &client, 80);
    assert_int_equal(client_connection_bind(fixture, &bob, connection), 441);
    assert_int_equal(client_connection_bind(fixture, &wrong, connection), 401);
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(client_connection_bind(fixture, &bob, connection + 1), 400);
}

static void serves_those_whose_credentials_ran_out_since(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    char password[29];
    client_use_rest(&client, "1700000010:carol", "new", password);
    client_use_rest(&data, "1700000010:carol", "new", password);
    uint32_t connection = client_attempted(fixture, &client, 80);
    fixture_advance_ms(fixture, 20000);
    assert_int_equal(client_connection_bind(fixture, &data, connection + 1), 401);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
}

static void a_worker_change_is_no_matter_of_the_data_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection = client_attempted(fixture, &client, 80);
    data.worker = 1;
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    assert_int_equal(fixture->output.command_count, 1);
    client.worker = 1;
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(fixture->output.command_count, 0);
}

static void a_data_connection_sends_no_messages_any_more(void **state)
{
    static const uint16_t methods[] = {STUN_METHOD_BINDING, STUN_METHOD_ALLOCATE,
                                       STUN_METHOD_CONNECTION_BIND};
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection = client_attempted(fixture, &client, 80);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct request request;
        request_begin(fixture, &request, methods[i]);
        struct turn_packet packet = {.five_tuple = data.five_tuple,
                                     .bytes = client_sign(fixture, &data, &request)};
        turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
        assert_int_equal(fixture->output.response_len, 0);
        assert_int_equal(fixture->output.command_count, 0);
    }
    // Once it is closed, its address is anybody's.
    turn_server_disconnected(fixture->server, &fixture->now, &data.five_tuple, &fixture->output);
    assert_int_equal(client_allocate_tcp(fixture, &data), 0);
}

static void without_tcp_relaying_there_is_nothing_to_bind(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    uint32_t connection;
    fixture_init(&fixture);
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 442);
    assert_int_equal(client_connection_bind(&fixture, &data, 0), 400);
    assert_int_equal(client_connect(&fixture, &client, "8.8.8.8:80", &connection), 437);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_connect(&fixture, &client, "8.8.8.8:80", &connection), 400);
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_tcp, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_tcp_relaying_there_is_nothing_to_bind),
        CASE(pairs_the_clients_connection_with_the_peers),
        CASE(binds_a_connection_once_and_only_one_that_stands),
        CASE(comes_over_a_stream_that_is_no_control_connection),
        CASE(another_user_binds_nothing),
        CASE(serves_those_whose_credentials_ran_out_since),
        CASE(a_worker_change_is_no_matter_of_the_data_connection),
        CASE(a_data_connection_sends_no_messages_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
