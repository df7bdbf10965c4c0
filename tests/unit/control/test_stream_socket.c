// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a client's socket reads and writes, with TLS and without.
#include "control/stream_socket.h"

#include "tls_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static struct stream_socket ours;

static int set_up(void **state)
{
    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    ours = (struct stream_socket){.fd = ends[0]};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (ours.fd >= 0)
        stream_socket_close(&ours);
    close(ends[1]);
    return 0;
}

static void reads_what_has_come_and_then_waits(void **state)
{
    char bytes[16];
    size_t len = 99;

    (void)state;
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &len), -EAGAIN);
    assert_int_equal(len, 99);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_false(stream_socket_has_pending(&ours));
}

static void the_end_is_no_bytes(void **state)
{
    char bytes[16];
    size_t len = 99;

    (void)state;
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, 0);
}

static void writes_what_there_is_room_for(void **state)
{
    static uint8_t bytes[1 << 20];
    size_t len, total = 0;
    int error;

    (void)state;
    while (!(error = stream_socket_write(&ours, bytes, sizeof(bytes), &len)))
        total += len;
    assert_int_equal(error, -EAGAIN);
    assert_in_range(total, 1, 100 * sizeof(bytes));
    assert_false(stream_socket_wants_write(&ours));
}

static void a_reader_that_is_gone_is_an_error_and_no_signal(void **state)
{
    size_t len;

    (void)state;
    shutdown(ends[1], SHUT_RD);
    assert_int_equal(stream_socket_write(&ours, "abc", 3, &len), -EPIPE);
}

static SSL *client;

// The client's end and ours, in turns, until both are done.
static int set_up_tls(void **state)
{
    const struct tls_fixture_certificate certificate = {.common_name = "turn.example.org"};
    SSL_CTX *server_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
    int error = -EAGAIN;

    assert_int_equal(set_up(state), 0);
    tls_fixture_write("a", &certificate);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(server_context, tls_fixture_path("a.pem")),
                     1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(server_context, tls_fixture_path("a.key"), SSL_FILETYPE_PEM),
        1);
    SSL_CTX_set_num_tickets(server_context, 0);
    SSL_CTX_set_mode(server_context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    assert_true(stream_socket_secure(&ours, SSL_new(server_context)));
    client = SSL_new(client_context);
    SSL_set_fd(client, ends[1]);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    for (unsigned i = 0; i < 100 && (error || !SSL_is_init_finished(client)); i++) {
        SSL_connect(client);
        if (error)
            error = stream_socket_shake(&ours);
    }
    assert_int_equal(error, 0);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    return 0;
}

static int tear_down_tls(void **state)
{
    SSL_free(client);
    return tear_down(state);
}

static size_t hear(uint8_t *ret_bytes, size_t room)
{
    size_t len = 0;

    return SSL_read_ex(client, ret_bytes, room, &len) == 1 ? len : 0;
}

// ChannelData of len bytes of payload, padded. Returns its length.
static size_t write_message(uint8_t *ret_bytes, uint16_t len)
{
    memset(ret_bytes, len & 0xFF, len + 8u);
    store_be16(ret_bytes, 0x4000);
    store_be16(ret_bytes + 2, len);
    return 4 + ((len + 3u) & ~3u);
}

static void each_message_is_a_record(void **state)
{
    static const uint16_t lens[] = {0, 1, 160, 163, 1200};
    uint8_t bytes[4096], heard[4096];
    size_t ends_at[5], len = 0, written;

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        ends_at[i] = len += write_message(bytes + len, lens[i]);
    assert_int_equal(stream_socket_write_messages(&ours, bytes, len, &written), 0);
    assert_int_equal(written, len);
    for (unsigned i = 0; i < 5; i++) {
        size_t start = i > 0 ? ends_at[i - 1] : 0;

        assert_int_equal(hear(heard, sizeof(heard)), ends_at[i] - start);
        assert_memory_equal(heard, bytes + start, ends_at[i] - start);
    }
    assert_int_equal(hear(heard, sizeof(heard)), 0);
}

static void keeps_no_buffer_for_records_once_they_are_sent(void **state)
{
    uint8_t bytes[1024], heard[1024];
    size_t len = write_message(bytes, 160), kept, written;

    (void)state;
    assert_int_equal(stream_socket_write_messages(&ours, bytes, len, &written), 0);
    assert_int_equal(hear(heard, sizeof(heard)), len);
    kept = mallinfo2().uordblks;
    SSL_free_buffers(ours.ssl);
    assert_int_equal(mallinfo2().uordblks, kept);
}

// Also where a message takes several records, and the socket none for a while.
static void nothing_is_lost_at_a_full_socket(void **state)
{
    static uint8_t bytes[3 << 20], heard[4 << 20];
    size_t len = 0, sent = 0, heard_len = 0;
    unsigned full = 0;

    (void)state;
    for (unsigned i = 0; len < sizeof(bytes) - 70000; i++)
        len += write_message(bytes + len, (uint16_t)(i * 7919 % 65000));
    for (unsigned i = 0; heard_len < len && i < 100000; i++) {
        size_t written = 0, got = 1;
        int error = sent < len
                        ? stream_socket_write_messages(&ours, bytes + sent, len - sent, &written)
                        : stream_socket_flush(&ours);

        sent += written;
        assert_true(error == 0 || error == -EAGAIN);
        full += error == -EAGAIN;
        if (error == -EAGAIN) {
            assert_true(stream_socket_wants_write(&ours));
            for (unsigned n = 0; n < 5 && got > 0; n++)
                heard_len += got = hear(heard + heard_len, sizeof(heard) - heard_len);
        }
        if (sent == len && !error)
            heard_len += hear(heard + heard_len, sizeof(heard) - heard_len);
    }
    assert_true(full > 0);
    assert_int_equal(heard_len, len);
    assert_memory_equal(heard, bytes, len);
    assert_false(stream_socket_wants_write(&ours));
}

static void raw_bytes_are_no_messages(void **state)
{
    static uint8_t bytes[1000], heard[2000];
    size_t written, len = 0;

    (void)state;
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(stream_socket_write(&ours, bytes, sizeof(bytes), &written), 0);
    assert_int_equal(written, sizeof(bytes));
    for (unsigned i = 0; i < 10 && len < written; i++)
        len += hear(heard + len, sizeof(heard) - len);
    assert_int_equal(len, sizeof(bytes));
    assert_memory_equal(heard, bytes, len);
}

static void a_ticket_goes_before_the_next_message(void **state)
{
    uint8_t bytes[1024], heard[1024];
    size_t len = write_message(bytes, 160), written;

    (void)state;
    stream_socket_give_ticket(&ours);
    assert_int_equal(hear(heard, sizeof(heard)), 0);
    assert_false(SSL_SESSION_has_ticket(SSL_get0_session(client)));
    assert_int_equal(stream_socket_write_messages(&ours, bytes, len, &written), 0);
    assert_int_equal(written, len);
    assert_int_equal(hear(heard, sizeof(heard)), len);
    assert_memory_equal(heard, bytes, len);
    assert_true(SSL_SESSION_has_ticket(SSL_get0_session(client)));
}

static void plain_tcp_has_no_ticket(void **state)
{
    char byte;

    (void)state;
    stream_socket_give_ticket(&ours);
    assert_int_equal(read(ends[1], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

static void says_no_good_bye_to_a_connection_that_is_gone(void **state)
{
    uint8_t bytes[1024];
    size_t len = write_message(bytes, 160), written, got;

    (void)state;
    assert_int_equal(stream_socket_write_messages(&ours, bytes, len, &written), 0);
    close(ends[1]); // with what it has not read
    assert_int_equal(stream_socket_read(&ours, bytes, sizeof(bytes), &got), -EPROTO);
    assert_int_equal(stream_socket_end(&ours), 0); // -EPIPE, if there were something to send
    assert_false(SSL_get_shutdown(ours.ssl) & SSL_SENT_SHUTDOWN);
}

static void says_good_bye(void **state)
{
    uint8_t byte;

    (void)state;
    stream_socket_close(&ours);
    assert_int_equal(hear(&byte, 1), 0);
    assert_int_equal(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

static void closes(void **state)
{
    char byte;

    (void)state;
    stream_socket_close(&ours);
    assert_int_equal(ours.fd, -1);
    assert_int_equal(read(ends[1], &byte, 1), 0);
}

static int set_up_all(void **state)
{
    (void)state;
    tls_fixture_init();
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    tls_fixture_done();
    return 0;
}

int main(void)
{
#define CLAIM(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLAIM_TLS(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down_tls)
    const struct CMUnitTest tests[] = {
        CLAIM(reads_what_has_come_and_then_waits),
        CLAIM(the_end_is_no_bytes),
        CLAIM(writes_what_there_is_room_for),
        CLAIM(a_reader_that_is_gone_is_an_error_and_no_signal),
        CLAIM(plain_tcp_has_no_ticket),
        CLAIM(closes),
        CLAIM_TLS(each_message_is_a_record),
        CLAIM_TLS(keeps_no_buffer_for_records_once_they_are_sent),
        CLAIM_TLS(nothing_is_lost_at_a_full_socket),
        CLAIM_TLS(raw_bytes_are_no_messages),
        CLAIM_TLS(a_ticket_goes_before_the_next_message),
        CLAIM_TLS(says_good_bye),
        CLAIM_TLS(says_no_good_bye_to_a_connection_that_is_gone),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
