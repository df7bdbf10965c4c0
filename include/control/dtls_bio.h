// SPDX-License-Identifier: BSD-3-Clause
// What OpenSSL reads a client's datagrams from, one at a time, and what it writes those for the client to: the ring to
// a worker. A datagram that finds no room there is lost, as on any other part of its way.
#pragma once

#include "base/bytes.h"
#include "control/dtls_cookie.h"
#include "control/dtls_server.h"
#include "exchange/stream.h"

#include <openssl/bio.h>
#include <stdbool.h>
#include <stdint.h>

// What all clients of a thread share.
struct dtls_thread {
    struct plane *plane;
    uint16_t thread;
    struct dtls_cookie_keys cookie_keys;
    struct dtls_counters counters;
    BIO_ADDR *scratch; // for DTLSv1_listen(), which wants to say where a client is
};

// The way to a client.
struct dtls_way {
    struct stream_wire wire;
    uint16_t worker;
};

struct dtls_bio {
    struct dtls_thread *thread;
    struct dtls_way way;
    struct span datagram; // received, borrowed, not read yet
    bool has_written;     // set by each datagram that is sent
};

// The SSL's from here on. False: no memory. bio outlives the SSL.
bool dtls_bio_attach(struct dtls_bio *bio, SSL *ssl);
// Of an SSL that has one.
struct dtls_bio *dtls_bio_of(const SSL *ssl);

// Readers are other threads.
static inline void dtls_count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}
