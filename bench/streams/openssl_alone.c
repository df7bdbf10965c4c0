// SPDX-License-Identifier: BSD-3-Clause
// A server and a client in one process, memory between: only what the server does is timed, but of
// records.
#include "openssl_alone.h"

#include "../fail.h"
#include "clocks.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RECORD_BYTES 1204 // ChannelData with 1200
#define RECORDS      64
#define DAY_S        86400

struct pair {
    SSL *client, *server;
};

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    return certificate;
}

static SSL_CTX *make_server(void)
{
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key);

    if (!server || SSL_CTX_use_certificate(server, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(server, key) != 1)
        fail("OpenSSL does not give a server");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return server;
}

static SSL_CTX *make_client(void)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());

    if (!client || SSL_CTX_set1_groups_list(client, "P-256") != 1 ||
        SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256") != 1)
        fail("OpenSSL does not give a client");
    return client;
}

static struct pair make_pair(SSL_CTX *client, SSL_CTX *server)
{
    struct pair pair = {SSL_new(client), SSL_new(server)};
    BIO *to_server = BIO_new(BIO_s_mem()), *to_client = BIO_new(BIO_s_mem());

    BIO_up_ref(to_server);
    BIO_up_ref(to_client);
    SSL_set_bio(pair.client, to_client, to_server);
    SSL_set_bio(pair.server, to_server, to_client);
    SSL_set_connect_state(pair.client);
    SSL_set_accept_state(pair.server);
    return pair;
}

static void free_pair(struct pair pair)
{
    SSL_free(pair.client);
    SSL_free(pair.server);
}

// Seconds that the server took.
static double shake_hands(struct pair pair)
{
    double taken = 0;

    for (unsigned turn = 0; turn < 8; turn++) {
        double began;
        bool is_done = SSL_do_handshake(pair.client) == 1;
        began = clock_seconds();
        is_done &= SSL_do_handshake(pair.server) == 1;
        taken += clock_seconds() - began;
        if (is_done)
            return taken;
    }
    fail("OpenSSL does not shake hands with itself");
}

static void time_handshakes(SSL_CTX *client, SSL_CTX *server, double seconds,
                            struct openssl_figures *figures)
{
    double end = clock_seconds() + seconds, taken = 0;
    unsigned count = 0;

    while (clock_seconds() < end) {
        struct pair pair = make_pair(client, server);
        taken += shake_hands(pair);
        free_pair(pair);
        count++;
    }
    figures->handshakes_per_second = count / taken;
}

static void time_records(SSL_CTX *client, SSL_CTX *server, double seconds,
                         struct openssl_figures *figures)
{
    struct pair pair = make_pair(client, server);
    double end = clock_seconds() + seconds, written_s = 0, read_s = 0;
    uint8_t record[RECORD_BYTES] = {0};
    uint64_t count = 0;

    shake_hands(pair);
    while (clock_seconds() < end) {
        double began = clock_seconds(), turned;
        for (unsigned i = 0; i < RECORDS; i++)
            SSL_write(pair.server, record, sizeof(record));
        turned = clock_seconds();
        for (unsigned i = 0; i < RECORDS; i++)
            if (SSL_read(pair.client, record, sizeof(record)) != sizeof(record))
                fail("OpenSSL does not read what it wrote");
        written_s += turned - began;
        read_s += clock_seconds() - turned;
        count += RECORDS;
    }
    figures->written_per_second = (double)count / written_s;
    figures->read_per_second = (double)count / read_s;
    free_pair(pair);
}

void openssl_alone_run(double seconds, struct openssl_figures *ret_figures)
{
    SSL_CTX *client = make_client(), *server = make_server();

    time_handshakes(client, server, seconds / 2, ret_figures);
    time_records(client, server, seconds / 2, ret_figures);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}
