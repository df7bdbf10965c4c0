// SPDX-License-Identifier: BSD-3-Clause
// Connect requests (RFC 6062 section 5.2), and their responses, which come late.
#include "turn/connect.h"

#include "proto/integrity.h"
#include "turn_fixture.h"

// The late response in the output, checked; its error code.
static unsigned late_response(struct fixture *fixture, const struct client *client,
                              const uint8_t *transaction_id)
{
    struct turn_output *output = &fixture->output;
    struct stun_message *response = &fixture->response;
    struct integrity_key key;
    struct span reason;
    unsigned error = 0;

    assert_true(five_tuple_equal(&output->response_to, &client->five_tuple));
    assert_int_equal(output->request_method, STUN_METHOD_CONNECT);
    assert_int_equal(
        stun_message_parse((struct span){output->response, output->response_len}, response),
        STUN_VALID);
    assert_int_equal(response->method, STUN_METHOD_CONNECT);
    assert_memory_equal(response->transaction_id, transaction_id, STUN_TRANSACTION_ID_LEN);
    assert_int_equal(response->has_fingerprint, client->use_fingerprint);
    bool sha256 = client->style == CLIENT_SHA256;
    assert_int_equal(
        integrity_key_derive(sha256 ? STUN_PASSWORD_ALGORITHM_SHA256 : STUN_PASSWORD_ALGORITHM_MD5,
                             text_span(client->username), text_span(client->realm),
                             text_span(client->password), &key),
        0);
    assert_true(sha256 ? integrity_check_sha256(response, &key)
                       : integrity_check_sha1(response, &key));
    if (response->message_class == STUN_CLASS_ERROR)
        assert_int_equal(stun_message_error_code(response, &error, &reason), STUN_VALUE_OK);
    assert_int_equal(error, output->response_error);
    return error;
}

static void last_transaction(const struct fixture *fixture,
                             uint8_t ret_transaction_id[STUN_TRANSACTION_ID_LEN])
{
    memcpy(ret_transaction_id, "fixture\0", 8);
    store_be32(ret_transaction_id + 8, fixture->transaction - 1);
}

static void says_where_from_and_where_to(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct transport_address peer = address("8.8.8.8:80");
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    const struct turn_command *command = &fixture->output.commands[0];
    assert_true(transport_address_equal(&command->tcp_connect.peer, &peer));
    assert_int_equal(command->tcp_connect.from.relay, fixture->listener.address.relay);
    assert_int_equal(command->tcp_connect.from.port, fixture->listener.address.port);
    assert_int_equal(command->allocation, fixture->listener.allocation);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 1);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
}

static void is_answered_once_connected_as_it_was_asked(void **state)
{
    static const enum client_style styles[] = {CLIENT_MD5_SHA1, CLIENT_SHA256};
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
        char peer[] = "8.8.8.8:80";
        uint32_t connection;
        uint32_t told;
        peer[9] = (char)('1' + i);
        client.style = styles[i % 2]; // the second is another than the allocation's
        client.use_fingerprint = i / 2;
        assert_int_equal(client_connect(fixture, &client, peer, &connection), 0);
        last_transaction(fixture, transaction_id);
        turn_server_tcp_connected(fixture->server, &fixture->now, connection, &fixture->output);
        assert_int_equal(late_response(fixture, &client, transaction_id), 0);
        assert_int_equal(fixture->output.command_count, 0);
        assert_int_equal(stun_message_u32(&fixture->response, STUN_ATTRIBUTE_CONNECTION_ID, &told),
                         STUN_VALUE_OK);
        assert_int_equal(told, connection);
        // Said twice it is answered once.
        turn_server_tcp_connected(fixture->server, &fixture->now, connection, &fixture->output);
        assert_int_equal(fixture->output.response_len, 0);
    }
}

static void failure_is_answered_with_447_and_may_be_tried_again(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    last_transaction(fixture, transaction_id);
    turn_server_tcp_closed(fixture->server, &fixture->now, connection, &fixture->output);
    assert_int_equal(late_response(fixture, &client, transaction_id), 447);
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
}

static void thirty_seconds_without_a_connection_are_447(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    last_transaction(fixture, transaction_id);
    fixture->now.monotonic_ms += 29999;
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.response_len, 0);
    fixture->now.monotonic_ms += 1;
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(late_response(fixture, &client, transaction_id), 447);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_TCP_CLOSE);
    assert_int_equal(fixture->output.commands[0].tcp_close, connection);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 0);
}

static void two_timeouts_at_once_are_two_responses(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:81", &connection), 0);
    fixture->now.monotonic_ms += 30000;
    assert_true(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.response_error, 447);
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.response_error, 447);
}

static void one_peer_has_one_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client data = client_make_tcp(1001);
    struct client other = client_make_tcp(1002);
    uint32_t connection;
    uint32_t another;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &another), 446);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:81", &another), 0);
    turn_server_tcp_connected(fixture->server, &fixture->now, connection, &fixture->output);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &another), 446);
    assert_int_equal(client_connection_bind(fixture, &data, connection), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &another), 446);
    assert_int_equal(client_allocate_tcp(fixture, &other), 0);
    assert_int_equal(client_connect(fixture, &other, "8.8.8.8:80", &another), 0);
    turn_server_tcp_closed(fixture->server, &fixture->now, connection, &fixture->output);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &another), 0);
}

static void bad_requests_and_denied_peers_connect_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct client bob = client_make_tcp(1000);
    struct client udp = client_make(1001);
    struct request request;
    uint32_t connection;
    bob.username = "bob";
    bob.password = "builder";
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 437);
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &bob, "8.8.8.8:80", &connection), 441);
    assert_int_equal(client_connect(fixture, &client, "10.0.0.1:80", &connection), 403);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:0", &connection), 403);
    assert_int_equal(client_connect(fixture, &client, "[2600::1]:80", &connection), 443);
    request_begin(fixture, &request, STUN_METHOD_CONNECT);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_CONNECT);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, "\0\3\0\0\1\2\3\4", 8);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    assert_int_equal(client_allocate(fixture, &udp), 0);
    assert_int_equal(client_connect(fixture, &udp, "8.8.8.8:80", &connection), 400);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 0);
}

static void full_tables_refuse_with_508(void **state)
{
    struct fixture *fixture = *state;
    struct client clients[3] = {client_make_tcp(1000), client_make_tcp(1001),
                                client_make_tcp(1002)};
    uint32_t connection;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(client_allocate_tcp(fixture, &clients[i]), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(client_connect(fixture, &clients[i], "8.8.8.8:81", &connection), 0);
        assert_int_equal(client_connect(fixture, &clients[i], "8.8.8.8:82", &connection), 0);
        assert_int_equal(client_connect(fixture, &clients[i], "8.8.8.8:83", &connection), 0);
        assert_int_equal(client_connect(fixture, &clients[i], "8.8.8.8:84", &connection), 0);
        assert_int_equal(client_connect(fixture, &clients[i], "8.8.8.8:85", &connection), 508);
    }
    assert_int_equal(client_connect(fixture, &clients[2], "8.8.8.8:81", &connection), 508);
    turn_server_disconnected(fixture->server, &fixture->now, &clients[0].five_tuple,
                             &fixture->output);
    assert_int_equal(client_connect(fixture, &clients[2], "8.8.8.8:81", &connection), 0);
}

static void a_revoked_peer_gets_no_connection_and_the_connect_403(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct ip_prefix denied = prefix("8.8.8.8/32");
    struct peer_policy *policy;
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
    uint32_t connection;
    uint32_t standing;
    uint32_t spared;
    uint64_t cursor = 0;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:81", &standing), 0);
    turn_server_tcp_connected(fixture->server, &fixture->now, standing, &fixture->output);
    assert_int_equal(client_connect(fixture, &client, "8.8.4.4:80", &spared), 0);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    last_transaction(fixture, transaction_id);
    assert_int_equal(peer_policy_create(NULL, 0, &denied, 1, &policy), 0);
    turn_server_set_access(fixture->server, fixture->credentials, policy);
    assert_true(turn_server_revoke(fixture->server, &cursor, &fixture->output));
    assert_int_equal(late_response(fixture, &client, transaction_id), 403);
    assert_int_equal(fixture->output.command_count, 2);
    assert_int_equal(fixture->output.commands[0].tcp_close, standing);
    assert_int_equal(fixture->output.commands[1].tcp_close, connection);
    assert_false(turn_server_revoke(fixture->server, &cursor, &fixture->output));
    assert_int_equal(fixture->output.response_len, 0);
    assert_int_equal(fixture_usage(fixture).tcp_connections, 1);
    turn_server_set_access(fixture->server, fixture->credentials, fixture->policy);
    peer_policy_destroy(policy);
}

// However it ends: answered, failed, too late, or gone with its allocation.
static void leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    uint32_t connections[4];
    for (unsigned end = 0; end < 4; end++) {
        client.style = CLIENT_MD5_SHA1;
        assert_int_equal(client_allocate_tcp(fixture, &client), 0);
        client.style = CLIENT_SHA256; // another key than the allocation's
        assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connections[end]), 0);
        if (end == 0)
            turn_server_tcp_connected(fixture->server, &fixture->now, connections[end],
                                      &fixture->output);
        if (end == 1)
            turn_server_tcp_closed(fixture->server, &fixture->now, connections[end],
                                   &fixture->output);
        if (end == 2)
            fixture_advance_ms(fixture, 30000);
        turn_server_disconnected(fixture->server, &fixture->now, &client.five_tuple,
                                 &fixture->output);
        assert_all_released(fixture);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_tcp, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(says_where_from_and_where_to),
        CASE(is_answered_once_connected_as_it_was_asked),
        CASE(failure_is_answered_with_447_and_may_be_tried_again),
        CASE(thirty_seconds_without_a_connection_are_447),
        CASE(two_timeouts_at_once_are_two_responses),
        CASE(one_peer_has_one_connection),
        CASE(bad_requests_and_denied_peers_connect_to_nobody),
        CASE(full_tables_refuse_with_508),
        CASE(leaves_nothing_behind),
        CASE(a_revoked_peer_gets_no_connection_and_the_connect_403),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
