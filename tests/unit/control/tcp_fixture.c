// SPDX-License-Identifier: BSD-3-Clause
// The sockets of TCP allocations over loopback, among fakes.
#include "tcp_fixture.h"

#include "base/log.h"
#include "control/session_log.h"
#include "control/stream_account.h"
#include "control/tcp_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_PORT 21000
#define LAST_PORT  22999
#define ROUNDS_MAX 2000

struct tcp_fixture tcp_fixture;
struct plane tcp_fixture_plane;
struct tcp_relay *tcp_fixture_relay;
struct turn_relayed_address tcp_fixture_at;
const struct client_key tcp_fixture_client_key = {.address = {.port = 999}, .listener = 5};

static struct event_base *base;
static const struct five_tuple client = {
    .client = {.port = 999}, .transport = FIVE_TUPLE_TCP, .thread = 1};

void turn_server_tcp_connected(struct turn_server *server, const struct turn_time *now,
                               uint32_t connection, struct turn_output *output)
{
    (void)server;
    assert_true(now->monotonic_ms > 0);
    output->command_count = 0;
    tcp_fixture.connected[tcp_fixture.connected_count++] = connection;
}

bool turn_server_tcp_accepted(struct turn_server *server, const struct turn_time *now,
                              uint32_t allocation, struct turn_relayed_address relayed,
                              const struct transport_address *peer, struct turn_output *output,
                              uint32_t *ret_connection)
{
    (void)server;
    (void)now;
    assert_int_equal(allocation, TCP_FIXTURE_ALLOCATION);
    assert_int_equal(relayed.relay, 0);
    output->command_count = 0;
    tcp_fixture.accepted_count++;
    tcp_fixture.peer = *peer;
    if (tcp_fixture.refuses)
        return false;
    *ret_connection = tcp_fixture.next_id++;
    return true;
}

void turn_server_tcp_closed(struct turn_server *server, const struct turn_time *now,
                            uint32_t connection, struct turn_output *output)
{
    (void)server;
    (void)now;
    output->command_count = 0;
    tcp_fixture.closed[tcp_fixture.closed_count++] = connection;
}

bool turn_server_tcp_relayed(const struct turn_server *server, uint32_t allocation,
                             struct turn_relayed_address *ret_relayed)
{
    (void)server;
    *ret_relayed = tcp_fixture_at;
    return allocation == TCP_FIXTURE_ALLOCATION;
}

bool forwarder_is_ready(struct forwarder *forwarder)
{
    (void)forwarder;
    return !tcp_fixture.has_no_room;
}

void forwarder_carry_out(struct forwarder *forwarder, const struct turn_output *output,
                         const struct punt *punt)
{
    (void)forwarder;
    (void)output;
    assert_null(punt);
    tcp_fixture.answers++;
}

struct client_key forwarder_client_key(const struct forwarder *forwarder,
                                       const struct five_tuple *tuple)
{
    (void)forwarder;
    return (struct client_key){tuple->client, 5};
}

int stream_order_send(struct plane *plane_, uint16_t thread, const struct stream_order *order)
{
    (void)plane_;
    if (tcp_fixture.order_ring_is_full)
        return -ENOBUFS;
    tcp_fixture.threads[tcp_fixture.order_count] = thread;
    tcp_fixture.orders[tcp_fixture.order_count++] = *order;
    return 0;
}

void log_event(enum log_level level, const char *event, ...)
{
    (void)level;
    (void)event;
}

static char a_session_log, a_record;

struct session_record *session_log_take(struct session_log *log, uint32_t allocation)
{
    bool is_first = !tcp_fixture.record_is_taken;

    assert_ptr_equal(log, &a_session_log);
    assert_int_equal(allocation, TCP_FIXTURE_ALLOCATION);
    tcp_fixture.record_is_taken = true;
    return is_first ? (struct session_record *)&a_record : NULL;
}

void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *traffic)
{
    assert_ptr_equal(log, &a_session_log);
    assert_ptr_equal(record, &a_record);
    snprintf(tcp_fixture.ended, sizeof(tcp_fixture.ended),
             "tcp_connections=%" PRIu64 " to_peer_bytes=%" PRIu64 " to_client_bytes=%" PRIu64,
             traffic->connections, traffic->to_peer_bytes, traffic->to_client_bytes);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    (void)level;
    (void)event;
    (void)format;
}

struct transport_address tcp_fixture_relayed(void)
{
    return (struct transport_address){tcp_fixture_plane.config.relays[0].local,
                                      tcp_fixture_at.port};
}

// Other processes may have some ports.
int tcp_fixture_listen_somewhere(void)
{
    static unsigned next;
    int error = -EADDRINUSE;

    next = next ? next : (unsigned)getpid();
    while (error == -EADDRINUSE) {
        tcp_fixture_at = (struct turn_relayed_address){0, (uint16_t)(FIRST_PORT + next++ % 2000)};
        error = tcp_relay_listen(tcp_fixture_relay, TCP_FIXTURE_ALLOCATION, tcp_fixture_at);
    }
    return error;
}

int tcp_fixture_set_up(void **state)
{
    const struct tcp_relay_config config = {.plane = &tcp_fixture_plane,
                                            .connections = 2,
                                            .sessions = (struct session_log *)&a_session_log};

    (void)state;
    memset(&tcp_fixture, 0, sizeof(tcp_fixture));
    tcp_fixture.next_id = 100;
    tcp_fixture_plane.config.stream_thread_count = 2;
    tcp_fixture_plane.config.relay_count = 1;
    tcp_fixture_plane.config.relays[0].min_port = FIRST_PORT;
    tcp_fixture_plane.config.relays[0].max_port = LAST_PORT;
    assert_int_equal(ip_address_parse("127.0.0.1", &tcp_fixture_plane.config.relays[0].local), 0);
    base = event_base_new();
    assert_int_equal(tcp_relay_create(&config, &tcp_fixture_relay), 0);
    assert_int_equal(tcp_relay_start(tcp_fixture_relay, base), 0);
    return tcp_fixture_listen_somewhere();
}

int tcp_fixture_tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < tcp_fixture.order_count; i++) {
        if (tcp_fixture.orders[i].kind == STREAM_ORDER_JOIN)
            close(tcp_fixture.orders[i].socket);
        stream_account_give(tcp_fixture.orders[i].account);
    }
    tcp_relay_destroy(tcp_fixture_relay);
    event_base_free(base);
    return 0;
}

void tcp_fixture_go_round(void)
{
    usleep(1000);
    event_base_loop(base, EVLOOP_NONBLOCK);
}

// Until there are so many.
void tcp_fixture_wait_for(const unsigned *count, unsigned wanted)
{
    for (unsigned i = 0; i < ROUNDS_MAX && *count < wanted; i++)
        tcp_fixture_go_round();
    assert_int_equal(*count, wanted);
}

// A while in which something could happen that must not.
void tcp_fixture_let_time_pass(void)
{
    for (unsigned i = 0; i < 20; i++)
        tcp_fixture_go_round();
}

void tcp_fixture_carry_out_but(const struct turn_command *command, const struct client_key *gone)
{
    static struct turn_output output;

    output.command_count = 1;
    output.commands[0] = *command;
    tcp_relay_carry_out(tcp_fixture_relay, &output, gone);
}

void tcp_fixture_carry_out(const struct turn_command *command)
{
    tcp_fixture_carry_out_but(command, NULL);
}

void tcp_fixture_connect_to(const struct transport_address *peer, uint32_t id)
{
    tcp_fixture_carry_out(&(struct turn_command){
        .kind = TURN_COMMAND_TCP_CONNECT,
        .allocation = TCP_FIXTURE_ALLOCATION,
        .tcp_connect = {.connection = id, .from = tcp_fixture_at, .peer = *peer},
    });
}

void tcp_fixture_bind_client(uint32_t id)
{
    tcp_fixture_carry_out(&(struct turn_command){.kind = TURN_COMMAND_TCP_BIND,
                                                 .tcp_bind = {.connection = id, .client = client}});
}

void tcp_fixture_close_connection(uint32_t id)
{
    tcp_fixture_carry_out(&(struct turn_command){.kind = TURN_COMMAND_TCP_CLOSE, .tcp_close = id});
}

void tcp_fixture_unlisten(void)
{
    tcp_fixture_carry_out(&(struct turn_command){.kind = TURN_COMMAND_TCP_UNLISTEN,
                                                 .tcp_unlisten.relayed_v4 = tcp_fixture_at});
}

// A peer of the test's own.

int tcp_fixture_peer_listens(struct transport_address *ret_address)
{
    static uint16_t port = 24000;
    int fd, error;

    do {
        *ret_address = (struct transport_address){tcp_fixture_plane.config.relays[0].local, port++};
        error = tcp_socket_listen(ret_address, &fd);
    } while (error == -EADDRINUSE);
    assert_int_equal(error, 0);
    return fd;
}

int tcp_fixture_peer_connects(void)
{
    struct transport_address to = tcp_fixture_relayed(), from;
    int listener = tcp_fixture_peer_listens(&from), fd;
    struct pollfd poll_fd = {.events = POLLOUT};

    close(listener);
    assert_int_equal(tcp_socket_connect(&from, &to, &fd), 0);
    poll_fd.fd = fd;
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_int_equal(tcp_socket_error(fd), 0);
    return fd;
}

int tcp_fixture_peer_accepts(int listener)
{
    struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
    struct transport_address from, address = tcp_fixture_relayed();
    int fd;

    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_int_equal(tcp_socket_accept(listener, &fd, &from), 0);
    assert_true(transport_address_equal(&from, &address));
    return fd;
}

bool tcp_fixture_is_closed(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&poll_fd, 1, 1000) == 1 && read(fd, &byte, 1) <= 0;
}
