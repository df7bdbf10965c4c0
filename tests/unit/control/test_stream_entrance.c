// SPDX-License-Identifier: BSD-3-Clause
// Claims about who gets in, and how.
#include "control/stream_entrance.h"

#include "stream_fixture.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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
    assert_int_equal(stream_fixture_counters(fixture)->handshake_failures, 1);
    stream_fixture_takes_nothing(fixture);
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
    assert_int_equal(stream_fixture_counters(fixture)->gave_way, 1);
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
        fds[i] = stream_fixture_connect_tcp(fixture, &clients[i]);
    stream_fixture_allocate(fixture, &clients[0]);
    stream_fixture_allocate(fixture, &clients[2]);
    fd = stream_fixture_connect_tcp(fixture, &newcomer);
    assert_true(stream_fixture_is_closed(fixture, fds[1]));
    stream_fixture_allocate(fixture, &newcomer);
    refused = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    assert_true(stream_fixture_is_closed(fixture, refused));
    assert_int_equal(stream_fixture_counters(fixture)->gave_way, 1);
    assert_int_equal(stream_fixture_counters(fixture)->refused_full, 1);
    assert_int_equal(stream_fixture_counters(fixture)->connections, 3);
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
    assert_int_equal(stream_fixture_counters(fixture)->refused_full, 1);
    close(fds[0]);
    stream_fixture_run(fixture);
    again = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
    assert_false(stream_fixture_is_closed(fixture, again));
    close(fds[1]);
    close(fds[2]);
    close(again);
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
        stream_fixture_takes(fixture, &client, message, message_len);
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
    fd = stream_fixture_connect_tcp(fixture, &client);
    stream_fixture_write(fixture, fd, bytes, header_len + len);
    stream_fixture_takes(fixture, &client, bytes + header_len, len);
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
    assert_int_equal(stream_fixture_counters(fixture)->refused_proxy, ++refused);
    close(fd);
    for (unsigned i = 0; i < sizeof(nobodies) / sizeof(nobodies[0]); i++) {
        fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);
        len = proxy_header(bytes, nobodies[i]);
        stream_fixture_write(fixture, fd, bytes, len);
        assert_true(stream_fixture_is_closed(fixture, fd));
        assert_int_equal(stream_fixture_counters(fixture)->refused_proxy, ++refused);
        close(fd);
    }
    stream_fixture_takes_nothing(fixture);
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
    assert_int_equal(stream_fixture_counters(fixture)->refused_proxy, 1);
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
    assert_int_equal(stream_fixture_counters(fixture)->bad_framing, 1);
    close(fd);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(what_is_no_tls_ends_the_connection),
        CLAIM(the_oldest_half_open_connection_gives_way),
        CLAIM(who_has_no_allocation_gives_way_to_a_newcomer),
        CLAIM(a_source_has_no_more_connections_than_it_may),
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
