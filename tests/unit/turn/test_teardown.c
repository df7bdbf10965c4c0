// SPDX-License-Identifier: BSD-3-Clause
// turn/teardown.h: what is held until the worker has acknowledged, in whatever order
// acknowledgements come.
#include "turn_fixture.h"

// One worker, one allocation, one port of each family: whatever is held shows as a refusal.
static void start_tight(struct fixture *fixture)
{
    fixture_init(fixture);
    fixture->config.worker_count = 1;
    fixture->config.limits.allocations = 1;
    fixture->config.limits.allocations_per_worker = 1;
    for (unsigned i = 0; i < 2; i++)
        fixture->config.relays[i].min_port = fixture->config.relays[i].max_port = 50000;
    fixture_start(fixture);
}

static void an_id_waits_for_both_acknowledgements(void **state)
{
    (void)state;
    for (unsigned reversed = 0; reversed < 2; reversed++) {
        struct fixture fixture;
        struct client client = client_make(1000);
        struct client other = client_make(1001);
        start_tight(&fixture);
        assert_int_equal(client_allocate_dual(&fixture, &client), 0);
        assert_int_equal(client_refresh_family(&fixture, &client, IP_FAMILY_V4, 0), 0);
        struct turn_relayed_address v4 = fixture.output.commands[0].removed_relay;
        uint32_t id = fixture.output.commands[0].allocation;
        assert_int_equal(client_refresh(&fixture, &client, 0), 0);
        assert_int_equal(fixture_usage(&fixture).pending_removals, 2);
        turn_server_removed(fixture.server, &fixture.now, id, reversed ? NULL : &v4);
        assert_int_equal(fixture_usage(&fixture).pending_removals, 1);
        assert_int_equal(fixture_usage(&fixture).relay_ports, 1);
        assert_int_equal(client_allocate_dual(&fixture, &other), 508);
        turn_server_removed(fixture.server, &fixture.now, id, reversed ? &v4 : NULL);
        assert_all_released(&fixture);
        assert_int_equal(client_allocate_dual(&fixture, &other), 0);
        fixture_done(&fixture);
    }
}

static void an_acknowledgement_of_another_address_is_not_this_ones(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    start_tight(&fixture);
    assert_int_equal(client_allocate_dual(&fixture, &client), 0);
    struct turn_relayed_address v6 = fixture.output.commands[0].allocation_info.relayed_v6;
    assert_int_equal(client_refresh_family(&fixture, &client, IP_FAMILY_V4, 0), 0);
    struct turn_relayed_address v4 = fixture.output.commands[0].removed_relay;
    struct turn_relayed_address wrong_port = {.relay = v4.relay, .port = v4.port + 1};
    turn_server_removed(fixture.server, &fixture.now, 0, &v6);
    turn_server_removed(fixture.server, &fixture.now, 0, &wrong_port);
    assert_int_equal(fixture_usage(&fixture).relay_ports, 2);
    turn_server_removed(fixture.server, &fixture.now, 0, &v4);
    turn_server_removed(fixture.server, &fixture.now, 0, &v4);
    assert_int_equal(fixture_usage(&fixture).relay_ports, 1);
    assert_int_equal(fixture_usage(&fixture).pending_removals, 0);
    fixture_done(&fixture);
}

static void the_five_tuple_is_free_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    uint32_t id = fixture->output.commands[0].allocation;
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_not_equal(fixture->output.commands[0].allocation, id);
    turn_server_removed(fixture->server, &fixture->now, id, NULL);
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(fixture_usage(fixture).allocations, 1);
}

static void a_family_goes_with_just_its_permissions_and_channels(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    static const char *const peers[] = {"8.8.8.1", "2600::1", "8.8.8.2",
                                        "2600::2", "8.8.8.3", "2600::3"};
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(client_permit(fixture, &client, peers[i]), 0);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 0), 0);
    assert_int_equal(fixture_usage(fixture).permissions, 3);
    for (unsigned i = 0; i < 6; i += 2) {
        assert_int_equal(client_permit(fixture, &client, peers[i]), 0);
        assert_int_equal(fixture->output.command_count, 0); // still there
    }
}

static void the_name_of_a_user_goes_with_the_last_allocation(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1000);
    other.username = "bob";
    other.password = "builder";
    start_tight(&fixture); // room for one name
    for (unsigned i = 0; i < 4; i++) {
        const struct client *user = i % 2 == 0 ? &client : &other;
        assert_int_equal(client_allocate(&fixture, user), 0);
        assert_int_equal(client_refresh(&fixture, user, 0), 0);
        fixture_acknowledge(&fixture);
    }
    fixture_done(&fixture);
}

static void a_reservation_that_was_redeemed_does_not_expire(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client second = client_make(1001);
    uint8_t token[8];
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    assert_int_equal(client_allocate_token(fixture, &second, token), 0);
    fixture_advance_ms(fixture, (TURN_RESERVATION_LIFETIME_S + 1) * 1000);
    assert_int_equal(fixture_usage(fixture).relay_ports, 2);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    fixture_acknowledge(fixture);
    assert_int_equal(client_refresh(fixture, &second, 0), 0);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_waits_for_both_acknowledgements),
        cmocka_unit_test(an_acknowledgement_of_another_address_is_not_this_ones),
        cmocka_unit_test_setup_teardown(the_five_tuple_is_free_at_once, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_family_goes_with_just_its_permissions_and_channels,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test(the_name_of_a_user_goes_with_the_last_allocation),
        cmocka_unit_test_setup_teardown(a_reservation_that_was_redeemed_does_not_expire,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
