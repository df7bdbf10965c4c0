// SPDX-License-Identifier: BSD-3-Clause
// Claims about a socket without TLS; those with it are made in test_stream_connection.c.
#include "control/stream_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static struct stream_socket ours;

static int set_up(void **state)
{
    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    ours = (struct stream_socket){.fd = ends[0]};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (ours.fd >= 0)
        stream_socket_close(&ours);
    close(ends[1]);
    return 0;
}

static void reads_what_has_come_and_then_waits(void **state)
{
    char bytes[16];
    size_t len = 99;

    (void)state;
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &len), -EAGAIN);
    assert_int_equal(len, 99);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_false(stream_socket_has_pending(&ours));
}

static void the_end_is_no_bytes(void **state)
{
    char bytes[16];
    size_t len = 99;

    (void)state;
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, 0);
}

static void writes_what_there_is_room_for(void **state)
{
    static uint8_t bytes[1 << 20];
    size_t len, total = 0;
    int error;

    (void)state;
    while (!(error = stream_socket_write(&ours, bytes, sizeof(bytes), &len)))
        total += len;
    assert_int_equal(error, -EAGAIN);
    assert_in_range(total, 1, 100 * sizeof(bytes));
    assert_false(stream_socket_wants_write(&ours));
}

static void a_reader_that_is_gone_is_an_error_and_no_signal(void **state)
{
    size_t len;

    (void)state;
    shutdown(ends[1], SHUT_RD);
    assert_int_equal(stream_socket_write(&ours, "abc", 3, &len), -EPIPE);
}

static void closes(void **state)
{
    char byte;

    (void)state;
    stream_socket_close(&ours);
    assert_int_equal(ours.fd, -1);
    assert_int_equal(read(ends[1], &byte, 1), 0);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(reads_what_has_come_and_then_waits),
        CLAIM(the_end_is_no_bytes),
        CLAIM(writes_what_there_is_room_for),
        CLAIM(a_reader_that_is_gone_is_an_error_and_no_signal),
        CLAIM(closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
