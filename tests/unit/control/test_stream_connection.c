// SPDX-License-Identifier: BSD-3-Clause
// Claims about a client's connection as a whole, and about its end.
#include "control/stream_connection.h"

#include "stream_fixture.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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
    assert_int_equal(stream_fixture_counters(fixture)->handshakes, 1);
    for (unsigned i = 0; i < 3 * len; i++) {
        assert_int_equal(SSL_write(ssl, message + i % len, 1), 1);
        stream_fixture_run(fixture);
    }
    for (unsigned i = 0; i < 3; i++)
        stream_fixture_takes(fixture, &client, message, len);
    len = stream_fixture_channel_data(message, 0x4000, 7);
    assert_true(stream_fixture_give(fixture, &client, message, len));
    assert_true(stream_fixture_give(fixture, &client, message, len));
    stream_fixture_run(fixture);
    // A record for each: there are clients that take one for a message.
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(SSL_read(ssl, came, sizeof(came)), len + 1);
        assert_memory_equal(came, message, len);
    }
    assert_int_equal(stream_fixture_counters(fixture)->writes, 1);
    stream_fixture_unsecure(ssl);
    stream_fixture_run(fixture);
    assert_true(stream_fixture_hears(fixture, &client));
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
    fd = stream_fixture_connect_tcp(fixture, &client);
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

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(the_control_plane_hears_of_the_end_of_who_has_spoken),
        CLAIM(messages_pass_through_tls),
        CLAIM(news_that_find_no_room_are_told_later),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
