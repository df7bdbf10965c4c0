// SPDX-License-Identifier: BSD-3-Clause
// Claims about sockets that listen, on loopback addresses.
#include "control/stream_listener.h"

#include "control/tcp_socket.h"

#include "tls_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct transport_address address_of(const char *text)
{
    struct transport_address address;

    assert_int_equal(transport_address_parse(text, &address), 0);
    return address;
}

// Of a socket that listens on a port of the kernel's choice.
static struct transport_address bound_to(int fd, const char *text)
{
    struct transport_address address = address_of(text);
    struct sockaddr_in6 name; // the ports of both families are in one place
    socklen_t name_len = sizeof(name);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &name_len), 0);
    address.port = ntohs(name.sin6_port);
    return address;
}

static int connect_to(const struct transport_address *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    bool is_v4 = address->ip.family == IP_FAMILY_V4;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);

    memcpy(&v4.sin_addr, address->ip.bytes, 4);
    memcpy(&v6.sin6_addr, address->ip.bytes, 16);
    assert_int_equal(is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                           : connect(fd, (struct sockaddr *)&v6, sizeof(v6)),
                     0);
    return fd;
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void accepts_connections_that_do_not_wait_and_notice_who_is_gone(void **state)
{
    const char *const locals[] = {"127.0.0.1:0", "[::1]:0"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const struct transport_address local = address_of(locals[i]);
        struct transport_address address, client, expected;
        int listener, fd, client_fd;

        assert_int_equal(stream_listener_open(&local, false, &listener), 0);
        assert_int_equal(tcp_socket_accept(listener, &fd, &client), -EAGAIN);
        address = bound_to(listener, locals[i]);
        client_fd = connect_to(&address);
        assert_int_equal(tcp_socket_accept(listener, &fd, &client), 0);
        expected = bound_to(client_fd, locals[i]);
        assert_true(transport_address_equal(&client, &expected));
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
        assert_int_equal(recv(fd, &client, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
        close(fd);
        close(client_fd);
        close(listener);
    }
}

static void a_port_that_is_taken_is_said_with_who_can_tell(void **state)
{
    const struct transport_address local = address_of("127.0.0.1:0");
    struct transport_address address;
    int listener, other = -2;

    (void)state;
    assert_int_equal(stream_listener_open(&local, false, &listener), 0);
    address = bound_to(listener, "127.0.0.1:0");
    assert_true(tls_fixture_logged_nothing());
    assert_int_equal(stream_listener_open(&address, false, &other), -EADDRINUSE);
    assert_int_equal(other, -2);
    assert_true(tls_fixture_logged("error", "stream_listener", "ss -ltnp"));
    close(listener);
    assert_int_equal(stream_listener_open(&address, false, &listener), 0);
    close(listener);
}

// As on a twin, whose addresses come later.
static void an_address_may_come_later(void **state)
{
    const struct transport_address local = address_of("192.0.2.1:0");
    int listener;

    (void)state;
    assert_int_equal(stream_listener_open(&local, false, &listener), 0);
    close(listener);
}

static void threads_share_a_port_and_notice_others_that_do(void **state)
{
    const struct transport_address local = address_of("127.0.0.1:0");
    struct transport_address address;
    int one, other;

    (void)state;
    assert_int_equal(stream_listener_open(&local, true, &one), 0);
    address = bound_to(one, "127.0.0.1:0");
    assert_int_equal(stream_listener_open(&address, true, &other), 0);
    assert_int_equal(stream_listener_probe(&address), -EADDRINUSE);
    close(one);
    close(other);
    assert_int_equal(stream_listener_probe(&address), 0);
}

static void both_families_have_the_same_port(void **state)
{
    const struct transport_address local = address_of("[::]:0");
    struct transport_address address;
    int v6, v4;

    (void)state;
    assert_int_equal(stream_listener_open(&local, false, &v6), 0);
    address = bound_to(v6, "0.0.0.0:0");
    assert_int_equal(stream_listener_open(&address, false, &v4), 0);
    close(v6);
    close(v4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_connections_that_do_not_wait_and_notice_who_is_gone),
        cmocka_unit_test(a_port_that_is_taken_is_said_with_who_can_tell),
        cmocka_unit_test(an_address_may_come_later),
        cmocka_unit_test(threads_share_a_port_and_notice_others_that_do),
        cmocka_unit_test(both_families_have_the_same_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
