// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a client's connection makes of the bytes that come.
#include "control/stream_input.h"

#include "stream_fixture.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

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
        stream_fixture_takes(fixture, &client, one, one_len);
        stream_fixture_takes(fixture, &client, other, other_len);
        stream_fixture_takes(fixture, &client, one, one_len);
        stream_fixture_takes_nothing(fixture);
        close(fd);
        stream_fixture_run(fixture);
    }
    assert_int_equal(stream_fixture_counters(fixture)->connections, 0);
    assert_int_equal(stream_fixture_counters(fixture)->messages_in,
                     stream_fixture_counters(fixture)->accepted * 3);
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
        stream_fixture_takes(fixture, &client, message, len);
    stream_fixture_takes_nothing(fixture);
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
    assert_int_equal(stream_fixture_counters(fixture)->bad_framing, 1);
    assert_int_equal(stream_fixture_counters(fixture)->connections, 0);
    close(fd);
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
    stream_fixture_takes_nothing(fixture);
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
    fd = stream_fixture_connect_tcp(fixture, &client);
    for (uint32_t i = 0; i < 300; i++)
        numbered(stream + i * 1000, i);
    stream_fixture_write(fixture, fd, stream, sizeof(stream));
    stream_fixture_run(fixture);
    assert_int_equal(stream_fixture_counters(fixture)->messages_in, STREAM_FIXTURE_RING_LEN - 1);
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

static void long_messages_need_an_allocation(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t message[65536];
    size_t len = stream_fixture_channel_data(message, 0x4000, 21000);
    struct client_key client;
    int fd;

    stream_fixture_start(fixture);
    fd = stream_fixture_connect_tcp(fixture, &client);
    stream_fixture_write(fixture, fd, message, 4);
    assert_true(stream_fixture_is_closed(fixture, fd));
    close(fd);
    fd = stream_fixture_connect_tcp(fixture, &client);
    stream_fixture_allocate(fixture, &client);
    stream_fixture_write(fixture, fd, message, len);
    stream_fixture_takes(fixture, &client, message, len);
    len = stream_fixture_channel_data(message, 0x4000, 65532);
    stream_fixture_write(fixture, fd, message, len);
    stream_fixture_takes_nothing(fixture);
    len = stream_fixture_channel_data(message, 0x4000, STREAM_MESSAGE_MAX_LEN - 4);
    stream_fixture_write(fixture, fd, message, len);
    stream_fixture_takes(fixture, &client, message, len);
    assert_int_equal(stream_fixture_counters(fixture)->too_long, 1);
    close(fd);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(messages_arrive_whole_however_they_are_split),
        CLAIM(messages_arrive_byte_for_byte),
        CLAIM(what_is_no_message_ends_the_connection),
        CLAIM(workers_without_room_hold_back_and_lose_nothing),
        CLAIM(tls_holds_back_and_loses_nothing),
        CLAIM(long_messages_need_an_allocation),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
