// SPDX-License-Identifier: BSD-3-Clause
// Allocate, RFC 8656 section 7.2.
#include "turn_fixture.h"

#include "base/port_slice.h"

static void answers_with_relayed_and_mapped_address_and_lifetime(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct transport_address relayed;
    struct transport_address mapped;

    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(response_lifetime_s(fixture), 600);
    assert_true(response_relayed(fixture, 0, &relayed));
    struct ip_address relay = ip("203.0.113.1");
    assert_true(ip_address_equal(&relayed.ip, &relay));
    assert_false(response_relayed(fixture, 1, &relayed));
    assert_int_equal(
        stun_message_xor_address(&fixture->response, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped),
        STUN_VALUE_OK);
    assert_true(transport_address_equal(&mapped, &client.five_tuple.client));
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_INSTALL_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_with_relayed_and_mapped_address_and_lifetime,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
