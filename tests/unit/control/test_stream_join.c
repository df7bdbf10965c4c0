// SPDX-License-Identifier: BSD-3-Clause
// Claims about a client's data connection and its peer's, over TCP and over TLS.
#include "control/stream_join.h"

#include "stream_fixture.h"
#include "tls_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECTION_BIND         0x000B
#define CONNECTION_BIND_SUCCESS 0x010B
#define CONNECTION_BIND_ERROR   0x011B
#define MUCH                    (8 << 20)

static uint8_t bytes[MUCH], came[MUCH];

// A data connection, and the peer's end of what it is to be joined with.
struct ends {
    struct stream_fixture *fixture;
    struct client_key client;
    int fd;
    SSL *ssl; // NULL: plain TCP
    int peer;
    int socket; // the relay's
    struct stream_account *account;
};

static char a_record;
#define RECORD ((struct session_record *)&a_record)

static const struct stream_counters *counters_of(const struct ends *ends)
{
    return stream_thread_counters(ends->fixture->thread);
}

static size_t client_write(const struct ends *ends, const void *from, size_t len)
{
    ssize_t sent = ends->ssl ? SSL_write(ends->ssl, from, (int)len)
                             : send(ends->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent > 0 ? (size_t)sent : 0;
}

static size_t client_read(const struct ends *ends, void *ret, size_t size)
{
    ssize_t len;

    stream_fixture_run(ends->fixture);
    len = ends->ssl ? SSL_read(ends->ssl, ret, (int)size) : recv(ends->fd, ret, size, MSG_DONTWAIT);
    return len > 0 ? (size_t)len : 0;
}

static size_t peer_read(const struct ends *ends, void *ret, size_t size)
{
    ssize_t len;

    stream_fixture_run(ends->fixture);
    len = recv(ends->peer, ret, size, MSG_DONTWAIT);
    return len > 0 ? (size_t)len : 0;
}

static bool peer_is_at_the_end(const struct ends *ends)
{
    char byte;

    stream_fixture_run(ends->fixture);
    return recv(ends->peer, &byte, 1, MSG_DONTWAIT) == 0;
}

// With a ConnectionBind that has not been answered yet, and what an eager client sends behind it.
static struct ends connect_ends(struct stream_fixture *fixture, unsigned listener,
                                const char *eager)
{
    struct ends ends = {.fixture = fixture, .fd = stream_fixture_connect(fixture, listener)};
    uint8_t message[256];
    size_t len = stream_fixture_stun(message, CONNECTION_BIND);
    int sockets[2];
    struct client_key client;

    ends.client = stream_fixture_client(fixture, listener, ends.fd);
    if (listener == STREAM_FIXTURE_TLS)
        ends.ssl = stream_fixture_secure(fixture, ends.fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    ends.peer = sockets[0];
    ends.socket = sockets[1];
    memcpy(message + len, eager, strlen(eager));
    assert_int_equal(client_write(&ends, message, len + strlen(eager)), len + strlen(eager));
    stream_fixture_run(fixture);
    assert_int_equal(stream_fixture_take(fixture, message, &client), len);
    assert_int_equal(stream_fixture_take(fixture, message, &client), 0);
    return ends;
}

static void close_ends(const struct ends *ends)
{
    close(ends->peer);
    if (ends->ssl)
        stream_fixture_unsecure(ends->ssl);
    else
        close(ends->fd);
}

static void answer(const struct ends *ends, uint16_t type)
{
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, type);

    assert_true(stream_fixture_give(ends->fixture, &ends->client, message, len));
    stream_fixture_run(ends->fixture);
}

static void order(const struct ends *ends, enum stream_order_kind kind)
{
    const struct stream_order order = {
        .kind = kind, .socket = ends->socket, .client = ends->client, .account = ends->account};

    assert_int_equal(stream_order_send(ends->fixture->plane, 0, &order), 0);
    stream_fixture_run(ends->fixture);
}

static struct ends join_ends(struct stream_fixture *fixture, unsigned listener)
{
    struct ends ends = connect_ends(fixture, listener, "");

    order(&ends, STREAM_ORDER_JOIN);
    answer(&ends, CONNECTION_BIND_SUCCESS);
    assert_int_equal(client_read(&ends, came, sizeof(came)), 20);
    return ends;
}

static void fill(void)
{
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
}

static void the_answer_comes_before_the_peers_bytes(void **state)
{
    struct stream_fixture *fixture = *state;

    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 4; i++) {
        bool order_first = i & 1;
        struct ends ends = connect_ends(fixture, i & 2 ? STREAM_FIXTURE_TLS : STREAM_FIXTURE_TCP,
                                        "GET / HTTP/1.1");
        size_t len;

        assert_int_equal(send(ends.peer, "hello", 5, 0), 5);
        if (order_first)
            order(&ends, STREAM_ORDER_JOIN);
        else
            answer(&ends, CONNECTION_BIND_SUCCESS);
        assert_int_equal(client_read(&ends, came, sizeof(came)), order_first ? 0 : 20);
        assert_int_equal(peer_read(&ends, came, sizeof(came)), 0);
        if (order_first)
            answer(&ends, CONNECTION_BIND_SUCCESS);
        else
            order(&ends, STREAM_ORDER_JOIN);
        assert_int_equal(peer_read(&ends, came, sizeof(came)), 14);
        assert_memory_equal(came, "GET / HTTP/1.1", 14);
        len = order_first && ends.ssl ? client_read(&ends, came, 20) : 0;
        len = client_read(&ends, came + len, sizeof(came) - len) + len;
        assert_int_equal(len, order_first ? 25 : 5);
        assert_memory_equal(came + len - 5, "hello", 5);
        if (order_first)
            assert_int_equal(load_be16(came), CONNECTION_BIND_SUCCESS);
        close_ends(&ends);
        stream_fixture_run(fixture);
    }
    assert_int_equal(counters_of(&(struct ends){.fixture = fixture})->joined, 4);
}

static void a_refused_bind_changes_nothing(void **state)
{
    struct stream_fixture *fixture = *state;
    struct ends ends;
    struct client_key client;
    uint8_t message[64];

    stream_fixture_start(fixture);
    ends = connect_ends(fixture, STREAM_FIXTURE_TCP, "");
    stream_fixture_stun(message, 0x0001);
    assert_int_equal(client_write(&ends, message, 20), 20);
    stream_fixture_run(fixture);
    assert_int_equal(stream_fixture_take(fixture, came, &client), 0);
    answer(&ends, CONNECTION_BIND_ERROR);
    assert_int_equal(stream_fixture_take(fixture, came, &client), 20);
    assert_int_equal(load_be16(came), 0x0001);
    close(ends.socket);
    close_ends(&ends);
}

static void a_bind_without_an_answer_has_its_time(void **state)
{
    struct stream_fixture *fixture = *state;
    struct ends ends;

    stream_fixture_start(fixture);
    ends = connect_ends(fixture, STREAM_FIXTURE_TCP, "");
    order(&ends, STREAM_ORDER_JOIN);
    stream_fixture_pass(fixture, 9);
    assert_false(stream_fixture_is_closed(fixture, ends.fd));
    stream_fixture_pass(fixture, 1);
    assert_true(stream_fixture_is_closed(fixture, ends.fd));
    assert_true(peer_is_at_the_end(&ends));
    close_ends(&ends);
}

static void each_way_ends_in_its_own_time(void **state)
{
    struct stream_fixture *fixture = *state;
    struct client_key heard;

    stream_fixture_start(fixture);
    for (unsigned listener = 0; listener < 2; listener++) {
        for (unsigned i = 0; i < 2; i++) {
            bool peer_first = i == 0;
            struct ends ends = join_ends(fixture, listener);

            if (peer_first)
                shutdown(ends.peer, SHUT_WR);
            else if (ends.ssl)
                SSL_shutdown(ends.ssl);
            else
                shutdown(ends.fd, SHUT_WR);
            assert_int_equal(client_read(&ends, came, sizeof(came)), 0);
            assert_int_equal(peer_is_at_the_end(&ends), !peer_first);
            if (peer_first) {
                assert_int_equal(client_write(&ends, "still", 5), 5);
                assert_int_equal(peer_read(&ends, came, sizeof(came)), 5);
            } else {
                assert_int_equal(send(ends.peer, "still", 5, 0), 5);
                assert_int_equal(client_read(&ends, came, sizeof(came)), 5);
            }
            assert_false(stream_fixture_hears(fixture, &heard));
            close_ends(&ends);
            stream_fixture_run(fixture);
            assert_true(stream_fixture_hears(fixture, &heard));
            assert_memory_equal(&heard, &ends.client, sizeof(heard));
        }
    }
}

static void who_does_not_read_holds_the_other_back_and_loses_nothing(void **state)
{
    struct stream_fixture *fixture = *state;

    fill();
    stream_fixture_start(fixture);
    for (unsigned listener = 0; listener < 2; listener++) {
        struct ends ends = join_ends(fixture, listener);
        const struct stream_connection *connection;
        size_t sent = 0, got = 0;

        for (unsigned idle = 0; idle < 3 && sent < MUCH; idle++) {
            ssize_t len = send(ends.peer, bytes + sent, MUCH - sent, MSG_DONTWAIT);

            stream_fixture_run(fixture);
            sent += len > 0 ? (size_t)len : 0;
            idle = len > 0 ? 0 : idle;
        }
        connection = stream_table_find(&fixture->thread->table, &ends.client);
        assert_in_range(connection->join->to_client.waiting.len, 1, STREAM_RECEIVE_LEN);
        for (unsigned idle = 0; idle < 100 && got < sent; idle++) {
            size_t len = client_read(&ends, came + got, MUCH - got);

            got += len;
            idle = len > 0 ? 0 : idle;
        }
        assert_int_equal(got, sent);
        assert_memory_equal(came, bytes, sent);
        close_ends(&ends);
        stream_fixture_run(fixture);
    }
}

static void much_goes_to_the_peer_and_nothing_is_lost(void **state)
{
    struct stream_fixture *fixture = *state;

    fill();
    stream_fixture_start(fixture);
    for (unsigned listener = 0; listener < 2; listener++) {
        struct ends ends = join_ends(fixture, listener);
        size_t sent = 0, got = 0;

        for (unsigned idle = 0; idle < 100 && got < MUCH; idle++) {
            size_t len = sent < MUCH ? client_write(&ends, bytes + sent, MUCH - sent) : 0;

            sent += len;
            len = peer_read(&ends, came + got, MUCH - got);
            got += len;
            idle = len > 0 ? 0 : idle;
        }
        assert_int_equal(got, MUCH);
        assert_memory_equal(came, bytes, MUCH);
        close_ends(&ends);
        stream_fixture_run(fixture);
    }
}

// The pipe, which is for what comes much at a time, cannot take it.
static void urgent_data_is_left_out_and_stops_nothing(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_connection *connection;
    struct ends ends;

    stream_fixture_start(fixture);
    ends = join_ends(fixture, STREAM_FIXTURE_TCP);
    connection = stream_table_find(&fixture->thread->table, &ends.client);
    connection->join->to_peer.is_bulk = true;
    assert_int_equal(send(ends.fd, "!", 1, MSG_OOB), 1);
    assert_int_equal(client_write(&ends, "hello", 5), 5);
    assert_int_equal(peer_read(&ends, came, sizeof(came)), 5);
    assert_memory_equal(came, "hello", 5);
    close_ends(&ends);
}

static void much_at_a_time_goes_by_the_pipe_until_little_comes(void **state)
{
    struct stream_fixture *fixture = *state;
    const struct stream_connection *connection;
    struct ends ends;

    fill();
    stream_fixture_start(fixture);
    ends = join_ends(fixture, STREAM_FIXTURE_TCP);
    connection = stream_table_find(&fixture->thread->table, &ends.client);
    for (unsigned i = 0; i < 100 && !connection->join->to_peer.is_bulk; i++) {
        client_write(&ends, bytes, MUCH);
        peer_read(&ends, came, MUCH);
    }
    assert_true(connection->join->to_peer.is_bulk);
    while (peer_read(&ends, came, MUCH) > 0)
        ;
    assert_int_equal(client_write(&ends, "hello", 5), 5);
    assert_int_equal(peer_read(&ends, came, MUCH), 5);
    assert_false(connection->join->to_peer.is_bulk);
    close_ends(&ends);
}

// In the middle of much, the end of either comes behind all that came before it.
static void much_comes_before_the_end(void **state)
{
    struct stream_fixture *fixture = *state;

    fill();
    stream_fixture_start(fixture);
    for (unsigned listener = 0; listener < 2; listener++) {
        struct ends ends = join_ends(fixture, listener);
        size_t sent = client_write(&ends, bytes, 1 << 20), got = 0, len;

        if (ends.ssl)
            SSL_shutdown(ends.ssl);
        else
            shutdown(ends.fd, SHUT_WR);
        for (unsigned idle = 0; idle < 100 && got < sent; idle++) {
            len = peer_read(&ends, came + got, MUCH - got);
            got += len;
            idle = len > 0 ? 0 : idle;
        }
        assert_true(got > 0 && got == sent);
        assert_memory_equal(came, bytes, sent);
        assert_true(peer_is_at_the_end(&ends));
        close_ends(&ends);
        stream_fixture_run(fixture);
    }
}

static void the_control_plane_ends_both(void **state)
{
    struct stream_fixture *fixture = *state;
    struct client_key heard;
    struct ends ends;

    stream_fixture_start(fixture);
    ends = join_ends(fixture, STREAM_FIXTURE_TCP);
    order(&ends, STREAM_ORDER_CLOSE);
    assert_true(stream_fixture_is_closed(fixture, ends.fd));
    assert_true(peer_is_at_the_end(&ends));
    assert_true(stream_fixture_hears(fixture, &heard));
    close_ends(&ends);
}

static void a_socket_for_nobody_is_closed_and_the_control_plane_hears_of_it(void **state)
{
    struct stream_fixture *fixture = *state;
    struct client_key client;
    struct ends ends;

    stream_fixture_start(fixture);
    ends = connect_ends(fixture, STREAM_FIXTURE_TCP, "");
    order(&ends, STREAM_ORDER_CLOSE);
    assert_false(peer_is_at_the_end(&ends));
    stream_fixture_pass(fixture, 2);
    while (stream_fixture_hears(fixture, &client))
        ;
    order(&ends, STREAM_ORDER_JOIN);
    assert_true(peer_is_at_the_end(&ends));
    stream_fixture_pass(fixture, 2);
    assert_true(stream_fixture_hears(fixture, &client));
    assert_int_equal(client.address.port, ends.client.address.port);
    close_ends(&ends);
}

static void what_it_carried_is_counted_and_is_the_allocations(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_account *account = stream_account_create();

    stream_fixture_told_count = 0;
    stream_fixture_start(fixture);
    for (unsigned listener = 0; listener < 2; listener++) {
        struct ends ends = connect_ends(fixture, listener, "eager");

        ends.account = stream_account_share(account);
        order(&ends, STREAM_ORDER_JOIN);
        answer(&ends, CONNECTION_BIND_SUCCESS);
        assert_int_equal(client_read(&ends, came, sizeof(came)), 20);
        assert_int_equal(client_write(&ends, " client", 7), 7);
        assert_int_equal(peer_read(&ends, came, 5), 5);
        assert_int_equal(send(ends.peer, "hi", 2, 0), 2);
        assert_int_equal(client_read(&ends, came, sizeof(came)), 2);
        assert_int_equal(counters_of(&ends)->joined_to_peer_bytes, 12 * (listener + 1));
        assert_int_equal(counters_of(&ends)->joined_to_client_bytes, 2 * (listener + 1));
        close_ends(&ends);
        stream_fixture_run(fixture);
    }
    stream_account_end(account, NULL, RECORD);
    assert_int_equal(stream_fixture_told_count, 0);
    stream_account_give(account);
    assert_int_equal(stream_fixture_told_count, 1);
    assert_int_equal(stream_fixture_told.connections, 2);
    assert_int_equal(stream_fixture_told.to_peer_bytes, 24);
    assert_int_equal(stream_fixture_told.to_client_bytes, 4);
}

// Of what was never joined, too, and the one who ordered it sees its end.
static void a_join_that_comes_to_nothing_gives_its_share_back(void **state)
{
    struct stream_fixture *fixture = *state;

    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 2; i++) {
        struct ends ends = connect_ends(fixture, STREAM_FIXTURE_TCP, "");

        stream_fixture_told_count = 0;
        ends.account = stream_account_create();
        stream_account_end(ends.account, NULL, RECORD);
        if (i == 0)
            order(&ends, STREAM_ORDER_CLOSE);
        else
            answer(&ends, CONNECTION_BIND_ERROR);
        order(&ends, STREAM_ORDER_JOIN);
        assert_int_equal(stream_fixture_told_count, 1);
        assert_int_equal(stream_fixture_told.connections, 0);
        close_ends(&ends);
        stream_fixture_run(fixture);
    }
}

// The kernel's limit of how long a client may take nothing is for messages: a data connection may
// be held back as long as the client likes.
static void the_kernel_lets_a_client_pause_once_it_is_joined(void **state)
{
    struct stream_fixture *fixture = *state;
    const struct stream_connection *connection;
    struct ends ends;
    socklen_t len = sizeof(unsigned);
    unsigned timeout_ms = 0;

    stream_fixture_start(fixture);
    ends = connect_ends(fixture, STREAM_FIXTURE_TCP, "");
    connection = stream_table_find(&fixture->thread->table, &ends.client);
    assert_int_equal(
        getsockopt(connection->socket.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &len), 0);
    assert_int_equal(timeout_ms, 30000);
    order(&ends, STREAM_ORDER_JOIN);
    answer(&ends, CONNECTION_BIND_SUCCESS);
    assert_int_equal(
        getsockopt(connection->socket.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &len), 0);
    assert_int_equal(timeout_ms, 0);
    close_ends(&ends);
}

static void time_does_not_end_it(void **state)
{
    struct stream_fixture *fixture = *state;
    struct ends ends;

    stream_fixture_start(fixture);
    ends = join_ends(fixture, STREAM_FIXTURE_TCP);
    stream_fixture_pass(fixture, 100000);
    assert_int_equal(send(ends.peer, "hello", 5, 0), 5);
    assert_int_equal(client_read(&ends, came, sizeof(came)), 5);
    close_ends(&ends);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(the_answer_comes_before_the_peers_bytes),
        CLAIM(a_refused_bind_changes_nothing),
        CLAIM(a_bind_without_an_answer_has_its_time),
        CLAIM(each_way_ends_in_its_own_time),
        CLAIM(who_does_not_read_holds_the_other_back_and_loses_nothing),
        CLAIM(much_goes_to_the_peer_and_nothing_is_lost),
        CLAIM(urgent_data_is_left_out_and_stops_nothing),
        CLAIM(much_at_a_time_goes_by_the_pipe_until_little_comes),
        CLAIM(much_comes_before_the_end),
        CLAIM(the_control_plane_ends_both),
        CLAIM(a_socket_for_nobody_is_closed_and_the_control_plane_hears_of_it),
        CLAIM(what_it_carried_is_counted_and_is_the_allocations),
        CLAIM(a_join_that_comes_to_nothing_gives_its_share_back),
        CLAIM(the_kernel_lets_a_client_pause_once_it_is_joined),
        CLAIM(time_does_not_end_it),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
