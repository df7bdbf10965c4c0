// SPDX-License-Identifier: BSD-3-Clause
#include "exchange/plane.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rte_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct plane_config small_config(void)
{
    struct plane_config config;
    memset(&config, 0, sizeof(config));
    config.worker_count = 3;
    config.allocations = 10;
    config.allocations_per_worker = 10;
    config.adjacencies = 4;
    config.command_ring_len = 8;
    config.punt_ring_len = 4;
    config.handoff_ring_len = 16;
    return config;
}

static int plane_set_up(void **state)
{
    struct plane_config config = small_config();
    struct plane *plane = NULL;
    if (plane_create(&config, &plane) != 0)
        return -1;
    *state = plane;
    return 0;
}

static int plane_tear_down(void **state)
{
    plane_destroy(*state);
    return 0;
}

static void users_have_a_line_each_where_they_have_a_limit(void **state)
{
    struct plane_config config = small_config();
    struct plane *plane;
    assert_null(((struct plane *)*state)->user_bandwidth);
    assert_int_equal(plane_user_dropped(*state, 5), 0);
    config.user_max_bps = 1000;
    config.users = 20;
    assert_int_equal(plane_create(&config, &plane), 0);
    for (uint32_t user = 0; user < config.users; user++) {
        assert_int_equal(plane_user_dropped(plane, user), 0);
        plane->user_bandwidth[user].dropped_packets = user;
    }
    assert_int_equal(plane_user_dropped(plane, 19), 19);
    assert_int_equal((uintptr_t)plane->user_bandwidth % sizeof(struct shared_bandwidth), 0);
    plane_destroy(plane);
}

static void streams_begin_with_the_limits_of_the_configuration(void **state)
{
    struct plane_config config = small_config();
    struct plane *plane;
    (void)state;
    config.max_bps = 1;
    config.user_max_bps = 2;
    config.total_max_bps = 3;
    config.users = 1;
    assert_int_equal(plane_create(&config, &plane), 0);
    assert_int_equal(plane->stream_limits.max_bps, 1);
    assert_int_equal(plane->stream_limits.user_max_bps, 2);
    assert_int_equal(plane->stream_limits.total_max_bps, 3);
    plane_destroy(plane);
}

static bool fd_is_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void refuses_sizes_that_cannot_be(void **state)
{
    (void)state;
    struct plane *plane = NULL;
    struct plane_config config;
#define REFUSES(field, value)                                                                      \
    config = small_config();                                                                       \
    config.field = (value);                                                                        \
    assert_int_equal(plane_create(&config, &plane), -EINVAL);                                      \
    assert_null(plane)
    REFUSES(user_max_bps, 1000); // of no user
    REFUSES(worker_count, 0);
    REFUSES(worker_count, PLANE_WORKERS_MAX + 1);
    REFUSES(listener_count, PLANE_LISTENERS_MAX + 1);
    REFUSES(stream_listener_count, PLANE_STREAM_LISTENERS_MAX + 1);
    REFUSES(stream_listener_count, 1); // of no thread
    REFUSES(stream_thread_count, 1);   // without rings
    REFUSES(stream_thread_count, PLANE_STREAM_THREADS_MAX + 1);
    REFUSES(dtls, true);
    REFUSES(relay_count, PLANE_RELAYS_MAX + 1);
    REFUSES(allocations, 0);
    REFUSES(allocations_per_worker, 0);
    REFUSES(adjacencies, 0);
    REFUSES(command_ring_len, 0);
    REFUSES(command_ring_len, 1);
    REFUSES(punt_ring_len, 6);
    REFUSES(handoff_ring_len, 3);
    REFUSES(kernel_ring_len, 5);
#undef REFUSES
}

static void starts_running_with_a_handoff_ring_between_each_two_workers(void **state)
{
    struct plane *plane = *state;
    assert_int_equal(plane->running, 1);
    for (unsigned from = 0; from < 3; from++) {
        for (unsigned to = 0; to < 3; to++) {
            if (from == to)
                assert_null(plane->handoffs[from][to]);
            else
                assert_int_equal(rte_ring_get_capacity(plane->handoffs[from][to]), 15);
        }
    }
    assert_int_equal((uintptr_t)plane->counters % 128, 0);
    assert_null(plane->from_kernel[0]);
    assert_null(plane->to_kernel[0][0]);
}

static void room_says_how_many_sends_cannot_fail(void **state)
{
    struct plane *plane = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    uint32_t room = plane_command_room(plane, 1);
    assert_int_equal(room, 7);
    for (uint32_t i = 0; i < room; i++) {
        command.allocation = i;
        assert_int_equal(plane_command_send(plane, 1, &command), 0);
    }
    assert_int_equal(plane_command_room(plane, 1), 0);
    assert_int_equal(plane_command_send(plane, 1, &command), -ENOBUFS);
    assert_int_equal(plane_command_room(plane, 0), 7);
}

static void punts_arrive_whole_and_in_order(void **state)
{
    struct plane *plane = *state;
    struct punt punt;
    memset(&punt, 0, sizeof(punt));
    for (uint32_t i = 0; i < 3; i++) {
        punt.kind = PUNT_REMOVED;
        punt.allocation = 100 + i;
        punt.removed.traffic.to_client_bytes = 0x0123456789ABCDEFu + i;
        assert_int_equal(plane_punt_send(plane, 2, &punt), 0);
    }
    assert_int_equal(plane_punt_room(plane, 2), 0);
    assert_int_equal(plane_punt_send(plane, 2, &punt), -ENOBUFS);
    struct punt received[8];
    assert_int_equal(plane_punt_receive(plane, 0, received, 8), 0);
    assert_int_equal(plane_punt_receive(plane, 2, received, 2), 2);
    assert_int_equal(received[0].allocation, 100);
    assert_int_equal(received[1].allocation, 101);
    assert_int_equal(received[1].removed.traffic.to_client_bytes, 0x0123456789ABCDF0u);
    assert_int_equal(plane_punt_receive(plane, 2, received, 8), 1);
    assert_int_equal(received[0].allocation, 102);
    assert_int_equal(plane_punt_room(plane, 2), 3);
}

static void does_not_arm_the_doorbell_while_punts_wait(void **state)
{
    struct plane *plane = *state;
    struct punt punt;
    memset(&punt, 0, sizeof(punt));
    assert_int_equal(plane_punt_send(plane, 1, &punt), 0);
    assert_false(fd_is_readable(plane->doorbell.fd)); // nobody waited
    assert_false(plane_doorbell_arm(plane));
    assert_int_equal(plane_punt_receive(plane, 1, &punt, 1), 1);
    assert_true(plane_doorbell_arm(plane));
}

static void an_armed_doorbell_rings_once(void **state)
{
    struct plane *plane = *state;
    struct punt punt;
    memset(&punt, 0, sizeof(punt));
    assert_true(plane_doorbell_arm(plane));
    assert_false(fd_is_readable(plane->doorbell.fd));
    assert_int_equal(plane_punt_send(plane, 0, &punt), 0);
    assert_int_equal(plane_punt_send(plane, 2, &punt), 0);
    assert_true(fd_is_readable(plane->doorbell.fd));
    assert_int_equal(plane_punt_receive(plane, 0, &punt, 1), 1);
    assert_int_equal(plane_punt_receive(plane, 2, &punt, 1), 1);
    assert_true(plane_doorbell_arm(plane)); // takes the ring back
    assert_false(fd_is_readable(plane->doorbell.fd));
}

static void a_worker_that_waits_is_rung_for_when_a_command_comes(void **state)
{
    struct plane *plane = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    assert_int_equal(plane_command_send(plane, 1, &command), 0);
    assert_false(fd_is_readable(plane->worker_doorbells[1].fd)); // it did not wait
    assert_false(plane_worker_doorbell_arm(plane, 1));
    assert_true(plane_worker_doorbell_arm(plane, 2));
    assert_int_equal(plane_command_send(plane, 2, &command), 0);
    assert_true(fd_is_readable(plane->worker_doorbells[2].fd));
    assert_false(fd_is_readable(plane->worker_doorbells[1].fd));
}

#define RACE_PUNTS 200000u

static void *send_punts(void *argument)
{
    struct plane *plane = argument;
    struct punt punt;
    memset(&punt, 0, sizeof(punt));
    for (uint32_t i = 0; i < RACE_PUNTS; i++) {
        punt.allocation = i;
        while (plane_punt_send(plane, 0, &punt) != 0)
            ;
    }
    return NULL;
}

// A lost ring would leave poll() waiting for ever, and the test would time out.
static void no_punt_is_left_lying_while_the_control_plane_waits(void **state)
{
    struct plane *plane = *state;
    pthread_t sender;
    assert_int_equal(pthread_create(&sender, NULL, send_punts, plane), 0);
    uint32_t next = 0;
    while (next < RACE_PUNTS) {
        struct punt punts[4];
        unsigned count = plane_punt_receive(plane, 0, punts, 4);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(punts[i].allocation, next++);
        if (count == 0 && plane_doorbell_arm(plane)) {
            struct pollfd wait = {.fd = plane->doorbell.fd, .events = POLLIN};
            assert_int_equal(poll(&wait, 1, -1), 1);
        }
    }
    pthread_join(sender, NULL);
}

static int plane_with_twin_set_up(void **state)
{
    struct plane_config config = small_config();
    struct plane *plane = NULL;
    config.kernel_ring_len = 4;
    if (plane_create(&config, &plane) != 0)
        return -1;
    *state = plane;
    return 0;
}

// Frames that nobody looks into.
static struct rte_mbuf *frame_of(uintptr_t number)
{
    return (struct rte_mbuf *)(number * 64);
}

static void frames_reach_the_kernel_and_come_from_it_as_far_as_there_is_room(void **state)
{
    struct plane *plane = *state;
    struct rte_mbuf *frames[4] = {frame_of(1), frame_of(2), frame_of(3), frame_of(4)};
    assert_int_equal(plane_to_kernel_send(plane, 0, 2, frames, 4), 3);
    assert_int_equal(plane_to_kernel_receive(plane, 0, 1, frames, 4), 0);
    assert_int_equal(plane_to_kernel_receive(plane, 0, 2, frames, 2), 2);
    assert_ptr_equal(frames[1], frame_of(2));
    assert_int_equal(plane_from_kernel_room(plane, 0), 3);
    for (uintptr_t i = 1; i <= 3; i++)
        assert_int_equal(plane_from_kernel_send(plane, 0, frame_of(i)), 0);
    assert_int_equal(plane_from_kernel_room(plane, 0), 0);
    assert_int_equal(plane_from_kernel_send(plane, 0, frame_of(4)), -ENOBUFS);
    assert_int_equal(plane_from_kernel_receive(plane, 0, frames, 4), 3);
    assert_ptr_equal(frames[2], frame_of(3));
}

static void the_twin_is_rung_for_when_it_waits(void **state)
{
    struct plane *plane = *state;
    struct rte_mbuf *frame = frame_of(1);
    assert_int_equal(plane_to_kernel_send(plane, 0, 2, &frame, 1), 1);
    assert_false(fd_is_readable(plane->twin_doorbells[0].fd)); // it did not wait
    assert_false(plane_twin_doorbell_arm(plane, 0));
    assert_int_equal(plane_to_kernel_receive(plane, 0, 2, &frame, 1), 1);
    assert_true(plane_twin_doorbell_arm(plane, 0));
    assert_int_equal(plane_to_kernel_send(plane, 0, 2, &frame, 1), 1);
    assert_true(fd_is_readable(plane->twin_doorbells[0].fd));
    assert_false(fd_is_readable(plane->doorbell.fd)); // the control plane sleeps on
}

static void each_of_two_twins_has_rings_of_its_own(void **state)
{
    struct plane *one = *state, *plane;
    struct plane_config config = one->config;
    struct rte_mbuf *frames[3] = {frame_of(1), frame_of(2), frame_of(3)}, *taken[3];
    config.has_relay_side = true;
    assert_int_equal(plane_create(&config, &plane), 0);
    assert_null(one->from_kernel[1]);
    assert_null(one->to_kernel[1][0]);
    assert_int_equal(plane_to_kernel_send(plane, 1, 2, frames, 3), 3);
    assert_int_equal(plane_to_kernel_receive(plane, 0, 2, taken, 3), 0);
    assert_true(plane_twin_doorbell_arm(plane, 0));
    assert_false(plane_twin_doorbell_arm(plane, 1));
    assert_int_equal(plane_to_kernel_send(plane, 0, 2, frames, 1), 1);
    assert_true(fd_is_readable(plane->twin_doorbells[0].fd));
    assert_false(fd_is_readable(plane->twin_doorbells[1].fd));
    assert_int_equal(plane_to_kernel_receive(plane, 1, 2, taken, 3), 3);
    assert_ptr_equal(taken[0], frame_of(1));
    assert_int_equal(plane_from_kernel_send(plane, 1, frame_of(9)), 0);
    assert_int_equal(plane_from_kernel_receive(plane, 0, taken, 1), 0);
    assert_int_equal(plane_from_kernel_receive(plane, 1, taken, 1), 1);
    assert_ptr_equal(taken[0], frame_of(9));
    plane_destroy(plane);
}

static void a_relay_has_listeners_of_its_address_and_ports(void **state)
{
    static const struct {
        const char *listener;
        bool is_there;
    } cases[] = {
        {"192.0.2.1:49999", false}, {"192.0.2.1:50000", true},     {"192.0.2.1:50100", true},
        {"192.0.2.1:50101", false}, {"198.51.100.1:50000", false}, {"[2001:db8::1]:50000", false},
    };
    struct plane_config config = small_config();
    struct plane_relay relay = {.min_port = 50000, .max_port = 50100};

    (void)state;
    assert_int_equal(ip_address_parse("192.0.2.1", &relay.local), 0);
    assert_int_equal(ip_address_parse("198.51.100.1", &relay.advertised), 0);
    assert_false(plane_relay_has_listener(&config, &relay));
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(transport_address_parse("192.0.2.1:3478", &config.listeners[0]), 0);
        assert_int_equal(transport_address_parse(cases[i].listener, &config.listeners[1]), 0);
        config.listener_count = 2;
        assert_int_equal(plane_relay_has_listener(&config, &relay), cases[i].is_there);
        // One of streams is none of UDP's.
        config.listener_count = 1;
        config.stream_listener_count = 1;
        assert_false(plane_relay_has_listener(&config, &relay));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_sizes_that_cannot_be),
        cmocka_unit_test(a_relay_has_listeners_of_its_address_and_ports),
#define WITH_PLANE(test) cmocka_unit_test_setup_teardown(test, plane_set_up, plane_tear_down)
        WITH_PLANE(starts_running_with_a_handoff_ring_between_each_two_workers),
        cmocka_unit_test(streams_begin_with_the_limits_of_the_configuration),
        WITH_PLANE(users_have_a_line_each_where_they_have_a_limit),
        WITH_PLANE(room_says_how_many_sends_cannot_fail),
        WITH_PLANE(punts_arrive_whole_and_in_order),
        WITH_PLANE(does_not_arm_the_doorbell_while_punts_wait),
        WITH_PLANE(an_armed_doorbell_rings_once),
        WITH_PLANE(a_worker_that_waits_is_rung_for_when_a_command_comes),
#define WITH_TWIN(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, plane_with_twin_set_up, plane_tear_down)
        WITH_TWIN(frames_reach_the_kernel_and_come_from_it_as_far_as_there_is_room),
        WITH_TWIN(the_twin_is_rung_for_when_it_waits),
        WITH_TWIN(each_of_two_twins_has_rings_of_its_own),
        WITH_PLANE(no_punt_is_left_lying_while_the_control_plane_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
