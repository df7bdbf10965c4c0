// SPDX-License-Identifier: BSD-3-Clause
// Minting and verifying nonces (RFC 8489 sections 9.2, 9.2.1). The body is base64 of
// key id (1) | time (4) | salt (2) | MAC (8), 15 bytes, so that neither part needs padding.
#include "proto/nonce.h"

#define COOKIE       "obMatJos2"
#define COOKIE_LEN   9
#define FEATURES_LEN 4 // base64 of 24 bits
#define BODY_BYTES   15

// A worker and the control plane read their clocks apart: a nonce may seem to come from a moment
// ahead.
#define CLOCK_SKEW_S 2

static_assert(COOKIE_LEN + FEATURES_LEN + BODY_BYTES / 3 * 4 == NONCE_LEN,
              "the parts make the whole");

// What a nonce says, but for the MAC.
struct claim {
    uint32_t features;
    uint8_t key_id;
    uint32_t minted_s;
    uint16_t salt;
};

static uint64_t compute_mac(const struct siphash_key *key, const struct claim *claim,
                            const struct transport_address *client)
{
    uint8_t input[4 + 1 + 4 + 2 + sizeof(*client)];

    store_be32(input, claim->features);
    input[4] = claim->key_id;
    store_be32(input + 5, claim->minted_s);
    store_be16(input + 9, claim->salt);
    memcpy(input + 11, client, sizeof(*client));
    return siphash(key, input, sizeof(input));
}

static void encode_base64(const uint8_t *bytes, size_t len, uint8_t *text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3, text += 4) {
        uint32_t group = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

        for (unsigned j = 0; j < 4; j++)
            text[j] = (uint8_t)alphabet[group >> (18 - 6 * j) & 63];
    }
}

// -1: not in the alphabet.
static int base64_digit(uint8_t character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

// len: of the output, a multiple of 3.
static bool decode_base64(const uint8_t *text, size_t len, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < len; i += 3, text += 4) {
        uint32_t group = 0;

        for (unsigned j = 0; j < 4; j++) {
            int digit = base64_digit(text[j]);

            if (digit < 0)
                return false;
            group = group << 6 | (uint32_t)digit;
        }
        ret_bytes[i] = (uint8_t)(group >> 16);
        ret_bytes[i + 1] = (uint8_t)(group >> 8);
        ret_bytes[i + 2] = (uint8_t)group;
    }
    return true;
}

bool nonce_read_features(struct span nonce, uint32_t *ret_features)
{
    uint8_t bytes[3];

    if (nonce.len < COOKIE_LEN + FEATURES_LEN || memcmp(nonce.data, COOKIE, COOKIE_LEN) != 0)
        return false;
    if (!decode_base64(nonce.data + COOKIE_LEN, sizeof(bytes), bytes))
        return false;
    *ret_features = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    return true;
}

void nonce_mint(const struct nonce_policy *policy, const struct transport_address *client,
                uint32_t now_s, uint16_t salt, uint8_t ret_nonce[NONCE_LEN])
{
    const struct claim claim = {
        .features = policy->features,
        .key_id = policy->current.id,
        .minted_s = now_s,
        .salt = salt,
    };
    uint8_t features[] = {(uint8_t)(claim.features >> 16), (uint8_t)(claim.features >> 8),
                          (uint8_t)claim.features};
    uint8_t body[BODY_BYTES];

    body[0] = claim.key_id;
    store_be32(body + 1, claim.minted_s);
    store_be16(body + 5, claim.salt);
    store_be64(body + 7, compute_mac(&policy->current.mac, &claim, client));
    memcpy(ret_nonce, COOKIE, COOKIE_LEN);
    encode_base64(features, sizeof(features), ret_nonce + COOKIE_LEN);
    encode_base64(body, sizeof(body), ret_nonce + COOKIE_LEN + FEATURES_LEN);
}

static const struct nonce_key *find_key(const struct nonce_policy *policy, uint8_t id)
{
    if (id == policy->current.id)
        return &policy->current;
    return id == policy->previous.id ? &policy->previous : NULL;
}

enum nonce_verdict nonce_verify(const struct nonce_policy *policy,
                                const struct transport_address *client, uint32_t now_s,
                                struct span nonce)
{
    const struct nonce_key *key;
    uint8_t body[BODY_BYTES];
    struct claim claim;
    int32_t age_s;

    if (nonce.len != NONCE_LEN || !nonce_read_features(nonce, &claim.features) ||
        !decode_base64(nonce.data + COOKIE_LEN + FEATURES_LEN, sizeof(body), body))
        return NONCE_FORGED;
    // RFC 8489 section 9.2.1: other features than ours are an attempt to bid us down.
    if (claim.features != policy->features)
        return NONCE_FORGED;
    claim.key_id = body[0];
    claim.minted_s = load_be32(body + 1);
    claim.salt = load_be16(body + 5);
    key = find_key(policy, claim.key_id);
    if (key == NULL)
        return NONCE_STALE;
    if (load_be64(body + 7) != compute_mac(&key->mac, &claim, client))
        return NONCE_FORGED;
    age_s = (int32_t)(now_s - claim.minted_s);
    return age_s >= -CLOCK_SKEW_S && age_s <= (int64_t)policy->lifetime_s ? NONCE_VALID
                                                                          : NONCE_STALE;
}
