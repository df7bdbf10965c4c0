// SPDX-License-Identifier: BSD-3-Clause
// Claims about connections between TCP allocations and peers.
#include "control/tcp_peer.h"

#include "control/stream_account.h"
#include "control/tcp_socket.h"
#include "tcp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void connects_from_the_relayed_address(void **state)
{
    struct transport_address peer;
    int listener = tcp_fixture_peer_listens(&peer), fd;

    (void)state;
    tcp_fixture_connect_to(&peer, 50);
    tcp_fixture_wait_for(&tcp_fixture.connected_count, 1);
    assert_int_equal(tcp_fixture.connected[0], 50);
    assert_int_equal(tcp_fixture.answers, 1);
    fd = tcp_fixture_peer_accepts(listener);
    assert_int_equal(tcp_fixture.closed_count, 0);
    close(fd);
    close(listener);
}

static void says_when_nobody_listens_there_but_not_before_the_event_is_over(void **state)
{
    struct transport_address peer, nobodys;

    (void)state;
    close(tcp_fixture_peer_listens(&peer));
    tcp_fixture_connect_to(&peer, 50);
    assert_int_equal(tcp_fixture.closed_count, 0);
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 1);
    assert_int_equal(tcp_fixture.closed[0], 50);
    // What fails tcp_fixture_at once.
    assert_int_equal(transport_address_parse("[2001:db8::1]:80", &nobodys), 0);
    tcp_fixture_connect_to(&nobodys, 51);
    assert_int_equal(tcp_fixture.closed_count, 1);
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 2);
    assert_int_equal(tcp_fixture.closed[1], 51);
    assert_int_equal(tcp_fixture.connected_count, 0);
}

// So it takes from the same buckets as that user's other allocations.
static void a_bound_one_is_its_users(void **state)
{
    struct shared_bandwidth users[4] = {[3] = {.full_tsc = {5, 6}, .user_tag = 1}};
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_plane.user_bandwidth = users;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_carry_out(&(struct turn_command){
        .kind = TURN_COMMAND_TCP_BIND,
        .tcp_bind = {.connection = 100, .user = 3, .user_tag = 77},
    });
    tcp_fixture_plane.user_bandwidth = NULL;
    assert_int_equal(tcp_fixture.order_count, 1);
    assert_int_equal(stream_account_user(tcp_fixture.orders[0].account), 3);
    assert_int_equal(users[3].user_tag, 77);
    assert_int_equal(users[3].full_tsc[DIRECTION_TO_PEER], 0);
    close(peer);
}

static void a_bound_one_is_the_threads_with_all_that_it_has_sent(void **state)
{
    int peer = tcp_fixture_peer_connects();
    char bytes[8] = "";

    (void)state;
    assert_int_equal(write(peer, "early", 5), 5);
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_let_time_pass();
    tcp_fixture_bind_client(100);
    assert_int_equal(tcp_fixture.order_count, 1);
    assert_int_equal(tcp_fixture.orders[0].kind, STREAM_ORDER_JOIN);
    assert_int_equal(tcp_fixture.threads[0], 1);
    assert_memory_equal(&tcp_fixture.orders[0].client, &tcp_fixture_client_key,
                        sizeof(tcp_fixture_client_key.address));
    assert_int_equal(tcp_fixture.orders[0].client.listener, 5);
    assert_int_equal(read(tcp_fixture.orders[0].socket, bytes, sizeof(bytes)), 5);
    assert_string_equal(bytes, "early");
    // From now on its end is the thread's to tell.
    close(peer);
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.closed_count, 0);
}

static void tells_of_a_peer_that_has_left_unless_it_has_left_something(void **state)
{
    int silent, laconic;

    (void)state;
    silent = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    close(silent);
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 1);
    assert_int_equal(tcp_fixture.closed[0], 100);
    laconic = tcp_fixture_peer_connects();
    assert_int_equal(write(laconic, "bye", 3), 3);
    shutdown(laconic, SHUT_WR);
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 2);
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.closed_count, 1);
    tcp_fixture_bind_client(101);
    assert_int_equal(tcp_fixture.orders[0].kind, STREAM_ORDER_JOIN);
    close(laconic);
}

static void a_client_that_binds_too_late_is_closed(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture.has_no_room = true; // nobody can be told of its end
    close(peer);
    tcp_fixture_let_time_pass();
    tcp_fixture_bind_client(100);
    assert_int_equal(tcp_fixture.order_count, 1);
    assert_int_equal(tcp_fixture.orders[0].kind, STREAM_ORDER_CLOSE);
    assert_int_equal(tcp_relay_counters(tcp_fixture_relay)->bound_late, 1);
    tcp_fixture.has_no_room = false;
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 1);
}

static void closes_one_that_waits_and_says_nothing(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_close_connection(100);
    assert_true(tcp_fixture_is_closed(peer));
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.closed_count, 0);
    assert_int_equal(tcp_fixture.order_count, 0);
    tcp_fixture_close_connection(100); // of which it knows nothing any more
    close(peer);
}

static void closes_a_joined_one_by_its_client(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    tcp_fixture_close_connection(100);
    assert_int_equal(tcp_fixture.order_count, 2);
    assert_int_equal(tcp_fixture.orders[1].kind, STREAM_ORDER_CLOSE);
    assert_int_equal(tcp_fixture.orders[1].client.address.port, 999);
    close(peer);
}

static void closes_nothing_where_the_client_is_gone_and_may_be_back(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    tcp_fixture_carry_out_but(
        &(struct turn_command){.kind = TURN_COMMAND_TCP_CLOSE, .tcp_close = 100},
        &tcp_fixture_client_key);
    assert_int_equal(tcp_fixture.order_count, 1);
    close(peer);
}

static void the_end_of_a_joined_one_is_no_news_of_who_came_after(void **state)
{
    int first = tcp_fixture_peer_connects(), second;

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    tcp_fixture_carry_out_but(
        &(struct turn_command){.kind = TURN_COMMAND_TCP_CLOSE, .tcp_close = 100},
        &tcp_fixture_client_key);
    second = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 2);
    close(first); // whose socket the thread still has
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.closed_count, 0);
    close(second);
}

static void an_order_to_join_that_still_waits_becomes_one_to_close(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture.order_ring_is_full = true;
    tcp_fixture_bind_client(100);
    tcp_fixture_close_connection(100);
    assert_true(tcp_fixture_is_closed(peer));
    tcp_fixture.order_ring_is_full = false;
    tcp_fixture_wait_for(&tcp_fixture.order_count, 1);
    assert_int_equal(tcp_fixture.orders[0].kind, STREAM_ORDER_CLOSE);
    close(peer);
}

static void an_order_that_is_not_sent_counts_for_nobody(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture.order_ring_is_full = true;
    tcp_fixture_bind_client(100);
    tcp_fixture_unlisten();
    assert_string_equal(tcp_fixture.ended, "");
    tcp_fixture.order_ring_is_full = false;
    tcp_fixture_wait_for(&tcp_fixture.order_count, 1);
    assert_string_equal(tcp_fixture.ended, "tcp_connections=0 to_peer_bytes=0 to_client_bytes=0");
    close(peer);
}

static void counts_connections_to_peers_by_what_became_of_them(void **state)
{
    const struct tcp_relay_counters *counters = tcp_relay_counters(tcp_fixture_relay);
    struct transport_address listens, silent, nobodys, unreachable;
    int listener = tcp_fixture_peer_listens(&listens), full = tcp_fixture_peer_listens(&silent),
        filling[2];

    (void)state;
    close(tcp_fixture_peer_listens(&nobodys));
    assert_int_equal(transport_address_parse("[2001:db8::1]:80", &unreachable), 0);
    tcp_fixture_connect_to(&listens, 50);
    tcp_fixture_wait_for(&tcp_fixture.connected_count, 1);
    assert_int_equal(counters->connects_made, 1);
    tcp_fixture_close_connection(50);
    assert_int_equal(counters->unbound, 1);
    tcp_fixture_connect_to(&nobodys, 51);
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 1);
    assert_int_equal(counters->connects_refused, 1);
    tcp_fixture_connect_to(&unreachable, 52);
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 2);
    assert_int_equal(counters->connects_failed, 1); // of another family
    // Nobody is accepted there any more.
    assert_int_equal(listen(full, 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct transport_address from = tcp_fixture_relayed();

        from.port = 0;
        assert_int_equal(tcp_socket_connect(&from, &silent, &filling[i]), 0);
    }
    tcp_fixture_let_time_pass();
    tcp_fixture_connect_to(&silent, 53);
    tcp_fixture_let_time_pass();
    assert_int_equal(counters->connections, 1);
    tcp_fixture_close_connection(53);
    assert_int_equal(counters->connects_timed_out, 1);
    tcp_fixture_connect_to(&silent, 54);
    tcp_fixture_unlisten();
    assert_int_equal(counters->connects_given_up, 1);
    assert_int_equal(counters->connects, 5);
    assert_int_equal(counters->connections, 0);
    for (unsigned i = 0; i < 2; i++)
        close(filling[i]);
    close(full);
    close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tcp_fixture_set_up, tcp_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connects_from_the_relayed_address),
        TEST(says_when_nobody_listens_there_but_not_before_the_event_is_over),
        TEST(a_bound_one_is_its_users),
        TEST(a_bound_one_is_the_threads_with_all_that_it_has_sent),
        TEST(tells_of_a_peer_that_has_left_unless_it_has_left_something),
        TEST(a_client_that_binds_too_late_is_closed),
        TEST(closes_one_that_waits_and_says_nothing),
        TEST(closes_a_joined_one_by_its_client),
        TEST(closes_nothing_where_the_client_is_gone_and_may_be_back),
        TEST(the_end_of_a_joined_one_is_no_news_of_who_came_after),
        TEST(an_order_to_join_that_still_waits_becomes_one_to_close),
        TEST(an_order_that_is_not_sent_counts_for_nobody),
        TEST(counts_connections_to_peers_by_what_became_of_them),
    };

    return cmocka_run_group_tests_name("control/tcp_peer", tests, NULL, NULL);
}
