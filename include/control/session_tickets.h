// SPDX-License-Identifier: BSD-3-Clause
// The keys that seal session tickets (RFC 5077, RFC 8446 section 4.6.1), the same for all certificates, and made anew
// from time to time, so that a key that gets out opens no more than the sessions of a few hours.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

// How long a ticket is good, and a key seals. A key opens tickets for as long again.
#define SESSION_TICKETS_LIFETIME_S 7200

struct session_tickets;

// 0 or -errno.
int session_tickets_create(uint64_t now_ms, struct session_tickets **ret_tickets);
void session_tickets_destroy(struct session_tickets *tickets);

// What a callback of SSL_CTX_set_tlsext_ticket_key_evp_cb() has to do and to return. Any thread.
int session_tickets_prepare(struct session_tickets *tickets, uint64_t now_ms, unsigned char *name,
                            unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                            int sealing);
