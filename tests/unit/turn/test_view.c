// SPDX-License-Identifier: BSD-3-Clause
// turn/view.h.
#include "turn_fixture.h"

static void a_walk_says_every_live_thing_once_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    unsigned counts[TURN_COMMAND_KIND_COUNT] = {0};
    unsigned last_kind = 0;
    uint64_t cursor = 0;
    bool more = true;
    for (uint16_t i = 0; i < 60; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate(fixture, &client), 0);
        assert_int_equal(client_permit(fixture, &client, "8.8.8.1"), 0);
        assert_int_equal(client_permit(fixture, &client, "8.8.8.2"), 0);
        assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.2:5000"), 0);
    }
    struct client gone = client_make(1030);
    assert_int_equal(client_refresh(fixture, &gone, 0), 0);
    while (more) {
        more = turn_server_walk(fixture->server, &cursor, &fixture->output);
        for (unsigned i = 0; i < fixture->output.command_count; i++) {
            const struct turn_command *command = &fixture->output.commands[i];
            assert_true(command->kind >= last_kind);
            last_kind = command->kind;
            counts[command->kind]++;
        }
    }
    assert_int_equal(counts[TURN_COMMAND_INSTALL_ALLOCATION], 59);
    assert_int_equal(counts[TURN_COMMAND_INSTALL_PERMISSION], 118);
    assert_int_equal(counts[TURN_COMMAND_INSTALL_CHANNEL], 59);
}

static void a_walk_repeats_the_commands_that_installed(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct turn_command said[3];
    uint64_t cursor = 0;
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    said[0] = fixture->output.commands[0];
    assert_int_equal(client_bind(fixture, &client, 0x4000, "[2600::8]:5000"), 0);
    said[1] = fixture->output.commands[0];
    said[2] = fixture->output.commands[1];
    assert_false(turn_server_walk(fixture->server, &cursor, &fixture->output));
    assert_int_equal(fixture->output.command_count, 3);
    assert_memory_equal(said, fixture->output.commands, sizeof(said));
}

static void an_allocation_is_seen_as_the_client_was_told(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct turn_allocation_view view;
    struct transport_address relayed;
    assert_int_equal(client_allocate(fixture, &client), 0);
    uint32_t id = fixture->output.commands[0].allocation;
    assert_true(response_relayed(fixture, 0, &relayed));
    assert_true(turn_server_view(fixture->server, id, &view));
    assert_true(five_tuple_equal(&view.five_tuple, &client.five_tuple));
    assert_string_equal(view.username, "alice");
    assert_true(transport_address_equal(&view.relayed_v4, &relayed));
    assert_int_equal(view.relayed_v6.ip.family, IP_FAMILY_NONE);
    assert_true(view.expires_ms == fixture->now.monotonic_ms + 600000);
}

static void a_dual_allocation_is_seen_to_last_as_long_as_its_longer_half(void **state)
{
    struct fixture *fixture = *state;
    static const enum ip_family families[] = {IP_FAMILY_V4, IP_FAMILY_V6};
    for (unsigned i = 0; i < 2; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        struct turn_allocation_view view;
        assert_int_equal(client_allocate_dual(fixture, &client), 0);
        uint32_t id = fixture->output.commands[0].allocation;
        assert_int_equal(client_refresh_family(fixture, &client, families[i], 1800), 0);
        assert_true(turn_server_view(fixture->server, id, &view));
        assert_true(view.expires_ms == fixture->now.monotonic_ms + 1800000);
    }
}

// Before the worker has acknowledged, too.
static void a_half_that_is_deleted_is_not_seen(void **state)
{
    struct fixture *fixture = *state;
    static const enum ip_family families[] = {IP_FAMILY_V4, IP_FAMILY_V6};
    for (unsigned i = 0; i < 2; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        struct turn_allocation_view view;
        assert_int_equal(client_allocate_dual(fixture, &client), 0);
        uint32_t id = fixture->output.commands[0].allocation;
        assert_int_equal(client_refresh_family(fixture, &client, families[i], 0), 0);
        assert_true(turn_server_view(fixture->server, id, &view));
        assert_int_equal(view.relayed_v4.ip.family, i == 0 ? IP_FAMILY_NONE : IP_FAMILY_V4);
        assert_int_equal(view.relayed_v6.ip.family, i == 0 ? IP_FAMILY_V6 : IP_FAMILY_NONE);
    }
}

static void an_id_that_is_not_live_is_not_seen(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct turn_allocation_view view;
    assert_false(turn_server_view(fixture->server, 0, &view));
    assert_false(turn_server_view(fixture->server, UINT32_MAX, &view));
    assert_int_equal(client_allocate(fixture, &client), 0);
    uint32_t id = fixture->output.commands[0].allocation;
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    assert_false(turn_server_view(fixture->server, id, &view));
}

static void usage_counts_each_thing(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    uint8_t token[8];
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    assert_int_equal(client_allocate_pair(fixture, &other, token), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.1"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.2:5000"), 0);
    assert_int_equal(client_refresh_family(fixture, &client, IP_FAMILY_V6, 0), 0);
    struct turn_usage expected = {
        .allocations = 2,
        .permissions = 2,
        .channels = 1,
        .reservations = 1,
        .relay_ports = 4,
        .pending_removals = 1,
        .users = 1,
    };
    struct turn_usage usage = fixture_usage(fixture);
    assert_memory_equal(&usage, &expected, sizeof(usage));
}

static uint32_t ports_taken(const struct fixture *fixture, enum ip_family family)
{
    struct turn_port_usage usage;
    uint32_t taken = 0;
    for (uint16_t worker = 0; worker < fixture->config.worker_count; worker++) {
        turn_server_relay_ports(fixture->server, family, worker, &usage);
        taken += usage.taken;
        assert_true(usage.taken < usage.capacity);
    }
    return taken;
}

static void each_family_has_ports_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &other), 0);
    assert_int_equal(ports_taken(fixture, IP_FAMILY_V4), 2);
    assert_int_equal(ports_taken(fixture, IP_FAMILY_V6), 1);
}

static void there_is_room_until_the_last_place_is_taken(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture.config.limits.allocations = 2;
    fixture.config.limits.allocations_per_worker = 1;
    fixture_start(&fixture);
    struct client first = client_make(1000), second = client_make(1001);
    assert_int_equal(client_allocate(&fixture, &first), 0);
    assert_int_equal(turn_server_worker_allocations(fixture.server, 0), 1);
    assert_int_equal(turn_server_worker_allocations(fixture.server, 1), 0);
    assert_true(turn_server_has_room(fixture.server));
    assert_int_equal(client_allocate(&fixture, &second), 0);
    assert_int_equal(turn_server_worker_allocations(fixture.server, 1), 1);
    assert_false(turn_server_has_room(fixture.server));
    // Until its worker has said so, the place is taken.
    assert_int_equal(client_refresh(&fixture, &first, 0), 0);
    assert_false(turn_server_has_room(fixture.server));
    fixture_acknowledge(&fixture);
    assert_true(turn_server_has_room(fixture.server));
    fixture_done(&fixture);
}

static void there_is_no_room_without_ports(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture.config.worker_count = 1;
    fixture.config.relay_count = 1;
    fixture.config.relays[0].max_port = fixture.config.relays[0].min_port;
    fixture_start(&fixture);
    struct client client = client_make(1000);
    assert_true(turn_server_has_room(fixture.server));
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_false(turn_server_has_room(fixture.server));
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

static void users_are_walked_in_steps_and_each_is_met_once(void **state)
{
    struct fixture *fixture = *state;
    struct turn_user_view views[2], user;
    unsigned alice = 0, bob = 0, count = 0;
    uint32_t cursor = 0;
    bool more = true;
    for (uint16_t i = 0; i < 5; i++) {
        struct client client = client_make((uint16_t)(1000 + i));
        client.username = i < 3 ? "alice" : "bob";
        client.password = i < 3 ? "wonder" : "builder";
        assert_int_equal(client_allocate(fixture, &client), 0);
    }
    while (more) {
        more = turn_server_walk_users(fixture->server, &cursor, views, 1, &count);
        assert_in_range(count, 0, 1);
        for (unsigned i = 0; i < count; i++) {
            alice += strcmp(views[i].name, "alice") == 0 ? views[i].allocations : 0;
            bob += strcmp(views[i].name, "bob") == 0 ? views[i].allocations : 0;
        }
    }
    assert_int_equal(alice, 3);
    assert_int_equal(bob, 2);
    assert_true(turn_server_find_user(fixture->server, text_span("bob"), &user));
    assert_int_equal(user.allocations, 2);
    assert_string_equal(user.name, "bob");
    assert_false(turn_server_find_user(fixture->server, text_span("carol"), &user));
    assert_false(turn_server_user(fixture->server, 2, &user));
    assert_false(turn_server_user(fixture->server, INDEX_NONE, &user));
}

static void a_user_without_allocations_is_not_met(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct turn_user_view views[4], user;
    uint8_t token[8];
    unsigned count = 1;
    uint32_t cursor = 0;
    assert_int_equal(client_allocate_pair(fixture, &client, token), 0);
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    // Of the port that is held for the pair the name is still there.
    assert_false(turn_server_find_user(fixture->server, text_span("alice"), &user));
    assert_false(turn_server_walk_users(fixture->server, &cursor, views, 4, &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_walk_says_every_live_thing_once_and_in_order),
        CASE(a_walk_repeats_the_commands_that_installed),
        CASE(an_allocation_is_seen_as_the_client_was_told),
        CASE(a_dual_allocation_is_seen_to_last_as_long_as_its_longer_half),
        CASE(a_half_that_is_deleted_is_not_seen),
        CASE(an_id_that_is_not_live_is_not_seen),
        CASE(usage_counts_each_thing),
        CASE(users_are_walked_in_steps_and_each_is_met_once),
        CASE(a_user_without_allocations_is_not_met),
        CASE(each_family_has_ports_of_its_own),
        cmocka_unit_test(there_is_room_until_the_last_place_is_taken),
        cmocka_unit_test(there_is_no_room_without_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
