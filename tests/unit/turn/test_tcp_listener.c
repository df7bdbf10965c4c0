// SPDX-License-Identifier: BSD-3-Clause
// Where TCP allocations listen (RFC 6062 section 5.1), and our own relayed addresses as peers.
#include "turn/tcp_listener.h"

#include "turn_fixture.h"

#include <errno.h>

static void start_with(struct fixture *fixture, unsigned refusals, int error)
{
    fixture_init(fixture);
    fixture_allow_tcp(fixture);
    for (unsigned i = 0; i < refusals; i++)
        fixture->listener.refusals[i] = error;
    fixture->listener.refusal_count = refusals;
}

static void the_response_says_where_the_kernel_listens(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(1000);
    struct transport_address relayed;
    struct span token;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(fixture->listener.calls, 1);
    assert_int_equal(fixture->listener.address.relay, 0);
    assert_true(response_relayed(fixture, 0, &relayed));
    assert_int_equal(relayed.port, fixture->listener.address.port);
    assert_true(ip_address_equal(&relayed.ip, &fixture->config.relays[0].advertised));
    assert_false(stun_message_find(&fixture->response, STUN_ATTRIBUTE_RESERVATION_TOKEN, &token));
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(fixture_usage(fixture).tcp_ports, 1);
    assert_int_equal(fixture_usage(fixture).relay_ports, 0);
    struct turn_allocation_view view;
    assert_true(turn_server_view(fixture->server, fixture->listener.allocation, &view));
    assert_true(view.is_tcp);
    assert_true(transport_address_equal(&view.relayed_v4, &relayed));
}

static void a_taken_port_is_left_for_another(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    start_with(&fixture, 7, -EADDRINUSE);
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 0);
    assert_int_equal(fixture.listener.calls, 8);
    assert_int_equal(fixture_usage(&fixture).tcp_ports, 1);
    fixture_done(&fixture);
}

static void gives_up_after_eight_ports_with_508(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    start_with(&fixture, 8, -EADDRINUSE);
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 508);
    assert_int_equal(fixture.listener.calls, 8);
    assert_all_released(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 0);
    fixture_done(&fixture);
}

static void no_port_is_tried_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    start_with(&fixture, 2, -EADDRINUSE);
    fixture.config.relays[0].min_port = 65533; // three
    fixture.config.worker_count = 1;
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 0);
    assert_int_equal(fixture.listener.calls, 3);
    fixture_done(&fixture);
}

static void what_is_wrong_with_no_port_is_508_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    start_with(&fixture, 1, -EMFILE);
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 508);
    assert_int_equal(fixture.listener.calls, 1);
    assert_all_released(&fixture);
    fixture_done(&fixture);
}

static void ports_are_tcps_own_and_come_back(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client tcp[3] = {client_make_tcp(1000), client_make_tcp(1001), client_make_tcp(1002)};
    struct client udp = client_make(1003);
    start_with(&fixture, 0, 0);
    fixture.config.relays[0].min_port = 65534; // two
    fixture.config.worker_count = 1;
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &tcp[0]), 0);
    assert_int_equal(client_allocate_tcp(&fixture, &tcp[1]), 0);
    assert_int_equal(client_allocate_tcp(&fixture, &tcp[2]), 508);
    assert_int_equal(client_allocate(&fixture, &udp), 0);
    assert_int_equal(client_refresh(&fixture, &tcp[0], 0), 0);
    assert_int_equal(client_allocate_tcp(&fixture, &tcp[2]), 0);
    fixture_done(&fixture);
}

static void of_two_families_one_is_enough(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    struct transport_address relayed;
    enum ip_family family;
    unsigned error;
    struct span reason;
    struct request request;
    start_with(&fixture, 1, -EMFILE);
    fixture_start(&fixture);
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 6);
    stun_add_address_family(&request.builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY,
                            IP_FAMILY_V6);
    assert_int_equal(client_send(&fixture, &client, &request), 0);
    assert_true(response_relayed(&fixture, 0, &relayed));
    assert_int_equal(relayed.ip.family, IP_FAMILY_V6);
    assert_false(response_relayed(&fixture, 1, &relayed));
    assert_int_equal(stun_message_address_error_code(&fixture.response, &family, &error, &reason),
                     STUN_VALUE_OK);
    assert_int_equal(family, IP_FAMILY_V4);
    assert_int_equal(error, 508);
    assert_int_equal(fixture_usage(&fixture).tcp_ports, 1);
    fixture_done(&fixture);
}

// Two TCP allocations of a relay behind a 1:1 NAT.
static void our_own_relayed_addresses_are_peers_while_we_listen_there(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client caller = client_make_tcp(1000);
    struct client called = client_make_tcp(1001);
    struct transport_address relayed;
    struct transport_address from;
    uint32_t connection;
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    start_with(&fixture, 0, 0);
    fixture.config.relays[0].local = ip("10.0.0.5");
    assert_int_equal(peer_policy_add_own(fixture.policy, &fixture.config.relays[0].local), 0);
    assert_int_equal(
        peer_policy_add_relay(fixture.policy, &fixture.config.relays[0].advertised, 49152, 65535),
        0);
    fixture_start(&fixture);
    assert_int_equal(client_allocate_tcp(&fixture, &caller), 0);
    assert_true(response_relayed(&fixture, 0, &from));
    assert_int_equal(client_allocate_tcp(&fixture, &called), 0);
    assert_true(response_relayed(&fixture, 0, &relayed));
    transport_address_format(&relayed, text);
    assert_int_equal(client_connect(&fixture, &caller, text, &connection), 0);
    const struct transport_address *peer = &fixture.output.commands[0].tcp_connect.peer;
    assert_true(ip_address_equal(&peer->ip, &fixture.config.relays[0].local));
    assert_int_equal(peer->port, relayed.port);
    assert_int_equal(client_connect(&fixture, &caller, text, &connection), 446);

    // The other one sees the local address, and its client the advertised one.
    struct transport_address seen = {.ip = fixture.config.relays[0].local, .port = from.port};
    struct transport_address told;
    assert_false(turn_server_tcp_accepted(fixture.server, &fixture.now, fixture.listener.allocation,
                                          fixture.listener.address, &seen, &fixture.output,
                                          &connection));
    assert_int_equal(client_permit(&fixture, &called, "203.0.113.1"), 0);
    assert_true(turn_server_tcp_accepted(fixture.server, &fixture.now, fixture.listener.allocation,
                                         fixture.listener.address, &seen, &fixture.output,
                                         &connection));
    struct stun_message indication;
    assert_int_equal(
        stun_message_parse((struct span){fixture.output.response, fixture.output.response_len},
                           &indication),
        STUN_VALID);
    assert_int_equal(stun_message_xor_address(&indication, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &told),
                     STUN_VALUE_OK);
    assert_true(transport_address_equal(&told, &from));

    // Nobody listens there for us: that is another process.
    assert_int_equal(client_refresh(&fixture, &called, 0), 0);
    assert_int_equal(client_refresh(&fixture, &caller, 0), 0);
    assert_int_equal(client_allocate_tcp(&fixture, &caller), 0);
    assert_int_equal(client_connect(&fixture, &caller, text, &connection), 403);
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup_tcp, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_response_says_where_the_kernel_listens),
        cmocka_unit_test(a_taken_port_is_left_for_another),
        cmocka_unit_test(gives_up_after_eight_ports_with_508),
        cmocka_unit_test(no_port_is_tried_twice),
        cmocka_unit_test(what_is_wrong_with_no_port_is_508_at_once),
        cmocka_unit_test(ports_are_tcps_own_and_come_back),
        cmocka_unit_test(of_two_families_one_is_enough),
        cmocka_unit_test(our_own_relayed_addresses_are_peers_while_we_listen_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
