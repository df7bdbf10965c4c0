// SPDX-License-Identifier: BSD-3-Clause
// The cookie by which a client of DTLS proves its address (RFC 6347 section 4.2.1): a MAC over both addresses. Its key
// changes, so that who collects cookies cannot use them for long.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/siphash.h"

#include <stdbool.h>
#include <stdint.h>

#define DTLS_COOKIE_LEN 8

// How long a key makes cookies. They are good for as long again.
#define DTLS_COOKIE_LIFETIME_MS 60000

struct dtls_cookie_keys {
    struct siphash_key current, previous;
    uint64_t made_ms; // current
};

void dtls_cookie_keys_init(struct dtls_cookie_keys *keys, uint64_t now_ms);
// As time goes by: before any cookie is made or verified, for the time that it is.
void dtls_cookie_keys_rotate(struct dtls_cookie_keys *keys, uint64_t now_ms);

void dtls_cookie_make(const struct dtls_cookie_keys *keys, const struct transport_address *client,
                      const struct transport_address *server, uint8_t ret_cookie[DTLS_COOKIE_LEN]);
bool dtls_cookie_verify(const struct dtls_cookie_keys *keys, const struct transport_address *client,
                        const struct transport_address *server, struct span cookie);
