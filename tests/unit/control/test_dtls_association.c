// SPDX-License-Identifier: BSD-3-Clause
// Claims about one association, from its hello to its end.
#include "control/dtls_association.h"

#include "dtls_fixture.h"

#include "control/dtls_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT "198.51.100.7:40000"

struct bench {
    struct fixture *fixture;
    struct fixture_client *client;
    struct dtls_thread thread;
    struct dtls_listener listener;
    struct dtls_way way;
    struct dtls_association association;
    uint8_t message[DTLS_MESSAGE_MAX_LEN];
};

static struct span said(const struct bench *bench, unsigned i)
{
    return (struct span){bench->client->out.bytes[i], bench->client->out.lens[i]};
}

static void say_hello(struct bench *bench)
{
    bench->client->out.count = 0;
    assert_false(fixture_client_handshake(bench->client));
    dtls_listener_judge(&bench->listener, bench->fixture->tls, &bench->way, said(bench, 0));
    fixture_collect(bench->fixture, bench->client);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench->fixture = fixture_create(&(struct dtls_server_config){});
    bench->client = fixture_client(CLIENT, FIXTURE_V4);
    bench->thread = (struct dtls_thread){
        .plane = bench->fixture->plane, .thread = 1, .scratch = BIO_ADDR_new()};
    dtls_cookie_keys_init(&bench->thread.cookie_keys, 0);
    bench->listener.bio.thread = &bench->thread;
    bench->way = (struct dtls_way){
        .wire = {.client = bench->client->address, .server = bench->client->server}};
    say_hello(bench);
    say_hello(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    if (bench->association.ssl)
        dtls_association_abandon(&bench->association);
    dtls_listener_done(&bench->listener);
    BIO_ADDR_free(bench->thread.scratch);
    fixture_client_free(bench->client);
    fixture_destroy(bench->fixture);
    free(bench);
    return 0;
}

static bool begin(struct bench *bench, struct tls_contexts *tls)
{
    return dtls_association_begin(&bench->association, &bench->thread, tls, &bench->way,
                                  said(bench, 0));
}

static enum dtls_verdict read_it(struct bench *bench, size_t *ret_len)
{
    enum dtls_verdict verdict = dtls_association_read(&bench->association, bench->message, ret_len);

    fixture_collect(bench->fixture, bench->client);
    return verdict;
}

static enum dtls_verdict hear_all(struct bench *bench)
{
    enum dtls_verdict verdict = DTLS_NOTHING;
    size_t len;

    for (unsigned i = 0; i < bench->client->out.count; i++) {
        assert_true(dtls_association_take(&bench->association, said(bench, i)));
        verdict = read_it(bench, &len);
    }
    bench->client->out.count = 0;
    return verdict;
}

static void complete(struct bench *bench)
{
    size_t len;

    assert_true(begin(bench, bench->fixture->tls));
    assert_int_equal(read_it(bench, &len), DTLS_NOTHING);
    bench->client->out.count = 0;
    assert_false(fixture_client_handshake(bench->client));
    assert_false(bench->association.is_complete);
    assert_int_equal(hear_all(bench), DTLS_NOTHING);
    assert_true(bench->association.is_complete);
    assert_true(fixture_client_handshake(bench->client));
}

static void it_begins_with_a_verified_hello_alone(void **state)
{
    struct bench *bench = *state;

    bench->client->out.bytes[0][13 + 12 + 2 + 32 + 2] ^= 1;
    assert_false(begin(bench, bench->fixture->tls));
    assert_null(bench->association.ssl);
    assert_int_equal(fixture_lose(bench->fixture), 1);
    bench->client->out.bytes[0][13 + 12 + 2 + 32 + 2] ^= 1;
    complete(bench);
}

static void it_begins_with_a_certificate_alone(void **state)
{
    struct bench *bench = *state;
    const struct settings settings = {.tls_ciphers = ""};
    struct tls_contexts *none;

    assert_int_equal(tls_contexts_create(&settings, &dtls_server_cookies, &none), 0);
    assert_false(begin(bench, none));
    assert_null(bench->association.ssl);
    tls_contexts_destroy(none);
}

static void messages_are_read_until_there_are_none(void **state)
{
    struct bench *bench = *state;
    size_t len;

    complete(bench);
    fixture_client_say(bench->client, "message", 7);
    assert_true(dtls_association_take(&bench->association, said(bench, 0)));
    assert_int_equal(read_it(bench, &len), DTLS_MESSAGE);
    assert_int_equal(len, 7);
    assert_memory_equal(bench->message, "message", 7);
    assert_int_equal(read_it(bench, &len), DTLS_NOTHING);
}

static void without_its_buffers_it_reads_and_writes_on(void **state)
{
    struct bench *bench = *state;
    uint8_t heard[FIXTURE_DATAGRAM];

    complete(bench);
    for (unsigned i = 0; i < 3; i++) {
        dtls_association_shrink(&bench->association);
        assert_true(dtls_association_write(&bench->association,
                                           (struct span){(const uint8_t *)"message", 7}));
        fixture_collect(bench->fixture, bench->client);
        assert_int_equal(fixture_client_hear(bench->client, heard), 7);
        dtls_association_shrink(&bench->association);
        fixture_client_say(bench->client, "message", 7);
        assert_int_equal(hear_all(bench), DTLS_MESSAGE);
    }
}

static void any_message_is_one_record(void **state)
{
    struct bench *bench = *state;
    const size_t lens[] = {1, 1500, DTLS_MESSAGE_MAX_LEN};

    complete(bench);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(
            dtls_association_write(&bench->association, (struct span){bench->message, lens[i]}));
        fixture_collect(bench->fixture, bench->client);
        assert_int_equal(bench->client->in.count, i + 1);
        assert_int_equal(bench->client->in.lens[i], lens[i] + STREAM_DTLS_RECORD_LEN);
    }
}

static void a_flight_is_sent_again_when_it_is_time(void **state)
{
    struct bench *bench = *state;
    size_t len;

    assert_true(begin(bench, bench->fixture->tls));
    assert_int_equal(read_it(bench, &len), DTLS_NOTHING);
    dtls_association_shrink(&bench->association);
    fixture_pass_ms(bench->fixture, 900);
    assert_true(dtls_association_retransmit(&bench->association));
    assert_int_equal(fixture_lose(bench->fixture), 0);
    fixture_pass_ms(bench->fixture, 100);
    assert_true(dtls_association_retransmit(&bench->association));
    assert_true(fixture_lose(bench->fixture) > 0);
}

static void the_other_end_says_that_it_is_over(void **state)
{
    struct bench *bench = *state;

    complete(bench);
    SSL_shutdown(bench->client->ssl);
    assert_int_equal(hear_all(bench), DTLS_OVER);
}

static void the_other_end_is_told_that_it_is_over(void **state)
{
    struct bench *bench = *state;
    uint8_t heard[FIXTURE_DATAGRAM];

    complete(bench);
    dtls_association_shrink(&bench->association);
    dtls_association_end(&bench->association);
    assert_null(bench->association.ssl);
    fixture_collect(bench->fixture, bench->client);
    assert_int_equal(fixture_client_hear(bench->client, heard), 0);
    assert_int_equal(SSL_get_shutdown(bench->client->ssl), SSL_RECEIVED_SHUTDOWN);
}

static void one_that_is_abandoned_says_nothing(void **state)
{
    struct bench *bench = *state;

    complete(bench);
    dtls_association_abandon(&bench->association);
    assert_null(bench->association.ssl);
    assert_int_equal(fixture_lose(bench->fixture), 0);
}

// As many records of the next epoch as that, in one datagram.
static bool take_early(struct bench *bench, unsigned count)
{
    static const uint8_t early[14] = {23, 0xFE, 0xFD, 0, 1, [12] = 1};
    uint8_t bytes[20 * sizeof(early)];

    for (unsigned i = 0; i < count; i++)
        memcpy(bytes + i * sizeof(early), early, sizeof(early));
    return dtls_association_take(&bench->association, (struct span){bytes, count * sizeof(early)});
}

static void records_before_their_keys_are_few(void **state)
{
    struct bench *bench = *state;
    size_t len;

    assert_true(begin(bench, bench->fixture->tls));
    assert_int_equal(read_it(bench, &len), DTLS_NOTHING);
    assert_false(take_early(bench, 17));
    assert_true(take_early(bench, 16));
    assert_false(take_early(bench, 1));
    assert_true(take_early(bench, 0));
}

// Two messages of ten bytes in a record, the second one part of a longer one.
static bool take_part_of(struct bench *bench, uint8_t content, uint8_t epoch, uint16_t message_len)
{
    const uint8_t len[2] = {(uint8_t)(message_len >> 8), (uint8_t)message_len};
    uint8_t record[13 + 2 * 22] = {content, 0xFE, 0xFD, 0, epoch, [12] = 2 * 22};

    memcpy(record + 13, (uint8_t[12]){16, 0, 0, 10, 0, 5, [11] = 10}, 12);
    memcpy(record + 35, (uint8_t[12]){11, 0, len[0], len[1], 0, 6, [11] = 10}, 12);
    return dtls_association_take(&bench->association, (struct span){record, sizeof(record)});
}

static void messages_longer_than_any_of_a_client_are_not_read(void **state)
{
    struct bench *bench = *state;
    size_t len;

    assert_true(begin(bench, bench->fixture->tls));
    assert_int_equal(read_it(bench, &len), DTLS_NOTHING);
    assert_true(take_part_of(bench, 22, 0, 4096));
    assert_false(take_part_of(bench, 22, 0, 4097));
    assert_true(take_part_of(bench, 20, 0, 4097));
    assert_true(take_part_of(bench, 22, 1, 4097)); // who can tell
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(it_begins_with_a_verified_hello_alone),
        CLAIM(it_begins_with_a_certificate_alone),
        CLAIM(messages_are_read_until_there_are_none),
        CLAIM(without_its_buffers_it_reads_and_writes_on),
        CLAIM(any_message_is_one_record),
        CLAIM(a_flight_is_sent_again_when_it_is_time),
        CLAIM(the_other_end_says_that_it_is_over),
        CLAIM(the_other_end_is_told_that_it_is_over),
        CLAIM(one_that_is_abandoned_says_nothing),
        CLAIM(records_before_their_keys_are_few),
        CLAIM(messages_longer_than_any_of_a_client_are_not_read),
    };
    return cmocka_run_group_tests(tests, fixture_group_set_up, fixture_group_tear_down);
}
