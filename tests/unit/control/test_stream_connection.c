// SPDX-License-Identifier: BSD-3-Clause
// Claims about a client's connection, from where it is accepted to its end.
#include "control/stream_connection.h"

#include "stream_fixture.h"

#include "proto/stun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
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
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
