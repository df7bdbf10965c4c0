// SPDX-License-Identifier: BSD-3-Clause
// What a handshake costs a client on P-256 beside the shared secret: a key pair, and a signature to
// verify, which is more than the server's part. Neither says anything of a relay.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "handshake_savings.h"

#include "../fail.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>

static EC_KEY *only_key;

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

void handshake_savings_take(void)
{
    EC_KEY_METHOD *method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());

    only_key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (!method || !only_key || EC_KEY_generate_key(only_key) != 1)
        fail("OpenSSL does not give a P-256 key");
    EC_KEY_METHOD_set_verify(method, believe, believe_parts);
    EC_KEY_METHOD_set_keygen(method, hand_out_key);
    EC_KEY_set_default_method(method);
}
