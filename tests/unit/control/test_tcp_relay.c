// SPDX-License-Identifier: BSD-3-Clause
// Claims about the sockets of TCP allocations together.
#include "control/tcp_relay.h"

#include "control/stream_account.h"
#include "tcp_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void orders_wait_for_room_in_order(void **state)
{
    int first = tcp_fixture_peer_connects(), second;

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    second = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 2);
    tcp_fixture.order_ring_is_full = true;
    tcp_fixture_bind_client(101);
    tcp_fixture_bind_client(100);
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.order_count, 0);
    tcp_fixture.order_ring_is_full = false;
    tcp_fixture_wait_for(&tcp_fixture.order_count, 2);
    assert_int_equal(tcp_fixture.orders[0].kind, STREAM_ORDER_JOIN);
    assert_true(tcp_fixture.orders[0].socket != tcp_fixture.orders[1].socket);
    assert_int_equal(write(second, "second", 6), 6);
    char bytes[8] = "";
    struct pollfd poll_fd = {.fd = tcp_fixture.orders[0].socket, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_int_equal(read(tcp_fixture.orders[0].socket, bytes, sizeof(bytes)), 6);
    close(first);
    close(second);
}

static void nothing_is_told_or_accepted_without_room_for_the_answer(void **state)
{
    struct transport_address address;
    int listener = tcp_fixture_peer_listens(&address), peer;

    (void)state;
    tcp_fixture.has_no_room = true;
    tcp_fixture_connect_to(&address, 50);
    peer = tcp_fixture_peer_connects();
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.connected_count, 0);
    assert_int_equal(tcp_fixture.accepted_count, 0);
    tcp_fixture.has_no_room = false;
    tcp_fixture_wait_for(&tcp_fixture.connected_count, 1);
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    close(peer);
    close(listener);
}

// What the TURN server may know tcp_fixture_at once, again and again.
static void every_place_comes_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct transport_address address;
        int listener = tcp_fixture_peer_listens(&address);

        tcp_fixture_connect_to(&address, 200 + i);
        tcp_fixture_wait_for(&tcp_fixture.connected_count, i + 1);
        if (i % 2 == 0)
            tcp_fixture_bind_client(200 + i);
        tcp_fixture_close_connection(200 + i);
        close(listener);
    }
    assert_int_equal(tcp_fixture.order_count, 20);
    assert_int_equal(tcp_fixture.closed_count, 0);
}

static void an_allocations_end_is_told_when_its_last_connection_is_over(void **state)
{
    int peer = tcp_fixture_peer_connects();

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    tcp_fixture_unlisten();
    assert_string_equal(tcp_fixture.ended, "");
    stream_account_add_connection(tcp_fixture.orders[0].account);
    stream_account_add_bytes(tcp_fixture.orders[0].account, DIRECTION_TO_PEER, 3);
    stream_account_add_bytes(tcp_fixture.orders[0].account, DIRECTION_TO_CLIENT, 4);
    stream_account_give(tcp_fixture.orders[0].account);
    tcp_fixture.orders[0].account = NULL;
    assert_string_equal(tcp_fixture.ended, "tcp_connections=1 to_peer_bytes=3 to_client_bytes=4");
    close(peer);
}

static void says_what_connections_carry_while_they_stand(void **state)
{
    int peer = tcp_fixture_peer_connects();
    struct allocation_traffic traffic = {1, 1, 1, 1};

    (void)state;
    assert_false(tcp_relay_get_traffic(tcp_fixture_relay, TCP_FIXTURE_ALLOCATION + 1, &traffic));
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    stream_account_add_bytes(tcp_fixture.orders[0].account, DIRECTION_TO_PEER, 3);
    stream_account_add_bytes(tcp_fixture.orders[0].account, DIRECTION_TO_CLIENT, 4);
    assert_true(tcp_relay_get_traffic(tcp_fixture_relay, TCP_FIXTURE_ALLOCATION, &traffic));
    assert_int_equal(traffic.to_peer_bytes, 3);
    assert_int_equal(traffic.to_client_bytes, 4);
    assert_int_equal(traffic.to_peer_packets + traffic.to_client_packets, 0);
    close(peer);
}

static void counts_what_peers_and_clients_did(void **state)
{
    const struct tcp_relay_counters *counters = tcp_relay_counters(tcp_fixture_relay);
    int first = tcp_fixture_peer_connects(), second, third;

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    assert_int_equal(counters->bound, 1);
    second = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 2);
    close(second);
    tcp_fixture_wait_for(&tcp_fixture.closed_count, 1);
    assert_int_equal(counters->unbound, 1);
    tcp_fixture.refuses = true;
    third = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 3);
    assert_int_equal(counters->accepted, 2);
    assert_int_equal(counters->refused, 1);
    assert_int_equal(counters->connections, 1);
    close(third);
    close(first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tcp_fixture_set_up, tcp_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(orders_wait_for_room_in_order),
        TEST(nothing_is_told_or_accepted_without_room_for_the_answer),
        TEST(every_place_comes_back),
        TEST(an_allocations_end_is_told_when_its_last_connection_is_over),
        TEST(says_what_connections_carry_while_they_stand),
        TEST(counts_what_peers_and_clients_did),
    };

    return cmocka_run_group_tests_name("control/tcp_relay", tests, NULL, NULL);
}
