// SPDX-License-Identifier: BSD-3-Clause
// Claims about a client's connection, from where it is accepted to its end.
#include "control/stream_connection.h"

#include "stream_fixture.h"

#include "proto/stun.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct stream_counters *counters_of(const struct stream_fixture *fixture)
{
    return stream_thread_counters(fixture->thread);
}

static void assert_takes(struct stream_fixture *fixture, const struct client_key *client,
                         const void *message, size_t len)
{
    static uint8_t bytes[65536];
    struct client_key from;

    assert_int_equal(stream_fixture_take(fixture, bytes, &from), len);
    assert_memory_equal(bytes, message, len);
    assert_memory_equal(&from, client, sizeof(from));
}

static void assert_takes_nothing(struct stream_fixture *fixture)
{
    static uint8_t bytes[65536];
    struct client_key from;

    assert_int_equal(stream_fixture_take(fixture, bytes, &from), 0);
}

static void messages_arrive_whole_however_they_are_split(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t stream[256], one[64], other[64];
    size_t one_len = stream_fixture_stun(one, 0x0001),
           other_len = stream_fixture_channel_data(other, 0x4001, 21), padded_len = other_len + 3;

    stream_fixture_start(fixture);
    memcpy(stream, one, one_len);
    memset(stream + one_len, 0, 64);
    memcpy(stream + one_len, other, other_len);
    memcpy(stream + one_len + padded_len, one, one_len);
    for (size_t split = 1; split < 2 * one_len + padded_len; split++) {
        int fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
        const struct client_key client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);

        stream_fixture_write(fixture, fd, stream, split);
        stream_fixture_write(fixture, fd, stream + split, 2 * one_len + padded_len - split);
        assert_takes(fixture, &client, one, one_len);
        assert_takes(fixture, &client, other, other_len);
        assert_takes(fixture, &client, one, one_len);
        assert_takes_nothing(fixture);
        close(fd);
        stream_fixture_run(fixture);
    }
    assert_int_equal(counters_of(fixture)->connections, 0);
    assert_int_equal(counters_of(fixture)->messages_in, counters_of(fixture)->accepted * 3);
}

static void messages_arrive_byte_for_byte(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    for (unsigned i = 0; i < 3 * len; i++)
        stream_fixture_write(fixture, fd, message + i % len, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_takes(fixture, &client, message, len);
    assert_takes_nothing(fixture);
    close(fd);
}

static void what_goes_to_a_client_is_padded(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64], came[64];
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    for (unsigned payload_len = 0; payload_len < 8; payload_len++) {
        size_t len = stream_fixture_channel_data(message, 0x4000, payload_len);
        size_t padded_len = (len + 3) / 4 * 4;

        memset(message + len, 0, 4);
        assert_true(stream_fixture_give(fixture, &client, message, len));
        assert_int_equal(stream_fixture_read(fixture, fd, came, sizeof(came)), padded_len);
        assert_memory_equal(came, message, padded_len);
    }
    close(fd);
}

static void what_is_no_message_ends_the_connection(void **state)
{
    struct stream_fixture *fixture = *state;
    static const char request[] = "GET / HTTP/1.1\r\n";
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    stream_fixture_write(fixture, fd, request, sizeof(request) - 1);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_int_equal(counters_of(fixture)->bad_framing, 1);
    assert_int_equal(counters_of(fixture)->connections, 0);
    close(fd);
}

static void the_control_plane_hears_of_the_end_of_who_has_spoken(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client, heard;
    int silent, fd;

    stream_fixture_start(fixture);
    silent = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    stream_fixture_write(fixture, fd, message, len);
    close(silent);
    stream_fixture_run(fixture);
    assert_false(stream_fixture_hears(fixture, &heard));
    close(fd);
    stream_fixture_run(fixture);
    assert_true(stream_fixture_hears(fixture, &heard));
    assert_memory_equal(&heard, &client, sizeof(heard));
    assert_false(stream_fixture_hears(fixture, &heard));
}

// Allocate success, as the control plane answers.
static void allocate(struct stream_fixture *fixture, const struct client_key *client)
{
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0103);

    assert_true(stream_fixture_give(fixture, client, message, len));
    stream_fixture_run(fixture);
}

static int connect_tcp(struct stream_fixture *fixture, struct client_key *ret_client)
{
    int fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);

    *ret_client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    return fd;
}

// Numbered messages, which the workers' rings cannot take at once, are taken in their order.
static void assert_takes_all(struct stream_fixture *fixture, unsigned count)
{
    const struct timespec nap = {.tv_nsec = 100000};
    static uint8_t bytes[65536];
    struct client_key client;
    unsigned taken = 0;

    for (unsigned i = 0; i < 100000 && taken < count; i++) {
        stream_fixture_run(fixture);
        while (stream_fixture_take(fixture, bytes, &client) > 0)
            assert_int_equal(load_be32(bytes + 4), taken++);
        nanosleep(&nap, NULL);
    }
    assert_int_equal(taken, count);
    assert_takes_nothing(fixture);
}

static size_t numbered(uint8_t *ret_bytes, uint32_t number)
{
    size_t len = stream_fixture_channel_data(ret_bytes, 0x4000, 996);

    store_be32(ret_bytes + 4, number);
    return len;
}

static void workers_without_room_hold_back_and_lose_nothing(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t stream[300 * 1000];
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = connect_tcp(fixture, &client);
    for (uint32_t i = 0; i < 300; i++)
        numbered(stream + i * 1000, i);
    stream_fixture_write(fixture, fd, stream, sizeof(stream));
    stream_fixture_run(fixture);
    assert_int_equal(counters_of(fixture)->messages_in, STREAM_FIXTURE_RING_LEN - 1);
    assert_takes_all(fixture, 300);
    close(fd);
}

static void tls_holds_back_and_loses_nothing(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t stream[300 * 1000];
    int fd;
    SSL *ssl;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    ssl = stream_fixture_secure(fixture, fd);
    for (uint32_t i = 0; i < 300; i++)
        numbered(stream + i * 1000, i);
    for (size_t sent = 0; sent < sizeof(stream);) {
        int len = SSL_write(ssl, stream + sent, (int)(sizeof(stream) - sent));

        assert_true(len > 0);
        sent += (size_t)len;
    }
    assert_takes_all(fixture, 300);
    stream_fixture_unsecure(ssl);
}

static void messages_pass_through_tls(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64], came[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client;
    int fd;
    SSL *ssl;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    client = stream_fixture_client(fixture, STREAM_FIXTURE_TLS, fd);
    ssl = stream_fixture_secure(fixture, fd);
    assert_true(SSL_is_init_finished(ssl));
    assert_int_equal(counters_of(fixture)->handshakes, 1);
    for (unsigned i = 0; i < 3 * len; i++) {
        assert_int_equal(SSL_write(ssl, message + i % len, 1), 1);
        stream_fixture_run(fixture);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_takes(fixture, &client, message, len);
    len = stream_fixture_channel_data(message, 0x4000, 7);
    assert_true(stream_fixture_give(fixture, &client, message, len));
    assert_true(stream_fixture_give(fixture, &client, message, len));
    stream_fixture_run(fixture);
    // A record for each: there are clients that take one for a message.
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(SSL_read(ssl, came, sizeof(came)), len + 1);
        assert_memory_equal(came, message, len);
    }
    assert_int_equal(counters_of(fixture)->writes, 1);
    stream_fixture_unsecure(ssl);
    stream_fixture_run(fixture);
    assert_true(stream_fixture_hears(fixture, &client));
}

static void what_is_no_tls_ends_the_connection(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    stream_fixture_write(fixture, fd, message, len);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_int_equal(counters_of(fixture)->handshake_failures, 1);
    assert_takes_nothing(fixture);
    close(fd);
}

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
    assert_int_equal(counters_of(fixture)->handshake_timeouts, 1);
    close(fd);
}

static void the_oldest_half_open_connection_gives_way(void **state)
{
    struct stream_fixture *fixture = *state;
    int fds[3], good;
    SSL *ssl;

    fixture->config.limits.half_open = 3;
    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 3; i++)
        fds[i] = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    assert_false(stream_fixture_is_closed(fixture, fds[0]));
    good = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    assert_true(stream_fixture_is_closed(fixture, fds[0]));
    assert_false(stream_fixture_is_closed(fixture, fds[1]));
    ssl = stream_fixture_secure(fixture, good);
    assert_true(SSL_is_init_finished(ssl));
    assert_int_equal(counters_of(fixture)->gave_way, 1);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    stream_fixture_unsecure(ssl);
}

static void who_has_no_allocation_gives_way_to_a_newcomer(void **state)
{
    struct stream_fixture *fixture = *state;
    struct client_key clients[3], newcomer;
    int fds[3], fd, refused;

    fixture->config.limits.connections = 3;
    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 3; i++)
        fds[i] = connect_tcp(fixture, &clients[i]);
    allocate(fixture, &clients[0]);
    allocate(fixture, &clients[2]);
    fd = connect_tcp(fixture, &newcomer);
    assert_true(stream_fixture_is_closed(fixture, fds[1]));
    allocate(fixture, &newcomer);
    refused = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    assert_true(stream_fixture_is_closed(fixture, refused));
    assert_int_equal(counters_of(fixture)->gave_way, 1);
    assert_int_equal(counters_of(fixture)->refused_full, 1);
    assert_int_equal(counters_of(fixture)->connections, 3);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    close(fd);
    close(refused);
}

static void a_source_has_no_more_connections_than_it_may(void **state)
{
    struct stream_fixture *fixture = *state;
    int fds[3], again;

    fixture->config.limits.per_source = 2;
    stream_fixture_start(fixture);
    for (unsigned i = 0; i < 3; i++)
        fds[i] = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    assert_false(stream_fixture_is_closed(fixture, fds[1]));
    assert_true(stream_fixture_is_closed(fixture, fds[2]));
    assert_int_equal(counters_of(fixture)->refused_full, 1);
    close(fds[0]);
    stream_fixture_run(fixture);
    again = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    assert_false(stream_fixture_is_closed(fixture, again));
    close(fds[1]);
    close(fds[2]);
    close(again);
}

static void a_message_has_its_time(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = connect_tcp(fixture, &client);
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
    assert_int_equal(counters_of(fixture)->frame_timeouts, 1);
    assert_takes(fixture, &client, message, len);
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
    fds[0] = connect_tcp(fixture, &without);
    fds[1] = connect_tcp(fixture, &with);
    allocate(fixture, &with);
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
    assert_int_equal(counters_of(fixture)->idle_timeouts, 2);
    close(fds[0]);
    close(fds[1]);
}

static void long_messages_need_an_allocation(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t message[65536];
    size_t len = stream_fixture_channel_data(message, 0x4000, 21000);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = connect_tcp(fixture, &client);
    stream_fixture_write(fixture, fd, message, 4);
    assert_true(stream_fixture_is_closed(fixture, fd));
    close(fd);
    fd = connect_tcp(fixture, &client);
    allocate(fixture, &client);
    stream_fixture_write(fixture, fd, message, len);
    assert_takes(fixture, &client, message, len);
    len = stream_fixture_channel_data(message, 0x4000, 65532);
    stream_fixture_write(fixture, fd, message, len);
    assert_takes_nothing(fixture);
    len = stream_fixture_channel_data(message, 0x4000, STREAM_MESSAGE_MAX_LEN - 4);
    stream_fixture_write(fixture, fd, message, len);
    assert_takes(fixture, &client, message, len);
    assert_int_equal(counters_of(fixture)->too_long, 1);
    close(fd);
}

// Returns how many messages of that type were taken up for a client that does not read.
static unsigned stuff(struct stream_fixture *fixture, const struct client_key *client,
                      const uint8_t *message, size_t len)
{
    uint64_t before = counters_of(fixture)->messages_out, lost = counters_of(fixture)->slow_reader;

    while (counters_of(fixture)->slow_reader == lost) {
        assert_true(stream_fixture_give(fixture, client, message, len));
        stream_fixture_run(fixture);
    }
    return (unsigned)(counters_of(fixture)->messages_out - before);
}

static void a_slow_reader_loses_media_first_and_harms_nobody(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t media[60000], data[60000], response[1020], came[4 << 20];
    size_t media_len = stream_fixture_channel_data(media, 0x4000, sizeof(media) - 4), total = 0;
    struct client_key slow, other;
    int fds[2];

    fixture->config.limits.out_len = 256 * 1024;
    stream_fixture_start(fixture);
    fds[0] = connect_tcp(fixture, &slow);
    fds[1] = connect_tcp(fixture, &other);
    stream_fixture_stun(data, 0x0017);
    stream_fixture_stun(response, 0x0101);
    stuff(fixture, &slow, media, media_len);
    assert_int_equal(stuff(fixture, &slow, data, sizeof(data)), 0);
    assert_in_range(stuff(fixture, &slow, response, sizeof(response)) * sizeof(response),
                    256 * 1024, 320 * 1024);
    assert_true(stream_fixture_give(fixture, &other, media, 104));
    assert_int_equal(stream_fixture_read(fixture, fds[1], came, sizeof(came)), 104);
    for (size_t len = 1; len > 0; total += len)
        len = stream_fixture_read(fixture, fds[0], came, sizeof(came));
    assert_int_equal(total, counters_of(fixture)->bytes_out - 104);
    assert_true(stream_fixture_give(fixture, &slow, media, 104));
    assert_int_equal(stream_fixture_read(fixture, fds[0], came, sizeof(came)), 104);
    close(fds[0]);
    close(fds[1]);
}

static void who_does_not_read_at_all_is_closed(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t media[60000], came[60000];
    size_t len = stream_fixture_channel_data(media, 0x4000, sizeof(media) - 4);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = connect_tcp(fixture, &client);
    allocate(fixture, &client);
    stuff(fixture, &client, media, len);
    stream_fixture_pass(fixture, 29);
    // A bit of it lets the kernel take more only after a while; much of it does at once.
    for (unsigned i = 0; i < 40; i++)
        stream_fixture_read(fixture, fd, came, sizeof(came));
    stuff(fixture, &client, media, len);
    stream_fixture_pass(fixture, 29);
    assert_int_equal(counters_of(fixture)->connections, 1);
    stream_fixture_pass(fixture, 1);
    assert_int_equal(counters_of(fixture)->connections, 0);
    assert_int_equal(counters_of(fixture)->stuck, 1);
    close(fd);
}

static void news_that_find_no_room_are_told_later(void **state)
{
    struct stream_fixture *fixture = *state;
    const struct stream_news other = {.client = {.listener = 1}};
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0001);
    struct client_key client, heard;
    unsigned told = 0;
    int fd;

    stream_fixture_start(fixture);
    fd = connect_tcp(fixture, &client);
    stream_fixture_write(fixture, fd, message, len);
    while (stream_news_send(fixture->plane, 0, &other) == 0)
        told++;
    close(fd);
    stream_fixture_run(fixture);
    for (; told > 0; told--)
        assert_true(stream_fixture_hears(fixture, &heard));
    assert_false(stream_fixture_hears(fixture, &heard));
    stream_fixture_pass(fixture, 1);
    for (unsigned i = 0; i < 100000 && !stream_fixture_hears(fixture, &heard); i++)
        stream_fixture_run(fixture);
    assert_memory_equal(&heard, &client, sizeof(heard));
    assert_false(stream_fixture_hears(fixture, &heard));
    assert_int_equal(index_pool_used(&fixture->thread->table.pool), 0);
}

// Behind a proxy.

static struct ip_prefix proxies;

static void start_behind_a_proxy(struct stream_fixture *fixture)
{
    assert_int_equal(ip_prefix_parse("127.0.0.0/8", &proxies), 0);
    fixture->config.proxy_sources = &proxies;
    fixture->config.proxy_source_count = 1;
    stream_fixture_start(fixture);
}

// A version 2 header for a client over TCP; LOCAL when there is none.
static size_t proxy_header(uint8_t *ret_bytes, const char *source)
{
    static const uint8_t signature[] = {13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10};
    struct transport_address address;
    unsigned ip_len;

    memcpy(ret_bytes, signature, sizeof(signature));
    ret_bytes[12] = source ? 0x21 : 0x20;
    memset(ret_bytes + 13, 0, 3);
    if (!source)
        return 16;
    assert_int_equal(transport_address_parse(source, &address), 0);
    ip_len = ip_address_len(&address.ip);
    ret_bytes[13] = ip_len == 4 ? 0x11 : 0x21;
    store_be16(ret_bytes + 14, (uint16_t)(2 * ip_len + 4));
    memset(ret_bytes + 16, 1, 2 * ip_len + 4);
    memcpy(ret_bytes + 16, address.ip.bytes, ip_len);
    store_be16(ret_bytes + 16 + 2 * ip_len, address.port);
    return 16 + 2 * ip_len + 4;
}

static void a_proxy_says_who_the_client_is(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256], message[64];
    size_t message_len = stream_fixture_stun(message, 0x0001), header_len;
    struct client_key client;

    start_behind_a_proxy(fixture);
    for (size_t split = 1; split < 48; split++) {
        int fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);

        client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
        assert_int_equal(transport_address_parse("192.0.2.1:5000", &client.address), 0);
        header_len = proxy_header(bytes, "192.0.2.1:5000");
        memcpy(bytes + header_len, message, message_len);
        stream_fixture_write(fixture, fd, bytes, split);
        stream_fixture_write(fixture, fd, bytes + split, header_len + message_len - split);
        assert_takes(fixture, &client, message, message_len);
        close(fd);
        stream_fixture_run(fixture);
        assert_true(stream_fixture_hears(fixture, &client));
        assert_int_equal(client.address.port, 5000);
    }
}

static void a_proxy_speaks_for_itself_too(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256];
    size_t header_len = proxy_header(bytes, NULL);
    size_t len = stream_fixture_stun(bytes + header_len, 0x0001);
    struct client_key client;
    int fd;

    start_behind_a_proxy(fixture);
    fd = connect_tcp(fixture, &client);
    stream_fixture_write(fixture, fd, bytes, header_len + len);
    assert_takes(fixture, &client, bytes + header_len, len);
    close(fd);
}

static void tls_begins_behind_the_proxys_header(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256];
    size_t header_len = proxy_header(bytes, "[2001:db8::1]:5000");
    int fd;
    SSL *ssl;

    start_behind_a_proxy(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TLS);
    assert_int_equal(send(fd, bytes, header_len, 0), header_len);
    ssl = stream_fixture_secure(fixture, fd);
    assert_true(SSL_is_init_finished(ssl));
    stream_fixture_unsecure(ssl);
}

static void a_proxy_has_to_say_who_the_client_is(void **state)
{
    static const char *const nobodies[] = {
        "192.0.2.1:0", "0.0.0.0:5000",   "224.0.0.1:5000",         "255.255.255.255:5000",
        "[::]:5000",   "[ff02::1]:5000", "[::ffff:192.0.2.1]:5000"};
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256];
    size_t len = stream_fixture_stun(bytes, 0x0001);
    unsigned refused = 0;
    int fd;

    start_behind_a_proxy(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    stream_fixture_write(fixture, fd, bytes, len);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_int_equal(counters_of(fixture)->refused_proxy, ++refused);
    close(fd);
    for (unsigned i = 0; i < sizeof(nobodies) / sizeof(nobodies[0]); i++) {
        fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
        len = proxy_header(bytes, nobodies[i]);
        stream_fixture_write(fixture, fd, bytes, len);
        assert_true(stream_fixture_is_closed(fixture, fd));
        assert_int_equal(counters_of(fixture)->refused_proxy, ++refused);
        close(fd);
    }
    assert_takes_nothing(fixture);
}

static void a_proxys_header_has_its_time(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256];
    int fd;

    start_behind_a_proxy(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    proxy_header(bytes, "192.0.2.1:5000");
    stream_fixture_write(fixture, fd, bytes, 20);
    stream_fixture_pass(fixture, 2);
    assert_false(stream_fixture_is_closed(fixture, fd));
    stream_fixture_pass(fixture, 1);
    assert_true(stream_fixture_is_closed(fixture, fd));
    close(fd);
}

static void two_connections_are_not_one_client(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256];
    size_t len = proxy_header(bytes, "192.0.2.1:5000");
    int fds[2];

    start_behind_a_proxy(fixture);
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
        stream_fixture_write(fixture, fds[i], bytes, len);
    }
    assert_false(stream_fixture_is_closed(fixture, fds[0]));
    assert_true(stream_fixture_is_closed(fixture, fds[1]));
    assert_int_equal(counters_of(fixture)->refused_proxy, 1);
    close(fds[0]);
    close(fds[1]);
}

static void nobody_else_is_taken_for_a_proxy(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[256];
    size_t len = proxy_header(bytes, "192.0.2.1:5000");
    int fd;

    assert_int_equal(ip_prefix_parse("127.0.0.2/32", &proxies), 0);
    fixture->config.proxy_sources = &proxies;
    fixture->config.proxy_source_count = 1;
    stream_fixture_start(fixture);
    fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    stream_fixture_write(fixture, fd, bytes, len);
    assert_true(stream_fixture_is_closed(fixture, fd));
    assert_int_equal(counters_of(fixture)->bad_framing, 1);
    close(fd);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(messages_arrive_whole_however_they_are_split),
        CLAIM(messages_arrive_byte_for_byte),
        CLAIM(what_goes_to_a_client_is_padded),
        CLAIM(what_is_no_message_ends_the_connection),
        CLAIM(the_control_plane_hears_of_the_end_of_who_has_spoken),
        CLAIM(workers_without_room_hold_back_and_lose_nothing),
        CLAIM(tls_holds_back_and_loses_nothing),
        CLAIM(messages_pass_through_tls),
        CLAIM(what_is_no_tls_ends_the_connection),
        CLAIM(a_handshake_has_its_time),
        CLAIM(the_oldest_half_open_connection_gives_way),
        CLAIM(who_has_no_allocation_gives_way_to_a_newcomer),
        CLAIM(a_source_has_no_more_connections_than_it_may),
        CLAIM(a_message_has_its_time),
        CLAIM(who_is_silent_is_closed_sooner_without_an_allocation),
        CLAIM(long_messages_need_an_allocation),
        CLAIM(a_slow_reader_loses_media_first_and_harms_nobody),
        CLAIM(who_does_not_read_at_all_is_closed),
        CLAIM(news_that_find_no_room_are_told_later),
        CLAIM(a_proxy_says_who_the_client_is),
        CLAIM(a_proxy_speaks_for_itself_too),
        CLAIM(tls_begins_behind_the_proxys_header),
        CLAIM(a_proxy_has_to_say_who_the_client_is),
        CLAIM(a_proxys_header_has_its_time),
        CLAIM(two_connections_are_not_one_client),
        CLAIM(nobody_else_is_taken_for_a_proxy),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
