// SPDX-License-Identifier: BSD-3-Clause
// Claims about a pipe between two plain sockets, over loopback.
#include "control/stream_pipe.h"

#include "control/tcp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MUCH (16 << 20)

static struct stream_pipe through = {{-1, -1}};
static int sender, from, to, receiver;
static uint8_t sent[MUCH], got[MUCH];

// Whichever port is free: another run of this test may be under way.
static int listen_somewhere(struct transport_address *ret_address)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(transport_address_parse("127.0.0.1:1", ret_address), 0);
    ret_address->port = ntohs(address.sin_port);
    return listener;
}

static void connect_two(int *ret_one, int *ret_other)
{
    struct transport_address address, peer;
    struct pollfd polled = {.events = POLLIN};
    int listener = listen_somewhere(&address);

    peer = address;
    peer.port = 0;
    assert_int_equal(tcp_socket_connect(&peer, &address, ret_one), 0);
    polled.fd = listener;
    assert_int_equal(poll(&polled, 1, 10000), 1);
    assert_int_equal(tcp_socket_accept(listener, ret_other, &peer), 0);
    close(listener);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < MUCH; i++)
        sent[i] = (uint8_t)(i * 31 + i / 251);
    connect_two(&sender, &from);
    connect_two(&to, &receiver);
    return stream_pipe_init(&through);
}

static int tear_down(void **state)
{
    (void)state;
    stream_pipe_done(&through);
    close(sender);
    close(from);
    close(to);
    close(receiver);
    return 0;
}

static unsigned pipe_holds(void)
{
    int len = -1;

    assert_int_equal(ioctl(through.fds[0], FIONREAD, &len), 0);
    return (unsigned)len;
}

static void wait_for_bytes(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&polled, 1, 10000), 1);
}

static void what_comes_goes_on(void **state)
{
    struct stream_buffer rest = {0};
    size_t len = 0;

    (void)state;
    assert_int_equal(send(sender, "hello", 5, 0), 5);
    wait_for_bytes(from);
    assert_int_equal(stream_pipe_carry(&through, from, to, STREAM_PIPE_LEN, &rest, &len), 0);
    assert_int_equal(len, 5);
    assert_int_equal(rest.len, 0);
    wait_for_bytes(receiver);
    assert_int_equal(read(receiver, got, sizeof(got)), 5);
    assert_memory_equal(got, "hello", 5);
}

static void no_more_is_taken_than_may_be(void **state)
{
    struct stream_buffer rest = {0};
    size_t len = 0;

    (void)state;
    assert_int_equal(send(sender, "hello", 5, 0), 5);
    wait_for_bytes(from);
    assert_int_equal(stream_pipe_carry(&through, from, to, 3, &rest, &len), 0);
    assert_int_equal(len, 3);
    assert_int_equal(recv(from, got, sizeof(got), MSG_PEEK), 2);
}

static void where_nothing_is_or_comes_any_more_a_read_tells_which(void **state)
{
    struct stream_buffer rest = {0};
    size_t len = 99;

    (void)state;
    assert_int_equal(stream_pipe_carry(&through, from, to, STREAM_PIPE_LEN, &rest, &len), -EAGAIN);
    shutdown(sender, SHUT_WR);
    wait_for_bytes(from);
    assert_int_equal(stream_pipe_carry(&through, from, to, STREAM_PIPE_LEN, &rest, &len), -EAGAIN);
    assert_int_equal(len, 99);
}

static void what_is_not_taken_is_the_rest_and_nothing_stays_in_the_pipe(void **state)
{
    struct stream_buffer rest = {0};
    size_t taken = 0, len, out = 0;

    (void)state;
    while (rest.len == 0) {
        ssize_t more = send(sender, sent + taken, MUCH - taken, MSG_DONTWAIT);

        assert_true(more > 0);
        for (size_t end = taken + (size_t)more; taken < end; taken += len) {
            wait_for_bytes(from);
            assert_int_equal(stream_pipe_carry(&through, from, to, STREAM_PIPE_LEN, &rest, &len),
                             0);
            assert_in_range(len, 1, STREAM_PIPE_LEN);
        }
    }
    assert_int_equal(pipe_holds(), 0);
    while (out < taken - rest.len) {
        wait_for_bytes(receiver);
        out += (size_t)read(receiver, got + out, MUCH - out);
    }
    assert_memory_equal(got, sent, out);
    assert_memory_equal(stream_buffer_bytes(&rest).data, sent + out, rest.len);
    stream_buffer_done(&rest);
}

// The next bytes are another client's.
static void nothing_stays_in_the_pipe_where_the_other_end_has_failed(void **state)
{
    struct stream_buffer rest = {0};
    size_t len = 0;

    (void)state;
    shutdown(to, SHUT_WR);
    assert_int_equal(send(sender, "secret", 6, 0), 6);
    wait_for_bytes(from);
    assert_int_equal(stream_pipe_carry(&through, from, to, STREAM_PIPE_LEN, &rest, &len), 0);
    assert_int_equal(rest.len, 6);
    assert_int_equal(pipe_holds(), 0);
    stream_buffer_done(&rest);
}

// One byte of urgent data stops splice(2) for good, though the socket can be read.
static void urgent_data_has_to_be_read(void **state)
{
    struct stream_buffer rest = {0};
    size_t len = 0;

    (void)state;
    assert_int_equal(send(sender, "!", 1, MSG_OOB), 1);
    assert_int_equal(send(sender, "hello", 5, 0), 5);
    wait_for_bytes(from);
    assert_int_equal(stream_pipe_carry(&through, from, to, STREAM_PIPE_LEN, &rest, &len), -EAGAIN);
    assert_int_equal(read(from, got, sizeof(got)), 5);
}

static void without_a_pipe_nothing_goes_this_way(void **state)
{
    struct stream_pipe none = {{-1, -1}};
    struct stream_buffer rest = {0};
    size_t len = 0;

    (void)state;
    assert_int_equal(send(sender, "hello", 5, 0), 5);
    wait_for_bytes(from);
    assert_int_equal(stream_pipe_carry(&none, from, to, STREAM_PIPE_LEN, &rest, &len), -EAGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_goes_on),
        TEST(no_more_is_taken_than_may_be),
        TEST(where_nothing_is_or_comes_any_more_a_read_tells_which),
        TEST(what_is_not_taken_is_the_rest_and_nothing_stays_in_the_pipe),
        TEST(nothing_stays_in_the_pipe_where_the_other_end_has_failed),
        TEST(urgent_data_has_to_be_read),
        TEST(without_a_pipe_nothing_goes_this_way),
    };

    return cmocka_run_group_tests_name("control/stream_pipe", tests, NULL, NULL);
}
