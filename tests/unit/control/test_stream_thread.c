// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a thread does for many connections.
#include "control/stream_thread.h"

#include "stream_fixture.h"

#include <event2/event.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static const struct stream_counters *counters_of(const struct stream_fixture *fixture)
{
    return stream_thread_counters(fixture->thread);
}

static void a_burst_is_written_at_once(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64], came[4096];
    size_t len = stream_fixture_channel_data(message, 0x4000, 20);
    struct client_key clients[2];
    int fds[2];

    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
        clients[i] = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fds[i]);
    }
    for (unsigned i = 0; i < 60; i++)
        assert_true(stream_fixture_give(fixture, &clients[i % 2], message, len));
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(stream_fixture_read(fixture, fds[i], came, sizeof(came)), 30 * len);
    assert_int_equal(counters_of(fixture)->writes, 2);
    assert_int_equal(counters_of(fixture)->messages_out, 60);
    for (unsigned i = 0; i < 2; i++)
        close(fds[i]);
}

// Of both workers one is the client's home.
static unsigned count_rung(const struct stream_fixture *fixture)
{
    struct pollfd waits[] = {
        {.fd = fixture->plane->worker_doorbells[0].fd, .events = POLLIN},
        {.fd = fixture->plane->worker_doorbells[1].fd, .events = POLLIN},
    };

    return (unsigned)poll(waits, 2, 0);
}

static void a_worker_that_waits_is_rung_for(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64], taken[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    for (uint16_t worker = 0; worker < 2; worker++)
        assert_true(plane_worker_doorbell_arm(fixture->plane, worker));
    stream_fixture_run(fixture);
    assert_int_equal(count_rung(fixture), 0);
    stream_fixture_write(fixture, fd, message, len);
    stream_fixture_run(fixture);
    assert_int_equal(count_rung(fixture), 1);
    assert_int_equal(stream_fixture_take(fixture, taken, &client), len);
    close(fd);
}

static void who_is_gone_gets_nothing(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_channel_data(message, 0x4000, 20);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    close(fd);
    stream_fixture_run(fixture);
    assert_true(stream_fixture_give(fixture, &client, message, len));
    stream_fixture_run(fixture);
    assert_int_equal(counters_of(fixture)->no_connection, 1);
}

static void the_control_plane_closes_a_connection(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_order order = {.kind = STREAM_ORDER_CLOSE};
    uint8_t message[64], came[64];
    size_t len = stream_fixture_channel_data(message, 0x4000, 20);
    int fd, other;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    other = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    order.client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    assert_true(stream_fixture_give(fixture, &order.client, message, len));
    assert_int_equal(stream_order_send(fixture->plane, 0, &order), 0);
    assert_int_equal(stream_fixture_read(fixture, fd, came, sizeof(came)), len);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_false(stream_fixture_is_closed(fixture, other));
    close(fd);
    close(other);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
    const struct stream_fixture *fixture = context;

    (void)fd;
    (void)what;
    stream_thread_stop(fixture->thread);
}

// The ring that tells it is taken by the turn under way, which arms the doorbell.
static void stops_when_told_at_work(void **state)
{
    struct stream_fixture *fixture = *state;
    struct event *stop = evtimer_new(fixture->config.base, on_stop, fixture);

    stream_fixture_start(fixture);
    event_active(stop, EV_TIMEOUT, 0);
    event_active(fixture->thread->again, EV_TIMEOUT, 0);
    event_base_loop(fixture->config.base, EVLOOP_NONBLOCK);
    assert_true(event_base_got_break(fixture->config.base));
    event_free(stop);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_burst_is_written_at_once), CLAIM(a_worker_that_waits_is_rung_for),
        CLAIM(who_is_gone_gets_nothing),   CLAIM(the_control_plane_closes_a_connection),
        CLAIM(stops_when_told_at_work),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
