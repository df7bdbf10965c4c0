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

static_assert(COOKIE_LEN + FEATURES_LEN == NONCE_PREFIX_LEN && BODY_BYTES / 3 * 4 == NONCE_BODY_LEN,
              "the parts make the whole");

// What a nonce says, but for the MAC.
struct claim {
    uint32_t features;
    uint8_t key_id;
    uint32_t minted_s;
    uint16_t salt;
};

// Two words for an IPv4 client, four for an IPv6 one: SipHash's last word tells them apart by the
// length in it. There is no room left for the key's id, which goes into the key.
static inline uint64_t compute_mac(const struct siphash_key *key, const struct claim *claim,
                                   const struct transport_address *client)
{
    const struct siphash_key by = {{key->k[0] ^ claim->key_id, key->k[1]}};
    uint64_t last = claim->features | (uint64_t)claim->salt << 24 | (uint64_t)client->port << 40;
    uint64_t words[3];
    uint32_t v4;

    if (client->ip.family == IP_FAMILY_V4) {
        memcpy(&v4, client->ip.bytes, sizeof(v4));
        words[0] = v4 | (uint64_t)claim->minted_s << 32;
        return siphash_words(&by, words, 1, last);
    }
    memcpy(words, client->ip.bytes, sizeof(client->ip.bytes));
    words[2] = claim->minted_s;
    return siphash_words(&by, words, 3, last);
}

// Base64, 16 characters at a time, with no table and no branch.
typedef int8_t characters __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

// 48 bits to eight digits, the first in the lowest byte: halved three times.
static inline characters spread(halves bits)
{
    bits = bits >> 24 | (bits & 0xFFFFFF) << 32;
    bits = (bits >> 12 & 0x00000FFF00000FFF) | (bits & 0x00000FFF00000FFF) << 16;
    bits = (bits >> 6 & 0x003F003F003F003F) | (bits & 0x003F003F003F003F) << 8;
    return (characters)bits;
}

// The alphabet is five runs of characters: each digit gets the first's distance, and what the next
// differ by.
static inline characters encode_base64(uint64_t first_bits, uint64_t second_bits)
{
    characters digits = spread((halves){first_bits, second_bits});

    return digits + 'A' + ((digits > 25) & ('a' - 'Z' - 1)) + ((digits > 51) & ('0' - 'z' - 1)) +
           ((digits > 61) & ('+' - '9' - 1)) + ((digits > 62) & ('/' - '+' - 1));
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

void nonce_write_prefix(const struct nonce_policy *policy, uint8_t ret_prefix[NONCE_PREFIX_LEN])
{
    characters features = encode_base64((uint64_t)policy->features << 24, 0);

    memcpy(ret_prefix, COOKIE, COOKIE_LEN);
    memcpy(ret_prefix + COOKIE_LEN, &features, FEATURES_LEN);
}

void nonce_write_body(const struct nonce_policy *policy, const struct transport_address *client,
                      uint32_t now_s, uint16_t salt, uint8_t ret_body[NONCE_BODY_LEN])
{
    const struct claim claim = {
        .features = policy->features,
        .key_id = policy->current.id,
        .minted_s = now_s,
        .salt = salt,
    };
    uint64_t mac = compute_mac(&policy->current.mac, &claim, client);
    uint64_t said = (uint64_t)claim.key_id << 48 | (uint64_t)now_s << 16 | salt;
    characters first = encode_base64(said >> 8, (said & 0xFF) << 40 | mac >> 24);
    characters rest = encode_base64((mac & 0xFFFFFF) << 24, 0);

    memcpy(ret_body, &first, sizeof(first));
    memcpy(ret_body + sizeof(first), &rest, NONCE_BODY_LEN - sizeof(first));
}

void nonce_mint(const struct nonce_policy *policy, const struct transport_address *client,
                uint32_t now_s, uint16_t salt, uint8_t ret_nonce[NONCE_LEN])
{
    nonce_write_prefix(policy, ret_nonce);
    nonce_write_body(policy, client, now_s, salt, ret_nonce + NONCE_PREFIX_LEN);
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
