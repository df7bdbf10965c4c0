// SPDX-License-Identifier: BSD-3-Clause
// turn/redirect.h: who is sent elsewhere, where to, and who is served all the same.
#include "turn_fixture.h"

static struct turn_alternates alternates_of(const char *v4, const char *v6)
{
    struct turn_alternates alternates = {0};
    if (v4 != NULL)
        alternates.v4 = address(v4);
    if (v6 != NULL)
        alternates.v6 = address(v6);
    return alternates;
}

static void drain_to(struct fixture *fixture, const char *v4, const char *v6)
{
    struct turn_alternates alternates = alternates_of(v4, v6);
    turn_server_drain(fixture->server, &alternates);
}

// The ALTERNATE-SERVERs of the last response, in order. Returns how many there are.
static unsigned alternate_servers(const struct fixture *fixture,
                                  struct transport_address ret_addresses[2])
{
    const uint8_t *bytes = fixture->output.response;
    unsigned count = 0;
    for (size_t at = STUN_HEADER_LEN; at + 4 <= fixture->output.response_len;) {
        uint16_t type = (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
        uint16_t len = (uint16_t)(bytes[at + 2] << 8 | bytes[at + 3]);
        const uint8_t *value = bytes + at + 4;
        if (type == STUN_ATTRIBUTE_ALTERNATE_SERVER) {
            enum ip_family family = value[1] == 1 ? IP_FAMILY_V4 : IP_FAMILY_V6;
            assert_in_range(count, 0, 1);
            assert_int_equal(value[0], 0);
            assert_int_equal(len, family == IP_FAMILY_V4 ? 8 : 20);
            ret_addresses[count].ip = ip_address_from_bytes(family, value + 4);
            ret_addresses[count].port = (uint16_t)(value[2] << 8 | value[3]);
            count++;
        }
        at += 4 + ((len + 3u) & ~3u);
    }
    return count;
}

static void assert_sent_to(const struct fixture *fixture, const char *first, const char *second)
{
    struct transport_address found[2], expected;
    assert_int_equal(alternate_servers(fixture, found), second != NULL ? 2 : 1);
    expected = address(first);
    assert_true(transport_address_equal(&found[0], &expected));
    if (second == NULL)
        return;
    expected = address(second);
    assert_true(transport_address_equal(&found[1], &expected));
}

static struct client client_make_v6(uint16_t port)
{
    struct client client = client_make(port);
    client.five_tuple.client = (struct transport_address){.ip = ip("2600::1"), .port = port};
    client.five_tuple.server = address("[2001:db8::1]:3478");
    return client;
}

// The fixture checks the integrity of every response.
static void a_newcomer_is_sent_to_the_alternate_of_its_family_first(void **state)
{
    struct fixture *fixture = *state;
    struct client v4 = client_make(1000);
    struct client v6 = client_make_v6(1001);
    drain_to(fixture, "203.0.113.9:3479", "[2001:db8::9]:3480");
    for (enum client_style style = CLIENT_MD5_SHA1; style <= CLIENT_SHA256_SHA1; style++) {
        v4.style = v6.style = style;
        assert_int_equal(client_allocate(fixture, &v4), 300);
        assert_sent_to(fixture, "203.0.113.9:3479", "[2001:db8::9]:3480");
        assert_int_equal(client_allocate(fixture, &v6), 300);
        assert_sent_to(fixture, "[2001:db8::9]:3480", "203.0.113.9:3479");
    }
    assert_int_equal(fixture->output.command_count, 0);
    assert_all_released(fixture);
}

static void without_a_port_it_is_the_one_that_the_client_came_to(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct turn_alternates alternates = alternates_of("203.0.113.9:1", NULL);
    alternates.v4.port = 0;
    turn_server_drain(fixture->server, &alternates);
    client.five_tuple.server.port = 443;
    client.five_tuple.transport = FIVE_TUPLE_TLS;
    assert_int_equal(client_allocate(fixture, &client), 300);
    assert_sent_to(fixture, "203.0.113.9:443", NULL);
}

static void without_an_alternate_of_its_family_a_newcomer_gets_508(void **state)
{
    struct fixture *fixture = *state;
    struct client v4 = client_make(1000);
    struct client v6 = client_make_v6(1001);
    struct transport_address none[2];
    drain_to(fixture, NULL, NULL);
    assert_int_equal(client_allocate(fixture, &v4), 508);
    assert_int_equal(client_allocate(fixture, &v6), 508);
    drain_to(fixture, "203.0.113.9:3478", NULL);
    assert_int_equal(client_allocate(fixture, &v4), 300);
    assert_int_equal(client_allocate(fixture, &v6), 508);
    assert_int_equal(alternate_servers(fixture, none), 0);
    drain_to(fixture, NULL, "[2001:db8::9]:3478");
    assert_int_equal(client_allocate(fixture, &v4), 508);
    assert_int_equal(client_allocate(fixture, &v6), 300);
}

// RFC 8489 section 10: who verifies a certificate is told whose it is.
static void the_domain_is_for_clients_over_tls_and_dtls(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint8_t transport;
        bool is_told;
    } cases[] = {{FIVE_TUPLE_UDP, false},
                 {FIVE_TUPLE_TCP, false},
                 {FIVE_TUPLE_TLS, true},
                 {FIVE_TUPLE_DTLS, true}};
    struct turn_alternates alternates = alternates_of("203.0.113.9:5349", NULL);
    strcpy(alternates.domain, "other.example.org");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        struct span domain;
        client.five_tuple.transport = cases[i].transport;
        client.style = CLIENT_SHA256;
        turn_server_drain(fixture->server, &alternates);
        assert_int_equal(client_allocate(fixture, &client), 300);
        assert_int_equal(
            stun_message_find(&fixture->response, STUN_ATTRIBUTE_ALTERNATE_DOMAIN, &domain),
            cases[i].is_told);
        if (cases[i].is_told)
            assert_memory_equal(domain.data, "other.example.org", domain.len);
    }
}

static void authentication_comes_first(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    struct turn_packet packet = {.five_tuple = client.five_tuple};
    drain_to(fixture, "203.0.113.9:3478", NULL);
    client.password = "looking-glass";
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    packet.bytes = client_sign(fixture, &client, &request);
    turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
    assert_int_equal(fixture->output.response_error, 401);
}

static void what_makes_a_request_bad_is_said_before(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    drain_to(fixture, "203.0.113.9:3478", NULL);
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 1);
    assert_int_equal(client_send(fixture, &client, &request), 442);
}

static void who_is_at_a_quota_is_sent_elsewhere_too(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client first = client_make(1000), second = client_make(1001);
    fixture_init(&fixture);
    fixture.config.limits.allocations_per_user = 1;
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &first), 0);
    assert_int_equal(client_allocate(&fixture, &second), 486);
    drain_to(&fixture, "203.0.113.9:3478", NULL);
    assert_int_equal(client_allocate(&fixture, &second), 300);
    assert_int_equal(client_refresh(&fixture, &first, 0), 0);
    fixture_acknowledge(&fixture);
    fixture_done(&fixture);
}

static void a_reserved_port_is_still_given_to_who_brings_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct client first = client_make(1000), second = client_make(1001), third = client_make(1002);
    uint8_t token[8];
    assert_int_equal(client_allocate_pair(fixture, &first, token), 0);
    drain_to(fixture, "203.0.113.9:3478", NULL);
    assert_int_equal(client_allocate(fixture, &third), 300);
    assert_int_equal(client_allocate_token(fixture, &second, token), 0);
    assert_int_equal(client_allocate_token(fixture, &third, token), 508);
    assert_int_equal(client_refresh(fixture, &first, 0), 0);
    fixture_acknowledge(fixture);
    assert_int_equal(client_refresh(fixture, &second, 0), 0);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

static void the_longest_redirection_fits(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make_v6(1000);
    struct turn_alternates alternates = alternates_of("203.0.113.9:5349", "[2001:db8::9]:5349");
    fixture_init(&fixture);
    memset(fixture.config.stateless.software, 's', STATELESS_TEXT_MAX_LEN);
    fixture_start(&fixture);
    memset(alternates.domain, 'd', STUN_DOMAIN_MAX_LEN);
    turn_server_drain(fixture.server, &alternates);
    client.five_tuple.transport = FIVE_TUPLE_TLS;
    client.style = CLIENT_SHA256;
    client.use_fingerprint = true;
    assert_int_equal(client_allocate(&fixture, &client), 300);
    assert_sent_to(&fixture, "[2001:db8::9]:5349", "203.0.113.9:5349");
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_newcomer_is_sent_to_the_alternate_of_its_family_first),
        CASE(without_a_port_it_is_the_one_that_the_client_came_to),
        CASE(without_an_alternate_of_its_family_a_newcomer_gets_508),
        CASE(the_domain_is_for_clients_over_tls_and_dtls),
        CASE(authentication_comes_first),
        CASE(what_makes_a_request_bad_is_said_before),
        cmocka_unit_test(who_is_at_a_quota_is_sent_elsewhere_too),
        CASE(a_reserved_port_is_still_given_to_who_brings_its_token),
        cmocka_unit_test(the_longest_redirection_fits),
    };
    return cmocka_run_group_tests_name("turn/redirect", tests, NULL, NULL);
}
