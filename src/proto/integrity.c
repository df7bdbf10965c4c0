// SPDX-License-Identifier: BSD-3-Clause
// HMAC over STUN messages and long-term key derivation (RFC 8489
// sections 9.2.2, 14.4-14.6, 18.5.1), by OpenSSL's EVP.
#include "proto/integrity.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

enum digest {
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_COUNT,
};

static const char *const digest_names[DIGEST_COUNT] = {
    [DIGEST_MD5] = "MD5",
    [DIGEST_SHA1] = "SHA1",
    [DIGEST_SHA256] = "SHA256",
};

// Of the digests, and so of their HMACs.
static const size_t hash_lens[DIGEST_COUNT] = {
    [DIGEST_MD5] = 16,
    [DIGEST_SHA1] = INTEGRITY_SHA1_LEN,
    [DIGEST_SHA256] = INTEGRITY_SHA256_LEN,
};

// Fetched once; fetching costs more than hashing a message. A digest that this OpenSSL lacks is
// NULL.
static struct {
    EVP_MD *digests[DIGEST_COUNT];
    EVP_MAC *hmac;
    pthread_key_t thread_contexts;
} fetched;

// Contexts of one thread, made when first used: setting a new key in one of HMAC costs half of
// making one.
struct thread_contexts {
    EVP_MD_CTX *digests[DIGEST_COUNT];
    EVP_MAC_CTX *hmacs[DIGEST_COUNT];
};

static const struct span colon = {(const uint8_t *)":", 1};

// Without a working libcrypto there is nobody to authenticate and no way to say so: every caller
// could only abort.
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void free_thread_contexts(void *value)
{
    struct thread_contexts *contexts = value;

    for (unsigned i = 0; i < DIGEST_COUNT; i++) {
        EVP_MD_CTX_free(contexts->digests[i]);
        EVP_MAC_CTX_free(contexts->hmacs[i]);
    }
    free(contexts);
}

static void fetch_algorithms(void)
{
    for (unsigned i = 0; i < DIGEST_COUNT; i++)
        fetched.digests[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
    fetched.hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    require(fetched.hmac != NULL);
    require(pthread_key_create(&fetched.thread_contexts, free_thread_contexts) == 0);
}

static void fetch_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fetch_algorithms);
}

static struct thread_contexts *thread_contexts(void)
{
    struct thread_contexts *contexts;

    fetch_once();
    contexts = pthread_getspecific(fetched.thread_contexts);
    if (contexts == NULL) {
        contexts = calloc(1, sizeof(*contexts));
        require(contexts != NULL && pthread_setspecific(fetched.thread_contexts, contexts) == 0);
    }
    return contexts;
}

static EVP_MD_CTX *create_digest(enum digest digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    require(context != NULL && EVP_DigestInit_ex2(context, fetched.digests[digest], NULL) == 1);
    return context;
}

// This thread's context for the digest; NULL when this OpenSSL lacks it.
static EVP_MD_CTX *thread_digest(enum digest digest)
{
    struct thread_contexts *contexts = thread_contexts();

    if (fetched.digests[digest] == NULL)
        return NULL;
    if (contexts->digests[digest] == NULL)
        contexts->digests[digest] = create_digest(digest);
    return contexts->digests[digest];
}

static EVP_MAC_CTX *create_hmac(enum digest digest)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_names[digest], 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(fetched.hmac);

    require(context != NULL && EVP_MAC_CTX_set_params(context, params) == 1);
    return context;
}

static EVP_MAC_CTX *thread_hmac(enum digest digest)
{
    struct thread_contexts *contexts = thread_contexts();

    if (contexts->hmacs[digest] == NULL)
        contexts->hmacs[digest] = create_hmac(digest);
    return contexts->hmacs[digest];
}

// Of the parts, one behind the other.
static void hash(EVP_MD_CTX *context, const struct span *parts, unsigned count, uint8_t *ret_hash)
{
    // Without a digest it begins again with the one it has.
    require(EVP_DigestInit_ex2(context, NULL, NULL) == 1);
    for (unsigned i = 0; i < count; i++)
        require(EVP_DigestUpdate(context, parts[i].data, parts[i].len) == 1);
    require(EVP_DigestFinal_ex(context, ret_hash, NULL) == 1);
}

// Over two parts. The key is set anew each time: contexts that keep theirs would save a third of
// it, but a million users' keys leave no room for them.
static void compute_hmac(enum digest digest, struct span key, struct span first, struct span second,
                         uint8_t *ret_mac)
{
    EVP_MAC_CTX *context = thread_hmac(digest);
    size_t written;

    require(EVP_MAC_init(context, key.data, key.len, NULL) == 1 &&
            EVP_MAC_update(context, first.data, first.len) == 1 &&
            EVP_MAC_update(context, second.data, second.len) == 1 &&
            EVP_MAC_final(context, ret_mac, &written, hash_lens[digest]) == 1 &&
            written == hash_lens[digest]);
}

// RFC 8489 sections 14.5, 14.6: over all that precedes the attribute, with a header that ends the
// message after it.
static void compute_mac(enum digest digest, const struct integrity_key *key, const uint8_t *message,
                        size_t attribute_offset, uint8_t *ret_mac)
{
    uint8_t header[STUN_HEADER_LEN];

    memcpy(header, message, sizeof(header));
    store_be16(header + 2, (uint16_t)(attribute_offset + STUN_ATTRIBUTE_HEADER_LEN +
                                      hash_lens[digest] - STUN_HEADER_LEN));
    compute_hmac(digest, (struct span){key->bytes, key->len}, (struct span){header, sizeof(header)},
                 (struct span){message + STUN_HEADER_LEN, attribute_offset - STUN_HEADER_LEN},
                 ret_mac);
}

void integrity_sha1(const struct integrity_key *key, const uint8_t *message,
                    size_t attribute_offset, uint8_t ret_mac[INTEGRITY_SHA1_LEN])
{
    compute_mac(DIGEST_SHA1, key, message, attribute_offset, ret_mac);
}

void integrity_sha256(const struct integrity_key *key, const uint8_t *message,
                      size_t attribute_offset, uint8_t ret_mac[INTEGRITY_SHA256_LEN])
{
    compute_mac(DIGEST_SHA256, key, message, attribute_offset, ret_mac);
}

static bool mac_matches(const struct stun_message *message, size_t attribute_offset,
                        const uint8_t *mac, size_t mac_len)
{
    const uint8_t *attribute = message->bytes.data + attribute_offset;

    return CRYPTO_memcmp(attribute + STUN_ATTRIBUTE_HEADER_LEN, mac, mac_len) == 0;
}

static bool has_mac_of_len(const struct stun_message *message, size_t attribute_offset,
                           size_t mac_len)
{
    return attribute_offset != 0 &&
           load_be16(message->bytes.data + attribute_offset + 2) == mac_len;
}

bool integrity_check_sha1(const struct stun_message *message, const struct integrity_key *key)
{
    uint8_t mac[INTEGRITY_SHA1_LEN];

    if (!has_mac_of_len(message, message->integrity_offset, sizeof(mac)))
        return false;
    integrity_sha1(key, message->bytes.data, message->integrity_offset, mac);
    return mac_matches(message, message->integrity_offset, mac, sizeof(mac));
}

bool integrity_check_sha256(const struct stun_message *message, const struct integrity_key *key)
{
    uint8_t mac[INTEGRITY_SHA256_LEN];

    if (!has_mac_of_len(message, message->integrity_sha256_offset, sizeof(mac)))
        return false;
    integrity_sha256(key, message->bytes.data, message->integrity_sha256_offset, mac);
    return mac_matches(message, message->integrity_sha256_offset, mac, sizeof(mac));
}

void integrity_hmac_sha1(struct span key, struct span text, uint8_t ret_mac[INTEGRITY_SHA1_LEN])
{
    compute_hmac(DIGEST_SHA1, key, text, (struct span){NULL, 0}, ret_mac);
}

int integrity_key_derive(enum stun_password_algorithm algorithm, struct span username,
                         struct span realm, struct span password, struct integrity_key *ret_key)
{
    const struct span parts[] = {username, colon, realm, colon, password};
    struct integrity_key key = {0};
    EVP_MD_CTX *context;
    enum digest digest;

    switch (algorithm) {
    case STUN_PASSWORD_ALGORITHM_MD5:
        digest = DIGEST_MD5;
        break;
    case STUN_PASSWORD_ALGORITHM_SHA256:
        digest = DIGEST_SHA256;
        break;
    default:
        return -EINVAL;
    }
    context = thread_digest(digest);
    if (context == NULL)
        return -EINVAL;
    hash(context, parts, 5, key.bytes);
    key.len = (uint8_t)hash_lens[digest];
    *ret_key = key;
    integrity_key_cleanse(&key);
    return 0;
}

void integrity_key_cleanse(struct integrity_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

void integrity_userhash(struct span username, struct span realm, uint8_t ret_hash[USERHASH_LEN])
{
    const struct span parts[] = {username, colon, realm};
    EVP_MD_CTX *context = thread_digest(DIGEST_SHA256);

    require(context != NULL);
    hash(context, parts, 3, ret_hash);
}
