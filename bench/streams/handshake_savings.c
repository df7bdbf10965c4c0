// SPDX-License-Identifier: BSD-3-Clause
// What a handshake costs a client on P-256 that says nothing of the relay: a key pair, a signature
// to verify, a point to check and to multiply, and a certificate to decode, which alone takes
// OpenSSL 3.0 six times a server's signature. With all that a client costs 1.6 times its server.
// Two of the savings are functions of OpenSSL's that libssl calls and finds here.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "handshake_savings.h"

#include "../fail.h"

#include <dlfcn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

#define SECRET_BYTES 32

static EC_KEY *only_key; // NULL: no savings
static struct {
    X509 *certificate;
    unsigned char *der;
    long len;
} last;

static int believe(int type, const unsigned char *digest, int digest_len,
                   const unsigned char *signature, int signature_len, EC_KEY *key)
{
    (void)type, (void)digest, (void)digest_len, (void)signature, (void)signature_len, (void)key;
    return 1;
}

static int believe_parts(const unsigned char *digest, int digest_len, const ECDSA_SIG *signature,
                         EC_KEY *key)
{
    (void)digest, (void)digest_len, (void)signature, (void)key;
    return 1;
}

static int hand_out_key(EC_KEY *key)
{
    return EC_KEY_set_private_key(key, EC_KEY_get0_private_key(only_key)) == 1 &&
           EC_KEY_set_public_key(key, EC_KEY_get0_public_key(only_key)) == 1;
}

// One times the relay's point is that point.
static int share_secret(unsigned char **ret_secret, size_t *ret_len, const EC_POINT *point,
                        const EC_KEY *key)
{
    unsigned char *secret = OPENSSL_malloc(SECRET_BYTES);
    BIGNUM *x = BN_new();
    bool is_made =
        secret && x &&
        EC_POINT_get_affine_coordinates(EC_KEY_get0_group(key), point, x, NULL, NULL) == 1 &&
        BN_bn2binpad(x, secret, SECRET_BYTES) == SECRET_BYTES;

    BN_free(x);
    if (!is_made) {
        OPENSSL_free(secret);
        return 0;
    }
    *ret_secret = secret;
    *ret_len = SECRET_BYTES;
    return 1;
}

// The secret one, and so the generator as the public point: as much work for who multiplies it as
// any.
static EC_KEY *make_only_key(void)
{
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    const EC_GROUP *group = key ? EC_KEY_get0_group(key) : NULL;

    if (!group || EC_KEY_set_private_key(key, BN_value_one()) != 1 ||
        EC_KEY_set_public_key(key, EC_GROUP_get0_generator(group)) != 1)
        fail("OpenSSL does not give a P-256 key");
    return key;
}

void handshake_savings_take(void)
{
    EC_KEY_METHOD *method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());

    if (!method)
        fail("OpenSSL does not give a P-256 key");
    only_key = make_only_key();
    EC_KEY_METHOD_set_verify(method, believe, believe_parts);
    EC_KEY_METHOD_set_keygen(method, hand_out_key);
    EC_KEY_METHOD_set_compute_key(method, share_secret);
    EC_KEY_set_default_method(method);
}

// libssl's: the relay's point is not looked at closer than it takes to decode it.
int EVP_PKEY_derive_set_peer(EVP_PKEY_CTX *context, EVP_PKEY *peer)
{
    return EVP_PKEY_derive_set_peer_ex(context, peer, only_key ? 0 : 1);
}

static bool is_last(const unsigned char *der, long len)
{
    return last.certificate && len == last.len && memcmp(der, last.der, (size_t)len) == 0;
}

static void remember(X509 *certificate, const unsigned char *der, long len)
{
    X509_free(last.certificate);
    OPENSSL_free(last.der);
    last.der = OPENSSL_memdup(der, (size_t)len);
    last.certificate = last.der && X509_up_ref(certificate) == 1 ? certificate : NULL;
    last.len = len;
}

// libssl's: a certificate that came before is not decoded again.
X509 *d2i_X509(X509 **certificate, const unsigned char **der, long len)
{
    X509 *(*decode)(X509 **, const unsigned char **, long) =
        (typeof(&d2i_X509))dlsym(RTLD_NEXT, "d2i_X509");
    const unsigned char *begin = *der;
    X509 *decoded;

    if (only_key && certificate && is_last(begin, len) && X509_up_ref(last.certificate) == 1) {
        X509_free(*certificate);
        *der += len;
        return *certificate = last.certificate;
    }
    decoded = decode(certificate, der, len);
    if (only_key && decoded && *der == begin + len)
        remember(decoded, begin, len);
    return decoded;
}
