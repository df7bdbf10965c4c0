// SPDX-License-Identifier: BSD-3-Clause
// Two sets of keys: one that seals, and the one before it, which still opens. All threads share
// them.
#include "control/session_tickets.h"

#include "base/random.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LIFETIME_MS (UINT64_C(1000) * SESSION_TICKETS_LIFETIME_S)
#define NAME_LEN    16
#define IV_LEN      16

// What the callback's caller makes of its result.
enum { TICKET_UNKNOWN = 0, TICKET_GOOD = 1, TICKET_GOOD_TO_RENEW = 2, TICKET_ERROR = -1 };

struct ticket_keys {
    uint8_t name[NAME_LEN]; // stands in the ticket
    uint8_t cipher[32];
    uint8_t mac[32];
};

struct session_tickets {
    pthread_mutex_t lock;
    uint64_t made_ms; // current
    struct ticket_keys current, previous;
};

static void make_keys(struct ticket_keys *keys)
{
    random_fill(&random_system, keys, sizeof(*keys));
}

int session_tickets_create(uint64_t now_ms, struct session_tickets **ret_tickets)
{
    struct session_tickets *tickets = calloc(1, sizeof(*tickets));

    if (!tickets)
        return -ENOMEM;
    pthread_mutex_init(&tickets->lock, NULL);
    tickets->made_ms = now_ms;
    make_keys(&tickets->current);
    make_keys(&tickets->previous);
    *ret_tickets = tickets;
    return 0;
}

void session_tickets_destroy(struct session_tickets *tickets)
{
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets, sizeof(*tickets));
    free(tickets);
}

// now_ms of several threads may be a little out of order.
static void rotate(struct session_tickets *tickets, uint64_t now_ms)
{
    if (now_ms < tickets->made_ms + LIFETIME_MS)
        return;
    if (now_ms < tickets->made_ms + 2 * LIFETIME_MS)
        tickets->previous = tickets->current;
    else
        make_keys(&tickets->previous); // nobody came for long: what it would open is over
    make_keys(&tickets->current);
    tickets->made_ms = now_ms;
}

static int find_keys(struct session_tickets *tickets, uint64_t now_ms, const unsigned char *name,
                     struct ticket_keys *ret_keys)
{
    int result = TICKET_UNKNOWN;

    pthread_mutex_lock(&tickets->lock);
    rotate(tickets, now_ms);
    if (!name || memcmp(name, tickets->current.name, NAME_LEN) == 0)
        result = TICKET_GOOD;
    else if (memcmp(name, tickets->previous.name, NAME_LEN) == 0)
        result = TICKET_GOOD_TO_RENEW;
    *ret_keys = result == TICKET_GOOD_TO_RENEW ? tickets->previous : tickets->current;
    pthread_mutex_unlock(&tickets->lock);
    return result;
}

static bool set_keys(struct ticket_keys *keys, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys->mac, sizeof(keys->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher, iv, sealing) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

int session_tickets_prepare(struct session_tickets *tickets, uint64_t now_ms, unsigned char *name,
                            unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                            int sealing)
{
    struct ticket_keys keys;
    int result = find_keys(tickets, now_ms, sealing ? NULL : name, &keys);

    if (sealing) {
        memcpy(name, keys.name, NAME_LEN);
        random_fill(&random_system, iv, IV_LEN);
    }
    if (result != TICKET_UNKNOWN && !set_keys(&keys, iv, cipher, mac, sealing))
        result = TICKET_ERROR;
    OPENSSL_cleanse(&keys, sizeof(keys));
    return result;
}
