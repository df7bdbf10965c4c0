// SPDX-License-Identifier: BSD-3-Clause
// turn/allocate.h: RFC 8656 section 7.2.
#include "turn_fixture.h"

#include "base/port_slice.h"
#include "turn/counters.h"

#include <stdio.h>

#define RAF STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY
#define AAF STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY

static struct transport_address relayed(const struct fixture *fixture, unsigned index)
{
    struct transport_address address;
    assert_true(response_relayed(fixture, index, &address));
    return address;
}

static void answers_with_relayed_and_mapped_address_and_lifetime(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct transport_address mapped;
    struct transport_address second;

    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(response_lifetime_s(fixture), 600);
    struct ip_address relay = ip("203.0.113.1");
    struct transport_address first = relayed(fixture, 0);
    assert_true(ip_address_equal(&first.ip, &relay));
    assert_in_range(first.port, 49152, 65535);
    assert_false(response_relayed(fixture, 1, &second));
    assert_int_equal(
        stun_message_xor_address(&fixture->response, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped),
        STUN_VALUE_OK);
    assert_true(transport_address_equal(&mapped, &client.five_tuple.client));
}

static void installs_the_allocation_before_it_answers(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    client.worker = 1;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(fixture->output.command_count, 1);
    const struct turn_command *command = &fixture->output.commands[0];
    assert_int_equal(command->kind, TURN_COMMAND_INSTALL_ALLOCATION);
    assert_int_equal(command->worker, 1);
    assert_int_equal(command->allocation_info.received_by, 1);
    assert_true(five_tuple_equal(&command->allocation_info.five_tuple, &client.five_tuple));
    assert_int_equal(command->allocation_info.relayed_v4.port, relayed(fixture, 0).port);
    assert_int_equal(command->allocation_info.relayed_v4.relay, 0);
    assert_int_equal(command->allocation_info.relayed_v6.port, 0);
}

static void ports_come_from_the_slice_of_the_receiving_worker_while_it_has_any(void **state)
{
    struct fixture *fixture = *state;
    for (uint16_t i = 0; i < 40; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        client.worker = i & 1;
        assert_int_equal(client_allocate_dual(fixture, &client), 0);
        assert_int_equal(port_slice_worker(relayed(fixture, 0).port, 2), client.worker);
        assert_int_equal(port_slice_worker(relayed(fixture, 1).port, 2), client.worker);
        assert_int_equal(fixture->output.commands[0].worker, client.worker);
    }
}

static void tells_the_advertised_address_and_installs_the_local_one(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    fixture_init(&fixture);
    fixture.config.relays[0].local = ip("10.0.0.5");
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    struct ip_address advertised = ip("203.0.113.1");
    struct transport_address told = relayed(&fixture, 0);
    assert_true(ip_address_equal(&told.ip, &advertised));
    assert_int_equal(fixture.output.commands[0].allocation_info.relayed_v4.relay, 0);
    fixture_done(&fixture);
}

static void lifetime_is_the_requested_one_between_default_and_maximum(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint32_t requested_s;
        uint32_t granted_s;
    } cases[] = {{0, 600},     {1, 600},     {600, 600},        {601, 601},
                 {3600, 3600}, {3601, 3600}, {UINT32_MAX, 3600}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        struct request request;
        request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, 17);
        stun_add_u32(&request.builder, STUN_ATTRIBUTE_LIFETIME, cases[i].requested_s);
        assert_int_equal(client_send(fixture, &client, &request), 0);
        assert_int_equal(response_lifetime_s(fixture), cases[i].granted_s);
    }
}

static void a_retransmission_is_answered_alike_and_makes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    uint8_t token[8];
    uint8_t again[8];
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_even_port(&request.builder, true);
    struct span bytes = client_sign(fixture, &client, &request);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    struct transport_address first = relayed(fixture, 0);
    assert_int_equal(stun_message_reservation_token(&fixture->response, token), STUN_VALUE_OK);
    struct turn_usage usage = fixture_usage(fixture);

    fixture->now.monotonic_ms += 500;
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    struct transport_address second = relayed(fixture, 0);
    assert_true(transport_address_equal(&first, &second));
    assert_int_equal(stun_message_reservation_token(&fixture->response, again), STUN_VALUE_OK);
    assert_memory_equal(token, again, sizeof(token));
    assert_int_equal(fixture->output.command_count, 0);
    struct turn_usage after = fixture_usage(fixture);
    assert_memory_equal(&usage, &after, sizeof(usage));

    fixture->now.monotonic_ms += 20000;
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    assert_in_range(response_lifetime_s(fixture), 578, 580);
}

static void a_retransmission_tells_the_lifetime_of_the_longer_half(void **state)
{
    struct fixture *fixture = *state;
    static const enum ip_family families[] = {IP_FAMILY_V4, IP_FAMILY_V6};
    for (unsigned i = 0; i < 2; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate_dual(fixture, &client), 0);
        uint32_t transaction = fixture->transaction;
        assert_int_equal(client_refresh_family(fixture, &client, families[i], 1800), 0);
        fixture->transaction = transaction - 1;
        assert_int_equal(client_allocate_dual(fixture, &client), 0);
        assert_int_equal(fixture->output.command_count, 0);
        assert_int_equal(response_lifetime_s(fixture), 1800);
    }
}

static void a_retransmission_repeats_the_refused_family(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct request request;
    fixture_init(&fixture);
    fixture.config.relay_count = 1;
    fixture_start(&fixture);
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_address_family(&request.builder, AAF, IP_FAMILY_V6);
    struct span bytes = client_sign(&fixture, &client, &request);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(client_send_bytes(&fixture, &client, bytes), 0);
        assert_true(stun_message_has(&fixture.response, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE));
    }
    fixture_done(&fixture);
}

static void a_second_request_on_the_five_tuple_gets_437(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &client), 437);
    struct client other_transport = client;
    other_transport.five_tuple.transport = FIVE_TUPLE_TCP;
    assert_int_equal(client_allocate(fixture, &other_transport), 0);
}

// What makes a request bad, each in a request that is otherwise right.
static void malformed_requests_get_400(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint16_t type;
        uint8_t len;
    } bad[] = {
        {STUN_ATTRIBUTE_LIFETIME, 3},
        {STUN_ATTRIBUTE_LIFETIME, 8},
        {STUN_ATTRIBUTE_EVEN_PORT, 0},
        {STUN_ATTRIBUTE_EVEN_PORT, 4},
        {RAF, 3},
        {AAF, 5},
        {STUN_ATTRIBUTE_RESERVATION_TOKEN, 7},
    };
    static const uint8_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        struct request request;
        request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, 17);
        stun_add_bytes(&request.builder, bad[i].type, ones, bad[i].len);
        assert_int_equal(client_send(fixture, &client, &request), 400);
    }
    assert_int_equal(fixture_usage(fixture).allocations, 0);
}

static void requested_transport_is_needed_and_is_udp(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_REQUESTED_TRANSPORT, "\x11", 1);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    static const uint8_t not_udp[] = {0, 6, 16, 18, 132, 255};
    for (unsigned i = 0; i < sizeof(not_udp); i++) {
        request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, not_udp[i]);
        assert_int_equal(client_send(fixture, &client, &request), 442);
    }
}

// RFC 6062 section 5.1.
static void tcp_is_relayed_for_tcp_and_tls_clients_alone(void **state)
{
    static const struct {
        enum five_tuple_transport transport;
        unsigned error;
    } transports[] = {
        {FIVE_TUPLE_UDP, 400}, {FIVE_TUPLE_DTLS, 400}, {FIVE_TUPLE_TCP, 0}, {FIVE_TUPLE_TLS, 0}};
    (void)state;
    struct fixture fixture;
    struct request request;
    fixture_init(&fixture);
    fixture_allow_tcp(&fixture);
    fixture_start(&fixture);
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        struct client client = client_make(1000);
        client.five_tuple.transport = transports[i].transport;
        assert_int_equal(client_allocate_tcp(&fixture, &client), transports[i].error);
        request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, 132);
        client.five_tuple.client.port = 1001;
        assert_int_equal(client_send(&fixture, &client, &request), 442);
    }
    assert_int_equal(fixture_usage(&fixture).allocations, 2);
    fixture_done(&fixture);
}

static void tcp_has_nothing_that_is_udps(void **state)
{
    static const uint16_t types[] = {STUN_ATTRIBUTE_DONT_FRAGMENT, STUN_ATTRIBUTE_EVEN_PORT,
                                     STUN_ATTRIBUTE_RESERVATION_TOKEN};
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    struct request request;
    fixture_init(&fixture);
    fixture_allow_tcp(&fixture);
    fixture_start(&fixture);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, 6);
        stun_add_bytes(&request.builder, types[i], "\0\0\0\0\0\0\0", i == 0 ? 0 : i == 1 ? 1 : 8);
        assert_int_equal(client_send(&fixture, &client, &request), 400);
    }
    assert_int_equal(fixture.listener.calls, 0);
    fixture_done(&fixture);
}

static void a_tcp_allocation_counts_and_is_retransmitted_like_any(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    struct client other = client_make_tcp(1001);
    struct transport_address first;
    struct transport_address again;
    struct request request;
    fixture_init(&fixture);
    fixture_allow_tcp(&fixture);
    fixture.config.limits.allocations_per_user = 1;
    fixture_start(&fixture);
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 6);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_LIFETIME, 1200);
    struct span bytes = client_sign(&fixture, &client, &request);
    assert_int_equal(client_send_bytes(&fixture, &client, bytes), 0);
    assert_true(fixture.output.has_started);
    assert_int_equal(response_lifetime_s(&fixture), 1200);
    assert_true(response_relayed(&fixture, 0, &first));
    assert_int_equal(client_send_bytes(&fixture, &client, bytes), 0);
    assert_true(response_relayed(&fixture, 0, &again));
    assert_true(transport_address_equal(&first, &again));
    assert_false(fixture.output.has_started);
    assert_int_equal(fixture.listener.calls, 1);
    assert_int_equal(client_allocate_tcp(&fixture, &client), 437);
    assert_int_equal(client_allocate_tcp(&fixture, &other), 486);
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    assert_int_equal(client_allocate_tcp(&fixture, &other), 0);
    fixture_done(&fixture);
}

static void a_tcp_allocation_takes_a_place_of_any_worker(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_allow_tcp(&fixture);
    fixture.config.limits.allocations_per_worker = 1;
    fixture_start(&fixture);
    for (uint16_t i = 0; i < 3; i++) {
        struct client client = client_make_tcp(1000 + i);
        assert_int_equal(client_allocate_tcp(&fixture, &client), i < 2 ? 0 : 508);
    }
    fixture_done(&fixture);
}

static void a_tunneled_client_gets_403_and_its_neighbours_an_allocation(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *client;
        unsigned error;
    } cases[] = {
        {"2001::1", 403}, {"2001:0:ffff:ffff:ffff:ffff:ffff:ffff", 403},
        {"2002::1", 403}, {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 403},
        {"2001:1::1", 0}, {"2001:ffff::1", 0},
        {"2003::1", 0},   {"32.1.0.0", 0}, // the same bytes are an ordinary IPv4 address
        {"32.2.0.0", 0},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client = client_make(1000);
        client.five_tuple.client.ip = ip(cases[i].client);
        assert_int_equal(client_allocate(fixture, &client), cases[i].error);
        assert_int_equal(fixture->output.command_count, cases[i].error == 0);
    }
}

static void dont_fragment_is_served(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_flag(&request.builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    assert_int_equal(client_send(fixture, &client, &request), 0);
}

static void an_unknown_attribute_gets_420_with_its_type(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    struct span types;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_flag(&request.builder, 0x7FFE);
    assert_int_equal(client_send(fixture, &client, &request), 420);
    assert_true(stun_message_find(&fixture->response, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, &types));
    assert_int_equal(types.len, 2);
    assert_int_equal(load_be16(types.data), 0x7FFE);
    // But only who is authenticated learns it.
    client.password = "wrong";
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_flag(&request.builder, 0x7FFE);
    assert_int_equal(client_send(fixture, &client, &request), 401);
}

static void checks_come_in_the_order_of_the_rfc(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    uint8_t no_such_token[8] = {1};

    assert_int_equal(client_allocate(fixture, &client), 0);
    // 2 before 3: in use, and no REQUESTED-TRANSPORT.
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    assert_int_equal(client_send(fixture, &client, &request), 437);
    client = client_make(1001);
    // 3 before 5: TCP, and token with EVEN-PORT.
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 6);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, no_such_token, 8);
    stun_add_even_port(&request.builder, false);
    assert_int_equal(client_send(fixture, &client, &request), 442);
    // In 5: 400 before 508.
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, no_such_token, 8);
    stun_add_even_port(&request.builder, false);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    // 6 before 7: both families, the requested one unknown.
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_u32(&request.builder, RAF, 0x05000000);
    stun_add_address_family(&request.builder, AAF, IP_FAMILY_V6);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    // 7 before 8: unknown family, malformed EVEN-PORT.
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_u32(&request.builder, RAF, 0x05000000);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_EVEN_PORT, "", 0);
    assert_int_equal(client_send(fixture, &client, &request), 440);
    // 420 before 437.
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_flag(&request.builder, 0x7FFE);
    assert_int_equal(client_send(fixture, &client, &request), 420);
}

static void each_family_is_given_when_requested(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate_family(fixture, &client, IP_FAMILY_V4), 0);
    assert_int_equal(relayed(fixture, 0).ip.family, IP_FAMILY_V4);
    client = client_make(1001);
    assert_int_equal(client_allocate_family(fixture, &client, IP_FAMILY_V6), 0);
    assert_int_equal(relayed(fixture, 0).ip.family, IP_FAMILY_V6);
    assert_int_equal(fixture->output.commands[0].allocation_info.relayed_v4.port, 0);
    assert_int_equal(fixture->output.commands[0].allocation_info.relayed_v6.relay, 1);
}

static void a_family_that_is_not_served_gets_440(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    fixture_init(&fixture);
    fixture.config.relays[0] = fixture.config.relays[1]; // IPv6 only
    fixture.config.relay_count = 1;
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 440);
    assert_int_equal(client_allocate_dual(&fixture, &client), 440);
    assert_int_equal(client_allocate_family(&fixture, &client, IP_FAMILY_V4), 440);
    assert_int_equal(client_allocate_family(&fixture, &client, IP_FAMILY_V6), 0);
    fixture_done(&fixture);
}

static void a_reservation_of_ipv6_is_redeemed_where_there_is_no_ipv4(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client second = client_make(1001);
    struct request request;
    uint8_t token[8];
    fixture_init(&fixture);
    fixture.config.relays[0] = fixture.config.relays[1];
    fixture.config.relay_count = 1;
    fixture_start(&fixture);
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_address_family(&request.builder, RAF, IP_FAMILY_V6);
    stun_add_even_port(&request.builder, true);
    assert_int_equal(client_send(&fixture, &client, &request), 0);
    assert_int_equal(stun_message_reservation_token(&fixture.response, token), STUN_VALUE_OK);
    assert_int_equal(client_allocate_token(&fixture, &second, token), 0);
    assert_int_equal(relayed(&fixture, 0).ip.family, IP_FAMILY_V6);
    fixture_done(&fixture);
}

static void a_dual_allocation_has_both_families(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    assert_int_equal(relayed(fixture, 0).ip.family, IP_FAMILY_V4);
    assert_int_equal(relayed(fixture, 1).ip.family, IP_FAMILY_V6);
    assert_false(stun_message_has(&fixture->response, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE));
    assert_int_not_equal(fixture->output.commands[0].allocation_info.relayed_v4.port, 0);
    assert_int_not_equal(fixture->output.commands[0].allocation_info.relayed_v6.port, 0);
    assert_int_equal(fixture_usage(fixture).relay_ports, 2);
}

static void additional_family_is_ipv6_and_stands_alone(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_address_family(&request.builder, AAF, IP_FAMILY_V4);
    assert_int_equal(client_send(fixture, &client, &request), 400);

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_address_family(&request.builder, AAF, IP_FAMILY_V6);
    stun_add_address_family(&request.builder, RAF, IP_FAMILY_V4);
    assert_int_equal(client_send(fixture, &client, &request), 400);

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_address_family(&request.builder, AAF, IP_FAMILY_V6);
    stun_add_even_port(&request.builder, true);
    assert_int_equal(client_send(fixture, &client, &request), 400);

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_address_family(&request.builder, AAF, IP_FAMILY_V6);
    stun_add_even_port(&request.builder, false);
    assert_int_equal(client_send(fixture, &client, &request), 0);
    assert_int_equal(relayed(fixture, 0).port & 1, 0);
    assert_int_equal(relayed(fixture, 1).port & 1, 0);
}

static void assert_address_error(const struct fixture *fixture, uint8_t family, unsigned error)
{
    struct span value;
    assert_true(stun_message_find(&fixture->response, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE, &value));
    assert_int_equal(value.data[0], family);
    assert_int_equal(value.data[2] * 100 + value.data[3], error);
}

static void half_a_dual_allocation_says_why_the_other_half_is_missing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct transport_address second;

    fixture_init(&fixture);
    fixture.config.relay_count = 1;
    fixture_start(&fixture);
    assert_int_equal(client_allocate_dual(&fixture, &client), 0);
    assert_address_error(&fixture, STUN_FAMILY_IPV6, 440);
    assert_int_equal(relayed(&fixture, 0).ip.family, IP_FAMILY_V4);
    assert_false(response_relayed(&fixture, 1, &second));
    fixture_done(&fixture);

    for (unsigned full = 0; full < 2; full++) {
        fixture_init(&fixture);
        fixture.config.worker_count = 1;
        fixture.config.relays[full].min_port = fixture.config.relays[full].max_port = 50000;
        fixture_start(&fixture);
        client = client_make(1000);
        assert_int_equal(
            client_allocate_family(&fixture, &client, full ? IP_FAMILY_V6 : IP_FAMILY_V4), 0);
        client = client_make(1001);
        assert_int_equal(client_allocate_dual(&fixture, &client), 0);
        assert_address_error(&fixture, full ? STUN_FAMILY_IPV6 : STUN_FAMILY_IPV4, 508);
        assert_int_equal(relayed(&fixture, 0).ip.family, full ? IP_FAMILY_V4 : IP_FAMILY_V6);
        assert_false(response_relayed(&fixture, 1, &second));
        fixture_done(&fixture);
    }
}

static void an_even_port_is_even(void **state)
{
    struct fixture *fixture = *state;
    for (uint16_t i = 0; i < 20; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        struct request request;
        request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, 17);
        stun_add_even_port(&request.builder, false);
        assert_int_equal(client_send(fixture, &client, &request), 0);
        assert_int_equal(relayed(fixture, 0).port & 1, 0);
        assert_false(stun_message_has(&fixture->response, STUN_ATTRIBUTE_RESERVATION_TOKEN));
    }
    assert_int_equal(fixture_usage(fixture).relay_ports, 20);
}

static void a_reserved_port_goes_to_whoever_brings_the_token(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    uint8_t token[8];
    other.username = "bob";
    other.password = "builder";
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    uint16_t even = relayed(fixture, 0).port;
    assert_int_equal(even & 1, 0);
    assert_int_equal(fixture_usage(fixture).reservations, 1);
    assert_int_equal(fixture_usage(fixture).relay_ports, 2);
    assert_int_equal(client_allocate_token(fixture, &other, token), 0);
    assert_int_equal(relayed(fixture, 0).port, even + 1);
    assert_int_equal(fixture_usage(fixture).reservations, 0);
    assert_int_equal(fixture_usage(fixture).relay_ports, 2);
    struct client third = client_make(1002);
    assert_int_equal(client_allocate_token(fixture, &third, token), 508);
}

static void a_reservation_redeemed_on_another_worker_stays_its_owners(void **state)
{
    struct fixture *fixture = *state;
    for (uint16_t owner = 0; owner < 2; owner++) {
        struct client client = client_make(1000 + 2 * owner);
        struct client other = client_make(1001 + 2 * owner);
        uint8_t token[8];
        client.worker = owner;
        other.worker = 1 - owner;
        assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
        assert_int_equal(client_allocate_token(fixture, &other, token), 0);
        assert_int_equal(fixture->output.commands[0].worker, owner);
        assert_int_equal(fixture->output.commands[0].allocation_info.received_by, other.worker);
        // Its later commands go to the owner too.
        assert_int_equal(client_permit(fixture, &other, "8.8.8.8"), 0);
        assert_int_equal(fixture->output.commands[0].worker, owner);
    }
}

static void a_reservation_lasts_thirty_seconds_also_without_its_allocation(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    uint8_t token[8];
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    fixture_acknowledge(fixture);
    fixture_advance_ms(fixture, 29999);
    assert_int_equal(fixture_usage(fixture).reservations, 1);
    struct client other = client_make(1001);
    assert_int_equal(client_allocate_token(fixture, &other, token), 0);

    client = client_make(1002);
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    fixture_advance_ms(fixture, 31000);
    assert_int_equal(fixture_usage(fixture).reservations, 0);
    other = client_make(1003);
    assert_int_equal(client_allocate_token(fixture, &other, token), 508);
}

static void a_token_stands_without_families_and_even_port(void **state)
{
    struct fixture *fixture = *state;
    static const uint16_t others[] = {STUN_ATTRIBUTE_EVEN_PORT, RAF, AAF};
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    uint8_t token[8];
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct request request;
        request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
        stun_add_requested_transport(&request.builder, 17);
        stun_add_bytes(&request.builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, token, 8);
        stun_add_bytes(&request.builder, others[i], "\2\0\0\0",
                       others[i] == STUN_ATTRIBUTE_EVEN_PORT ? 1 : 4);
        assert_int_equal(client_send(fixture, &other, &request), 400);
    }
    assert_int_equal(client_allocate_token(fixture, &other, token), 0);
}

// IPv4 and IPv6 addresses in the order of the letters 4 and 6, each with so many ports.
static void start_with_relays(struct fixture *fixture, const char *families, uint16_t port_count)
{
    fixture_init(fixture);
    fixture->config.worker_count = 1;
    fixture->config.relay_count = (uint16_t)strlen(families);
    fixture->config.limits.allocations = fixture->config.limits.allocations_per_worker = 1000;
    for (unsigned i = 0; i < fixture->config.relay_count; i++) {
        struct turn_relay *relay = &fixture->config.relays[i];
        char text[32];

        snprintf(text, sizeof(text), families[i] == '4' ? "203.0.113.%u" : "2001:db8::%u", i + 1);
        *relay = (struct turn_relay){.local = ip(text), .advertised = ip(text), .min_port = 50000};
        relay->max_port = (uint16_t)(relay->min_port + port_count - 1);
    }
    fixture_start(fixture);
}

// So many clients, all at the first IPv4 address; how many of them each relay gets.
static void allocate_many(struct fixture *fixture, uint16_t count, enum ip_family family,
                          unsigned ret_counts[TURN_RELAYS_MAX])
{
    for (uint16_t i = 0; i < count; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        const struct turn_command *command = &fixture->output.commands[0];

        client.five_tuple.server = address("203.0.113.1:3478");
        assert_int_equal(client_allocate_family(fixture, &client, family), 0);
        ret_counts[family == IP_FAMILY_V4 ? command->allocation_info.relayed_v4.relay
                                          : command->allocation_info.relayed_v6.relay]++;
    }
}

// Also where the other family's addresses lie between, and where clients come to one of them.
static void chooses_evenly_among_the_addresses_of_the_family(void **state)
{
    static const char families[] = "46664";
    (void)state;
    for (unsigned want_v6 = 0; want_v6 < 2; want_v6++) {
        enum ip_family family = want_v6 ? IP_FAMILY_V6 : IP_FAMILY_V4;
        unsigned counts[TURN_RELAYS_MAX] = {0};
        struct fixture fixture;

        start_with_relays(&fixture, families, 400);
        allocate_many(&fixture, want_v6 ? 600 : 400, family, counts);
        for (unsigned i = 0; i < 5; i++) {
            if ((families[i] == '6') == want_v6)
                assert_in_range(counts[i], 160, 240); // of 200
            else
                assert_int_equal(counts[i], 0);
        }
        fixture_done(&fixture);
    }
}

static void gives_every_port_of_every_address_before_it_refuses(void **state)
{
    unsigned counts[TURN_RELAYS_MAX] = {0};
    struct client late = client_make(2000);
    struct fixture fixture;
    (void)state;
    start_with_relays(&fixture, "4444", 2);
    allocate_many(&fixture, 8, IP_FAMILY_V4, counts);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(counts[i], 2);
    assert_int_equal(client_allocate(&fixture, &late), 508);
    fixture_done(&fixture);
}

// An address with more ports has that much more of the clients: both are full together.
static void a_larger_range_gets_more(void **state)
{
    unsigned counts[TURN_RELAYS_MAX] = {0};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture.config.limits.allocations = fixture.config.limits.allocations_per_worker = 1000;
    fixture.config.worker_count = 1;
    fixture.config.relays[1] = (struct turn_relay){
        .local = ip("203.0.113.2"), .advertised = ip("203.0.113.2"), .min_port = 1024};
    fixture.config.relays[1].max_port = 1024 + 899;
    fixture.config.relays[0].max_port = fixture.config.relays[0].min_port + 99;
    fixture_start(&fixture);
    allocate_many(&fixture, 500, IP_FAMILY_V4, counts);
    assert_in_range(counts[0], 30, 70); // of 50
    fixture_done(&fixture);
}

// So many ports of each of two workers, from where one's slice ends and the other's begins.
static void split_relay(struct fixture *fixture, unsigned relay, uint16_t first_count,
                        uint16_t second_count)
{
    fixture->config.relays[relay].min_port = (uint16_t)(49216 - first_count);
    fixture->config.relays[relay].max_port = (uint16_t)(49216 + second_count - 1);
}

static uint16_t owner(const struct fixture *fixture)
{
    return fixture->output.commands[0].worker;
}

static void full_ports_refuse_the_new_and_keep_the_old(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    split_relay(&fixture, 0, 8, 8);
    fixture_start(&fixture);
    for (uint16_t i = 0; i < 16; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate(&fixture, &client), 0);
        assert_int_equal(owner(&fixture), i / 8);
        assert_int_equal(port_slice_worker(relayed(&fixture, 0).port, 2), i / 8);
        assert_int_equal(fixture.output.commands[0].allocation_info.received_by, 0);
    }
    for (uint16_t worker = 0; worker < 2; worker++) {
        struct client late = client_make(2000);
        late.worker = worker;
        assert_int_equal(client_allocate(&fixture, &late), 508);
    }
    for (uint16_t i = 0; i < 16; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_refresh(&fixture, &client, 600), 0);
    }
    fixture_done(&fixture);
}

static void a_client_of_another_owner_goes_on_and_ends_like_any(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    fixture_init(&fixture);
    split_relay(&fixture, 0, 1, 1);
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_allocate(&fixture, &other), 0);
    assert_int_equal(owner(&fixture), 1);
    assert_int_equal(client_permit(&fixture, &other, "8.8.8.8"), 0);
    assert_int_equal(owner(&fixture), 1);
    assert_int_equal(client_bind(&fixture, &other, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(owner(&fixture), 1);
    assert_int_equal(client_refresh(&fixture, &other, 0), 0);
    assert_int_equal(owner(&fixture), 1);
    fixture_acknowledge(&fixture);
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    fixture_acknowledge(&fixture);
    assert_all_released(&fixture);
    fixture_done(&fixture);
}

// What one worker has too much goes to those that have the least, each as far as it has room.
static void overflow_goes_to_the_workers_with_the_fewest_allocations(void **state)
{
    (void)state;
    struct fixture fixture;
    unsigned count_by_worker[4] = {0};
    fixture_init(&fixture);
    fixture.config.worker_count = 4;
    fixture.config.limits.allocations_per_worker = 6;
    fixture_start(&fixture);
    static const struct {
        uint16_t received_by;
        uint16_t count;
        unsigned expected[4];
    } steps[] = {
        {1, 6, {0, 6, 0, 0}}, {3, 2, {0, 6, 0, 2}}, {1, 4, {2, 6, 2, 2}},
        {1, 6, {4, 6, 4, 4}}, {2, 4, {5, 6, 6, 5}}, {0, 2, {6, 6, 6, 6}},
    };
    uint16_t port = 1000;
    for (unsigned step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
        for (uint16_t i = 0; i < steps[step].count; i++) {
            struct client client = client_make(port++);
            client.worker = steps[step].received_by;
            assert_int_equal(client_allocate(&fixture, &client), 0);
            assert_int_equal(port_slice_worker(relayed(&fixture, 0).port, 4), owner(&fixture));
            count_by_worker[owner(&fixture)]++;
        }
        assert_memory_equal(count_by_worker, steps[step].expected, sizeof(count_by_worker));
    }
    struct client late = client_make(port);
    assert_int_equal(client_allocate(&fixture, &late), 508);
    fixture_done(&fixture);
}

static void an_even_port_or_a_pair_of_another_worker_serves_too(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    struct request request;
    uint8_t token[8];
    fixture_init(&fixture);
    split_relay(&fixture, 0, 1, 4); // of the first worker an odd port alone
    fixture_start(&fixture);
    assert_int_equal(client_allocate_pair(&fixture, &client, token), 0);
    assert_int_equal(owner(&fixture), 1);
    uint16_t even = relayed(&fixture, 0).port;
    assert_int_equal(client_allocate_token(&fixture, &other, token), 0);
    assert_int_equal(owner(&fixture), 1);
    assert_int_equal(relayed(&fixture, 0).port, even + 1);

    client = client_make(1002);
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    stun_add_even_port(&request.builder, false);
    assert_int_equal(client_send(&fixture, &client, &request), 0);
    assert_int_equal(owner(&fixture), 1);
    // No pair is left, and the odd port is still the first worker's to give.
    client = client_make(1003);
    assert_int_equal(client_allocate_pair(&fixture, &client, token), 508);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(owner(&fixture), 0);
    assert_int_equal(fixture_usage(&fixture).relay_ports, 4);
    fixture_done(&fixture);
}

static void a_dual_allocation_has_both_ports_of_one_worker(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    split_relay(&fixture, 0, 2, 2);
    split_relay(&fixture, 1, 1, 2);
    fixture_start(&fixture);
    // The first has another IPv4 port, which counts less than two ports of the second.
    static const uint16_t owners[] = {0, 1, 1};
    for (uint16_t i = 0; i < 3; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate_dual(&fixture, &client), 0);
        assert_int_equal(owner(&fixture), owners[i]);
        assert_int_equal(port_slice_worker(relayed(&fixture, 0).port, 2), owners[i]);
        assert_int_equal(port_slice_worker(relayed(&fixture, 1).port, 2), owners[i]);
        assert_false(stun_message_has(&fixture.response, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE));
    }
    fixture_done(&fixture);
}

// IPv4 of one worker and IPv6 of another make no allocation, and nothing that was looked at is
// held.
static void half_a_dual_allocation_is_ipv4_of_any_worker_before_ipv6(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct transport_address second;
    fixture_init(&fixture);
    split_relay(&fixture, 0, 1, 2);
    split_relay(&fixture, 1, 2, 1);
    fixture_start(&fixture);
    for (uint16_t i = 0; i < 2; i++) {
        client = client_make((uint16_t)(1000 + i));
        client.worker = i;
        assert_int_equal(client_allocate_dual(&fixture, &client), 0);
        assert_false(stun_message_has(&fixture.response, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE));
    }
    // What is left: IPv4 of the second, IPv6 of the first.
    static const struct {
        uint16_t received_by;
        uint16_t owner;
        uint8_t refused;
    } steps[] = {{0, 1, STUN_FAMILY_IPV6}, {1, 0, STUN_FAMILY_IPV4}};
    for (uint16_t i = 0; i < 2; i++) {
        client = client_make((uint16_t)(1010 + i));
        client.worker = steps[i].received_by;
        assert_int_equal(client_allocate_dual(&fixture, &client), 0);
        assert_address_error(&fixture, steps[i].refused, 508);
        assert_int_equal(owner(&fixture), steps[i].owner);
        assert_int_equal(port_slice_worker(relayed(&fixture, 0).port, 2), steps[i].owner);
        assert_false(response_relayed(&fixture, 1, &second));
        assert_int_equal(fixture_usage(&fixture).relay_ports, 5 + i);
    }
    client = client_make(1020);
    assert_int_equal(client_allocate_dual(&fixture, &client), 508);
    assert_int_equal(fixture_usage(&fixture).relay_ports, 6);
    fixture_done(&fixture);
}

// Its port is one worker's, however much room another has.
static void a_reservation_is_refused_when_its_owner_is_full(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    uint8_t token[8];
    fixture_init(&fixture);
    fixture.config.limits.allocations_per_worker = 1;
    fixture_start(&fixture);
    other.worker = 1;
    assert_int_equal(client_allocate_pair(&fixture, &client, token), 0);
    assert_int_equal(client_allocate_token(&fixture, &other, token), 508);
    assert_int_equal(fixture_usage(&fixture).reservations, 1);
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    fixture_acknowledge(&fixture);
    assert_int_equal(client_allocate_token(&fixture, &other, token), 0);
    assert_int_equal(owner(&fixture), 0);
    fixture_done(&fixture);
}

static void a_port_is_given_again_only_after_the_worker_acknowledged(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    fixture_init(&fixture);
    fixture.config.worker_count = 1;
    fixture.config.relays[0].min_port = fixture.config.relays[0].max_port = 50000;
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    uint32_t id = fixture.output.commands[0].allocation;
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    assert_int_equal(fixture_usage(&fixture).relay_ports, 1);
    assert_int_equal(fixture_usage(&fixture).pending_removals, 1);
    assert_int_equal(client_allocate(&fixture, &other), 508);
    turn_server_removed(fixture.server, &fixture.now, id, NULL);
    assert_all_released(&fixture);
    assert_int_equal(client_allocate(&fixture, &other), 0);
    fixture_done(&fixture);
}

static void a_full_user_is_refused_with_486_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.limits.allocations_per_user = 2;
    fixture_start(&fixture);
    struct client clients[3];
    for (uint16_t i = 0; i < 3; i++) {
        clients[i] = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate(&fixture, &clients[i]), i < 2 ? 0 : 486);
    }
    struct client bob = client_make(2000);
    bob.username = "bob";
    bob.password = "builder";
    assert_int_equal(client_allocate(&fixture, &bob), 0);
    assert_int_equal(fixture_usage(&fixture).users, 2);
    assert_int_equal(client_refresh(&fixture, &clients[0], 600), 0);
    assert_int_equal(client_refresh(&fixture, &clients[0], 0), 0);
    assert_int_equal(client_allocate(&fixture, &clients[2]), 0);
    fixture_done(&fixture);
}

// What a refusal was for: a quota, and of a user's quota the user.
static void assert_refused(struct fixture *fixture, struct client *client,
                           enum quota_refusal refusal)
{
    uint64_t before = turn_server_counters(fixture->server)->quota_refusals[refusal];
    assert_int_equal(client_allocate(fixture, client), 486);
    assert_int_equal(fixture->output.refusal, refusal);
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(turn_server_counters(fixture->server)->quota_refusals[refusal], before + 1);
}

static void more_than_all_may_have_is_refused_with_486_until_one_goes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.limits.allocations = 3;
    fixture.config.limits.allocations_per_user = 2;
    fixture_start(&fixture);
    struct client clients[4];
    struct turn_user_view user;
    for (uint16_t i = 0; i < 4; i++)
        clients[i] = client_make((uint16_t)(1000 + i));
    clients[2].username = clients[3].username = "bob";
    clients[2].password = clients[3].password = "builder";
    assert_int_equal(client_allocate(&fixture, &clients[0]), 0);
    assert_int_equal(client_allocate(&fixture, &clients[1]), 0);
    struct client more = client_make(1009);
    assert_refused(&fixture, &more, QUOTA_REFUSED_USER);
    assert_true(turn_server_user(fixture.server, fixture.output.refused_user, &user));
    assert_string_equal(user.name, "alice");
    assert_int_equal(client_allocate(&fixture, &clients[2]), 0);
    assert_false(turn_server_has_room(fixture.server));
    assert_refused(&fixture, &clients[3], QUOTA_REFUSED_TOTAL);
    assert_int_equal(client_refresh(&fixture, &clients[0], 600), 0);
    assert_int_equal(fixture.output.refusal, QUOTA_NOT_REFUSED);
    assert_int_equal(client_refresh(&fixture, &clients[0], 0), 0);
    fixture_acknowledge(&fixture);
    assert_true(turn_server_has_room(fixture.server));
    assert_int_equal(client_allocate(&fixture, &clients[3]), 0);
    fixture_done(&fixture);
}

static void who_finds_no_bandwidth_left_is_refused_with_486(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.limits.max_bps = 50000;
    fixture.config.limits.bps_capacity = 100000;
    fixture_start(&fixture);
    struct client clients[3];
    for (uint16_t i = 0; i < 3; i++)
        clients[i] = client_make((uint16_t)(1000 + i));
    assert_int_equal(client_allocate(&fixture, &clients[0]), 0);
    assert_int_equal(client_allocate(&fixture, &clients[1]), 0);
    assert_refused(&fixture, &clients[2], QUOTA_REFUSED_BANDWIDTH);
    assert_false(turn_server_has_room(fixture.server));
    assert_int_equal(client_refresh(&fixture, &clients[1], 0), 0);
    assert_int_equal(client_allocate(&fixture, &clients[2]), 0);
    fixture_done(&fixture);
}

static void rest_users_are_counted_by_userid(void **state)
{
    (void)state;
    struct fixture fixture;
    char passwords[2][29];
    fixture_init(&fixture);
    fixture.config.limits.allocations_per_user = 1;
    fixture_start(&fixture);
    struct client first = client_make(1000);
    struct client second = client_make(1001);
    client_use_rest(&first, "1700000100:carol", "new", passwords[0]);
    client_use_rest(&second, "1700000200:carol", "old", passwords[1]);
    assert_int_equal(client_allocate(&fixture, &first), 0);
    uint32_t carol = fixture.output.commands[0].allocation_info.user;
    assert_int_equal(client_allocate(&fixture, &second), 486);
    client_use_rest(&second, "1700000200:dave", "old", passwords[1]);
    assert_int_equal(client_allocate(&fixture, &second), 0);
    assert_int_not_equal(fixture.output.commands[0].allocation_info.user, carol);
    fixture_done(&fixture);
}

// Workers know of a user's allocations that they are one user's, and when its number is another's.
static void a_users_allocations_have_one_number_and_another_user_another_tag(void **state)
{
    (void)state;
    struct fixture fixture;
    char passwords[2][29];
    fixture_init(&fixture);
    fixture_start(&fixture);
    struct client clients[3];
    struct turn_command installs[3];
    for (uint16_t i = 0; i < 3; i++)
        clients[i] = client_make((uint16_t)(1000 + i));
    client_use_rest(&clients[0], "1700000100:carol", "new", passwords[0]);
    client_use_rest(&clients[1], "1700000200:carol", "old", passwords[1]);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(client_allocate(&fixture, &clients[i]), 0);
        installs[i] = fixture.output.commands[0];
    }
    assert_int_equal(installs[0].allocation_info.user, installs[1].allocation_info.user);
    assert_int_equal(installs[0].allocation_info.user_tag, installs[1].allocation_info.user_tag);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(client_refresh(&fixture, &clients[i], 0), 0);
    assert_int_equal(client_allocate(&fixture, &clients[2]), 0);
    installs[2] = fixture.output.commands[0];
    assert_int_equal(installs[2].allocation_info.user, installs[0].allocation_info.user);
    assert_int_not_equal(installs[2].allocation_info.user_tag,
                         installs[0].allocation_info.user_tag);
    fixture_done(&fixture);
}

static void one_user_cannot_hold_every_port_with_reservations(void **state)
{
    (void)state;
    struct fixture fixture;
    uint8_t token[8];
    fixture_init(&fixture);
    fixture.config.limits.allocations_per_user = 2;
    fixture_start(&fixture);
    for (uint16_t i = 0; i < 3; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate_pair(&fixture, &client, token), i < 2 ? 0 : 508);
        if (i < 2)
            assert_int_equal(client_refresh(&fixture, &client, 0), 0);
        fixture_acknowledge(&fixture);
    }
    assert_int_equal(fixture_usage(&fixture).relay_ports, 2);
    assert_int_equal(fixture_usage(&fixture).users, 0);
    fixture_advance_ms(&fixture, 31000);
    assert_all_released(&fixture);
    fixture_done(&fixture);
}

static void a_refused_reservation_counts_for_nobody(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    uint8_t token[8];
    other.username = "bob";
    other.password = "builder";
    fixture_init(&fixture);
    fixture.config.worker_count = 1;
    fixture.config.limits.allocations_per_user = 1;
    fixture.config.relays[0].min_port = 50000;
    fixture.config.relays[0].max_port = 50001;
    fixture_start(&fixture);
    assert_int_equal(client_allocate_pair(&fixture, &client, token), 0);
    assert_int_equal(client_allocate_pair(&fixture, &other, token), 508);
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    fixture_acknowledge(&fixture);
    fixture_advance_ms(&fixture, 31000);
    assert_int_equal(client_allocate_pair(&fixture, &other, token), 0);
    fixture_done(&fixture);
}

// A reservation outlives the allocation that made it, so there can be as many of them as there may
// be allocations, and no allocation.
static void a_full_table_of_reservations_refuses_with_508(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    uint8_t token[8];
    fixture_init(&fixture);
    fixture.config.limits.allocations = 2;
    fixture_start(&fixture);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(client_allocate_pair(&fixture, &client, token), i < 2 ? 0 : 508);
        if (i < 2)
            assert_int_equal(client_refresh(&fixture, &client, 0), 0);
        fixture_acknowledge(&fixture);
    }
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    fixture_acknowledge(&fixture);
    fixture_advance_ms(&fixture, 31000);
    assert_all_released(&fixture);
    fixture_done(&fixture);
}

static void all_tables_full_is_a_quota_reached_and_one_sends_to_another(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.limits.allocations = 3;
    fixture.config.limits.allocations_per_worker = 2;
    fixture_start(&fixture);
    static const struct {
        uint16_t worker;
        unsigned error;
        uint16_t owner;
    } steps[] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 1}, {0, 486, 0}, {1, 486, 0}};
    for (uint16_t i = 0; i < 5; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        client.worker = steps[i].worker;
        assert_int_equal(client_allocate(&fixture, &client), steps[i].error);
        if (steps[i].error == 0)
            assert_int_equal(owner(&fixture), steps[i].owner);
    }
    struct client first = client_make(1000);
    assert_int_equal(client_refresh(&fixture, &first, 0), 0);
    // The worker may still hold it.
    struct client late = client_make(2000);
    assert_int_equal(client_allocate(&fixture, &late), 508);
    fixture_advance_ms(&fixture, 0);
    turn_server_removed(fixture.server, &fixture.now, 0, NULL);
    assert_int_equal(client_allocate(&fixture, &late), 0);
    fixture_done(&fixture);
}

static void a_refused_allocate_leaves_nothing_behind(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    uint8_t token[8] = {0};
    fixture_init(&fixture);
    fixture.config.worker_count = 1;
    fixture.config.relays[0].min_port = fixture.config.relays[0].max_port =
        50001; // no even port, no pair
    fixture_start(&fixture);
    assert_int_equal(client_allocate_pair(&fixture, &client, token), 508);
    assert_int_equal(client_allocate_token(&fixture, &client, token), 508);
    assert_all_released(&fixture);
    assert_int_equal(fixture.output.command_count, 0);
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(answers_with_relayed_and_mapped_address_and_lifetime),
        CASE(installs_the_allocation_before_it_answers),
        CASE(ports_come_from_the_slice_of_the_receiving_worker_while_it_has_any),
        cmocka_unit_test(tells_the_advertised_address_and_installs_the_local_one),
        CASE(lifetime_is_the_requested_one_between_default_and_maximum),
        CASE(a_retransmission_is_answered_alike_and_makes_nothing),
        CASE(a_retransmission_tells_the_lifetime_of_the_longer_half),
        cmocka_unit_test(a_retransmission_repeats_the_refused_family),
        CASE(a_second_request_on_the_five_tuple_gets_437),
        CASE(malformed_requests_get_400),
        CASE(requested_transport_is_needed_and_is_udp),
        cmocka_unit_test(tcp_is_relayed_for_tcp_and_tls_clients_alone),
        cmocka_unit_test(tcp_has_nothing_that_is_udps),
        cmocka_unit_test(a_tcp_allocation_counts_and_is_retransmitted_like_any),
        cmocka_unit_test(a_tcp_allocation_takes_a_place_of_any_worker),
        CASE(a_tunneled_client_gets_403_and_its_neighbours_an_allocation),
        CASE(dont_fragment_is_served),
        CASE(an_unknown_attribute_gets_420_with_its_type),
        CASE(checks_come_in_the_order_of_the_rfc),
        CASE(each_family_is_given_when_requested),
        cmocka_unit_test(a_family_that_is_not_served_gets_440),
        cmocka_unit_test(a_reservation_of_ipv6_is_redeemed_where_there_is_no_ipv4),
        CASE(a_dual_allocation_has_both_families),
        CASE(additional_family_is_ipv6_and_stands_alone),
        cmocka_unit_test(half_a_dual_allocation_says_why_the_other_half_is_missing),
        CASE(an_even_port_is_even),
        CASE(a_reserved_port_goes_to_whoever_brings_the_token),
        CASE(a_reservation_redeemed_on_another_worker_stays_its_owners),
        CASE(a_reservation_lasts_thirty_seconds_also_without_its_allocation),
        CASE(a_token_stands_without_families_and_even_port),
        cmocka_unit_test(chooses_evenly_among_the_addresses_of_the_family),
        cmocka_unit_test(gives_every_port_of_every_address_before_it_refuses),
        cmocka_unit_test(a_larger_range_gets_more),
        cmocka_unit_test(full_ports_refuse_the_new_and_keep_the_old),
        cmocka_unit_test(a_client_of_another_owner_goes_on_and_ends_like_any),
        cmocka_unit_test(overflow_goes_to_the_workers_with_the_fewest_allocations),
        cmocka_unit_test(an_even_port_or_a_pair_of_another_worker_serves_too),
        cmocka_unit_test(a_dual_allocation_has_both_ports_of_one_worker),
        cmocka_unit_test(half_a_dual_allocation_is_ipv4_of_any_worker_before_ipv6),
        cmocka_unit_test(a_reservation_is_refused_when_its_owner_is_full),
        cmocka_unit_test(a_port_is_given_again_only_after_the_worker_acknowledged),
        cmocka_unit_test(a_full_user_is_refused_with_486_and_keeps_what_it_has),
        cmocka_unit_test(more_than_all_may_have_is_refused_with_486_until_one_goes),
        cmocka_unit_test(who_finds_no_bandwidth_left_is_refused_with_486),
        cmocka_unit_test(rest_users_are_counted_by_userid),
        cmocka_unit_test(a_users_allocations_have_one_number_and_another_user_another_tag),
        cmocka_unit_test(one_user_cannot_hold_every_port_with_reservations),
        cmocka_unit_test(a_refused_reservation_counts_for_nobody),
        cmocka_unit_test(a_full_table_of_reservations_refuses_with_508),
        cmocka_unit_test(all_tables_full_is_a_quota_reached_and_one_sends_to_another),
        cmocka_unit_test(a_refused_allocate_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
