// SPDX-License-Identifier: BSD-3-Clause
// turn/response.h: what every response carries, and that the longest one fits.
#include "turn_fixture.h"

static void software_is_in_allocate_and_refresh_responses_only(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_refresh(fixture, &client, 600), 437);
    assert_true(stun_message_has(&fixture->response, STUN_ATTRIBUTE_SOFTWARE));
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_true(stun_message_has(&fixture->response, STUN_ATTRIBUTE_SOFTWARE));
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_true(stun_message_has(&fixture->response, STUN_ATTRIBUTE_SOFTWARE));
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_false(stun_message_has(&fixture->response, STUN_ATTRIBUTE_SOFTWARE));
}

static void no_software_is_named_when_none_is_configured(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    fixture_init(&fixture);
    fixture.config.stateless.software[0] = '\0';
    fixture_start(&fixture);
    struct request request;
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    struct turn_packet packet = {.five_tuple = client.five_tuple,
                                 .bytes = client_sign(&fixture, &client, &request)};
    turn_server_receive(fixture.server, &fixture.now, &packet, &fixture.output);
    struct span answer = {.data = fixture.output.response, .len = fixture.output.response_len};
    assert_int_equal(stun_message_parse(answer, &fixture.response), STUN_VALID);
    assert_false(stun_message_has(&fixture.response, STUN_ATTRIBUTE_SOFTWARE));
    fixture_done(&fixture);
}

static void the_longest_responses_fit(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct request request;
    fixture_init(&fixture);
    memset(fixture.config.stateless.software, 's', STATELESS_TEXT_MAX_LEN);
    fixture_start(&fixture);
    client.style = CLIENT_SHA256;
    client.use_fingerprint = true;
    client.five_tuple.client = address("[2600::1]:5000");
    assert_int_equal(client_allocate_dual(&fixture, &client), 0);
    request_begin(&fixture, &request, STUN_METHOD_ALLOCATE);
    for (unsigned i = 0; i < 40; i++)
        stun_add_flag(&request.builder, (uint16_t)(0x7F00 + i));
    assert_int_equal(client_send(&fixture, &client, &request), 420);
    struct span types;
    assert_true(stun_message_find(&fixture.response, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, &types));
    assert_int_equal(types.len, 2 * STUN_MESSAGE_UNKNOWN_MAX);
    fixture_done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(software_is_in_allocate_and_refresh_responses_only,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test(no_software_is_named_when_none_is_configured),
        cmocka_unit_test(the_longest_responses_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
