// SPDX-License-Identifier: BSD-3-Clause
// Claims about a client's data connection and its peer's, over TCP and over TLS.
#include "control/stream_join.h"

#include "stream_fixture.h"
#include "tls_fixture.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECTION_BIND         0x000B
#define CONNECTION_BIND_SUCCESS 0x010B
#define CONNECTION_BIND_ERROR   0x011B
#define MUCH                    (8 << 20)
#define WAIT_MS                 10

static uint8_t bytes[MUCH], came[MUCH];

uint64_t bandwidth_now_tsc(void)
{
    return 1ull << 40;
}

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

// The kernel brings what was written in its own time.
static void wait_for(const struct ends *ends, int fd, short events)
{
    struct pollfd waits = {.fd = fd, .events = events};

    stream_fixture_run(ends->fixture);
    poll(&waits, 1, WAIT_MS);
}

static size_t client_read(const struct ends *ends, void *ret, size_t size)
{
    ssize_t len;

    if (!ends->ssl || SSL_pending(ends->ssl) == 0)
        wait_for(ends, ends->fd, POLLIN);
    len = ends->ssl ? SSL_read(ends->ssl, ret, (int)size) : recv(ends->fd, ret, size, MSG_DONTWAIT);
    return len > 0 ? (size_t)len : 0;
}

static size_t peer_read(const struct ends *ends, void *ret, size_t size)
{
    ssize_t len;

    wait_for(ends, ends->peer, POLLIN);
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

            wait_for(&ends, ends.peer, POLLOUT);
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
    struct session_log_tcp_traffic carried;

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
        stream_account_carried(account, &carried); // while it stands
        assert_int_equal(carried.connections, listener + 1);
        assert_int_equal(carried.to_peer_bytes, 12 * (listener + 1));
        assert_int_equal(carried.to_client_bytes, 2 * (listener + 1));
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

// Bandwidth, of which none comes back: its time stands still.
#define FEW   1000
#define BURST BANDWIDTH_BURST_LEN_MIN
#define ROUND 128 // fewer bytes than these may be lost to rounding

static void limit(const struct stream_fixture *fixture, uint64_t max_bps, uint64_t user_max_bps,
                  uint64_t total_max_bps)
{
    const struct bandwidth_limits limits = {max_bps, user_max_bps, total_max_bps};

    bandwidth_limits_publish(&fixture->plane->stream_limits, &limits);
}

static struct ends join_limited(struct stream_fixture *fixture, unsigned listener,
                                struct stream_account *account)
{
    struct ends ends = connect_ends(fixture, listener, "");

    ends.account = stream_account_share(account);
    order(&ends, STREAM_ORDER_JOIN);
    answer(&ends, CONNECTION_BIND_SUCCESS);
    assert_int_equal(client_read(&ends, came, sizeof(came)), 20);
    return ends;
}

static size_t write_end(const struct ends *ends, bool to_peer, const void *from, size_t len)
{
    ssize_t sent;

    if (to_peer)
        return client_write(ends, from, len);
    sent = send(ends->peer, from, len, MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

// What comes of so many bytes, at `came`, until nothing has come for a while. ret_sent: those that
// were taken from the sender.
static size_t carry_much(const struct ends *ends, bool to_peer, size_t len, size_t *ret_sent)
{
    size_t sent = 0, got = 0;

    for (unsigned idle = 0; idle < 100 && got < len; idle++) {
        size_t more = write_end(ends, to_peer, bytes + sent, len - sent);

        sent += more;
        more = to_peer ? peer_read(ends, came + got, MUCH - got)
                       : client_read(ends, came + got, MUCH - got);
        got += more;
        idle = more > 0 ? 0 : idle;
    }
    *ret_sent = sent;
    return got;
}

// The pause ends by a timer of some milliseconds, and what there is comes.
static size_t carry_on(const struct ends *ends, bool to_peer, size_t got, size_t len)
{
    for (unsigned idle = 0; idle < 50 && got < len; idle++) {
        size_t more;

        event_base_loop(ends->fixture->config.base, EVLOOP_ONCE);
        more = to_peer ? peer_read(ends, came + got, MUCH - got)
                       : client_read(ends, came + got, MUCH - got);
        got += more;
        idle = more > 0 ? 0 : idle;
    }
    return got;
}

static const struct stream_connection *connection_of(const struct ends *ends)
{
    return stream_table_find(&ends->fixture->thread->table, &ends->client);
}

// Its sender may take its time with what comes next.
static void wait_for_pause(const struct ends *ends)
{
    for (unsigned i = 0; i < 50 && !connection_of(ends)->is_paused; i++)
        event_base_loop(ends->fixture->config.base, EVLOOP_ONCE);
    assert_true(connection_of(ends)->is_paused);
}

static void without_bandwidth_bytes_wait_and_none_is_lost(void **state)
{
    struct stream_fixture *fixture = *state;

    fill();
    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 4; i++) {
        struct stream_account *account = stream_account_create();
        struct ends ends = join_limited(fixture, i & 1, account);
        bool to_peer = i & 2;
        size_t sent, got;

        limit(fixture, FEW, 0, 0);
        got = carry_much(&ends, to_peer, 1 << 20, &sent);
        assert_in_range(got, BURST - ROUND, BURST);
        assert_true(sent > got);
        wait_for_pause(&ends);
        assert_int_equal(counters_of(&ends)->joined_pauses, i + 1);
        // It asks no socket for what it may not have.
        assert_int_equal(
            (to_peer ? connection_of(&ends)->interest : connection_of(&ends)->join->interest) &
                EPOLLIN,
            0);
        limit(fixture, 0, 0, 0);
        got = carry_on(&ends, to_peer, got, sent);
        assert_int_equal(got, sent);
        assert_memory_equal(came, bytes, sent);
        assert_false(connection_of(&ends)->is_paused);
        assert_true(TAILQ_EMPTY(&fixture->thread->paused));
        close_ends(&ends);
        stream_account_give(account);
        stream_fixture_run(fixture);
    }
}

static void each_direction_has_bandwidth_of_its_own(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_account *account = stream_account_create();
    struct ends ends;
    size_t sent;

    fill();
    stream_fixture_start(fixture);
    limit(fixture, FEW, 0, 0);
    ends = join_limited(fixture, STREAM_FIXTURE_TCP, account);
    assert_in_range(carry_much(&ends, true, 1 << 20, &sent), BURST - ROUND, BURST);
    assert_in_range(carry_much(&ends, false, 1 << 20, &sent), BURST - ROUND, BURST);
    close_ends(&ends);
    stream_account_give(account);
}

static void connections_of_one_allocation_share_its_bandwidth(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_account *account = stream_account_create(), *other = stream_account_create();
    struct ends ends[3];
    size_t sent;

    fill();
    stream_fixture_start(fixture);
    limit(fixture, FEW, 0, 0);
    for (unsigned i = 0; i < 3; i++)
        ends[i] = join_limited(fixture, i & 1, i < 2 ? account : other);
    assert_int_equal(carry_much(&ends[0], true, 100000, &sent), 100000);
    assert_in_range(carry_much(&ends[1], true, 100000, &sent), BURST - 100000 - ROUND,
                    BURST - 100000);
    assert_int_equal(carry_much(&ends[2], true, 100000, &sent), 100000);
    for (unsigned i = 0; i < 3; i++)
        close_ends(&ends[i]);
    stream_account_give(account);
    stream_account_give(other);
}

// What else the client has sent before the answer to its ConnectionBind could be read at once.
static void what_came_with_the_bind_is_spent_as_well(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_account *account = stream_account_create();
    struct ends ends;

    stream_fixture_start(fixture);
    limit(fixture, FEW, 0, 0);
    ends = connect_ends(fixture, STREAM_FIXTURE_TCP, "0123456789");
    ends.account = stream_account_share(account);
    order(&ends, STREAM_ORDER_JOIN);
    answer(&ends, CONNECTION_BIND_SUCCESS);
    assert_int_equal(peer_read(&ends, came, sizeof(came)), 10);
    assert_in_range(stream_bandwidth_left(&fixture->thread->bandwidth, account, DIRECTION_TO_PEER),
                    BURST - 10 - ROUND, BURST - 10);
    close_ends(&ends);
    stream_account_give(account);
}

// Both its ways are at their ends, which epoll says whatever it is asked: what has not been read
// yet is not lost, and nobody spins.
static void an_end_behind_what_waits_for_bandwidth_comes_behind_it(void **state)
{
    struct stream_fixture *fixture = *state;

    fill();
    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 2; i++) {
        struct stream_account *account = stream_account_create();
        struct ends ends = join_limited(fixture, STREAM_FIXTURE_TCP, account);
        bool to_peer = i == 0;
        int sender = to_peer ? ends.fd : ends.peer;
        size_t sent, got;
        uint64_t wakeups;

        limit(fixture, FEW, 0, 0);
        shutdown(to_peer ? ends.peer : ends.fd, SHUT_WR);
        got = carry_much(&ends, to_peer, 200000, &sent);
        assert_int_equal(sent, 200000);
        wait_for_pause(&ends);
        shutdown(sender, SHUT_WR);
        stream_fixture_run(fixture);
        wakeups = counters_of(&ends)->wakeups;
        stream_fixture_run(fixture);
        assert_in_range(counters_of(&ends)->wakeups, wakeups, wakeups + 2);
        limit(fixture, 0, 0, 0);
        assert_int_equal(carry_on(&ends, to_peer, got, sent), sent);
        assert_memory_equal(came, bytes, sent);
        stream_fixture_run(fixture);
        assert_null(connection_of(&ends));
        close_ends(&ends);
        stream_account_give(account);
        stream_fixture_run(fixture);
    }
}

// The same of an end that the other one does not read.
static void an_end_behind_what_is_not_read_comes_behind_it(void **state)
{
    struct stream_fixture *fixture = *state;
    struct ends ends;
    size_t sent = 0, got = 0;

    fill();
    stream_fixture_start(fixture);
    ends = join_ends(fixture, STREAM_FIXTURE_TCP);
    shutdown(ends.fd, SHUT_WR);
    stream_fixture_run(fixture);
    for (unsigned idle = 0; idle < 3 && sent < MUCH; idle++) {
        size_t len = write_end(&ends, false, bytes + sent, MUCH - sent);

        stream_fixture_run(fixture);
        sent += len;
        idle = len > 0 ? 0 : idle;
    }
    shutdown(ends.peer, SHUT_WR);
    stream_fixture_run(fixture);
    assert_non_null(connection_of(&ends));
    for (unsigned idle = 0; idle < 100 && got < sent; idle++) {
        size_t len = client_read(&ends, came + got, MUCH - got);

        got += len;
        idle = len > 0 ? 0 : idle;
    }
    assert_int_equal(got, sent);
    assert_memory_equal(came, bytes, sent);
    close_ends(&ends);
}

// Who has had some goes behind the others, who keep their places; and any may go meanwhile.
static void those_without_bandwidth_get_theirs_in_turn(void **state)
{
    struct stream_fixture *fixture = *state;
    struct stream_account *account = stream_account_create();
    const struct token_rate rate = bandwidth_rate(FEW, fixture->plane->tsc_hz);
    uint64_t *bucket = stream_account_bucket(account, DIRECTION_TO_PEER);
    struct ends ends[3];
    size_t got[3] = {0}, sent;

    fill();
    stream_fixture_start(fixture);
    limit(fixture, FEW, 0, 0);
    for (unsigned i = 0; i < 3; i++) {
        ends[i] = join_limited(fixture, STREAM_FIXTURE_TCP, account);
        carry_much(&ends[i], true, 1 << 20, &sent);
        wait_for_pause(&ends[i]);
    }
    for (unsigned round = 0; round < 6; round++) {
        *bucket = bandwidth_now_tsc() + rate.burst_cycles - token_rate_cycles(&rate, 10000);
        while (counters_of(ends)->joined_pauses < 4 + round)
            event_base_loop(fixture->config.base, EVLOOP_ONCE);
        for (unsigned i = 0; i < 3; i++) {
            size_t before = got[i], len;

            while ((len = peer_read(&ends[i], came, MUCH)) > 0)
                got[i] += len;
            assert_true((got[i] > before) == (round % 3 == i));
        }
    }
    assert_in_range(got[0], 2 * (10000 - ROUND), 2 * 10000);
    assert_ptr_equal(TAILQ_FIRST(&fixture->thread->paused), connection_of(&ends[0]));
    fixture->thread->paused_next = TAILQ_FIRST(&fixture->thread->paused);
    close_ends(&ends[0]);
    order(&ends[0], STREAM_ORDER_CLOSE);
    assert_ptr_equal(fixture->thread->paused_next, connection_of(&ends[1]));
    assert_ptr_equal(TAILQ_FIRST(&fixture->thread->paused), connection_of(&ends[1]));
    close_ends(&ends[1]);
    close_ends(&ends[2]);
    stream_account_give(account);
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
        CLAIM(without_bandwidth_bytes_wait_and_none_is_lost),
        CLAIM(each_direction_has_bandwidth_of_its_own),
        CLAIM(connections_of_one_allocation_share_its_bandwidth),
        CLAIM(what_came_with_the_bind_is_spent_as_well),
        CLAIM(an_end_behind_what_waits_for_bandwidth_comes_behind_it),
        CLAIM(an_end_behind_what_is_not_read_comes_behind_it),
        CLAIM(those_without_bandwidth_get_theirs_in_turn),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
