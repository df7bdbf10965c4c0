// SPDX-License-Identifier: BSD-3-Clause
// See control/http_access.h. Tokens are kept as their digests, which have one length, and are none
// that a core dump would tell.
#include "control/http_access.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/certificate.h"
#include "control/settings.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GROUPS  "X25519:P-256"
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

// RFC 6750 section 2.1: b64token.
#define TOKEN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="

#define DIGEST_LEN 32 // SHA-256

struct http_access {
    SSL_CTX *context; // NULL: no TLS
    uint64_t expires_s;
    uint8_t tokens[HTTP_ACCESS_TOKENS_MAX][DIGEST_LEN];
    unsigned token_count;
};

// Not every client offers ALPN, and of those that do not all have to have this.
static int choose_protocol(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *argument)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)argument;
    return SSL_select_next_proto((unsigned char **)ret_protocol, ret_len, ours, sizeof(ours) - 1,
                                 offered, offered_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

// A connection carries one request, and few come: sessions are not kept.
static SSL_CTX *make_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context)
        return NULL;
    SSL_CTX_set_security_level(context, 2);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set1_groups_list(context, GROUPS) == 1 &&
        SSL_CTX_set_cipher_list(context, CIPHERS) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static int use_certificate(const char *path, const struct certificate *certificate,
                           SSL_CTX **ret_context)
{
    SSL_CTX *context;

    ERR_clear_error();
    context = make_context();
    if (context && SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key,
                                            certificate->chain, 0) == 1) {
        *ret_context = context;
        return 0;
    }
    log_message(LOG_LEVEL_ERROR, "metrics_certificate",
                "OpenSSL refuses the certificate in %s, or one that signs it: %s", path,
                ERR_reason_error_string(ERR_peek_last_error()));
    ERR_clear_error();
    SSL_CTX_free(context);
    return -EINVAL;
}

static int read_certificate(const struct settings *settings, struct http_access *access)
{
    const char *path = settings->metrics_certificate;
    const char *key_path = *settings->metrics_key ? settings->metrics_key : path;
    struct certificate certificate;
    int error;

    if (!*path)
        return 0;
    error = certificate_load(path, key_path, clock_wall_s(), &certificate);
    if (error)
        return error;
    error = use_certificate(path, &certificate, &access->context);
    access->expires_s = certificate.expires_s;
    certificate_done(&certificate);
    return error;
}

static void digest(const char *text, size_t len, uint8_t ret_digest[DIGEST_LEN])
{
    // It fails for want of memory alone. What no token has is what is left then.
    memset(ret_digest, 0, DIGEST_LEN);
    (void)EVP_Digest(text, len, ret_digest, NULL, EVP_sha256(), NULL);
}

// What is wrong with the token; NULL: it is good, and is kept.
static const char *take_token(struct http_access *access, const char *text, size_t len)
{
    if (strspn(text, TOKEN_CHARACTERS) != len)
        return "has a token with other characters; allowed: letters, digits and -._~+/=";
    if (len < HTTP_ACCESS_TOKEN_MIN_LEN)
        return "has a token that could be guessed; allowed: 16 characters or more, such as those "
               "of 'openssl rand -hex 32'";
    if (access->token_count == HTTP_ACCESS_TOKENS_MAX)
        return "has too many tokens; allowed: 8";
    digest(text, len, access->tokens[access->token_count++]);
    return NULL;
}

// A token a line.
static const char *take_tokens(struct http_access *access, const char *text)
{
    const char *wrong = NULL;

    for (text += strspn(text, " \t\r\n"); *text && !wrong; text += strspn(text, " \t\r\n")) {
        size_t len = strcspn(text, " \t\r\n");
        char token[HTTP_ACCESS_FILE_MAX_LEN + 1];

        memcpy(token, text, len);
        token[len] = '\0';
        wrong = take_token(access, token, len);
        OPENSSL_cleanse(token, sizeof(token));
        text += len;
    }
    return wrong || access->token_count > 0 ? wrong : "has no token; allowed: one a line";
}

// At most so much that one more byte shows that there is more.
static int read_file(const char *path, char ret_text[HTTP_ACCESS_FILE_MAX_LEN + 2])
{
    FILE *file = fopen(path, "re");
    size_t len;
    int error;

    if (!file)
        return -errno;
    setbuf(file, NULL); // which nobody would wipe
    errno = 0;
    len = fread(ret_text, 1, HTTP_ACCESS_FILE_MAX_LEN + 1, file);
    error = ferror(file) ? -errno : 0;
    ret_text[len] = '\0';
    fclose(file);
    if (!error && len > HTTP_ACCESS_FILE_MAX_LEN)
        error = -EFBIG;
    return error;
}

static int read_tokens(const struct settings *settings, struct http_access *access)
{
    const char *path = settings->metrics_token_file, *wrong = NULL;
    char text[HTTP_ACCESS_FILE_MAX_LEN + 2] = "";
    int error;

    if (!*path)
        return 0;
    error = read_file(path, text);
    if (error)
        log_message(LOG_LEVEL_ERROR, "metrics_token",
                    "%s cannot be read: %s; the user that the relay runs as must be able to", path,
                    strerror(-error));
    else
        wrong = take_tokens(access, text);
    OPENSSL_cleanse(text, sizeof(text));
    if (wrong)
        log_message(LOG_LEVEL_ERROR, "metrics_token", "%s %s", path, wrong);
    return wrong ? -EINVAL : error;
}

static bool is_loopback(const struct ip_address *address)
{
    static const struct ip_address loopback = {.family = IP_FAMILY_V6, .bytes = {[15] = 1}};

    return address->family == IP_FAMILY_V4 ? address->bytes[0] == 127
                                           : ip_address_equal(address, &loopback);
}

static void warn_of_clear_tokens(const struct settings *settings, const struct http_access *access)
{
    const struct ip_address *addresses = settings->metrics_listen.items;

    if (access->token_count == 0 || access->context)
        return;
    for (uint32_t i = 0; i < settings->metrics_listen.count; i++) {
        if (is_loopback(&addresses[i]))
            continue;
        log_message(LOG_LEVEL_WARNING, "metrics_token",
                    "whoever sees the packets of those who ask for metrics reads their token, too; "
                    "metrics_certificate prevents that");
        return;
    }
}

int http_access_create(const struct settings *settings, struct http_access **ret_access)
{
    struct http_access *access = calloc(1, sizeof(*access));
    int error, token_error;

    if (!access)
        return -ENOMEM;
    // All mistakes are told at once.
    error = read_certificate(settings, access);
    token_error = read_tokens(settings, access);
    if (error || token_error) {
        http_access_destroy(access);
        return error ? error : token_error;
    }
    warn_of_clear_tokens(settings, access);
    *ret_access = access;
    return 0;
}

void http_access_destroy(struct http_access *access)
{
    SSL_CTX_free(access->context);
    OPENSSL_cleanse(access, sizeof(*access));
    free(access);
}

void http_access_take(struct http_access *access, struct http_access *fresh)
{
    SSL_CTX_free(access->context);
    *access = *fresh;
    fresh->context = NULL;
    http_access_destroy(fresh);
}

bool http_access_has_tls(const struct http_access *access)
{
    return access->context;
}

SSL *http_access_new_ssl(const struct http_access *access)
{
    return SSL_new(access->context);
}

uint64_t http_access_expires_s(const struct http_access *access)
{
    return access->expires_s;
}

bool http_access_has_tokens(const struct http_access *access)
{
    return access->token_count > 0;
}

// RFC 9110 section 11.1: the scheme's letters may be of any size. What is behind it; NULL: it is
// another.
static const char *bearer_token(const char *authorization)
{
    static const char scheme[] = "Bearer ";

    if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return NULL;
    return authorization + sizeof(scheme) - 1 + strspn(authorization + sizeof(scheme) - 1, " ");
}

bool http_access_allows(const struct http_access *access, const char *authorization)
{
    const char *token = bearer_token(authorization);
    uint8_t theirs[DIGEST_LEN];
    unsigned found = 0;

    if (access->token_count == 0)
        return true;
    if (!token)
        return false;
    digest(token, strlen(token), theirs);
    for (unsigned i = 0; i < access->token_count; i++)
        found |= CRYPTO_memcmp(theirs, access->tokens[i], DIGEST_LEN) == 0;
    return found;
}
