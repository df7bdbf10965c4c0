// SPDX-License-Identifier: BSD-3-Clause
// Claims about how long a connection may take.
#include "control/stream_deadline.h"

#include "stream_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void a_handshake_has_its_time(void **state)
{
    struct stream_fixture *fixture = *state;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    stream_fixture_pass(fixture, 9);
    assert_false(stream_fixture_is_closed(fixture, fd));
    stream_fixture_pass(fixture, 1);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_int_equal(stream_fixture_counters(fixture)->handshake_timeouts, 1);
    close(fd);
}

static void a_message_has_its_time(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect_tcp(fixture, &client);
    stream_fixture_write(fixture, fd, message, len - 1);
    stream_fixture_pass(fixture, 9);
    // The rest, and the beginning of another one, which has its own time.
    stream_fixture_write(fixture, fd, message + len - 1, 1);
    stream_fixture_write(fixture, fd, message, 8);
    stream_fixture_pass(fixture, 9);
    // A byte now and then is not the rest.
    stream_fixture_write(fixture, fd, message + 8, 1);
    assert_false(stream_fixture_is_closed(fixture, fd));
    stream_fixture_pass(fixture, 1);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_int_equal(stream_fixture_counters(fixture)->frame_timeouts, 1);
    stream_fixture_takes(fixture, &client, message, len);
    close(fd);
}

static void who_is_silent_is_closed_sooner_without_an_allocation(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key without, with;
    int fds[2];

    fixture->config.limits.quiet_s = 60;
    fixture->config.limits.idle_s = 3660;
    stream_fixture_start(fixture);
    fds[0] = stream_fixture_connect_tcp(fixture, &without);
    fds[1] = stream_fixture_connect_tcp(fixture, &with);
    stream_fixture_allocate(fixture, &with);
    stream_fixture_pass(fixture, 30);
    stream_fixture_write(fixture, fds[0], message, len);
    stream_fixture_pass(fixture, 59);
    assert_false(stream_fixture_is_closed(fixture, fds[0]));
    stream_fixture_pass(fixture, 1);
    assert_true(stream_fixture_is_closed(fixture, fds[0]));
    stream_fixture_pass(fixture, 3569);
    assert_false(stream_fixture_is_closed(fixture, fds[1]));
    stream_fixture_pass(fixture, 1);
    assert_true(stream_fixture_is_closed(fixture, fds[1]));
    assert_int_equal(stream_fixture_counters(fixture)->idle_timeouts, 2);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_handshake_has_its_time),
        CLAIM(a_message_has_its_time),
        CLAIM(who_is_silent_is_closed_sooner_without_an_allocation),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
