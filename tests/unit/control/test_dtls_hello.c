// SPDX-License-Identifier: BSD-3-Clause
// Claims about ClientHellos: what is one, which are the same, and how each is answered.
#include "control/dtls_hello.h"

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
    struct dtls_listener listener;
};

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
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    dtls_listener_done(&bench->listener);
    BIO_ADDR_free(bench->thread.scratch);
    fixture_client_free(bench->client);
    fixture_destroy(bench->fixture);
    free(bench);
    return 0;
}

// What the client says next.
static struct span next_hello(struct bench *bench)
{
    bench->client->out.count = 0;
    assert_false(fixture_client_handshake(bench->client));
    return (struct span){bench->client->out.bytes[0], bench->client->out.lens[0]};
}

static enum dtls_hello_verdict judge(struct bench *bench, struct tls_contexts *tls,
                                     struct span hello)
{
    const struct dtls_way way = {
        .wire = {.client = bench->client->address, .server = bench->client->server}};
    enum dtls_hello_verdict verdict = dtls_listener_judge(&bench->listener, tls, &way, hello);

    fixture_collect(bench->fixture, bench->client);
    return verdict;
}

static void a_hello_is_known_by_its_beginning(void **state)
{
    struct bench *bench = *state;
    struct span hello = next_hello(bench);
    // Content type, epoch, message type, offset of the fragment.
    const unsigned parts[] = {0, 3, 4, 13, 19, 20, 21};
    uint8_t *bytes = bench->client->out.bytes[0];

    assert_true(dtls_hello_is(hello));
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        bytes[parts[i]] ^= 3;
        assert_false(dtls_hello_is(hello));
        bytes[parts[i]] ^= 3;
    }
    for (size_t len = 0; len < 59; len++)
        assert_false(dtls_hello_is((struct span){bytes, len}));
    assert_true(dtls_hello_is((struct span){bytes, 59}));
}

static void a_hello_is_the_same_with_a_cookie_and_without(void **state)
{
    struct bench *bench = *state;
    const struct siphash_key key = {{1, 2}};
    struct span hello = next_hello(bench);
    uint64_t first = dtls_hello_id(&key, hello);

    assert_int_equal(judge(bench, bench->fixture->tls, hello), DTLS_HELLO_ANSWERED);
    assert_true(dtls_hello_id(&key, next_hello(bench)) == first);
    fixture_client_free(bench->client);
    bench->client = fixture_client(CLIENT, FIXTURE_V4);
    assert_true(dtls_hello_id(&key, next_hello(bench)) != first);
}

static void the_answer_is_shorter_than_any_hello(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(judge(bench, bench->fixture->tls, next_hello(bench)), DTLS_HELLO_ANSWERED);
    assert_int_equal(bench->client->in.count, 1);
    assert_true(bench->client->in.lens[0] < 59);
    assert_int_equal(bench->client->in.bytes[0][13], 3); // HelloVerifyRequest
}

static void with_a_cookie_it_is_verified_and_not_answered(void **state)
{
    struct bench *bench = *state;

    judge(bench, bench->fixture->tls, next_hello(bench));
    // One listener for all: twice.
    assert_int_equal(judge(bench, bench->fixture->tls, next_hello(bench)), DTLS_HELLO_VERIFIED);
    assert_int_equal(bench->client->in.count, 0);
    assert_int_equal(judge(bench, bench->fixture->tls,
                           (struct span){bench->client->out.bytes[0], bench->client->out.lens[0]}),
                     DTLS_HELLO_VERIFIED);
    assert_int_equal(bench->client->in.count, 0);
}

static void what_cannot_be_read_is_not_answered(void **state)
{
    struct bench *bench = *state;
    struct span hello = next_hello(bench);

    bench->client->out.bytes[0][59] = 0xFF; // length of the session's id
    assert_int_equal(judge(bench, bench->fixture->tls, hello), DTLS_HELLO_BAD);
    assert_int_equal(bench->client->in.count, 0);
    bench->client->out.bytes[0][59] = 0;
    assert_int_equal(judge(bench, bench->fixture->tls, hello), DTLS_HELLO_ANSWERED);
}

static void without_a_certificate_nobody_is_served(void **state)
{
    struct bench *bench = *state;
    const struct settings settings = {.tls_ciphers = ""};
    struct tls_contexts *none;

    assert_int_equal(tls_contexts_create(&settings, &dtls_server_cookies, &none), 0);
    assert_int_equal(judge(bench, none, next_hello(bench)), DTLS_HELLO_UNSERVED);
    tls_contexts_destroy(none);
    assert_int_equal(judge(bench, bench->fixture->tls,
                           (struct span){bench->client->out.bytes[0], bench->client->out.lens[0]}),
                     DTLS_HELLO_ANSWERED);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_hello_is_known_by_its_beginning),
        CLAIM(a_hello_is_the_same_with_a_cookie_and_without),
        CLAIM(the_answer_is_shorter_than_any_hello),
        CLAIM(with_a_cookie_it_is_verified_and_not_answered),
        CLAIM(what_cannot_be_read_is_not_answered),
        CLAIM(without_a_certificate_nobody_is_served),
    };
    return cmocka_run_group_tests(tests, fixture_group_set_up, fixture_group_tear_down);
}
