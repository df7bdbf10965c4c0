// SPDX-License-Identifier: BSD-3-Clause
// turn/refresh.h: RFC 8656 section 8.2.
#include "turn_fixture.h"

static void extends_to_the_requested_lifetime_within_limits(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    static const struct {
        uint32_t requested_s;
        uint32_t granted_s;
    } cases[] = {{1, 600}, {600, 600}, {601, 601}, {3600, 3600}, {3601, 3600}, {UINT32_MAX, 3600}};
    assert_int_equal(client_allocate(fixture, &client), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(client_refresh(fixture, &client, cases[i].requested_s), 0);
        assert_int_equal(response_lifetime_s(fixture), cases[i].granted_s);
        assert_int_equal(fixture->output.command_count, 0);
        assert_true(turn_server_next_expiry_ms(fixture->server) ==
                    fixture->now.monotonic_ms + cases[i].granted_s * 1000);
    }
}

static void without_lifetime_the_default_holds(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    assert_int_equal(client_allocate(fixture, &client), 0);
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    assert_int_equal(client_send(fixture, &client, &request), 0);
    assert_int_equal(response_lifetime_s(fixture), 600);
}

static void keeps_the_allocation_alive(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    for (unsigned i = 0; i < 10; i++) {
        fixture_advance_ms(fixture, 599 * 1000);
        assert_int_equal(client_refresh(fixture, &client, 600), 0);
    }
    fixture_advance_ms(fixture, 599 * 1000);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
    fixture_advance_ms(fixture, 1000);
    assert_all_released(fixture);
}

static void zero_deletes_and_its_retransmission_gets_437(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.9:5000"), 0);
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_LIFETIME, 0);
    struct span bytes = client_sign(fixture, &client, &request);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 0);
    assert_int_equal(response_lifetime_s(fixture), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
    assert_int_equal(client_send_bytes(fixture, &client, bytes), 437);
}

static void needs_an_allocation(void **state)
{
    struct client client = client_make(1000);
    assert_int_equal(client_refresh(*state, &client, 600), 437);
    assert_int_equal(client_refresh(*state, &client, 0), 437);
}

static void a_family_that_is_not_the_allocations_gets_443(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 600), 443);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 0), 443);
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, 0x05000000);
    assert_int_equal(client_send(fixture, &client, &request), 443);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V4, 600), 0);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

static void malformed_attributes_get_400_and_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    assert_int_equal(client_allocate(fixture, &client), 0);
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_LIFETIME, "\0\0\0", 3);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, "\1", 1);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_LIFETIME, 0);
    assert_int_equal(client_send(fixture, &client, &request), 400);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

// A dual allocation with a permission and a channel in each family.
static struct client make_dual(struct fixture *fixture)
{
    struct client client = client_make(1000);
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_permit(fixture, &client, "2600::8"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "[2600::8]:5000"), 0);
    return client;
}

static void deleting_one_family_keeps_the_others_permissions_and_channels(void **state)
{
    struct fixture *fixture = *state;
    struct client client = make_dual(fixture);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V4, 0), 0);
    assert_int_equal(response_lifetime_s(fixture), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_RELAY);
    assert_int_equal(fixture->output.commands[0].removed_relay.relay, 0);
    assert_int_equal(fixture_usage(fixture).permissions, 1);
    assert_int_equal(fixture_usage(fixture).channels, 1);
    assert_int_equal(fixture_usage(fixture).relay_ports, 2);
    fixture_acknowledge(fixture);
    assert_int_equal(fixture_usage(fixture).relay_ports, 1);

    // What is left works, what is gone is of another family now.
    assert_int_equal(client_bind(fixture, &client, 0x4001, "[2600::8]:5000"), 0);
    assert_int_equal(fixture->output.command_count, 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 443);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V4, 600), 443);
    assert_int_equal(client_refresh(fixture, &client, 600), 0);

    // The last family takes the allocation with it.
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 0), 0);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
    assert_int_equal(fixture->output.commands[0].allocation_info.relayed_v4.port, 0);
    assert_int_not_equal(fixture->output.commands[0].allocation_info.relayed_v6.port, 0);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

static void without_a_family_both_are_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct client client = make_dual(fixture);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

static void each_family_has_a_time_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct client client = make_dual(fixture);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 1200), 0);
    assert_int_equal(response_lifetime_s(fixture), 1200);
    fixture->now.monotonic_ms += 600 * 1000;
    while (turn_server_expire(fixture->server, &fixture->now, &fixture->output))
        ;
    assert_int_equal(fixture_count_commands(fixture, TURN_COMMAND_REMOVE_RELAY), 1);
    assert_int_equal(fixture_count_commands(fixture, TURN_COMMAND_REMOVE_ALLOCATION), 0);
    fixture_acknowledge(fixture);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V4, 600), 443);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
    fixture_advance_ms(fixture, 600 * 1000);
    assert_all_released(fixture);
}

static void both_families_that_end_together_end_in_one_command(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    fixture->now.monotonic_ms += 600 * 1000;
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(extends_to_the_requested_lifetime_within_limits),
        CASE(without_lifetime_the_default_holds),
        CASE(keeps_the_allocation_alive),
        CASE(zero_deletes_and_its_retransmission_gets_437),
        CASE(needs_an_allocation),
        CASE(a_family_that_is_not_the_allocations_gets_443),
        CASE(malformed_attributes_get_400_and_change_nothing),
        CASE(deleting_one_family_keeps_the_others_permissions_and_channels),
        CASE(without_a_family_both_are_deleted),
        CASE(each_family_has_a_time_of_its_own),
        CASE(both_families_that_end_together_end_in_one_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
