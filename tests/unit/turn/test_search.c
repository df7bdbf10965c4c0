// SPDX-License-Identifier: BSD-3-Clause
// Claims about what is found, and what is said of peers and users.
#include "turn/search.h"

#include "turn_fixture.h"

#include <stdio.h>

#define ALICE 1001
#define BOB   1002

// Allocation 0 is alice's, 1 is bob's.
static int set_up(void **state)
{
    struct fixture *fixture;
    struct client alice = client_make(ALICE), bob = client_make(BOB);

    if (fixture_setup(state) != 0)
        return -1;
    fixture = *state;
    bob.username = "bob";
    bob.password = "builder";
    return client_allocate_dual(fixture, &alice) != 0 || client_allocate(fixture, &bob) != 0 ||
           client_permit(fixture, &alice, "8.8.8.8") != 0 ||
           client_bind(fixture, &alice, 0x4000, "9.9.9.9:53") != 0;
}

static void assert_found(const struct fixture *fixture, struct turn_filter filter, bool alices,
                         bool bobs)
{
    assert_int_equal(turn_server_fits(fixture->server, 0, &filter), alices);
    assert_int_equal(turn_server_fits(fixture->server, 1, &filter), bobs);
}

static void only_what_lives_fits(void **state)
{
    struct fixture *fixture = *state;
    struct client bob = client_make(BOB);

    bob.username = "bob";
    bob.password = "builder";
    assert_int_equal(turn_server_id_count(fixture->server), 2);
    assert_found(fixture, (struct turn_filter){}, true, true);
    assert_false(turn_server_fits(fixture->server, 2, &(struct turn_filter){}));
    assert_false(turn_server_fits(fixture->server, UINT32_MAX, &(struct turn_filter){}));
    assert_int_equal(client_refresh(fixture, &bob, 0), 0);
    assert_found(fixture, (struct turn_filter){}, true, false);
}

static void users_are_known_by_name(void **state)
{
    assert_found(*state, (struct turn_filter){.user = "alice"}, true, false);
    assert_found(*state, (struct turn_filter){.user = "bob"}, false, true);
    assert_found(*state, (struct turn_filter){.user = "ali"}, false, false);
    assert_found(*state, (struct turn_filter){.user = ""}, false, false);
}

static void a_rest_user_is_known_by_both_names(void **state)
{
    struct fixture *fixture = *state;
    struct client carol = client_make(1003);
    char password[29], name[32];

    snprintf(name, sizeof(name), "%u:carol", FIXTURE_WALL_S + 1000);
    client_use_rest(&carol, name, "new", password);
    assert_int_equal(client_allocate(fixture, &carol), 0);
    assert_true(turn_server_fits(fixture->server, 2, &(struct turn_filter){.user = "carol"}));
    assert_true(turn_server_fits(fixture->server, 2, &(struct turn_filter){.user = name}));
}

static void clients_are_known_with_a_port_or_without(void **state)
{
    assert_found(*state, (struct turn_filter){.client = address("192.0.2.1:1001")}, true, false);
    assert_found(*state, (struct turn_filter){.client.ip = ip("192.0.2.1")}, true, true);
    assert_found(*state, (struct turn_filter){.client.ip = ip("192.0.2.2")}, false, false);
}

static void each_relayed_address_is_known(void **state)
{
    struct fixture *fixture = *state;
    struct turn_allocation_view view;

    assert_true(turn_server_view(fixture->server, 0, &view));
    assert_found(fixture, (struct turn_filter){.relayed = view.relayed_v4}, true, false);
    assert_found(fixture, (struct turn_filter){.relayed = view.relayed_v6}, true, false);
    assert_found(fixture, (struct turn_filter){.relayed.ip = view.relayed_v4.ip}, true, true);
    assert_found(fixture, (struct turn_filter){.relayed.ip = view.relayed_v6.ip}, true, false);
}

static void peers_are_known_by_permission_or_by_channel(void **state)
{
    assert_found(*state, (struct turn_filter){.peer.ip = ip("8.8.8.8")}, true, false);
    assert_found(*state, (struct turn_filter){.peer.ip = ip("9.9.9.9")}, true, false);
    assert_found(*state, (struct turn_filter){.peer.ip = ip("1.1.1.1")}, false, false);
    assert_found(*state, (struct turn_filter){.peer = address("9.9.9.9:53")}, true, false);
    assert_found(*state, (struct turn_filter){.peer = address("9.9.9.9:54")}, false, false);
    assert_found(*state, (struct turn_filter){.peer = address("8.8.8.8:53")}, false, false);
}

static void peers_of_tcp_are_known_by_connection(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make_tcp(2000);

    client_attempted(fixture, &client, 777);
    assert_true(turn_server_fits(fixture->server, 0,
                                 &(struct turn_filter){.peer = address("8.8.8.8:777")}));
    assert_false(turn_server_fits(fixture->server, 0,
                                  &(struct turn_filter){.peer = address("8.8.8.8:778")}));
}

static void all_conditions_hold_together(void **state)
{
    assert_found(*state, (struct turn_filter){.user = "bob", .peer.ip = ip("8.8.8.8")}, false,
                 false);
    assert_found(*state,
                 (struct turn_filter){.user = "alice",
                                      .peer.ip = ip("8.8.8.8"),
                                      .client = address("192.0.2.1:1001")},
                 true, false);
}

static void says_what_there_is_for_peers(void **state)
{
    struct fixture *fixture = *state;
    struct turn_peer peers[8];
    unsigned permissions = 0, count = turn_server_peers(fixture->server, 0, peers, 8);
    const struct transport_address bound = address("9.9.9.9:53");

    assert_int_equal(count, 3);
    for (unsigned i = 0; i < 2; i++)
        permissions += peers[i].channel == 0 && peers[i].address.port == 0;
    assert_int_equal(permissions, 2);
    assert_int_equal(peers[2].channel, 0x4000);
    assert_true(transport_address_equal(&peers[2].address, &bound));
    assert_true(peers[2].expires_ms >= fixture->now.monotonic_ms + 1000 * 599);
    assert_int_equal(turn_server_peers(fixture->server, 0, peers, 1), 1);
    assert_int_equal(turn_server_peers(fixture->server, 1, peers, 8), 0);
    assert_int_equal(turn_server_peers(fixture->server, 7, peers, 8), 0);
}

static void users_are_counted_with_those_who_have_gone(void **state)
{
    struct fixture *fixture = *state;
    struct client bob = client_make(BOB);
    struct turn_user_view view;

    bob.username = "bob";
    bob.password = "builder";
    assert_int_equal(turn_server_user_count(fixture->server), 2);
    assert_true(turn_server_user(fixture->server, 1, &view));
    assert_string_equal(view.name, "bob");
    assert_int_equal(client_refresh(fixture, &bob, 0), 0);
    assert_false(turn_server_user(fixture->server, 1, &view));
    assert_int_equal(turn_server_user_count(fixture->server), 2);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_lives_fits),
        TEST(users_are_known_by_name),
        TEST(a_rest_user_is_known_by_both_names),
        TEST(clients_are_known_with_a_port_or_without),
        TEST(each_relayed_address_is_known),
        TEST(peers_are_known_by_permission_or_by_channel),
        cmocka_unit_test_setup_teardown(peers_of_tcp_are_known_by_connection, fixture_setup_tcp,
                                        fixture_teardown),
        TEST(all_conditions_hold_together),
        TEST(says_what_there_is_for_peers),
        TEST(users_are_counted_with_those_who_have_gone),
    };

    return cmocka_run_group_tests_name("turn/search", tests, NULL, NULL);
}
