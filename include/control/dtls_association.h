// SPDX-License-Identifier: BSD-3-Clause
// One client's DTLS association: OpenSSL's state of it, from a ClientHello with a good cookie to close_notify.
#pragma once

#include "control/dtls_bio.h"
#include "exchange/command.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

// A message is no longer than a record (RFC 6347 section 4.1).
#define DTLS_MESSAGE_MAX_LEN 16384

enum dtls_verdict {
    DTLS_NOTHING, // more: of the datagram nothing is left
    DTLS_MESSAGE,
    DTLS_OVER, // closed by the client, or broken: end it
};

struct dtls_association {
    SSL *ssl; // NULL: it has ended
    struct dtls_bio bio;
    struct client_key client;
    bool is_complete;    // its handshake; what the client sends is authentic from here on
    uint8_t early_count; // records of the next epoch that came before its keys
    uint8_t sealed_len;  // of an encrypted record, at least
};

// From a ClientHello that was verified. client is the caller's to set. False: no certificate, or no memory.
bool dtls_association_begin(struct dtls_association *association, struct dtls_thread *thread,
                            struct tls_contexts *tls, const struct dtls_way *way, struct span hello);
// close_notify is sent where there is a session to close.
void dtls_association_end(struct dtls_association *association);
// Without a word: its client has a newer one.
void dtls_association_abandon(struct dtls_association *association);

// Whether OpenSSL would end the association over that datagram, whoever sent it.
bool dtls_association_is_harmed_by(const struct dtls_association *association, struct span datagram);
// A datagram for dtls_association_read(), borrowed until that says DTLS_NOTHING. False: it is not to be read, for it
// would make memory grow.
bool dtls_association_take(struct dtls_association *association, struct span datagram);
// message: DTLS_MESSAGE_MAX_LEN bytes. Again, until it says something else than DTLS_MESSAGE.
enum dtls_verdict dtls_association_read(struct dtls_association *association, uint8_t *message, size_t *ret_len);
// One record in one datagram. Complete; at most DTLS_MESSAGE_MAX_LEN bytes. False: end it.
bool dtls_association_write(struct dtls_association *association, struct span message);
// In a handshake, now and then: what was lost is sent again (RFC 6347 section 4.2.4). False: too often, end it.
bool dtls_association_retransmit(struct dtls_association *association);
// Between bursts an association needs no buffers, which are most of its memory.
void dtls_association_shrink(struct dtls_association *association);
