// SPDX-License-Identifier: BSD-3-Clause
// ClientHellos of DTLS, as anybody can send them: without a good cookie one is answered by a HelloVerifyRequest, which
// is shorter, and forgotten (RFC 6347 section 4.2.1).
#pragma once

#include "base/siphash.h"
#include "control/dtls_bio.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

// Flights of a handshake fit into IPv6 packets of 1280 bytes, which pass everywhere.
#define DTLS_FLIGHT_MTU (1280 - 40 - 8)

enum dtls_hello_verdict {
    DTLS_HELLO_VERIFIED,
    DTLS_HELLO_ANSWERED, // with a cookie to come back with
    DTLS_HELLO_BAD,
    DTLS_HELLO_UNSERVED, // no certificate, or no memory
};

// Takes no client: it tells apart those with a good cookie.
struct dtls_listener {
    struct dtls_bio bio;
    SSL *ssl; // NULL: not yet
};

// Whether a datagram begins with a ClientHello, or the first piece of one.
bool dtls_hello_is(struct span datagram);
// Which one, by its random bytes: those of a client's are the same with a cookie and without, and in whatever is sent
// again.
uint64_t dtls_hello_id(const struct siphash_key *key, struct span hello);

// All zero but bio.thread: ready.
void dtls_listener_done(struct dtls_listener *listener);
enum dtls_hello_verdict dtls_listener_judge(struct dtls_listener *listener, struct tls_contexts *tls,
                                            const struct dtls_way *way, struct span hello);

// An SSL with bio. NULL: no certificate, or no memory.
SSL *dtls_ssl_new(struct tls_contexts *tls, struct dtls_bio *bio);
// Whether the ClientHello in its bio has a good cookie. If so the handshake can go on from there; if not, and it can
// be read, it was answered.
bool dtls_ssl_listen(SSL *ssl);
