// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a client gets of what workers have for it.
#include "control/stream_output.h"

#include "control/stream_connection.h"
#include "stream_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_LEN (256 * 1024) // of what waits for a client
#define WAIT_MS   10
#define WAITS_MAX 1000 // more than any machine takes

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

// Returns how many messages of that type were taken up for a client that does not read.
static unsigned stuff(struct stream_fixture *fixture, const struct client_key *client,
                      const uint8_t *message, size_t len)
{
    uint64_t before = stream_fixture_counters(fixture)->messages_out,
             lost = stream_fixture_counters(fixture)->slow_reader;

    while (stream_fixture_counters(fixture)->slow_reader == lost) {
        assert_true(stream_fixture_give(fixture, client, message, len));
        stream_fixture_run(fixture);
    }
    return (unsigned)(stream_fixture_counters(fixture)->messages_out - before);
}

// Returns how many messages of that type found room, now that the thread does not run and the
// kernel takes none.
static unsigned fill(struct stream_fixture *fixture, const struct client_key *client,
                     const uint8_t *message, size_t len)
{
    struct stream_connection *connection = stream_table_find(&fixture->thread->table, client);
    uint64_t before = stream_fixture_counters(fixture)->messages_out,
             lost = stream_fixture_counters(fixture)->slow_reader;

    assert_non_null(connection);
    while (stream_fixture_counters(fixture)->slow_reader == lost)
        stream_connection_send(fixture->thread, connection, (struct span){message, len});
    return (unsigned)(stream_fixture_counters(fixture)->messages_out - before);
}

static uint32_t waiting_len(struct stream_fixture *fixture, const struct client_key *client)
{
    return stream_output_len(stream_table_find(&fixture->thread->table, client));
}

// The kernel brings it in its own time.
static size_t read_all(struct stream_fixture *fixture, int fd, size_t expected)
{
    static uint8_t came[4 << 20];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    size_t total = 0;

    for (unsigned waits = 0; total < expected && waits < WAITS_MAX;) {
        size_t len = stream_fixture_read(fixture, fd, came, sizeof(came));

        total += len;
        if (len == 0 && poll(&readable, 1, WAIT_MS) == 0)
            waits++;
    }
    return total;
}

static void a_slow_reader_loses_media_first_and_harms_nobody(void **state)
{
    struct stream_fixture *fixture = *state;
    static uint8_t media[60000], data[60000], response[1020];
    size_t media_len = stream_fixture_channel_data(media, 0x4000, sizeof(media) - 4);
    struct client_key slow, other;
    int fds[2];

    fixture->config.limits.out_len = LIMIT_LEN;
    stream_fixture_start(fixture);
    fds[0] = stream_fixture_connect_tcp(fixture, &slow);
    fds[1] = stream_fixture_connect_tcp(fixture, &other);
    stream_fixture_stun(data, 0x0017);
    stream_fixture_stun(response, 0x0101);
    stuff(fixture, &slow, media, media_len);
    fill(fixture, &slow, media, media_len);
    assert_in_range(waiting_len(fixture, &slow), LIMIT_LEN - media_len + 1, LIMIT_LEN);
    assert_int_equal(fill(fixture, &slow, data, sizeof(data)), 0);
    assert_in_range(fill(fixture, &slow, response, sizeof(response)) * sizeof(response),
                    LIMIT_LEN - sizeof(response) + 1, LIMIT_LEN + media_len);
    assert_in_range(waiting_len(fixture, &slow), 2 * LIMIT_LEN - sizeof(response) + 1,
                    2 * LIMIT_LEN);
    assert_true(stream_fixture_give(fixture, &other, media, 104));
    assert_int_equal(read_all(fixture, fds[1], 104), 104);
    assert_int_equal(read_all(fixture, fds[0], stream_fixture_counters(fixture)->bytes_out - 104),
                     stream_fixture_counters(fixture)->bytes_out - 104);
    assert_true(stream_fixture_give(fixture, &slow, media, 104));
    assert_int_equal(read_all(fixture, fds[0], 104), 104);
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
    fd = stream_fixture_connect_tcp(fixture, &client);
    stream_fixture_allocate(fixture, &client);
    stuff(fixture, &client, media, len);
    stream_fixture_pass(fixture, 29);
    // A bit of it lets the kernel take more only after a while; much of it does at once.
    for (unsigned i = 0; i < 40; i++)
        stream_fixture_read(fixture, fd, came, sizeof(came));
    stuff(fixture, &client, media, len);
    stream_fixture_pass(fixture, 29);
    assert_int_equal(stream_fixture_counters(fixture)->connections, 1);
    stream_fixture_pass(fixture, 1);
    assert_int_equal(stream_fixture_counters(fixture)->connections, 0);
    assert_int_equal(stream_fixture_counters(fixture)->stuck, 1);
    close(fd);
}

int main(void)
{
#define CLAIM(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, stream_fixture_set_up, stream_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(what_goes_to_a_client_is_padded),
        CLAIM(a_slow_reader_loses_media_first_and_harms_nobody),
        CLAIM(who_does_not_read_at_all_is_closed),
    };

    return cmocka_run_group_tests(tests, stream_fixture_group_set_up,
                                  stream_fixture_group_tear_down);
}
