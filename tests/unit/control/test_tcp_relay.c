// SPDX-License-Identifier: BSD-3-Clause
// Claims about the sockets of TCP allocations, over loopback. The TURN server, the forwarder and
// the rings of orders are fakes.
#include "control/tcp_relay.h"

#include "base/log.h"
#include "control/stream_account.h"
#include "control/tcp_socket.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ALLOCATION 7
#define FIRST_PORT 21000
#define LAST_PORT  22999
#define ROUNDS_MAX 2000
#define EVENTS_MAX 64

static struct {
    uint32_t connected[EVENTS_MAX], closed[EVENTS_MAX];
    unsigned connected_count, closed_count, accepted_count, answers;
    struct transport_address peer; // the last one that was accepted
    uint32_t next_id;
    bool refuses;
    bool has_no_room; // the workers' rings
    bool order_ring_is_full;
    struct stream_order orders[EVENTS_MAX];
    uint16_t threads[EVENTS_MAX];
    unsigned order_count;
} fake;

void turn_server_tcp_connected(struct turn_server *server, const struct turn_time *now,
                               uint32_t connection, struct turn_output *output)
{
    (void)server;
    assert_true(now->monotonic_ms > 0);
    output->command_count = 0;
    fake.connected[fake.connected_count++] = connection;
}

bool turn_server_tcp_accepted(struct turn_server *server, const struct turn_time *now,
                              uint32_t allocation, struct turn_relayed_address relayed,
                              const struct transport_address *peer, struct turn_output *output,
                              uint32_t *ret_connection)
{
    (void)server;
    (void)now;
    assert_int_equal(allocation, ALLOCATION);
    assert_int_equal(relayed.relay, 0);
    output->command_count = 0;
    fake.accepted_count++;
    fake.peer = *peer;
    if (fake.refuses)
        return false;
    *ret_connection = fake.next_id++;
    return true;
}

void turn_server_tcp_closed(struct turn_server *server, const struct turn_time *now,
                            uint32_t connection, struct turn_output *output)
{
    (void)server;
    (void)now;
    output->command_count = 0;
    fake.closed[fake.closed_count++] = connection;
}

bool forwarder_is_ready(struct forwarder *forwarder)
{
    (void)forwarder;
    return !fake.has_no_room;
}

void forwarder_carry_out(struct forwarder *forwarder, const struct turn_output *output,
                         const struct punt *punt)
{
    (void)forwarder;
    (void)output;
    assert_null(punt);
    fake.answers++;
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
    if (fake.order_ring_is_full)
        return -ENOBUFS;
    fake.threads[fake.order_count] = thread;
    fake.orders[fake.order_count++] = *order;
    return 0;
}

// What is logged at the end of an allocation.
static char ended[128];

void log_event(enum log_level level, const char *event, ...)
{
    size_t len = (size_t)snprintf(ended, sizeof(ended), "%s", event);
    const char *key;
    va_list pairs;

    (void)level;
    va_start(pairs, event);
    while ((key = va_arg(pairs, const char *)))
        len += (size_t)snprintf(ended + len, sizeof(ended) - len, " %s=%s", key,
                                va_arg(pairs, const char *));
    va_end(pairs);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    (void)level;
    (void)event;
    (void)format;
}

static struct plane plane;
static struct event_base *base;
static struct tcp_relay *relay;
static struct turn_relayed_address at; // where it listens
static const struct five_tuple client = {
    .client = {.port = 999}, .transport = FIVE_TUPLE_TCP, .thread = 1};
static const struct client_key client_key = {.address = {.port = 999}, .listener = 5};

static struct transport_address relayed(void)
{
    return (struct transport_address){plane.config.relays[0].local, at.port};
}

// Other processes may have some ports.
static int listen_somewhere(void)
{
    static unsigned next;
    int error = -EADDRINUSE;

    next = next ? next : (unsigned)getpid();
    while (error == -EADDRINUSE) {
        at = (struct turn_relayed_address){0, (uint16_t)(FIRST_PORT + next++ % 2000)};
        error = tcp_relay_listen(relay, ALLOCATION, at);
    }
    return error;
}

static int set_up(void **state)
{
    const struct tcp_relay_config config = {.plane = &plane, .connections = 2};

    (void)state;
    memset(&fake, 0, sizeof(fake));
    *ended = '\0';
    fake.next_id = 100;
    plane.config.stream_thread_count = 2;
    plane.config.relay_count = 1;
    plane.config.relays[0].min_port = FIRST_PORT;
    plane.config.relays[0].max_port = LAST_PORT;
    assert_int_equal(ip_address_parse("127.0.0.1", &plane.config.relays[0].local), 0);
    base = event_base_new();
    assert_int_equal(tcp_relay_create(&config, &relay), 0);
    assert_int_equal(tcp_relay_start(relay, base), 0);
    return listen_somewhere();
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < fake.order_count; i++) {
        if (fake.orders[i].kind == STREAM_ORDER_JOIN)
            close(fake.orders[i].socket);
        stream_account_give(fake.orders[i].account);
    }
    tcp_relay_destroy(relay);
    event_base_free(base);
    return 0;
}

static void go_round(void)
{
    usleep(1000);
    event_base_loop(base, EVLOOP_NONBLOCK);
}

// Until there are so many.
static void wait_for(const unsigned *count, unsigned wanted)
{
    for (unsigned i = 0; i < ROUNDS_MAX && *count < wanted; i++)
        go_round();
    assert_int_equal(*count, wanted);
}

// A while in which something could happen that must not.
static void let_time_pass(void)
{
    for (unsigned i = 0; i < 20; i++)
        go_round();
}

static void carry_out_but(const struct turn_command *command, const struct client_key *gone)
{
    static struct turn_output output;

    output.command_count = 1;
    output.commands[0] = *command;
    tcp_relay_carry_out(relay, &output, gone);
}

static void carry_out(const struct turn_command *command)
{
    carry_out_but(command, NULL);
}

static void connect_to(const struct transport_address *peer, uint32_t id)
{
    carry_out(&(struct turn_command){
        .kind = TURN_COMMAND_TCP_CONNECT,
        .allocation = ALLOCATION,
        .tcp_connect = {.connection = id, .from = at, .peer = *peer},
    });
}

static void bind_client(uint32_t id)
{
    carry_out(&(struct turn_command){.kind = TURN_COMMAND_TCP_BIND,
                                     .tcp_bind = {.connection = id, .client = client}});
}

static void close_connection(uint32_t id)
{
    carry_out(&(struct turn_command){.kind = TURN_COMMAND_TCP_CLOSE, .tcp_close = id});
}

static void unlisten(void)
{
    carry_out(
        &(struct turn_command){.kind = TURN_COMMAND_TCP_UNLISTEN, .tcp_unlisten.relayed_v4 = at});
}

// A peer of the test's own.

static int peer_listens(struct transport_address *ret_address)
{
    static uint16_t port = 24000;
    int fd, error;

    do {
        *ret_address = (struct transport_address){plane.config.relays[0].local, port++};
        error = tcp_socket_listen(ret_address, &fd);
    } while (error == -EADDRINUSE);
    assert_int_equal(error, 0);
    return fd;
}

static int peer_connects(void)
{
    struct transport_address to = relayed(), from;
    int listener = peer_listens(&from), fd;
    struct pollfd poll_fd = {.events = POLLOUT};

    close(listener);
    assert_int_equal(tcp_socket_connect(&from, &to, &fd), 0);
    poll_fd.fd = fd;
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_int_equal(tcp_socket_error(fd), 0);
    return fd;
}

static int peer_accepts(int listener)
{
    struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
    struct transport_address from, address = relayed();
    int fd;

    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_int_equal(tcp_socket_accept(listener, &fd, &from), 0);
    assert_true(transport_address_equal(&from, &address));
    return fd;
}

static bool is_closed(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&poll_fd, 1, 1000) == 1 && read(fd, &byte, 1) <= 0;
}

static void connects_from_the_relayed_address(void **state)
{
    struct transport_address peer;
    int listener = peer_listens(&peer), fd;

    (void)state;
    connect_to(&peer, 50);
    wait_for(&fake.connected_count, 1);
    assert_int_equal(fake.connected[0], 50);
    assert_int_equal(fake.answers, 1);
    fd = peer_accepts(listener);
    assert_int_equal(fake.closed_count, 0);
    close(fd);
    close(listener);
}

static void says_when_nobody_listens_there_but_not_before_the_event_is_over(void **state)
{
    struct transport_address peer, nobodys;

    (void)state;
    close(peer_listens(&peer));
    connect_to(&peer, 50);
    assert_int_equal(fake.closed_count, 0);
    wait_for(&fake.closed_count, 1);
    assert_int_equal(fake.closed[0], 50);
    // What fails at once.
    assert_int_equal(transport_address_parse("[2001:db8::1]:80", &nobodys), 0);
    connect_to(&nobodys, 51);
    assert_int_equal(fake.closed_count, 1);
    wait_for(&fake.closed_count, 2);
    assert_int_equal(fake.closed[1], 51);
    assert_int_equal(fake.connected_count, 0);
}

static void a_peer_that_may_connect_waits_and_another_one_is_closed(void **state)
{
    int welcome = peer_connects(), unwelcome;

    (void)state;
    wait_for(&fake.accepted_count, 1);
    assert_int_equal(fake.answers, 1);
    fake.refuses = true;
    unwelcome = peer_connects();
    wait_for(&fake.accepted_count, 2);
    assert_int_equal(fake.answers, 1);
    assert_true(is_closed(unwelcome));
    assert_int_equal(fake.closed_count, 0);
    close(unwelcome);
    close(welcome);
}

static void a_bound_one_is_the_threads_with_all_that_it_has_sent(void **state)
{
    int peer = peer_connects();
    char bytes[8] = "";

    (void)state;
    assert_int_equal(write(peer, "early", 5), 5);
    wait_for(&fake.accepted_count, 1);
    let_time_pass();
    bind_client(100);
    assert_int_equal(fake.order_count, 1);
    assert_int_equal(fake.orders[0].kind, STREAM_ORDER_JOIN);
    assert_int_equal(fake.threads[0], 1);
    assert_memory_equal(&fake.orders[0].client, &client_key, sizeof(client_key.address));
    assert_int_equal(fake.orders[0].client.listener, 5);
    assert_int_equal(read(fake.orders[0].socket, bytes, sizeof(bytes)), 5);
    assert_string_equal(bytes, "early");
    // From now on its end is the thread's to tell.
    close(peer);
    let_time_pass();
    assert_int_equal(fake.closed_count, 0);
}

static void tells_of_a_peer_that_has_left_unless_it_has_left_something(void **state)
{
    int silent, laconic;

    (void)state;
    silent = peer_connects();
    wait_for(&fake.accepted_count, 1);
    close(silent);
    wait_for(&fake.closed_count, 1);
    assert_int_equal(fake.closed[0], 100);
    laconic = peer_connects();
    assert_int_equal(write(laconic, "bye", 3), 3);
    shutdown(laconic, SHUT_WR);
    wait_for(&fake.accepted_count, 2);
    let_time_pass();
    assert_int_equal(fake.closed_count, 1);
    bind_client(101);
    assert_int_equal(fake.orders[0].kind, STREAM_ORDER_JOIN);
    close(laconic);
}

static void a_client_that_binds_too_late_is_closed(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    fake.has_no_room = true; // nobody can be told of its end
    close(peer);
    let_time_pass();
    bind_client(100);
    assert_int_equal(fake.order_count, 1);
    assert_int_equal(fake.orders[0].kind, STREAM_ORDER_CLOSE);
    assert_int_equal(tcp_relay_counters(relay)->bound_late, 1);
    fake.has_no_room = false;
    wait_for(&fake.closed_count, 1);
}

static void closes_one_that_waits_and_says_nothing(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    close_connection(100);
    assert_true(is_closed(peer));
    let_time_pass();
    assert_int_equal(fake.closed_count, 0);
    assert_int_equal(fake.order_count, 0);
    close_connection(100); // of which it knows nothing any more
    close(peer);
}

static void closes_a_joined_one_by_its_client(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    bind_client(100);
    close_connection(100);
    assert_int_equal(fake.order_count, 2);
    assert_int_equal(fake.orders[1].kind, STREAM_ORDER_CLOSE);
    assert_int_equal(fake.orders[1].client.address.port, 999);
    close(peer);
}

static void closes_nothing_where_the_client_is_gone_and_may_be_back(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    bind_client(100);
    carry_out_but(&(struct turn_command){.kind = TURN_COMMAND_TCP_CLOSE, .tcp_close = 100},
                  &client_key);
    assert_int_equal(fake.order_count, 1);
    close(peer);
}

static void the_end_of_a_joined_one_is_no_news_of_who_came_after(void **state)
{
    int first = peer_connects(), second;

    (void)state;
    wait_for(&fake.accepted_count, 1);
    bind_client(100);
    carry_out_but(&(struct turn_command){.kind = TURN_COMMAND_TCP_CLOSE, .tcp_close = 100},
                  &client_key);
    second = peer_connects();
    wait_for(&fake.accepted_count, 2);
    close(first); // whose socket the thread still has
    let_time_pass();
    assert_int_equal(fake.closed_count, 0);
    close(second);
}

static void orders_wait_for_room_in_order(void **state)
{
    int first = peer_connects(), second;

    (void)state;
    wait_for(&fake.accepted_count, 1);
    second = peer_connects();
    wait_for(&fake.accepted_count, 2);
    fake.order_ring_is_full = true;
    bind_client(101);
    bind_client(100);
    let_time_pass();
    assert_int_equal(fake.order_count, 0);
    fake.order_ring_is_full = false;
    wait_for(&fake.order_count, 2);
    assert_int_equal(fake.orders[0].kind, STREAM_ORDER_JOIN);
    assert_true(fake.orders[0].socket != fake.orders[1].socket);
    assert_int_equal(write(second, "second", 6), 6);
    char bytes[8] = "";
    struct pollfd poll_fd = {.fd = fake.orders[0].socket, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    assert_int_equal(read(fake.orders[0].socket, bytes, sizeof(bytes)), 6);
    close(first);
    close(second);
}

static void an_order_to_join_that_still_waits_becomes_one_to_close(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    fake.order_ring_is_full = true;
    bind_client(100);
    close_connection(100);
    assert_true(is_closed(peer));
    fake.order_ring_is_full = false;
    wait_for(&fake.order_count, 1);
    assert_int_equal(fake.orders[0].kind, STREAM_ORDER_CLOSE);
    close(peer);
}

static void nothing_is_told_or_accepted_without_room_for_the_answer(void **state)
{
    struct transport_address address;
    int listener = peer_listens(&address), peer;

    (void)state;
    fake.has_no_room = true;
    connect_to(&address, 50);
    peer = peer_connects();
    let_time_pass();
    assert_int_equal(fake.connected_count, 0);
    assert_int_equal(fake.accepted_count, 0);
    fake.has_no_room = false;
    wait_for(&fake.connected_count, 1);
    wait_for(&fake.accepted_count, 1);
    close(peer);
    close(listener);
}

static void with_the_relayed_address_all_its_connections_go(void **state)
{
    struct transport_address address, to = relayed();
    int listener = peer_listens(&address), joined = peer_connects(), waits, fd;

    (void)state;
    wait_for(&fake.accepted_count, 1);
    bind_client(100);
    waits = peer_connects();
    wait_for(&fake.accepted_count, 2);
    unlisten();
    assert_true(is_closed(waits));
    assert_int_equal(fake.order_count, 2);
    assert_int_equal(fake.orders[1].kind, STREAM_ORDER_CLOSE);
    assert_int_equal(tcp_socket_listen(&to, &fd), 0);
    close(fd);
    let_time_pass();
    assert_int_equal(fake.closed_count, 0);
    close(waits);
    close(joined);
    close(listener);
}

// What the TURN server may know at once, again and again.
static void every_place_comes_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct transport_address address;
        int listener = peer_listens(&address);

        connect_to(&address, 200 + i);
        wait_for(&fake.connected_count, i + 1);
        if (i % 2 == 0)
            bind_client(200 + i);
        close_connection(200 + i);
        close(listener);
    }
    assert_int_equal(fake.order_count, 20);
    assert_int_equal(fake.closed_count, 0);
}

static void an_allocations_end_is_told_when_its_last_connection_is_over(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    bind_client(100);
    unlisten();
    assert_string_equal(ended, "");
    stream_account_add(fake.orders[0].account, 3, 4);
    stream_account_give(fake.orders[0].account);
    fake.orders[0].account = NULL;
    assert_string_equal(
        ended, "allocation_ended id=7 tcp_connections=1 to_peer_bytes=3 to_client_bytes=4");
    close(peer);
}

static void an_order_that_is_not_sent_counts_for_nobody(void **state)
{
    int peer = peer_connects();

    (void)state;
    wait_for(&fake.accepted_count, 1);
    fake.order_ring_is_full = true;
    bind_client(100);
    unlisten();
    assert_string_equal(ended, "");
    fake.order_ring_is_full = false;
    wait_for(&fake.order_count, 1);
    assert_string_equal(
        ended, "allocation_ended id=7 tcp_connections=0 to_peer_bytes=0 to_client_bytes=0");
    close(peer);
}

static void both_addresses_of_an_allocation_are_one_account(void **state)
{
    const struct turn_relayed_address first = at;

    (void)state;
    assert_int_equal(listen_somewhere(), 0);
    assert_int_equal(tcp_relay_counters(relay)->listeners, 2);
    unlisten();
    assert_string_equal(ended, "");
    at = first;
    unlisten();
    assert_string_equal(
        ended, "allocation_ended id=7 tcp_connections=0 to_peer_bytes=0 to_client_bytes=0");
    assert_int_equal(tcp_relay_counters(relay)->listeners, 0);
}

static void counts_connections_to_peers_by_what_became_of_them(void **state)
{
    const struct tcp_relay_counters *counters = tcp_relay_counters(relay);
    struct transport_address listens, silent, nobodys, unreachable;
    int listener = peer_listens(&listens), full = peer_listens(&silent), filling[2];

    (void)state;
    close(peer_listens(&nobodys));
    assert_int_equal(transport_address_parse("[2001:db8::1]:80", &unreachable), 0);
    connect_to(&listens, 50);
    wait_for(&fake.connected_count, 1);
    assert_int_equal(counters->connects_made, 1);
    close_connection(50);
    assert_int_equal(counters->unbound, 1);
    connect_to(&nobodys, 51);
    wait_for(&fake.closed_count, 1);
    assert_int_equal(counters->connects_refused, 1);
    connect_to(&unreachable, 52);
    wait_for(&fake.closed_count, 2);
    assert_int_equal(counters->connects_failed, 1); // of another family
    // Nobody is accepted there any more.
    assert_int_equal(listen(full, 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct transport_address from = relayed();

        from.port = 0;
        assert_int_equal(tcp_socket_connect(&from, &silent, &filling[i]), 0);
    }
    let_time_pass();
    connect_to(&silent, 53);
    let_time_pass();
    assert_int_equal(counters->connections, 1);
    close_connection(53);
    assert_int_equal(counters->connects_timed_out, 1);
    connect_to(&silent, 54);
    unlisten();
    assert_int_equal(counters->connects_given_up, 1);
    assert_int_equal(counters->connects, 5);
    assert_int_equal(counters->connections, 0);
    for (unsigned i = 0; i < 2; i++)
        close(filling[i]);
    close(full);
    close(listener);
}

static void counts_what_peers_and_clients_did(void **state)
{
    const struct tcp_relay_counters *counters = tcp_relay_counters(relay);
    int first = peer_connects(), second, third;

    (void)state;
    wait_for(&fake.accepted_count, 1);
    bind_client(100);
    assert_int_equal(counters->bound, 1);
    second = peer_connects();
    wait_for(&fake.accepted_count, 2);
    close(second);
    wait_for(&fake.closed_count, 1);
    assert_int_equal(counters->unbound, 1);
    fake.refuses = true;
    third = peer_connects();
    wait_for(&fake.accepted_count, 3);
    assert_int_equal(counters->accepted, 2);
    assert_int_equal(counters->refused, 1);
    assert_int_equal(counters->connections, 1);
    close(third);
    close(first);
}

static void a_port_that_somebody_has_is_said_to_be_taken(void **state)
{
    (void)state;
    assert_int_equal(tcp_relay_listen(relay, ALLOCATION, at), -EADDRINUSE);
    assert_int_equal(tcp_relay_counters(relay)->listen_failures, 0);
    plane.config.relays[0].local.bytes[0] = 192; // of nobody's
    assert_int_equal(tcp_relay_listen(relay, ALLOCATION, at), -EADDRNOTAVAIL);
    assert_int_equal(tcp_relay_counters(relay)->listen_failures, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connects_from_the_relayed_address),
        TEST(says_when_nobody_listens_there_but_not_before_the_event_is_over),
        TEST(a_peer_that_may_connect_waits_and_another_one_is_closed),
        TEST(a_bound_one_is_the_threads_with_all_that_it_has_sent),
        TEST(tells_of_a_peer_that_has_left_unless_it_has_left_something),
        TEST(a_client_that_binds_too_late_is_closed),
        TEST(closes_one_that_waits_and_says_nothing),
        TEST(closes_a_joined_one_by_its_client),
        TEST(closes_nothing_where_the_client_is_gone_and_may_be_back),
        TEST(the_end_of_a_joined_one_is_no_news_of_who_came_after),
        TEST(orders_wait_for_room_in_order),
        TEST(an_order_to_join_that_still_waits_becomes_one_to_close),
        TEST(nothing_is_told_or_accepted_without_room_for_the_answer),
        TEST(with_the_relayed_address_all_its_connections_go),
        TEST(every_place_comes_back),
        TEST(an_allocations_end_is_told_when_its_last_connection_is_over),
        TEST(an_order_that_is_not_sent_counts_for_nobody),
        TEST(both_addresses_of_an_allocation_are_one_account),
        TEST(counts_connections_to_peers_by_what_became_of_them),
        TEST(counts_what_peers_and_clients_did),
        TEST(a_port_that_somebody_has_is_said_to_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
