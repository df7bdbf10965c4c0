// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_hello.h. OpenSSL's answer takes about a microsecond and no memory.
#include "control/dtls_hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

// RFC 6347 sections 4.1 and 4.2.2.
#define CONTENT_HANDSHAKE 22
#define EPOCH_OFFSET      3
#define TYPE_OFFSET       13
#define TYPE_HELLO        1
#define FRAGMENT_OFFSET   (TYPE_OFFSET + 6)
#define RANDOM_OFFSET     (TYPE_OFFSET + 12 + 2)
#define RANDOM_LEN        32

// Clients send no certificate. OpenSSL reserves memory for as long a message as it would take.
#define CERTIFICATE_MAX_LEN 4096

static int generate_cookie(SSL *ssl, unsigned char *ret_cookie, unsigned *ret_cookie_len)
{
    const struct dtls_bio *bio = dtls_bio_of(ssl);

    dtls_cookie_make(&bio->thread->cookie_keys, &bio->way.wire.client, &bio->way.wire.server,
                     ret_cookie);
    *ret_cookie_len = DTLS_COOKIE_LEN;
    return 1;
}

static int verify_cookie(SSL *ssl, const unsigned char *cookie, unsigned cookie_len)
{
    const struct dtls_bio *bio = dtls_bio_of(ssl);

    return dtls_cookie_verify(&bio->thread->cookie_keys, &bio->way.wire.client,
                              &bio->way.wire.server, (struct span){cookie, cookie_len});
}

const struct tls_cookies dtls_server_cookies = {generate_cookie, verify_cookie};

SSL *dtls_ssl_new(struct tls_contexts *tls, struct dtls_bio *bio)
{
    SSL *ssl = tls_contexts_new_ssl(tls, TLS_DATAGRAM);

    if (!ssl)
        return NULL;
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl, DTLS_FLIGHT_MTU);
    SSL_set_max_cert_list(ssl, CERTIFICATE_MAX_LEN);
    if (dtls_bio_attach(bio, ssl))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

bool dtls_ssl_listen(SSL *ssl)
{
    bool is_verified = DTLSv1_listen(ssl, dtls_bio_of(ssl)->thread->scratch) == 1;

    ERR_clear_error();
    return is_verified;
}

bool dtls_hello_is(struct span datagram)
{
    return datagram.len >= RANDOM_OFFSET + RANDOM_LEN && datagram.data[0] == CONTENT_HANDSHAKE &&
           load_be16(datagram.data + EPOCH_OFFSET) == 0 &&
           datagram.data[TYPE_OFFSET] == TYPE_HELLO &&
           load_be32(datagram.data + FRAGMENT_OFFSET) >> 8 == 0;
}

uint64_t dtls_hello_id(const struct siphash_key *key, struct span hello)
{
    return siphash(key, hello.data + RANDOM_OFFSET, RANDOM_LEN);
}

void dtls_listener_done(struct dtls_listener *listener)
{
    SSL_free(listener->ssl);
}

enum dtls_hello_verdict dtls_listener_judge(struct dtls_listener *listener,
                                            struct tls_contexts *tls, const struct dtls_way *way,
                                            struct span hello)
{
    if (!listener->ssl)
        listener->ssl = dtls_ssl_new(tls, &listener->bio);
    if (!listener->ssl)
        return DTLS_HELLO_UNSERVED;
    listener->bio.way = *way;
    listener->bio.datagram = hello;
    listener->bio.has_written = false;
    if (dtls_ssl_listen(listener->ssl))
        return DTLS_HELLO_VERIFIED;
    return listener->bio.has_written ? DTLS_HELLO_ANSWERED : DTLS_HELLO_BAD;
}
