// SPDX-License-Identifier: BSD-3-Clause
// turn/counters.h: what is counted of requests and allocations, and what never is.
#include "turn/counters.h"

#include "proto/stun.h"
#include "turn/view.h"
#include "turn_fixture.h"

static uint64_t sum_errors(const struct turn_counters *counters)
{
    uint64_t sum = 0;
    for (unsigned method = 0; method < TURN_METHOD_COUNT; method++) {
        for (unsigned error = 0; error < TURN_ERROR_COUNT; error++)
            sum += counters->errors[method][error];
    }
    return sum;
}

static void requests_and_errors_are_counted_by_method_and_code(void **state)
{
    struct fixture *fixture = *state;
    const struct turn_counters *counters = turn_server_counters(fixture->server);
    struct client client = client_make(1000);
    assert_int_equal(client_refresh(fixture, &client, 600), STUN_ERROR_ALLOCATION_MISMATCH);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_permit(fixture, &client, "10.0.0.1"), STUN_ERROR_FORBIDDEN);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_REFRESH], 1);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_ALLOCATE], 1);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_CREATE_PERMISSION], 2);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_CHANNEL_BIND], 1);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_BINDING], 0);
    assert_int_equal(
        counters->errors[TURN_METHOD_INDEX_REFRESH][TURN_ERROR_INDEX_ALLOCATION_MISMATCH], 1);
    assert_int_equal(
        counters->errors[TURN_METHOD_INDEX_CREATE_PERMISSION][TURN_ERROR_INDEX_FORBIDDEN], 1);
    assert_int_equal(sum_errors(counters), 2);
    assert_int_equal(counters->authentication_failures, 0);
}

static void a_wrong_password_is_an_authentication_failure(void **state)
{
    struct fixture *fixture = *state;
    const struct turn_counters *counters = turn_server_counters(fixture->server);
    struct client client = client_make(1000);
    client.password = "wrong";
    assert_int_equal(client_allocate(fixture, &client), STUN_ERROR_UNAUTHENTICATED);
    assert_int_equal(counters->authentication_failures, 1);
    assert_int_equal(counters->errors[TURN_METHOD_INDEX_ALLOCATE][TURN_ERROR_INDEX_UNAUTHENTICATED],
                     1);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_ALLOCATE], 1);
}

static void allocations_are_counted_by_family_and_transport_while_they_live(void **state)
{
    struct fixture *fixture = *state;
    const struct turn_counters *counters = turn_server_counters(fixture->server);
    struct client v4 = client_make(1000), v6 = client_make(1001), dual = client_make(1002),
                  tls = client_make(1003);
    tls.five_tuple.transport = FIVE_TUPLE_TLS;
    assert_int_equal(client_allocate(fixture, &v4), 0);
    assert_int_equal(client_allocate_family(fixture, &v6, IP_FAMILY_V6), 0);
    assert_int_equal(client_allocate_dual(fixture, &dual), 0);
    assert_int_equal(client_allocate(fixture, &tls), 0);
    assert_int_equal(counters->live[TURN_FAMILY_IPV4][TURN_TRANSPORT_UDP], 1);
    assert_int_equal(counters->live[TURN_FAMILY_IPV6][TURN_TRANSPORT_UDP], 1);
    assert_int_equal(counters->live[TURN_FAMILY_DUAL][TURN_TRANSPORT_UDP], 1);
    assert_int_equal(counters->live[TURN_FAMILY_IPV4][TURN_TRANSPORT_TLS], 1);
    // One family of two goes, and the other is left.
    assert_int_equal(client_refresh_family(fixture, &dual, IP_FAMILY_V4, 0), 0);
    assert_int_equal(counters->live[TURN_FAMILY_DUAL][TURN_TRANSPORT_UDP], 0);
    assert_int_equal(counters->live[TURN_FAMILY_IPV6][TURN_TRANSPORT_UDP], 2);
    fixture_advance_ms(fixture, 3600000);
    for (unsigned family = 0; family < TURN_FAMILY_COUNT; family++) {
        for (unsigned transport = 0; transport < TURN_TRANSPORT_COUNT; transport++)
            assert_int_equal(counters->live[family][transport], 0);
    }
    assert_int_equal(counters->allocations[TURN_FAMILY_DUAL][TURN_TRANSPORT_UDP], 1);
    assert_int_equal(counters->allocations[TURN_FAMILY_IPV6][TURN_TRANSPORT_UDP], 1);
    assert_int_equal(counters->allocations[TURN_FAMILY_IPV4][TURN_TRANSPORT_TLS], 1);
}

static void a_retransmitted_allocate_is_one_allocation(void **state)
{
    struct fixture *fixture = *state;
    const struct turn_counters *counters = turn_server_counters(fixture->server);
    struct client client = client_make(1000);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_REQUESTED_TRANSPORT, 17u << 24);
    struct span bytes = client_sign(fixture, &client, &request);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    assert_int_equal(counters->requests[TURN_METHOD_INDEX_ALLOCATE], 2);
    assert_int_equal(counters->allocations[TURN_FAMILY_IPV4][TURN_TRANSPORT_UDP], 1);
}

static void a_connect_that_fails_late_is_counted_by_its_method(void **state)
{
    struct fixture *fixture = *state;
    const struct turn_counters *counters = turn_server_counters(fixture->server);
    struct client client = client_make_tcp(1000);
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, &client), 0);
    assert_int_equal(counters->live[TURN_FAMILY_IPV4][TURN_TRANSPORT_TCP], 1);
    assert_int_equal(client_connect(fixture, &client, "8.8.8.8:80", &connection), 0);
    assert_int_equal(sum_errors(counters), 0);
    fixture_advance_ms(fixture, TURN_TCP_CONNECT_TIMEOUT_S * 1000 + 1000);
    assert_int_equal(
        counters->errors[TURN_METHOD_INDEX_CONNECT][TURN_ERROR_INDEX_CONNECTION_TIMEOUT_OR_FAILURE],
        1);
}

static void what_is_in_no_list_is_not_counted(void **state)
{
    struct turn_counters counters = {0};
    (void)state;
    turn_counters_request(&counters, STUN_METHOD_DATA);
    turn_counters_error(&counters, STUN_METHOD_DATA, STUN_ERROR_BAD_REQUEST);
    turn_counters_error(&counters, STUN_METHOD_ALLOCATE, 999);
    assert_memory_equal(&counters, &(struct turn_counters){0}, sizeof(counters));
}

static void indices_have_names_and_codes(void **state)
{
    (void)state;
    assert_string_equal(turn_method_name(TURN_METHOD_INDEX_CREATE_PERMISSION), "create_permission");
    assert_string_equal(turn_family_name(TURN_FAMILY_DUAL), "dual");
    assert_string_equal(turn_transport_name(TURN_TRANSPORT_DTLS), "dtls");
    assert_int_equal(turn_error_code(TURN_ERROR_INDEX_BAD_REQUEST), 400);
    assert_int_equal(turn_error_code(TURN_ERROR_INDEX_INSUFFICIENT_CAPACITY), 508);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_and_errors_are_counted_by_method_and_code,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_an_authentication_failure,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            allocations_are_counted_by_family_and_transport_while_they_live, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(a_retransmitted_allocate_is_one_allocation, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_connect_that_fails_late_is_counted_by_its_method,
                                        fixture_setup_tcp, fixture_teardown),
        cmocka_unit_test(what_is_in_no_list_is_not_counted),
        cmocka_unit_test(indices_have_names_and_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
