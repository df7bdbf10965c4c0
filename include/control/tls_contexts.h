// SPDX-License-Identifier: BSD-3-Clause
// What TLS 1.2 and 1.3 (RFC 8656 section 2.1) and DTLS 1.2 (RFC 7350) are served with: the certificates, chosen by the
// name that a client asks for (RFC 6066 section 3), ALPN (RFC 7443), session tickets, reread while the relay runs.
#pragma once

#include "control/settings.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

enum tls_kind {
    TLS_STREAM,   // TLS over TCP
    TLS_DATAGRAM, // DTLS over UDP
    TLS_KIND_COUNT,
};

enum tls_version {
    TLS_VERSION_1_2,
    TLS_VERSION_1_3,
};

// For DTLSv1_listen(), which must not keep state of a client before it has proved its address (RFC 6347 section
// 4.2.1). As SSL_CTX_set_cookie_generate_cb() and SSL_CTX_set_cookie_verify_cb() have them: 1, or 0 when it failed.
struct tls_cookies {
    int (*generate)(SSL *ssl, unsigned char *ret_cookie, unsigned *ret_cookie_len);
    int (*verify)(SSL *ssl, const unsigned char *cookie, unsigned cookie_len);
};

struct tls_contexts;

// Reads the certificates of settings, which may be none, and logs what is wrong with one: with a file, a key or a
// strength as an error, which fails the whole; what is expired or soon will be as a warning. cookies: borrowed;
// NULL: DTLS asks for none. 0 or -errno.
int tls_contexts_create(const struct settings *settings, const struct tls_cookies *cookies,
                        struct tls_contexts **ret_contexts);

// When all that came from tls_contexts_new_ssl is freed.
void tls_contexts_destroy(struct tls_contexts *contexts);

// As at creation, for all connections that begin from now on; those that live keep what they have. When something is
// wrong it is logged, and all stays as it was. Tickets stay valid. 0 or -errno.
int tls_contexts_reread(struct tls_contexts *contexts, const struct settings *settings);

// A connection of a server, to be given a BIO and freed with SSL_free. Any thread, at any time. NULL: there is no
// certificate, or no memory. Its mode is that of sockets that do not block: writes may be partial, and be repeated from
// another buffer. In ALPN a client that offers only what is not STUN's gets the alert no_application_protocol; one that
// offers nothing is served.
SSL *tls_contexts_new_ssl(struct tls_contexts *contexts, enum tls_kind kind);

// Whether there is a certificate to serve. Any thread.
bool tls_contexts_has_certificate(struct tls_contexts *contexts);

// When the first of the certificates in use, or of those that sign them, expires, in seconds since the epoch; 0: there
// are none. Any thread.
uint64_t tls_contexts_expires_s(struct tls_contexts *contexts);

// Whether OpenSSL knows everything in a list of ciphers of TLS 1.2, and it leaves one. A list that sets the security
// level is none.
bool tls_contexts_know_ciphers(const char *list);
