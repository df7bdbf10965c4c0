// SPDX-License-Identifier: BSD-3-Clause
// Claims about what OpenSSL reads datagrams from and writes them to.
#include "control/dtls_bio.h"

#include "dtls_fixture.h"

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
    struct dtls_bio state;
    SSL *ssl;
    BIO *bio;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench->fixture = fixture_create(&(struct dtls_server_config){});
    bench->client = fixture_client(CLIENT, FIXTURE_V4);
    bench->thread = (struct dtls_thread){.plane = bench->fixture->plane, .thread = 1};
    bench->state.thread = &bench->thread;
    bench->state.way = (struct dtls_way){
        .wire = {.client = bench->client->address, .server = bench->client->server},
        .worker = 1,
    };
    bench->ssl = tls_contexts_new_ssl(bench->fixture->tls, TLS_DATAGRAM);
    assert_true(dtls_bio_attach(&bench->state, bench->ssl));
    bench->bio = SSL_get_rbio(bench->ssl);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    SSL_free(bench->ssl);
    fixture_client_free(bench->client);
    fixture_destroy(bench->fixture);
    free(bench);
    return 0;
}

static void a_datagram_is_read_once(void **state)
{
    struct bench *bench = *state;
    char read[16];

    bench->state.datagram = (struct span){(const uint8_t *)"datagram", 8};
    assert_int_equal(BIO_read(bench->bio, read, sizeof(read)), 8);
    assert_memory_equal(read, "datagram", 8);
    assert_int_equal(BIO_read(bench->bio, read, sizeof(read)), -1);
    assert_true(BIO_should_retry(bench->bio));
    assert_true(BIO_should_read(bench->bio));
}

static void what_has_no_room_is_lost(void **state)
{
    struct bench *bench = *state;
    char read[16];

    bench->state.datagram = (struct span){(const uint8_t *)"datagram", 8};
    assert_int_equal(BIO_read(bench->bio, read, 4), 4);
    assert_int_equal(BIO_read(bench->bio, read, 4), -1);
    assert_true(BIO_should_retry(bench->bio));
}

static void a_write_is_a_datagram_to_the_client(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(BIO_write(bench->bio, "one", 3), 3);
    assert_int_equal(BIO_write(bench->bio, "three", 5), 5);
    assert_int_equal(BIO_flush(bench->bio), 1);
    assert_true(bench->state.has_written);
    fixture_collect(bench->fixture, bench->client);
    assert_int_equal(bench->client->in.count, 2);
    assert_int_equal(bench->client->in.lens[0], 3);
    assert_memory_equal(bench->client->in.bytes[1], "three", 5);
    assert_int_equal(bench->client->seen_worker, 1);
}

static void what_cannot_be_sent_is_lost_and_counted(void **state)
{
    struct bench *bench = *state;

    for (unsigned i = 0; i < FIXTURE_RING_LEN + 1; i++)
        assert_int_equal(BIO_write(bench->bio, "a", 1), 1);
    assert_int_equal(bench->thread.counters.dropped_no_room, 2);
    assert_int_equal(fixture_lose(bench->fixture), FIXTURE_RING_LEN - 1);
}

static void an_ssl_knows_its_own(void **state)
{
    struct bench *bench = *state;

    assert_ptr_equal(dtls_bio_of(bench->ssl), &bench->state);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_datagram_is_read_once),
        CLAIM(what_has_no_room_is_lost),
        CLAIM(a_write_is_a_datagram_to_the_client),
        CLAIM(what_cannot_be_sent_is_lost_and_counted),
        CLAIM(an_ssl_knows_its_own),
    };
    return cmocka_run_group_tests(tests, fixture_group_set_up, fixture_group_tear_down);
}
