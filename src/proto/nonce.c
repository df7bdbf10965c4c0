// SPDX-License-Identifier: BSD-3-Clause
// Minting and verifying nonces (RFC 8489 sections 9.2, 9.2.1). The body is base64 of
// key id (1) | time (4) | salt (2) | MAC (8), 15 bytes, so that neither part needs padding.
#include "proto/nonce.h"

#include "base/siphash_lanes.h"

#ifdef __SSSE3__
#include <immintrin.h>
#endif

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

// The MAC's first word is what nonces of one moment share; then come one word for an IPv4 client,
// three for an IPv6 one: SipHash's last word tells them apart by the length in it. There is no room
// for the key's id and the features, which no client chooses: they go into the key.
static inline void mac_begin(const struct siphash_key *key, const struct claim *claim,
                             struct siphash_state *ret_state)
{
    const struct siphash_key by = {
        {key->k[0] ^ claim->key_id ^ (uint64_t)claim->features << 8, key->k[1]}};

    siphash_begin(&by, claim->minted_s | (uint64_t)claim->salt << 32, ret_state);
}

static inline uint64_t mac_end(const struct siphash_state *state,
                               const struct transport_address *client)
{
    uint64_t words[2];
    uint32_t v4;

    if (client->ip.family == IP_FAMILY_V4) {
        memcpy(&v4, client->ip.bytes, sizeof(v4));
        return siphash_end(state, NULL, 0, nonce_ipv4_client(v4, client->port));
    }
    memcpy(words, client->ip.bytes, sizeof(client->ip.bytes));
    return siphash_end(state, words, 2, client->port);
}

// Base64, 16 characters at a time, with no table and no branch.
typedef int8_t characters __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

// 48 bits to eight digits, the first in the lowest byte: halved three times, or, three bytes and
// the middle one again, moved into place by multiplications, two and two.
static inline characters spread(halves bits)
{
#ifdef __SSSE3__
    const __m128i order = _mm_set_epi8(9, 8, 10, 9, 12, 11, 13, 12, 1, 0, 2, 1, 4, 3, 5, 4);
    __m128i groups = _mm_shuffle_epi8((__m128i)bits, order);
    __m128i even = _mm_mulhi_epu16(_mm_and_si128(groups, _mm_set1_epi32(0x0FC0FC00)),
                                   _mm_set1_epi32(0x04000040));
    __m128i odd = _mm_mullo_epi16(_mm_and_si128(groups, _mm_set1_epi32(0x003F03F0)),
                                  _mm_set1_epi32(0x01000010));

    return (characters)_mm_or_si128(even, odd);
#else
    bits = bits >> 24 | (bits & 0xFFFFFF) << 32;
    bits = (bits >> 12 & 0x00000FFF00000FFF) | (bits & 0x00000FFF00000FFF) << 16;
    bits = (bits >> 6 & 0x003F003F003F003F) | (bits & 0x003F003F003F003F) << 8;
    return (characters)bits;
#endif
}

// The alphabet is five runs of characters: each digit gets the first's distance, and what the next
// differ by.
static inline characters encode_base64(uint64_t first_bits, uint64_t second_bits)
{
    characters digits = spread((halves){first_bits, second_bits});

    return (digits + 'A' + ((digits > 25) & ('a' - 'Z' - 1))) +
           (((digits > 51) & ('0' - 'z' - 1)) + ((digits > 61) & ('+' - '9' - 1)) +
            ((digits > 62) & ('/' - '+' - 1)));
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

#define DIGIT_BITS 6
#define HALF_MASK  0xFFFFFFFFFFFF // eight digits

// Key id, time and the salt's first byte make eight characters, which stand behind the prefix's
// last one.
void nonce_stamp_init(const struct nonce_policy *policy, uint32_t now_s, uint16_t salt,
                      struct nonce_stamp *ret_stamp)
{
    const struct claim claim = {
        .features = policy->features,
        .key_id = policy->current.id,
        .minted_s = now_s,
        .salt = salt,
    };
    uint64_t said = (uint64_t)claim.key_id << 40 | (uint64_t)now_s << 8 | salt >> 8;
    uint64_t last_feature = policy->features & 63;
    halves text = (halves)encode_base64(last_feature << 42 | said >> DIGIT_BITS, 0);

    mac_begin(&policy->current.mac, &claim, &ret_stamp->mac);
    ret_stamp->first_word = text[0];
    ret_stamp->next_bits = ((said << 8 | (salt & 0xFF)) << 34) & HALF_MASK;
    ret_stamp->made_mac = NULL;
    ret_stamp->minted_s = now_s;
}

// The second word begins with the eighth of those characters; then come the salt's second byte and
// the MAC, twelve in all.
void nonce_end(const struct nonce_stamp *stamp, const struct transport_address *client,
               uint64_t ret_words[NONCE_END_WORDS])
{
    uint64_t mac = stamp->made_mac != NULL ? *stamp->made_mac : mac_end(&stamp->mac, client);
    halves text = (halves)encode_base64(stamp->next_bits | mac >> 30, (mac << 18) & HALF_MASK);

    ret_words[0] = stamp->first_word;
    ret_words[1] = text[0];
    ret_words[2] = text[1] & 0xFFFFFFFFFF; // the rest is padding
}

void nonce_macs(const struct nonce_stamp *stamp, const uint64_t *ipv4_clients, size_t count,
                uint64_t *ret_macs)
{
    siphash_end_all(&stamp->mac, ipv4_clients, count, ret_macs);
}

void nonce_mint(const struct nonce_policy *policy, const struct transport_address *client,
                uint32_t now_s, uint16_t salt, uint8_t ret_nonce[NONCE_LEN])
{
    characters features = encode_base64((uint64_t)policy->features << 24, 0);
    uint64_t end[NONCE_END_WORDS];
    struct nonce_stamp stamp;

    nonce_stamp_init(policy, now_s, salt, &stamp);
    nonce_end(&stamp, client, end);
    memcpy(ret_nonce, COOKIE, COOKIE_LEN);
    memcpy(ret_nonce + COOKIE_LEN, &features, FEATURES_LEN);
    memcpy(ret_nonce + NONCE_END_OFFSET, end, NONCE_LEN - NONCE_END_OFFSET);
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
    struct siphash_state mac;
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
    mac_begin(&key->mac, &claim, &mac);
    if (load_be64(body + 7) != mac_end(&mac, client))
        return NONCE_FORGED;
    age_s = (int32_t)(now_s - claim.minted_s);
    return age_s >= -CLOCK_SKEW_S && age_s <= (int64_t)policy->lifetime_s ? NONCE_VALID
                                                                          : NONCE_STALE;
}
