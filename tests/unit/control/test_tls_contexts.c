// SPDX-License-Identifier: BSD-3-Clause
// Claims about what TLS and DTLS clients get: versions, certificates by name and by key, ALPN,
// resumption, and what a reread changes. The handshakes are whole, over socket pairs.
#include "control/tls_contexts.h"

#include "tls_fixture.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CERTIFICATES_MAX 8
#define DAY_S            86400
// As OpenSSL wants them, with their lengths.
#define ALPN_TURN      "\x09stun.turn"
#define ALPN_DISCOVERY "\x12stun.nat-discovery"
#define ALPN_HTTP      "\x08http/1.1"

// What a test changes of a client before its handshake.
struct client {
    enum tls_kind kind;
    int max_version, min_version; // 0: what OpenSSL likes
    const char *name;             // SNI, NULL: none
    const char *signatures;       // it can verify, NULL: the usual
    const char *alpn;
    const char *ciphers;
    const char *suites; // of TLS 1.3
    const char *groups;
    SSL_SESSION *session; // to resume
};

struct talk {
    SSL_CTX *context;
    SSL *client, *server;
    int sockets[2];
};

static struct settings_certificate files[CERTIFICATES_MAX];

// Names of certificates of the fixture, ended by NULL.
static struct settings make_settings(const char *const *names)
{
    struct settings settings = {
        .ktls = true,
        .certificates = {.items = files},
    };

    for (; *names; names++) {
        struct settings_certificate *file = &files[settings.certificates.count++];
        char name[64];

        free(file->certificate);
        free(file->private_key);
        snprintf(name, sizeof(name), "%s.pem", *names);
        file->certificate = strdup(tls_fixture_path(name));
        snprintf(name, sizeof(name), "%s.key", *names);
        file->private_key = strdup(tls_fixture_path(name));
    }
    settings.tls_ciphers = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
    return settings;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct tls_contexts *make_contexts(const char *const *names)
{
    struct settings settings = make_settings(names);
    struct tls_contexts *contexts;

    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), 0);
    return contexts;
}

static SSL_CTX *make_client_context(const struct client *what)
{
    SSL_CTX *context =
        SSL_CTX_new(what->kind == TLS_STREAM ? TLS_client_method() : DTLS_client_method());

    assert_non_null(context);
    // Only so can it offer what is to be refused.
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, what->min_version);
    SSL_CTX_set_max_proto_version(context, what->max_version);
    assert_int_equal(SSL_CTX_set_cipher_list(context, what->ciphers ? what->ciphers : "ALL"), 1);
    if (what->suites)
        assert_int_equal(SSL_CTX_set_ciphersuites(context, what->suites), 1);
    if (what->groups)
        assert_int_equal(SSL_CTX_set1_groups_list(context, what->groups), 1);
    if (what->signatures)
        assert_int_equal(SSL_CTX_set1_sigalgs_list(context, what->signatures), 1);
    if (what->alpn)
        SSL_CTX_set_alpn_protos(context, (const unsigned char *)what->alpn,
                                (unsigned)strlen(what->alpn));
    return context;
}

static void connect_pair(struct talk *talk, enum tls_kind kind)
{
    int type = kind == TLS_STREAM ? SOCK_STREAM : SOCK_DGRAM;

    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, talk->sockets), 0);
    SSL_set_fd(talk->client, talk->sockets[0]);
    SSL_set_fd(talk->server, talk->sockets[1]);
    if (kind == TLS_STREAM)
        return;
    SSL_set_options(talk->client, SSL_OP_NO_QUERY_MTU);
    SSL_set_options(talk->server, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(talk->client, 1400);
    SSL_set_mtu(talk->server, 1400);
}

static void talk_begin(struct tls_contexts *contexts, const struct client *what,
                       struct talk *ret_talk)
{
    struct talk talk = {.context = make_client_context(what)};

    talk.client = SSL_new(talk.context);
    talk.server = tls_contexts_new_ssl(contexts, what->kind);
    assert_non_null(talk.client);
    assert_non_null(talk.server);
    connect_pair(&talk, what->kind);
    SSL_set_connect_state(talk.client);
    if (what->name)
        SSL_set_tlsext_host_name(talk.client, what->name);
    if (what->session)
        SSL_set_session(talk.client, what->session);
    *ret_talk = talk;
}

static void talk_end(struct talk *talk)
{
    SSL_free(talk->client);
    SSL_free(talk->server);
    SSL_CTX_free(talk->context);
    close(talk->sockets[0]);
    close(talk->sockets[1]);
    ERR_clear_error();
}

static bool wants_more(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

// Returns the reason of whoever gave up, 0: both are done.
static int shake_hands(struct talk *talk)
{
    int client = 0, server = 0;

    ERR_clear_error();
    for (unsigned i = 0; i < 20 && (client != 1 || server != 1); i++) {
        client = SSL_do_handshake(talk->client);
        if (client != 1 && !wants_more(talk->client, client))
            return ERR_GET_REASON(ERR_peek_error());
        server = SSL_do_handshake(talk->server);
        if (server != 1 && !wants_more(talk->server, server))
            return ERR_GET_REASON(ERR_peek_error());
    }
    return client == 1 && server == 1 ? 0 : -1;
}

// The server's word reaches the client, and tickets before it.
static void say_hello(struct talk *talk)
{
    char text[8];

    assert_int_equal(SSL_write(talk->server, "hello", 5), 5);
    assert_int_equal(SSL_read(talk->client, text, sizeof(text)), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(SSL_write(talk->client, "thanks", 6), 6);
    assert_int_equal(SSL_read(talk->server, text, sizeof(text)), 6);
}

static void assert_serves(struct tls_contexts *contexts, const struct client *what,
                          const char *common_name)
{
    struct talk talk;
    char name[64] = "";

    talk_begin(contexts, what, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(talk.client)),
                              NID_commonName, name, sizeof(name));
    assert_string_equal(name, common_name);
    say_hello(&talk);
    talk_end(&talk);
}

static void assert_refuses(struct tls_contexts *contexts, const struct client *what, int reason)
{
    struct talk talk;

    talk_begin(contexts, what, &talk);
    assert_int_equal(shake_hands(&talk), reason);
    talk_end(&talk);
}

static void speaks_tls_1_2_and_1_3(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));
    struct talk talk;

    (void)state;
    talk_begin(contexts, &(struct client){}, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_int_equal(SSL_version(talk.server), TLS1_3_VERSION);
    say_hello(&talk);
    talk_end(&talk);
    talk_begin(contexts, &(struct client){.max_version = TLS1_2_VERSION}, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_int_equal(SSL_version(talk.server), TLS1_2_VERSION);
    say_hello(&talk);
    talk_end(&talk);
    tls_contexts_destroy(contexts);
}

static void refuses_tls_1_1(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));

    (void)state;
    assert_refuses(contexts,
                   &(struct client){.min_version = TLS1_VERSION, .max_version = TLS1_1_VERSION},
                   SSL_R_UNSUPPORTED_PROTOCOL);
    tls_contexts_destroy(contexts);
}

static void refuses_tls_1_2_where_1_3_is_the_oldest(void **state)
{
    struct settings settings = make_settings(NAMES("first"));
    struct tls_contexts *contexts;

    (void)state;
    settings.tls_min_version = TLS_VERSION_1_3;
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), 0);
    assert_refuses(contexts, &(struct client){.max_version = TLS1_2_VERSION},
                   SSL_R_UNSUPPORTED_PROTOCOL);
    assert_serves(contexts, &(struct client){}, "first");
    assert_serves(contexts, &(struct client){.kind = TLS_DATAGRAM}, "first");
    tls_contexts_destroy(contexts);
}

static void speaks_dtls_1_2_alone(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));
    struct talk talk;

    (void)state;
    talk_begin(contexts, &(struct client){.kind = TLS_DATAGRAM}, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_int_equal(SSL_version(talk.server), DTLS1_2_VERSION);
    say_hello(&talk);
    talk_end(&talk);
    assert_refuses(contexts, &(struct client){.kind = TLS_DATAGRAM, .max_version = DTLS1_VERSION},
                   SSL_R_UNSUPPORTED_PROTOCOL);
    tls_contexts_destroy(contexts);
}

static void refuses_ciphers_without_forward_secrecy(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("rsa"));

    (void)state;
    assert_refuses(contexts,
                   &(struct client){.max_version = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"},
                   SSL_R_NO_SHARED_CIPHER);
    assert_refuses(
        contexts,
        &(struct client){.max_version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-SHA256"},
        SSL_R_NO_SHARED_CIPHER);
    assert_serves(
        contexts,
        &(struct client){.max_version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
        "rsa");
    tls_contexts_destroy(contexts);
}

static void assert_cipher(struct tls_contexts *contexts, const struct client *what,
                          const char *expected)
{
    struct talk talk;

    talk_begin(contexts, what, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_string_equal(SSL_get_cipher_name(talk.server), expected);
    talk_end(&talk);
}

static void our_order_of_ciphers_counts_but_for_chacha(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("rsa"));
    struct client client = {.max_version = TLS1_2_VERSION,
                            .ciphers = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:"
                                       "ECDHE-RSA-AES128-GCM-SHA256"};

    (void)state;
    assert_cipher(contexts, &client, "ECDHE-RSA-AES128-GCM-SHA256");
    client.ciphers = "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256";
    assert_cipher(contexts, &client, "ECDHE-RSA-CHACHA20-POLY1305");
    assert_cipher(contexts,
                  &(struct client){.suites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"},
                  "TLS_AES_128_GCM_SHA256");
    tls_contexts_destroy(contexts);
}

static void forward_secrecy_comes_first_in_every_list(void **state)
{
    struct settings settings = make_settings(NAMES("rsa"));
    struct tls_contexts *contexts;

    (void)state;
    settings.tls_ciphers = "AES128-GCM-SHA256:ECDHE+AESGCM:DHE-RSA-AES128-GCM-SHA256";
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), 0);
    assert_cipher(contexts, &(struct client){.max_version = TLS1_2_VERSION},
                  "ECDHE-RSA-AES256-GCM-SHA384");
    assert_cipher(contexts,
                  &(struct client){.max_version = TLS1_2_VERSION,
                                   .ciphers = "AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256"},
                  "DHE-RSA-AES128-GCM-SHA256");
    assert_cipher(contexts,
                  &(struct client){.max_version = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"},
                  "AES128-GCM-SHA256");
    tls_contexts_destroy(contexts);
}

static void takes_both_groups_and_no_other(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));

    (void)state;
    assert_serves(contexts, &(struct client){.groups = "X25519"}, "first");
    assert_serves(contexts, &(struct client){.groups = "P-256"}, "first");
    assert_refuses(contexts, &(struct client){.groups = "P-521"}, SSL_R_NO_SUITABLE_KEY_SHARE);
    tls_contexts_destroy(contexts);
}

static void refuses_renegotiation(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));
    struct talk talk;

    (void)state;
    talk_begin(contexts, &(struct client){.max_version = TLS1_2_VERSION}, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_int_equal(SSL_renegotiate(talk.client), 1);
    assert_true(wants_more(talk.client, SSL_do_handshake(talk.client)));
    assert_true(wants_more(talk.server, SSL_read(talk.server, (char[8]){}, 8)));
    assert_int_equal(SSL_do_handshake(talk.client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    talk_end(&talk);
    tls_contexts_destroy(contexts);
}

static void the_name_chooses_the_certificate(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "wildcard", "second"));

    (void)state;
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++) {
        assert_serves(contexts, &(struct client){.kind = kind}, "first");
        assert_serves(contexts, &(struct client){.kind = kind, .name = "first.example.org"},
                      "first");
        assert_serves(contexts, &(struct client){.kind = kind, .name = "Second.Example.net"},
                      "second");
        assert_serves(contexts, &(struct client){.kind = kind, .name = "other.example.net"},
                      "wildcard");
        assert_serves(contexts, &(struct client){.kind = kind, .name = "a.other.example.net"},
                      "first");
        assert_serves(contexts, &(struct client){.kind = kind, .name = "unknown.example"}, "first");
    }
    assert_serves(contexts,
                  &(struct client){.name = "second.example.net", .max_version = TLS1_2_VERSION},
                  "second");
    tls_contexts_destroy(contexts);
}

static void the_clients_algorithms_choose_the_key(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "pair-rsa", "pair-ec"));

    (void)state;
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++) {
        assert_serves(contexts,
                      &(struct client){.kind = kind,
                                       .name = "pair.example.org",
                                       .signatures = "RSA-PSS+SHA256:RSA+SHA256"},
                      "pair-rsa");
        assert_serves(contexts,
                      &(struct client){
                          .kind = kind, .name = "pair.example.org", .signatures = "ECDSA+SHA256"},
                      "pair-ec");
    }
    assert_refuses(contexts,
                   &(struct client){.name = "first.example.org", .signatures = "RSA-PSS+SHA256"},
                   SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM);
    tls_contexts_destroy(contexts);
}

static void a_second_key_of_the_same_kind_is_not_served(void **state)
{
    struct tls_contexts *contexts;

    (void)state;
    assert_true(tls_fixture_logged_nothing());
    contexts = make_contexts(NAMES("first", "first-again"));
    assert_true(
        tls_fixture_logged("warning", "certificate_unused", "first-again.pem has the names"));
    assert_serves(contexts, &(struct client){.name = "first.example.org"}, "first");
    tls_contexts_destroy(contexts);
}

static void a_certificate_without_a_name_serves_only_as_the_first(void **state)
{
    struct tls_contexts *contexts;

    (void)state;
    tls_fixture_write("nameless", &(struct tls_fixture_certificate){});
    assert_true(tls_fixture_logged_nothing());
    contexts = make_contexts(NAMES("nameless", "first"));
    assert_true(tls_fixture_logged_nothing());
    assert_serves(contexts, &(struct client){}, "");
    tls_contexts_destroy(contexts);
    contexts = make_contexts(NAMES("first", "nameless"));
    assert_true(
        tls_fixture_logged("warning", "certificate_unused", "nameless.pem has no DNS name"));
    assert_serves(contexts, &(struct client){}, "first");
    tls_contexts_destroy(contexts);
}

static void assert_alpn(struct tls_contexts *contexts, enum tls_kind kind, const char *offered,
                        const char *expected)
{
    struct talk talk;
    const unsigned char *chosen;
    unsigned len;

    talk_begin(contexts, &(struct client){.kind = kind, .alpn = offered}, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    SSL_get0_alpn_selected(talk.client, &chosen, &len);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(chosen ? chosen : (const unsigned char *)"", expected, len);
    talk_end(&talk);
}

static void alpn_takes_what_is_stuns(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));

    (void)state;
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++) {
        assert_alpn(contexts, kind, ALPN_TURN, "stun.turn");
        assert_alpn(contexts, kind, ALPN_DISCOVERY, "stun.nat-discovery");
        assert_alpn(contexts, kind, ALPN_HTTP ALPN_DISCOVERY ALPN_TURN, "stun.turn");
        assert_alpn(contexts, kind, NULL, "");
        assert_refuses(contexts, &(struct client){.kind = kind, .alpn = ALPN_HTTP},
                       SSL_R_NO_APPLICATION_PROTOCOL);
    }
    tls_contexts_destroy(contexts);
}

static void alpn_counts_with_every_certificate(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "second"));

    (void)state;
    assert_refuses(contexts, &(struct client){.name = "second.example.net", .alpn = ALPN_HTTP},
                   SSL_R_NO_APPLICATION_PROTOCOL);
    assert_serves(contexts, &(struct client){.name = "second.example.net", .alpn = ALPN_TURN},
                  "second");
    tls_contexts_destroy(contexts);
}

// With TLS 1.3 it comes with the next word.
static void give_ticket(struct talk *talk)
{
    assert_int_equal(SSL_new_session_ticket(talk->server),
                     SSL_version(talk->server) == TLS1_3_VERSION);
    say_hello(talk);
}

static void with_tls_1_3_a_handshake_brings_no_ticket(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));
    struct talk talk;

    (void)state;
    talk_begin(contexts, &(struct client){}, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    say_hello(&talk);
    assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(talk.client)), 0);
    give_ticket(&talk);
    assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(talk.client)), 1);
    talk_end(&talk);
    tls_contexts_destroy(contexts);
}

// Whether a session that a client got there is resumed here.
static bool resumes(struct tls_contexts *there, struct tls_contexts *here, struct client what)
{
    struct talk talk;
    bool resumed;

    talk_begin(there, &what, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_int_equal(SSL_session_reused(talk.server), 0);
    give_ticket(&talk);
    what.session = SSL_get1_session(talk.client);
    SSL_shutdown(talk.client);
    talk_end(&talk);
    talk_begin(here, &what, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    resumed = SSL_session_reused(talk.server) == 1;
    say_hello(&talk);
    talk_end(&talk);
    SSL_SESSION_free(what.session);
    return resumed;
}

static const struct client resumers[] = {
    {.name = "first.example.org"},
    {.name = "second.example.net"},
    {.name = "unknown.example"},
    {},
    {.name = "second.example.net", .max_version = TLS1_2_VERSION},
    {.max_version = TLS1_2_VERSION},
    {.kind = TLS_DATAGRAM, .name = "second.example.net"},
    {.kind = TLS_DATAGRAM},
};
#define RESUMERS (sizeof(resumers) / sizeof(resumers[0]))

static void a_ticket_resumes(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "second"));

    (void)state;
    for (unsigned i = 0; i < RESUMERS; i++)
        assert_true(resumes(contexts, contexts, resumers[i]));
    tls_contexts_destroy(contexts);
}

static void a_ticket_of_another_relay_does_not(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "second"));
    struct tls_contexts *others = make_contexts(NAMES("first", "second"));

    (void)state;
    for (unsigned i = 0; i < RESUMERS; i++)
        assert_false(resumes(others, contexts, resumers[i]));
    tls_contexts_destroy(contexts);
    tls_contexts_destroy(others);
}

static void a_ticket_outlives_a_reread(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));
    struct settings settings = make_settings(NAMES("first"));
    struct client client = {};
    struct talk talk;

    (void)state;
    talk_begin(contexts, &client, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    give_ticket(&talk);
    client.session = SSL_get1_session(talk.client);
    SSL_shutdown(talk.client);
    talk_end(&talk);
    assert_int_equal(tls_contexts_reread(contexts, &settings), 0);
    talk_begin(contexts, &client, &talk);
    assert_int_equal(shake_hands(&talk), 0);
    assert_int_equal(SSL_session_reused(talk.server), 1);
    talk_end(&talk);
    SSL_SESSION_free(client.session);
    tls_contexts_destroy(contexts);
}

static void a_reread_serves_what_is_new(void **state)
{
    struct tls_contexts *contexts;
    struct settings settings;

    (void)state;
    tls_fixture_write("renewed", &(struct tls_fixture_certificate){.common_name = "old"});
    contexts = make_contexts(NAMES("renewed"));
    assert_serves(contexts, &(struct client){}, "old");
    tls_fixture_write("renewed", &(struct tls_fixture_certificate){.common_name = "new"});
    settings = make_settings(NAMES("renewed"));
    assert_serves(contexts, &(struct client){}, "old");
    assert_int_equal(tls_contexts_reread(contexts, &settings), 0);
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++)
        assert_serves(contexts, &(struct client){.kind = kind}, "new");
    settings = make_settings(NAMES("first", "renewed"));
    assert_int_equal(tls_contexts_reread(contexts, &settings), 0);
    assert_serves(contexts, &(struct client){}, "first");
    assert_serves(contexts, &(struct client){.name = "new"}, "new");
    tls_contexts_destroy(contexts);
}

static void a_reread_that_fails_changes_nothing(void **state)
{
    struct tls_contexts *contexts;
    struct settings settings;
    uint64_t expires_s;

    (void)state;
    tls_fixture_write("renewed", &(struct tls_fixture_certificate){.common_name = "old"});
    contexts = make_contexts(NAMES("renewed"));
    expires_s = tls_contexts_expires_s(contexts);
    assert_true(tls_fixture_logged_nothing());
    tls_fixture_write("renewed", &(struct tls_fixture_certificate){.common_name = "new"});
    tls_fixture_write_other_key("renewed", TLS_FIXTURE_EC);
    settings = make_settings(NAMES("first", "renewed"));
    assert_int_equal(tls_contexts_reread(contexts, &settings), -EINVAL);
    assert_true(tls_fixture_logged("error", "certificates_kept", "those that were read before"));
    assert_serves(contexts, &(struct client){}, "old");
    settings = make_settings(NAMES("renewed", "none"));
    assert_int_equal(tls_contexts_reread(contexts, &settings), -EINVAL);
    assert_true(tls_fixture_logged("error", "certificate", "none.pem cannot be read"));
    assert_serves(contexts, &(struct client){}, "old");
    assert_int_equal(tls_contexts_expires_s(contexts), expires_s);
    tls_contexts_destroy(contexts);
}

static void a_connection_keeps_what_it_began_with(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "second"));
    struct settings settings = make_settings(NAMES("wildcard"));
    struct talk living, beginning;
    char name[64] = "";

    (void)state;
    talk_begin(contexts, &(struct client){.name = "second.example.net"}, &living);
    assert_int_equal(shake_hands(&living), 0);
    talk_begin(contexts, &(struct client){.name = "second.example.net"}, &beginning);
    assert_int_equal(tls_contexts_reread(contexts, &settings), 0);
    say_hello(&living);
    assert_int_equal(shake_hands(&beginning), 0);
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(beginning.client)),
                              NID_commonName, name, sizeof(name));
    assert_string_equal(name, "second");
    talk_end(&living);
    talk_end(&beginning);
    tls_contexts_destroy(contexts);
}

static void a_small_key_is_refused(void **state)
{
    struct settings settings = make_settings(NAMES("first", "small"));
    struct tls_contexts *contexts;

    (void)state;
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), -EINVAL);
    assert_true(
        tls_fixture_logged("error", "certificate", "small.pem, or one that signs it: ee k"));
}

static void all_that_is_wrong_is_told(void **state)
{
    struct settings settings = make_settings(NAMES("none", "first", "small"));
    struct tls_contexts *contexts;

    (void)state;
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), -ENOENT);
    assert_true(tls_fixture_logged("error", "certificate", "none.pem cannot be read"));
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), -ENOENT);
    assert_true(tls_fixture_logged("error", "certificate", "small.pem"));
}

static void the_first_expiry_is_told(void **state)
{
    long now = (long)time(NULL);
    struct tls_contexts *contexts;

    (void)state;
    tls_fixture_write("short", &(struct tls_fixture_certificate){.common_name = "short",
                                                                 .starts_in_s = -DAY_S,
                                                                 .ends_in_s = 20 * DAY_S});
    contexts = make_contexts(NAMES("first", "short", "second"));
    assert_in_range(tls_contexts_expires_s(contexts), now + 20 * DAY_S - 60, now + 20 * DAY_S + 60);
    tls_contexts_destroy(contexts);
}

static void without_certificates_there_is_nothing_to_serve(void **state)
{
    struct settings settings = make_settings((const char *const[]){NULL});
    struct tls_contexts *contexts;

    (void)state;
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), 0);
    assert_false(tls_contexts_has_certificate(contexts));
    assert_int_equal(tls_contexts_expires_s(contexts), 0);
    assert_null(tls_contexts_new_ssl(contexts, TLS_STREAM));
    settings = make_settings(NAMES("first"));
    assert_int_equal(tls_contexts_reread(contexts, &settings), 0);
    assert_true(tls_contexts_has_certificate(contexts));
    assert_serves(contexts, &(struct client){}, "first");
    tls_contexts_destroy(contexts);
}

static int generate_cookie(SSL *ssl, unsigned char *ret_cookie, unsigned *ret_cookie_len)
{
    (void)ssl;
    memcpy(ret_cookie, "cookie", 6);
    *ret_cookie_len = 6;
    return 1;
}

static unsigned verified_count;

static int verify_cookie(SSL *ssl, const unsigned char *cookie, unsigned cookie_len)
{
    (void)ssl;
    verified_count++;
    return cookie_len == 6 && memcmp(cookie, "cookie", 6) == 0;
}

static void dtls_asks_for_a_cookie_before_all_else(void **state)
{
    static const struct tls_cookies cookies = {generate_cookie, verify_cookie};
    struct settings settings = make_settings(NAMES("first"));
    struct tls_contexts *contexts;
    BIO_ADDR *address = BIO_ADDR_new();
    struct talk talk;

    (void)state;
    verified_count = 0;
    assert_int_equal(tls_contexts_create(&settings, &cookies, &contexts), 0);
    talk_begin(contexts, &(struct client){.kind = TLS_DATAGRAM}, &talk);
    assert_true(wants_more(talk.client, SSL_do_handshake(talk.client)));
    assert_int_equal(DTLSv1_listen(talk.server, address), 0);
    assert_int_equal(verified_count, 0);
    assert_true(wants_more(talk.client, SSL_do_handshake(talk.client)));
    assert_int_equal(DTLSv1_listen(talk.server, address), 1);
    assert_int_equal(verified_count, 1);
    assert_int_equal(shake_hands(&talk), 0);
    say_hello(&talk);
    talk_end(&talk);
    assert_serves(contexts, &(struct client){.kind = TLS_STREAM}, "first");
    BIO_ADDR_free(address);
    tls_contexts_destroy(contexts);
}

// Also of clients that somebody lets begin without DTLSv1_listen().
static void no_dtls_handshake_ends_without_a_cookie(void **state)
{
    static const struct tls_cookies cookies = {generate_cookie, verify_cookie};
    struct settings settings = make_settings(NAMES("first"));
    struct tls_contexts *contexts;

    (void)state;
    verified_count = 0;
    assert_int_equal(tls_contexts_create(&settings, &cookies, &contexts), 0);
    assert_serves(contexts, &(struct client){.kind = TLS_DATAGRAM}, "first");
    assert_int_equal(verified_count, 1);
    tls_contexts_destroy(contexts);
}

static void a_name_leads_to_a_context_of_the_same_kind(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first", "second"));

    (void)state;
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++) {
        struct talk talk;

        talk_begin(contexts, &(struct client){.kind = kind, .name = "second.example.net"}, &talk);
        assert_int_equal(shake_hands(&talk), 0);
        assert_int_equal(SSL_CTX_get_max_proto_version(SSL_get_SSL_CTX(talk.server)),
                         kind == TLS_STREAM ? TLS1_3_VERSION : DTLS1_2_VERSION);
        talk_end(&talk);
    }
    tls_contexts_destroy(contexts);
}

static void contexts_are_set_up_for_sockets_that_do_not_block(void **state)
{
    struct tls_contexts *contexts = make_contexts(NAMES("first"));
    SSL *stream = tls_contexts_new_ssl(contexts, TLS_STREAM);
    SSL *datagram = tls_contexts_new_ssl(contexts, TLS_DATAGRAM);
    const uint64_t modes = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                           SSL_MODE_RELEASE_BUFFERS;
    const uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;

    (void)state;
    assert_int_equal(SSL_get_mode(stream) & modes, modes);
    assert_int_equal(SSL_get_mode(datagram) & modes, modes);
    assert_int_equal(SSL_get_options(stream) & options, options);
    assert_int_equal(SSL_get_options(datagram) & options, options);
    assert_true(SSL_get_options(stream) & SSL_OP_ENABLE_KTLS);
    assert_false(SSL_get_options(datagram) & SSL_OP_ENABLE_KTLS);
    assert_int_equal(SSL_get_read_ahead(stream), 1);
    SSL_free(stream);
    SSL_free(datagram);
    tls_contexts_destroy(contexts);
}

static void ktls_is_for_those_who_want_it(void **state)
{
    struct settings settings = make_settings(NAMES("first"));
    struct tls_contexts *contexts;
    SSL *ssl;

    (void)state;
    settings.ktls = false;
    assert_int_equal(tls_contexts_create(&settings, NULL, &contexts), 0);
    ssl = tls_contexts_new_ssl(contexts, TLS_STREAM);
    assert_false(SSL_get_options(ssl) & SSL_OP_ENABLE_KTLS);
    SSL_free(ssl);
    tls_contexts_destroy(contexts);
}

struct crowd {
    struct tls_contexts *contexts;
    atomic_bool stop;
};

static void *shake_many_hands(void *argument)
{
    struct crowd *crowd = argument;

    while (!atomic_load(&crowd->stop)) {
        SSL *ssl = tls_contexts_new_ssl(crowd->contexts, TLS_STREAM);

        if (!ssl)
            return NULL;
        SSL_free(ssl);
    }
    return crowd;
}

static void a_reread_is_safe_beside_other_threads(void **state)
{
    struct settings settings = make_settings(NAMES("first", "second"));
    struct crowd crowd = {};
    pthread_t threads[2];

    (void)state;
    assert_int_equal(tls_contexts_create(&settings, NULL, &crowd.contexts), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, shake_many_hands, &crowd), 0);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(tls_contexts_reread(crowd.contexts, &settings), 0);
    atomic_store(&crowd.stop, true);
    for (unsigned i = 0; i < 2; i++) {
        void *result;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &crowd);
    }
    tls_contexts_destroy(crowd.contexts);
}

static void lists_of_ciphers_are_told_from_mistakes(void **state)
{
    static const char *const good[] = {"ECDHE+AESGCM:ECDHE+CHACHA20", "HIGH:!aNULL:!MD5:!RC4",
                                       "ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-AES128-GCM-SHA256",
                                       "ALL:@STRENGTH"};
    static const char *const bad[] = {"",
                                      "nonsense",
                                      "ECDHE+AESGCM:ECDHE-RSA-AES129-GCM-SHA256",
                                      "TLS_AES_128_GCM_SHA256",
                                      "ALL:@SECLEVEL=0",
                                      "ALL:!ALL"};

    (void)state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(tls_contexts_know_ciphers(good[i]));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(tls_contexts_know_ciphers(bad[i]));
}

static int setup(void **state)
{
    static const struct {
        const char *name;
        struct tls_fixture_certificate certificate;
    } all[] = {
        {"first", {.names = "DNS:first.example.org", .common_name = "first"}},
        {"first-again", {.names = "DNS:first.example.org", .common_name = "first-again"}},
        {"second",
         {.names = "DNS:second.example.net, DNS:third.example.net", .common_name = "second"}},
        {"wildcard", {.names = "DNS:*.example.net", .common_name = "wildcard"}},
        {"pair-ec", {.names = "DNS:pair.example.org", .common_name = "pair-ec"}},
        {"pair-rsa",
         {.names = "DNS:pair.example.org", .common_name = "pair-rsa", .key = TLS_FIXTURE_RSA}},
        {"rsa", {.common_name = "rsa", .key = TLS_FIXTURE_RSA}},
        {"small", {.common_name = "small", .key = TLS_FIXTURE_SMALL_RSA}},
    };

    (void)state;
    tls_fixture_init();
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        tls_fixture_write(all[i].name, &all[i].certificate);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_fixture_done();
    for (unsigned i = 0; i < CERTIFICATES_MAX; i++) {
        free(files[i].certificate);
        free(files[i].private_key);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_tls_1_2_and_1_3),
        cmocka_unit_test(refuses_tls_1_1),
        cmocka_unit_test(refuses_tls_1_2_where_1_3_is_the_oldest),
        cmocka_unit_test(speaks_dtls_1_2_alone),
        cmocka_unit_test(refuses_ciphers_without_forward_secrecy),
        cmocka_unit_test(our_order_of_ciphers_counts_but_for_chacha),
        cmocka_unit_test(forward_secrecy_comes_first_in_every_list),
        cmocka_unit_test(takes_both_groups_and_no_other),
        cmocka_unit_test(refuses_renegotiation),
        cmocka_unit_test(the_name_chooses_the_certificate),
        cmocka_unit_test(the_clients_algorithms_choose_the_key),
        cmocka_unit_test(a_second_key_of_the_same_kind_is_not_served),
        cmocka_unit_test(a_certificate_without_a_name_serves_only_as_the_first),
        cmocka_unit_test(alpn_takes_what_is_stuns),
        cmocka_unit_test(alpn_counts_with_every_certificate),
        cmocka_unit_test(with_tls_1_3_a_handshake_brings_no_ticket),
        cmocka_unit_test(a_ticket_resumes),
        cmocka_unit_test(a_ticket_of_another_relay_does_not),
        cmocka_unit_test(a_ticket_outlives_a_reread),
        cmocka_unit_test(a_reread_serves_what_is_new),
        cmocka_unit_test(a_reread_that_fails_changes_nothing),
        cmocka_unit_test(a_connection_keeps_what_it_began_with),
        cmocka_unit_test(a_small_key_is_refused),
        cmocka_unit_test(all_that_is_wrong_is_told),
        cmocka_unit_test(the_first_expiry_is_told),
        cmocka_unit_test(without_certificates_there_is_nothing_to_serve),
        cmocka_unit_test(dtls_asks_for_a_cookie_before_all_else),
        cmocka_unit_test(no_dtls_handshake_ends_without_a_cookie),
        cmocka_unit_test(a_name_leads_to_a_context_of_the_same_kind),
        cmocka_unit_test(contexts_are_set_up_for_sockets_that_do_not_block),
        cmocka_unit_test(ktls_is_for_those_who_want_it),
        cmocka_unit_test(a_reread_is_safe_beside_other_threads),
        cmocka_unit_test(lists_of_ciphers_are_told_from_mistakes),
    };

    return cmocka_run_group_tests_name("control/tls_contexts", tests, setup, teardown);
}
