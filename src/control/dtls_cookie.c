// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_cookie.h.
#include "control/dtls_cookie.h"

#include "base/random.h"

#include <openssl/crypto.h>

static void make_key(struct siphash_key *ret_key)
{
    random_fill(&random_system, ret_key, sizeof(*ret_key));
}

void dtls_cookie_keys_init(struct dtls_cookie_keys *keys, uint64_t now_ms)
{
    make_key(&keys->current);
    make_key(&keys->previous);
    keys->made_ms = now_ms;
}

void dtls_cookie_keys_rotate(struct dtls_cookie_keys *keys, uint64_t now_ms)
{
    if (now_ms < keys->made_ms + DTLS_COOKIE_LIFETIME_MS)
        return;
    if (now_ms < keys->made_ms + 2 * DTLS_COOKIE_LIFETIME_MS)
        keys->previous = keys->current;
    else
        make_key(&keys->previous); // nobody came for long: what it would verify is over
    make_key(&keys->current);
    keys->made_ms = now_ms;
}

static void make(const struct siphash_key *key, const struct transport_address *client,
                 const struct transport_address *server, uint8_t ret_cookie[DTLS_COOKIE_LEN])
{
    const struct transport_address both[2] = {*client, *server};
    uint64_t mac = siphash(key, both, sizeof(both));

    memcpy(ret_cookie, &mac, DTLS_COOKIE_LEN);
}

void dtls_cookie_make(const struct dtls_cookie_keys *keys, const struct transport_address *client,
                      const struct transport_address *server, uint8_t ret_cookie[DTLS_COOKIE_LEN])
{
    make(&keys->current, client, server, ret_cookie);
}

bool dtls_cookie_verify(const struct dtls_cookie_keys *keys, const struct transport_address *client,
                        const struct transport_address *server, struct span cookie)
{
    uint8_t current[DTLS_COOKIE_LEN], previous[DTLS_COOKIE_LEN];

    if (cookie.len != DTLS_COOKIE_LEN)
        return false;
    make(&keys->current, client, server, current);
    make(&keys->previous, client, server, previous);
    return CRYPTO_memcmp(cookie.data, current, DTLS_COOKIE_LEN) == 0 ||
           CRYPTO_memcmp(cookie.data, previous, DTLS_COOKIE_LEN) == 0;
}
