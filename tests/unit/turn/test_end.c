// SPDX-License-Identifier: BSD-3-Clause
// turn/end.h: of each end the watcher is told once, and why.
#include "turn/end.h"

#include "turn_fixture.h"

struct seen {
    unsigned count;
    enum turn_end end;
    struct turn_allocation_view view;
    char username[64];
};

static void see(void *context, const struct turn_allocation_view *view, enum turn_end end)
{
    struct seen *seen = context;

    seen->count++;
    seen->end = end;
    seen->view = *view;
    strcpy(seen->username, view->username);
}

static void start_watched(struct fixture *fixture, struct seen *seen)
{
    *seen = (struct seen){0};
    fixture_init(fixture);
    fixture_allow_tcp(fixture);
    fixture->config.watcher = (struct turn_watcher){.ended = see, .context = seen};
    fixture_start(fixture);
}

static void the_view_is_that_of_the_live_allocation(void **state)
{
    struct fixture fixture;
    struct client client = client_make(1000);
    struct turn_allocation_view view;
    struct seen seen;

    (void)state;
    start_watched(&fixture, &seen);
    fixture.now.monotonic_ms = 123456;
    assert_int_equal(client_allocate_dual(&fixture, &client), 0);
    assert_true(turn_server_view(fixture.server, fixture.output.started_id, &view));
    assert_int_equal(view.started_ms, 123400);
    assert_int_equal(client_refresh(&fixture, &client, 0), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.end, TURN_END_DELETED);
    assert_string_equal(seen.username, "alice");
    assert_true(seen.view.session_id == view.session_id);
    assert_int_equal(seen.view.started_ms, 123400);
    assert_true(five_tuple_equal(&seen.view.five_tuple, &client.five_tuple));
    assert_true(transport_address_equal(&seen.view.relayed_v4, &view.relayed_v4));
    assert_true(transport_address_equal(&seen.view.relayed_v6, &view.relayed_v6));
    assert_int_equal(seen.view.relayed_v6.ip.family, IP_FAMILY_V6);
    fixture_done(&fixture);
}

// The other half goes on, and so does the session.
static void half_an_allocation_is_no_end(void **state)
{
    struct fixture fixture;
    struct client client = client_make(1000);
    struct seen seen;

    (void)state;
    start_watched(&fixture, &seen);
    assert_int_equal(client_allocate_dual(&fixture, &client), 0);
    assert_int_equal(client_refresh_family(&fixture, &client, IP_FAMILY_V4, 0), 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(client_refresh_family(&fixture, &client, IP_FAMILY_V6, 0), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.end, TURN_END_DELETED);
    fixture_done(&fixture);
}

static void who_refreshes_no_more_expires(void **state)
{
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client dual = client_make(1001);
    struct seen seen;

    (void)state;
    start_watched(&fixture, &seen);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_allocate_dual(&fixture, &dual), 0);
    assert_int_equal(client_refresh_family(&fixture, &dual, IP_FAMILY_V4, 1800), 0);
    fixture_advance_ms(&fixture, 601 * 1000);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.end, TURN_END_EXPIRED);
    fixture_advance_ms(&fixture, 1200 * 1000);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.end, TURN_END_EXPIRED);
    fixture_done(&fixture);
}

static void who_hangs_up_is_disconnected(void **state)
{
    struct fixture fixture;
    struct client client = client_make_tcp(1000);
    struct seen seen;

    (void)state;
    start_watched(&fixture, &seen);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    turn_server_disconnected(fixture.server, &fixture.now, &client.five_tuple, &fixture.output);
    turn_server_disconnected(fixture.server, &fixture.now, &client.five_tuple, &fixture.output);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.end, TURN_END_DISCONNECTED);
    fixture_done(&fixture);
}

static void an_operator_ends_an_allocation_as_its_client_would(void **state)
{
    static const enum turn_end ends[] = {TURN_END_KILLED, TURN_END_SHUT_DOWN};
    struct fixture fixture;
    struct client client = client_make(1000);
    struct seen seen;

    (void)state;
    start_watched(&fixture, &seen);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(client_allocate(&fixture, &client), 0);
        uint32_t id = fixture.output.started_id;
        turn_server_end(fixture.server, id, ends[i], &fixture.output);
        assert_int_equal(fixture.output.command_count, 1);
        assert_int_equal(fixture.output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
        assert_int_equal(seen.count, i + 1);
        assert_int_equal(seen.end, ends[i]);
        fixture_acknowledge(&fixture);
        turn_server_end(fixture.server, id, ends[i], &fixture.output);
        assert_int_equal(fixture.output.command_count, 0);
        assert_int_equal(seen.count, i + 1);
    }
    assert_all_released(&fixture);
    fixture_done(&fixture);
}

static void every_end_has_a_name(void **state)
{
    (void)state;
    for (enum turn_end end = 0; end < TURN_END_COUNT; end++)
        assert_non_null(turn_end_name(end));
    assert_string_equal(turn_end_name(TURN_END_SHUT_DOWN), "shut_down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_view_is_that_of_the_live_allocation),
        cmocka_unit_test(half_an_allocation_is_no_end),
        cmocka_unit_test(who_refreshes_no_more_expires),
        cmocka_unit_test(who_hangs_up_is_disconnected),
        cmocka_unit_test(an_operator_ends_an_allocation_as_its_client_would),
        cmocka_unit_test(every_end_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
