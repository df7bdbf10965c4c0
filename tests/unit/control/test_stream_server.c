// SPDX-License-Identifier: BSD-3-Clause
// Claims about the threads of clients' connections, real ones: a test waits for what they do.
#include "control/stream_server.h"

#include "../exchange/eal_fixture.h"
#include "../exchange/plane_fixture.h"
#include "control/session_log.h"
#include "exchange/plane.h"
#include "tls_fixture.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

// No allocation ends here.
void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *traffic)
{
    (void)log;
    (void)record;
    (void)traffic;
}

#define THREADS  2
#define POOL_LEN 255

static struct rte_mempool *pool;

static int group_set_up(void **state)
{
    (void)state;
    if (eal_start() != 0)
        return -1;
    pool =
        rte_pktmbuf_pool_create("test", POOL_LEN, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

static uint16_t free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t name_len = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, name_len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &name_len), 0);
    close(fd);
    return ntohs(name.sin_port);
}

static struct plane *create_plane(uint16_t threads, uint16_t port)
{
    struct plane_config config = plane_fixture_config(1, threads, 64);
    struct plane *plane;

    for (uint16_t i = 0; i < threads; i++) {
        struct transport_address *listener = &config.listeners[1 + i];

        assert_int_equal(transport_address_parse("127.0.0.1:1", listener), 0);
        listener->port = port;
        config.stream_listeners[i] = (struct plane_stream_listener){STREAM_TCP, (uint8_t)i};
        config.stream_listener_count++;
    }
    assert_int_equal(plane_create(&config, &plane), 0);
    stream_set_pool(plane, pool);
    return plane;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

static void say_binding(int fd)
{
    static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42};

    assert_int_equal(send(fd, binding, sizeof(binding), 0), sizeof(binding));
}

// What workers would take from the threads, until there is so much of it.
static unsigned take(struct plane *plane, struct event_base *base, unsigned count,
                     unsigned *ret_by_thread)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    struct rte_mbuf *frame;
    unsigned taken = 0;

    for (unsigned i = 0; i < 10000 && taken < count; i++) {
        if (base)
            event_base_loop(base, EVLOOP_NONBLOCK);
        for (uint16_t thread = 0; thread < plane->config.stream_thread_count; thread++) {
            while (stream_from_thread(plane, 0, thread, &frame, 1) == 1) {
                assert_int_equal(frame->port, STREAM_PORT_BASE + 1 + thread);
                ret_by_thread[thread]++;
                taken++;
                stream_packet_free(frame);
            }
        }
        nanosleep(&nap, NULL);
    }
    return taken;
}

static void every_thread_serves_connections_of_its_own(void **state)
{
    uint16_t port = free_port();
    struct stream_server_config config = {
        .plane = create_plane(THREADS, port),
        .threads = THREADS,
        .limits = stream_limits_default,
    };
    struct stream_server *server;
    struct stream_counters sum;
    unsigned by_thread[THREADS] = {0};
    int fds[64];

    (void)state;
    assert_int_equal(stream_server_create(&config, &server), 0);
    assert_int_equal(stream_server_start(server), 0);
    for (unsigned i = 0; i < 64; i++) {
        fds[i] = connect_to(port);
        say_binding(fds[i]);
    }
    assert_int_equal(take(config.plane, NULL, 64, by_thread), 64);
    assert_int_not_equal(by_thread[0], 0);
    assert_int_not_equal(by_thread[1], 0);
    stream_server_sum(server, &sum);
    assert_int_equal(sum.accepted, 64);
    assert_int_equal(sum.messages_in, 64);
    stream_server_destroy(server);
    for (unsigned i = 0; i < 64; i++) {
        char byte;

        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
        close(fds[i]);
    }
    plane_destroy(config.plane);
    assert_int_equal(rte_mempool_avail_count(pool), POOL_LEN);
}

static void without_threads_the_callers_loop_serves(void **state)
{
    uint16_t port = free_port();
    struct event_base *base = event_base_new();
    struct stream_server_config config = {
        .plane = create_plane(1, port),
        .base = base,
        .limits = stream_limits_default,
    };
    struct stream_server *server;
    unsigned by_thread[1] = {0};
    int fd;

    (void)state;
    assert_int_equal(stream_server_create(&config, &server), 0);
    assert_int_equal(stream_server_start(server), 0);
    fd = connect_to(port);
    say_binding(fd);
    assert_int_equal(take(config.plane, base, 1, by_thread), 1);
    stream_server_destroy(server);
    event_base_free(base);
    plane_destroy(config.plane);
    close(fd);
}

static void a_port_that_another_relay_shares_is_taken(void **state)
{
    uint16_t port = free_port();
    struct stream_server_config config = {
        .plane = create_plane(THREADS, port),
        .threads = THREADS,
        .limits = stream_limits_default,
    };
    struct stream_server *server, *other = NULL;

    (void)state;
    assert_int_equal(stream_server_create(&config, &server), 0);
    assert_int_equal(stream_server_create(&config, &other), -EADDRINUSE);
    assert_null(other);
    assert_true(tls_fixture_logged("error", "stream_listener", "ss -ltnp"));
    stream_server_destroy(server);
    plane_destroy(config.plane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_serves_connections_of_its_own),
        cmocka_unit_test(without_threads_the_callers_loop_serves),
        cmocka_unit_test(a_port_that_another_relay_shares_is_taken),
    };

    return cmocka_run_group_tests(tests, group_set_up, NULL);
}
