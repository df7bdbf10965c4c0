// SPDX-License-Identifier: BSD-3-Clause
// Claims about sockets that listen and connect at one address and port, over loopback.
#include "control/tcp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

// Below the ports that the kernel gives by itself.
#define FIRST_PORT 20000
#define PORTS      1000

static struct transport_address loopback(enum ip_family family, uint16_t port)
{
    struct transport_address address = {.port = port};

    assert_int_equal(ip_address_parse(family == IP_FAMILY_V4 ? "127.0.0.1" : "::1", &address.ip),
                     0);
    return address;
}

// Somebody else's processes may have some of them.
static int listen_somewhere(enum ip_family family, struct transport_address *ret_address)
{
    static unsigned next;
    int fd = -1, error = -EADDRINUSE;

    next = next ? next : (unsigned)getpid();
    for (unsigned i = 0; error == -EADDRINUSE && i < PORTS; i++) {
        *ret_address = loopback(family, (uint16_t)(FIRST_PORT + next++ % PORTS));
        error = tcp_socket_listen(ret_address, &fd);
    }
    assert_int_equal(error, 0);
    return fd;
}

static void wait_for(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
}

static void connects_between_two_that_listen(enum ip_family family)
{
    struct transport_address one, other, peer;
    int one_fd = listen_somewhere(family, &one), other_fd = listen_somewhere(family, &other);
    int connecting, accepted;

    assert_int_equal(tcp_socket_connect(&one, &other, &connecting), 0);
    wait_for(connecting, POLLOUT);
    assert_int_equal(tcp_socket_error(connecting), 0);
    wait_for(other_fd, POLLIN);
    assert_int_equal(tcp_socket_accept(other_fd, &accepted, &peer), 0);
    assert_true(transport_address_equal(&peer, &one));
    assert_int_equal(tcp_socket_accept(one_fd, &accepted, &peer), -EAGAIN);
    close(accepted);
    close(connecting);
    close(one_fd);
    close(other_fd);
}

static void connects_from_where_it_listens(void **state)
{
    (void)state;
    connects_between_two_that_listen(IP_FAMILY_V4);
    connects_between_two_that_listen(IP_FAMILY_V6);
}

static void still_listens_while_it_connects(void **state)
{
    struct transport_address one, other, peer;
    int one_fd = listen_somewhere(IP_FAMILY_V4, &one);
    int other_fd = listen_somewhere(IP_FAMILY_V4, &other);
    int out, in, accepted;

    (void)state;
    assert_int_equal(tcp_socket_connect(&one, &other, &out), 0);
    wait_for(out, POLLOUT);
    struct transport_address stranger;
    int stranger_fd = listen_somewhere(IP_FAMILY_V4, &stranger);
    assert_int_equal(tcp_socket_connect(&stranger, &one, &in), 0);
    wait_for(one_fd, POLLIN);
    assert_int_equal(tcp_socket_accept(one_fd, &accepted, &peer), 0);
    assert_true(transport_address_equal(&peer, &stranger));
    close(accepted);
    close(in);
    close(out);
    close(stranger_fd);
    close(one_fd);
    close(other_fd);
}

static void a_port_where_somebody_listens_is_taken(void **state)
{
    struct transport_address address;
    int fd = listen_somewhere(IP_FAMILY_V4, &address), second = -1;

    (void)state;
    assert_int_equal(tcp_socket_listen(&address, &second), -EADDRINUSE);
    assert_int_equal(second, -1);
    close(fd);
    assert_int_equal(tcp_socket_listen(&address, &second), 0);
    close(second);
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void notices_within_two_minutes_who_is_gone_at_either_end(void **state)
{
    struct transport_address one, other, peer;
    int one_fd = listen_somewhere(IP_FAMILY_V4, &one);
    int other_fd = listen_somewhere(IP_FAMILY_V4, &other);
    int fds[2];

    (void)state;
    assert_int_equal(tcp_socket_connect(&one, &other, &fds[0]), 0);
    wait_for(other_fd, POLLIN);
    assert_int_equal(tcp_socket_accept(other_fd, &fds[1], &peer), 0);
    for (unsigned i = 0; i < 2; i++) {
        int idle_s = option_of(fds[i], IPPROTO_TCP, TCP_KEEPIDLE);
        int interval_s = option_of(fds[i], IPPROTO_TCP, TCP_KEEPINTVL);
        int probes = option_of(fds[i], IPPROTO_TCP, TCP_KEEPCNT);

        assert_int_equal(option_of(fds[i], SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_in_range(idle_s + probes * interval_s, 30, 120);
        close(fds[i]);
    }
    close(one_fd);
    close(other_fd);
}

static void says_that_nobody_listens_there(void **state)
{
    struct transport_address one, other;
    int one_fd = listen_somewhere(IP_FAMILY_V4, &one);
    int fd;

    (void)state;
    close(listen_somewhere(IP_FAMILY_V4, &other));
    assert_int_equal(tcp_socket_connect(&one, &other, &fd), 0);
    wait_for(fd, POLLOUT);
    assert_int_equal(tcp_socket_error(fd), -ECONNREFUSED);
    close(fd);
    close(one_fd);
}

static void knows_bytes_from_an_end(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_false(tcp_socket_has_bytes(ends[0]));
    assert_int_equal(write(ends[1], "x", 1), 1);
    close(ends[1]);
    assert_true(tcp_socket_has_bytes(ends[0]));
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_false(tcp_socket_has_bytes(ends[0]));
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_from_where_it_listens),
        cmocka_unit_test(still_listens_while_it_connects),
        cmocka_unit_test(a_port_where_somebody_listens_is_taken),
        cmocka_unit_test(notices_within_two_minutes_who_is_gone_at_either_end),
        cmocka_unit_test(says_that_nobody_listens_there),
        cmocka_unit_test(knows_bytes_from_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
