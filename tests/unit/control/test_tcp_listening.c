// SPDX-License-Identifier: BSD-3-Clause
// Claims about relayed addresses that listen for peers.
#include "control/tcp_listening.h"

#include "control/tcp_socket.h"
#include "tcp_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void a_peer_that_may_connect_waits_and_another_one_is_closed(void **state)
{
    int welcome = tcp_fixture_peer_connects(), unwelcome;

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    assert_int_equal(tcp_fixture.answers, 1);
    tcp_fixture.refuses = true;
    unwelcome = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 2);
    assert_int_equal(tcp_fixture.answers, 1);
    assert_true(tcp_fixture_is_closed(unwelcome));
    assert_int_equal(tcp_fixture.closed_count, 0);
    close(unwelcome);
    close(welcome);
}

static void with_the_relayed_address_all_its_connections_go(void **state)
{
    struct transport_address address, to = tcp_fixture_relayed();
    int listener = tcp_fixture_peer_listens(&address), joined = tcp_fixture_peer_connects(), waits,
        fd;

    (void)state;
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 1);
    tcp_fixture_bind_client(100);
    waits = tcp_fixture_peer_connects();
    tcp_fixture_wait_for(&tcp_fixture.accepted_count, 2);
    tcp_fixture_unlisten();
    assert_true(tcp_fixture_is_closed(waits));
    assert_int_equal(tcp_fixture.order_count, 2);
    assert_int_equal(tcp_fixture.orders[1].kind, STREAM_ORDER_CLOSE);
    assert_int_equal(tcp_socket_listen(&to, &fd), 0);
    close(fd);
    tcp_fixture_let_time_pass();
    assert_int_equal(tcp_fixture.closed_count, 0);
    close(waits);
    close(joined);
    close(listener);
}

static void both_addresses_of_an_allocation_are_one_account(void **state)
{
    const struct turn_relayed_address first = tcp_fixture_at;

    (void)state;
    assert_int_equal(tcp_fixture_listen_somewhere(), 0);
    assert_int_equal(tcp_relay_counters(tcp_fixture_relay)->listeners, 2);
    tcp_fixture_unlisten();
    assert_string_equal(tcp_fixture.ended, "");
    tcp_fixture_at = first;
    tcp_fixture_unlisten();
    assert_string_equal(tcp_fixture.ended, "tcp_connections=0 to_peer_bytes=0 to_client_bytes=0");
    assert_int_equal(tcp_relay_counters(tcp_fixture_relay)->listeners, 0);
}

static void a_port_that_somebody_has_is_said_to_be_taken(void **state)
{
    (void)state;
    assert_int_equal(tcp_relay_listen(tcp_fixture_relay, TCP_FIXTURE_ALLOCATION, tcp_fixture_at),
                     -EADDRINUSE);
    assert_int_equal(tcp_relay_counters(tcp_fixture_relay)->listen_failures, 0);
    tcp_fixture_plane.config.relays[0].local.bytes[0] = 192; // of nobody's
    assert_int_equal(tcp_relay_listen(tcp_fixture_relay, TCP_FIXTURE_ALLOCATION, tcp_fixture_at),
                     -EADDRNOTAVAIL);
    assert_int_equal(tcp_relay_counters(tcp_fixture_relay)->listen_failures, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tcp_fixture_set_up, tcp_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_may_connect_waits_and_another_one_is_closed),
        TEST(with_the_relayed_address_all_its_connections_go),
        TEST(both_addresses_of_an_allocation_are_one_account),
        TEST(a_port_that_somebody_has_is_said_to_be_taken),
    };

    return cmocka_run_group_tests_name("control/tcp_listening", tests, NULL, NULL);
}
