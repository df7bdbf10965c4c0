// SPDX-License-Identifier: BSD-3-Clause
// Claims about what goes between workers and the threads of streams; what workers do with it is
// claimed in tests/unit/dataplane/test_stream_path.c.
#include "eal_fixture.h"
#include "exchange/plane.h"
#include "plane_fixture.h"

#include <errno.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define POOL_LEN 7
#define RING_LEN 4 // one less fits

static struct rte_mempool *pool;

static int create_pool(void **state)
{
    (void)state;
    pool =
        rte_pktmbuf_pool_create("test", POOL_LEN, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool == NULL;
}

static int free_pool(void **state)
{
    (void)state;
    rte_mempool_free(pool);
    return 0;
}

static int set_up(void **state)
{
    struct plane_config config = plane_fixture_config(2, 2, RING_LEN);
    struct plane *plane = NULL;
    config.stream_listener_count = 2;
    config.stream_listeners[1].thread = 1;
    if (plane_create(&config, &plane) != 0)
        return -1;
    stream_set_pool(plane, pool);
    *state = plane;
    return 0;
}

static int tear_down(void **state)
{
    assert_int_equal(rte_mempool_avail_count(pool), POOL_LEN);
    plane_destroy(*state);
    return 0;
}

static struct client_key client(const char *address)
{
    struct client_key key = {.listener = 2};
    assert_int_equal(transport_address_parse(address, &key.address), 0);
    return key;
}

static bool is_rung(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void messages_go_to_the_worker_that_was_named_until_it_has_no_room(void **state)
{
    struct plane *plane = *state;
    const struct client_key key = client("192.0.2.1:1000");
    const struct span message = {(const uint8_t *)"message", 7};
    struct rte_mbuf *frames[RING_LEN];
    for (unsigned i = 0; i < RING_LEN - 1; i++) {
        assert_int_equal(stream_room(plane, 1, 0), RING_LEN - 1 - i);
        assert_int_equal(stream_send_message(plane, 1, 0, &key, message), 0);
    }
    assert_int_equal(stream_send_message(plane, 1, 0, &key, message), -ENOBUFS);
    assert_int_equal(stream_from_thread(plane, 1, 1, frames, RING_LEN), 0);
    assert_int_equal(stream_from_thread(plane, 0, 0, frames, RING_LEN), 0);
    assert_int_equal(stream_from_thread(plane, 0, 1, frames, RING_LEN), RING_LEN - 1);
    for (unsigned i = 0; i < RING_LEN - 1; i++) {
        assert_int_equal(frames[i]->port, STREAM_PORT_BASE + key.listener);
        stream_packet_free(frames[i]);
    }
}

static void no_buffer_is_said_and_nothing_is_lost(void **state)
{
    struct plane *plane = *state;
    const struct client_key key = client("192.0.2.1:1000");
    static uint8_t bytes[RTE_MBUF_DEFAULT_DATAROOM * (POOL_LEN + 1)];
    const struct span message = {bytes, sizeof(bytes)};
    assert_int_equal(stream_send_message(plane, 0, 0, &key, message), -ENOMEM);
    assert_int_equal(rte_mempool_avail_count(pool), POOL_LEN);
}

static void a_message_comes_back_as_it_went(void **state)
{
    struct plane *plane = *state;
    const char *const clients[] = {"192.0.2.1:1000", "[2001:db8::1]:1000"};
    const struct span message = {(const uint8_t *)"odd", 3};
    for (unsigned i = 0; i < 2; i++) {
        const struct client_key key = client(clients[i]);
        struct rte_mbuf *frame;
        struct stream_packet read;
        assert_int_equal(stream_send_message(plane, 0, 1, &key, message), 0);
        assert_int_equal(stream_from_thread(plane, 1, 0, &frame, 1), 1);
        assert_int_equal(stream_to_thread(plane, 1, 0, &frame, 1), 1);
        assert_int_equal(stream_receive(plane, 0, 1, &frame, 1), 1);
        assert_true(stream_packet_read(frame, &read));
        assert_int_equal(read.listener, key.listener);
        assert_int_equal(read.payload.len, 3);
        assert_memory_equal(read.payload.data, "odd", 3);
        *rte_pktmbuf_mtod_offset(frame, uint8_t *, frame->data_len - 1) ^= 0x10;
        assert_false(stream_packet_read(frame, &read));
        stream_packet_free(frame);
    }
}

static void an_answer_of_the_control_planes_is_read_as_a_workers(void **state)
{
    struct plane *plane = *state;
    const struct span message = {(const uint8_t *)"late", 4};
    const char *const clients[] = {"192.0.2.1:1000", "[2001:db8::1]:1000"};
    for (unsigned i = 0; i < 2; i++) {
        const struct client_key key = client(clients[i]);
        struct rte_mbuf *frame = stream_make_answer(plane, &key, message);
        struct stream_packet read;
        assert_non_null(frame);
        frame->hash.usr = 1500; // whatever was there
        assert_true(stream_packet_read(frame, &read));
        assert_false(read.is_datagram);
        assert_int_equal(read.hop.mtu, 0);
        assert_int_equal(read.listener, key.listener);
        assert_true(transport_address_equal(&read.client, &key.address));
        assert_int_equal(read.payload.len, 4);
        assert_memory_equal(read.payload.data, "late", 4);
        stream_packet_free(frame);
    }
    static uint8_t bytes[RTE_MBUF_DEFAULT_DATAROOM * (POOL_LEN + 1)];
    const struct client_key key = client(clients[0]);
    assert_null(stream_make_answer(plane, &key, (struct span){bytes, sizeof(bytes)}));
}

static void wakes_a_thread_that_waits(void **state)
{
    struct plane *plane = *state;
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
    const struct stream_order order = {.kind = STREAM_ORDER_CLOSE, .client = client("192.0.2.1:9")};
    struct stream_order read;
    int fd = stream_doorbell(plane, 1);
    assert_true(stream_doorbell_arm(plane, 1));
    assert_int_equal(stream_to_thread(plane, 0, 1, &frame, 1), 1);
    assert_true(is_rung(fd));
    assert_false(is_rung(stream_doorbell(plane, 0)));
    assert_false(stream_doorbell_arm(plane, 1));
    assert_int_equal(stream_receive(plane, 1, 0, &frame, 1), 1);
    stream_packet_free(frame);
    assert_true(stream_doorbell_arm(plane, 1));
    assert_int_equal(stream_order_send(plane, 1, &order), 0);
    assert_true(is_rung(fd));
    assert_true(stream_order_receive(plane, 1, &read));
    assert_int_equal(read.client.address.port, 9);
    assert_false(stream_order_receive(plane, 1, &read));
}

static void wakes_workers_that_wait_once_something_is_there_for_them(void **state)
{
    struct plane *plane = *state;
    const struct client_key key = client("192.0.2.1:1000");
    const struct span message = {(const uint8_t *)"message", 7};
    struct rte_mbuf *frame;
    assert_true(plane_worker_doorbell_arm(plane, 0));
    assert_true(plane_worker_doorbell_arm(plane, 1));
    assert_int_equal(stream_send_message(plane, 1, 1, &key, message), 0);
    assert_false(is_rung(plane->worker_doorbells[1].fd)); // there may be more
    assert_false(stream_ring_workers(plane, 0));          // has nothing for anybody
    assert_false(is_rung(plane->worker_doorbells[1].fd));
    assert_true(stream_ring_workers(plane, 1));
    assert_true(is_rung(plane->worker_doorbells[1].fd));
    assert_false(is_rung(plane->worker_doorbells[0].fd));
    assert_false(plane_worker_doorbell_arm(plane, 1));
    assert_int_equal(stream_from_thread(plane, 1, 1, &frame, 1), 1);
    stream_packet_free(frame);
    assert_true(plane_worker_doorbell_arm(plane, 1));
}

static void news_wake_the_control_plane(void **state)
{
    struct plane *plane = *state;
    const struct stream_news news = {.client = client("192.0.2.1:9")};
    struct stream_news read;
    assert_true(plane_doorbell_arm(plane));
    assert_int_equal(stream_news_send(plane, 1, &news), 0);
    assert_true(is_rung(plane->doorbell.fd));
    assert_false(plane_doorbell_arm(plane));
    assert_false(stream_news_receive(plane, 0, &read));
    assert_true(stream_news_receive(plane, 1, &read));
    assert_int_equal(read.client.listener, 2);
    assert_true(plane_doorbell_arm(plane));
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(messages_go_to_the_worker_that_was_named_until_it_has_no_room),
        CLAIM(no_buffer_is_said_and_nothing_is_lost),
        CLAIM(a_message_comes_back_as_it_went),
        CLAIM(an_answer_of_the_control_planes_is_read_as_a_workers),
        CLAIM(wakes_a_thread_that_waits),
        CLAIM(wakes_workers_that_wait_once_something_is_there_for_them),
        CLAIM(news_wake_the_control_plane),
    };
    if (eal_start() != 0)
        return 1;
    return cmocka_run_group_tests(tests, create_pool, free_pool);
}
