// SPDX-License-Identifier: BSD-3-Clause
// Contexts come in snapshots: all that one reading of the certificates gave. A connection keeps the
// snapshot that it began with, so that a reread touches none that lives.
#include "control/tls_contexts.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/certificate.h"
#include "control/session_tickets.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What every client has one of, and no more: others cost the server several times as much.
#define GROUPS "X25519:P-256"
// The cheapest first.
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
// In a list of ciphers: those without forward secrecy go to the end (RFC 8489 section 6.2.3).
#define FORWARD_SECRECY_FIRST ":+kRSA"
#define CIPHERS_LEN           1200 // what settings allow, and that

// Certificates of the same names, of different kinds of keys: OpenSSL takes what the client can
// verify.
struct identity {
    struct certificate_names names;
    SSL_CTX *contexts[TLS_KIND_COUNT];
};

struct snapshot {
    atomic_uint user_count; // connections, and the relay while it is the current one
    struct session_tickets *tickets;
    uint64_t expires_s;
    uint32_t identity_count;
    struct identity identities[]; // the first is the default
};

struct tls_contexts {
    const struct tls_cookies *cookies;
    struct session_tickets *tickets;
    pthread_mutex_t lock;
    struct snapshot *current; // under lock
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int snapshot_index; // of a connection's snapshot in its SSL

static void identity_done(struct identity *identity)
{
    certificate_names_done(&identity->names);
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++)
        SSL_CTX_free(identity->contexts[kind]);
}

static void snapshot_give(struct snapshot *snapshot)
{
    if (atomic_fetch_sub(&snapshot->user_count, 1) > 1)
        return;
    for (uint32_t i = 0; i < snapshot->identity_count; i++)
        identity_done(&snapshot->identities[i]);
    free(snapshot);
}

static void forget_snapshot(void *ssl, void *snapshot, CRYPTO_EX_DATA *data, int index,
                            long argument, void *pointer)
{
    (void)ssl;
    (void)data;
    (void)index;
    (void)argument;
    (void)pointer;
    if (snapshot)
        snapshot_give(snapshot);
}

static void register_index(void)
{
    snapshot_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, forget_snapshot);
}

static struct snapshot *snapshot_of(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, snapshot_index);
}

static const struct identity *find_identity(const struct snapshot *snapshot, const char *name)
{
    for (uint32_t i = 0; i < snapshot->identity_count; i++) {
        if (certificate_names_have(&snapshot->identities[i].names, name))
            return &snapshot->identities[i];
    }
    for (uint32_t i = 0; i < snapshot->identity_count; i++) {
        if (certificate_names_cover(&snapshot->identities[i].names, name))
            return &snapshot->identities[i];
    }
    return NULL;
}

// A client may still like the default, so an unknown name is no reason to refuse it (RFC 6066
// section 3); it is not told that we know the name.
static int choose_identity(SSL *ssl, int *ret_alert, void *argument)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct identity *identity = name ? find_identity(snapshot_of(ssl), name) : NULL;

    (void)ret_alert;
    (void)argument;
    if (!identity)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, identity->contexts[SSL_is_dtls(ssl) ? TLS_DATAGRAM : TLS_STREAM])
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// RFC 7443 has the labels, RFC 7301 section 3.2 the refusal.
static int choose_protocol(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *argument)
{
    static const unsigned char ours[] = "\x09stun.turn\x12stun.nat-discovery";

    (void)ssl;
    (void)argument;
    return SSL_select_next_proto((unsigned char **)ret_protocol, ret_len, ours, sizeof(ours) - 1,
                                 offered, offered_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int prepare_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                          EVP_MAC_CTX *mac, int sealing)
{
    return session_tickets_prepare(snapshot_of(ssl)->tickets, clock_monotonic_ms(), name, iv,
                                   cipher, mac, sealing);
}

static void set_options(const struct settings *settings, enum tls_kind kind, SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (kind == TLS_STREAM && settings->ktls)
        SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
    // A chain is sent as its file has it: OpenSSL would look for a better one in each handshake.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(context, kind == TLS_STREAM);
}

// Sessions are kept by the clients alone, in tickets. To seal one takes a fifteenth of a handshake:
// with TLS 1.3 it is put off until somebody is known to come back for it
// (stream_socket_give_ticket()).
static void set_resumption(SSL_CTX *context)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, SESSION_TICKETS_LIFETIME_S);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, prepare_ticket);
}

static void set_callbacks(const struct tls_cookies *cookies, enum tls_kind kind, SSL_CTX *context)
{
    SSL_CTX_set_tlsext_servername_callback(context, choose_identity);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (kind == TLS_STREAM || !cookies)
        return;
    SSL_CTX_set_options(context, SSL_OP_COOKIE_EXCHANGE);
    SSL_CTX_set_cookie_generate_cb(context, cookies->generate);
    SSL_CTX_set_cookie_verify_cb(context, cookies->verify);
}

static bool set_versions(const struct settings *settings, enum tls_kind kind, SSL_CTX *context)
{
    if (kind == TLS_DATAGRAM)
        return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
               SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1;
    return SSL_CTX_set_min_proto_version(context, settings->tls_min_version == TLS_VERSION_1_3
                                                      ? TLS1_3_VERSION
                                                      : TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1;
}

static bool set_ciphers(const struct settings *settings, SSL_CTX *context)
{
    char ciphers[CIPHERS_LEN];

    snprintf(ciphers, sizeof(ciphers), "%s%s", settings->tls_ciphers, FORWARD_SECRECY_FIRST);
    // Only for DHE in tls_ciphers, which RFC 8489 section 6.2.3 wants to be possible.
    SSL_CTX_set_dh_auto(context, 1);
    return SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
           SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
           SSL_CTX_set_ciphersuites(context, CIPHERSUITES) == 1;
}

static SSL_CTX *make_context(const struct settings *settings, const struct tls_cookies *cookies,
                             enum tls_kind kind)
{
    SSL_CTX *context = SSL_CTX_new(kind == TLS_STREAM ? TLS_server_method() : DTLS_server_method());

    if (!context)
        return NULL;
    SSL_CTX_set_security_level(context, 2);
    set_options(settings, kind, context);
    set_resumption(context);
    set_callbacks(cookies, kind, context);
    if (set_versions(settings, kind, context) && set_ciphers(settings, context))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? reason : "no reason given";
}

static int add_identity(const struct settings *settings, const struct tls_cookies *cookies,
                        struct snapshot *snapshot, struct identity **ret_identity)
{
    struct identity identity = {};

    ERR_clear_error();
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++) {
        identity.contexts[kind] = make_context(settings, cookies, kind);
        if (!identity.contexts[kind]) {
            log_message(LOG_LEVEL_ERROR, "tls", "OpenSSL cannot be set up: %s", last_reason());
            identity_done(&identity);
            return -EINVAL;
        }
    }
    *ret_identity = &snapshot->identities[snapshot->identity_count++];
    **ret_identity = identity;
    return 0;
}

static struct identity *find_equal(struct snapshot *snapshot, const struct certificate_names *names)
{
    for (uint32_t i = 0; i < snapshot->identity_count; i++) {
        if (certificate_names_equal(&snapshot->identities[i].names, names))
            return &snapshot->identities[i];
    }
    return NULL;
}

// Of the same names and kind of key as one before it.
static bool is_served_already(void)
{
    return ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL &&
           ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_NOT_REPLACING_CERTIFICATE;
}

static int use_certificate(struct identity *identity, const char *path,
                           const struct certificate *certificate)
{
    for (unsigned kind = 0; kind < TLS_KIND_COUNT; kind++) {
        ERR_clear_error();
        if (SSL_CTX_use_cert_and_key(identity->contexts[kind], certificate->leaf, certificate->key,
                                     certificate->chain, 0) == 1)
            continue;
        if (is_served_already())
            return -EEXIST;
        log_message(LOG_LEVEL_ERROR, "certificate",
                    "OpenSSL refuses the certificate in %s, or one that signs it: %s; RSA keys "
                    "must have 2048 bits, elliptic ones 224, and signatures SHA-224 or better",
                    path, last_reason());
        return -EINVAL;
    }
    return 0;
}

static int add_certificate(const struct settings *settings, const struct tls_cookies *cookies,
                           const char *path, struct certificate *certificate,
                           struct snapshot *snapshot)
{
    struct identity *identity = find_equal(snapshot, &certificate->names);
    int error;

    if (!identity) {
        error = add_identity(settings, cookies, snapshot, &identity);
        if (error)
            return error;
        identity->names = certificate->names;
        certificate->names = (struct certificate_names){};
        if (identity->names.count == 0 && identity != snapshot->identities)
            log_message(LOG_LEVEL_WARNING, "certificate_unused",
                        "%s has no DNS name that a client could ask for; without one only the "
                        "first is served",
                        path);
    }
    error = use_certificate(identity, path, certificate);
    if (error == -EEXIST) {
        log_message(LOG_LEVEL_WARNING, "certificate_unused",
                    "%s has the names and the kind of key of one before it, and is not served",
                    path);
        return 0;
    }
    if (!error && (snapshot->expires_s == 0 || certificate->expires_s < snapshot->expires_s))
        snapshot->expires_s = certificate->expires_s;
    return error;
}

static int load_certificate(const struct settings *settings, const struct tls_cookies *cookies,
                            const struct settings_certificate *files, struct snapshot *snapshot)
{
    const char *key_path = *files->private_key ? files->private_key : files->certificate;
    struct certificate certificate;
    int error = certificate_load(files->certificate, key_path, clock_wall_s(), &certificate);

    if (error)
        return error;
    error = add_certificate(settings, cookies, files->certificate, &certificate, snapshot);
    certificate_done(&certificate);
    return error;
}

static int make_snapshot(const struct tls_contexts *contexts, const struct settings *settings,
                         struct snapshot **ret_snapshot)
{
    const struct settings_certificate *files = settings->certificates.items;
    uint32_t count = settings->certificates.count;
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot) + count * sizeof(struct identity));
    int error = 0;

    if (!snapshot)
        return -ENOMEM;
    atomic_init(&snapshot->user_count, 1);
    snapshot->tickets = contexts->tickets;
    // All mistakes are told at once.
    for (uint32_t i = 0; i < count; i++) {
        int one_error = load_certificate(settings, contexts->cookies, &files[i], snapshot);

        error = error ? error : one_error;
    }
    ERR_clear_error();
    if (error) {
        snapshot_give(snapshot);
        return error;
    }
    *ret_snapshot = snapshot;
    return 0;
}

int tls_contexts_create(const struct settings *settings, const struct tls_cookies *cookies,
                        struct tls_contexts **ret_contexts)
{
    struct tls_contexts *contexts = calloc(1, sizeof(*contexts));
    int error;

    if (!contexts)
        return -ENOMEM;
    pthread_once(&once, register_index);
    pthread_mutex_init(&contexts->lock, NULL);
    contexts->cookies = cookies;
    error = session_tickets_create(clock_monotonic_ms(), &contexts->tickets);
    if (!error)
        error = make_snapshot(contexts, settings, &contexts->current);
    if (error) {
        tls_contexts_destroy(contexts);
        return error;
    }
    *ret_contexts = contexts;
    return 0;
}

void tls_contexts_destroy(struct tls_contexts *contexts)
{
    if (contexts->current)
        snapshot_give(contexts->current);
    if (contexts->tickets)
        session_tickets_destroy(contexts->tickets);
    pthread_mutex_destroy(&contexts->lock);
    free(contexts);
}

static struct snapshot *snapshot_take(struct tls_contexts *contexts)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&contexts->lock);
    snapshot = contexts->current;
    atomic_fetch_add(&snapshot->user_count, 1);
    pthread_mutex_unlock(&contexts->lock);
    return snapshot;
}

int tls_contexts_reread(struct tls_contexts *contexts, const struct settings *settings)
{
    struct snapshot *snapshot, *old;
    int error = make_snapshot(contexts, settings, &snapshot);

    if (error) {
        log_message(LOG_LEVEL_ERROR, "certificates_kept",
                    "the certificates cannot be renewed; those that were read before stay in use");
        return error;
    }
    pthread_mutex_lock(&contexts->lock);
    old = contexts->current;
    contexts->current = snapshot;
    pthread_mutex_unlock(&contexts->lock);
    snapshot_give(old);
    return 0;
}

SSL *tls_contexts_new_ssl(struct tls_contexts *contexts, enum tls_kind kind)
{
    struct snapshot *snapshot = snapshot_take(contexts);
    SSL *ssl =
        snapshot->identity_count > 0 ? SSL_new(snapshot->identities[0].contexts[kind]) : NULL;

    if (ssl && SSL_set_ex_data(ssl, snapshot_index, snapshot) == 1) {
        SSL_set_accept_state(ssl);
        return ssl; // forget_snapshot gives the snapshot back
    }
    SSL_free(ssl);
    snapshot_give(snapshot);
    return NULL;
}

bool tls_contexts_has_certificate(struct tls_contexts *contexts)
{
    struct snapshot *snapshot = snapshot_take(contexts);
    bool has_certificate = snapshot->identity_count > 0;

    snapshot_give(snapshot);
    return has_certificate;
}

uint64_t tls_contexts_expires_s(struct tls_contexts *contexts)
{
    struct snapshot *snapshot = snapshot_take(contexts);
    uint64_t expires_s = snapshot->expires_s;

    snapshot_give(snapshot);
    return expires_s;
}

// OpenSSL passes over what it does not know: a name is known when a list of it alone has something.
// What takes ciphers away may name those that are gone from OpenSSL long since.
static bool element_is_known(SSL_CTX *context, const char *element)
{
    if (*element == '@')
        return strcmp(element, "@STRENGTH") == 0;
    return *element == '\0' || strchr("!-+", *element) ||
           SSL_CTX_set_cipher_list(context, element) == 1;
}

bool tls_contexts_know_ciphers(const char *list)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    char *elements = strdup(list), *rest = elements;
    bool all_known = context && elements && SSL_CTX_set_cipher_list(context, list) == 1;

    for (char *element; all_known && (element = strsep(&rest, ":, ;"));)
        all_known = element_is_known(context, element);
    free(elements);
    SSL_CTX_free(context);
    ERR_clear_error();
    return all_known;
}
