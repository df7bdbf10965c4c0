// SPDX-License-Identifier: BSD-3-Clause
// The nonce: RFC 8489's nonce cookie, then key id, time, salt and a MAC over them and the client's transport address
// (RFC 8489 sections 9.2, 9.2.1, 14.10). Stateless: whoever holds the key can mint and verify, workers included.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/siphash.h"

#include <stdbool.h>
#include <stdint.h>

// "obMatJos2" + 4 characters of features + 20 characters of body; no terminator.
#define NONCE_LEN 33
#define NONCE_PREFIX_LEN 13 // all but the body: the same in all nonces of a policy
#define NONCE_BODY_LEN (NONCE_LEN - NONCE_PREFIX_LEN)

// RFC 8489 section 18.1, bit 0 the most significant of 24.
enum nonce_feature {
    NONCE_FEATURE_PASSWORD_ALGORITHMS = 0x800000,
    NONCE_FEATURE_USERNAME_ANONYMITY = 0x400000,
};

enum nonce_verdict {
    NONCE_VALID,
    NONCE_STALE,  // ours, but too old, or made with a key that is gone
    NONCE_FORGED, // never ours for this client
};

struct nonce_key {
    struct siphash_key mac;
    uint8_t id;
};

// Two keys so that one can be replaced while nonces made with the other live on. Copied to every worker.
struct nonce_policy {
    struct nonce_key current;
    struct nonce_key previous; // equal to current when there is none
    uint32_t lifetime_s; // valid up to and at this age
    uint32_t features; // enum nonce_feature, ORed; what a nonce must carry to be valid: bid-down protection
};

// now_s: monotonic seconds. salt: 16 unpredictable bits.
void nonce_mint(const struct nonce_policy *policy, const struct transport_address *client, uint32_t now_s,
                uint16_t salt, uint8_t ret_nonce[NONCE_LEN]);

// What nonces of one moment share; made once for many.
struct nonce_stamp {
    struct siphash_state mac; // of what they share
    uint64_t first_word;      // of the end
    uint64_t next_bits;       // of base64, behind it
    // Of the client that is next, if it was made beforehand; NULL, as it is at first: nonce_end() makes it.
    const uint64_t *made_mac;
    uint32_t minted_s;
};
void nonce_stamp_init(const struct nonce_policy *policy, uint32_t now_s, uint16_t salt, struct nonce_stamp *ret_stamp);

// The end of an attribute with a nonce, from the last character that all nonces of a policy share on, and with its
// padding: as words in memory. What comes before it is nonce_mint()'s.
#define NONCE_END_OFFSET (NONCE_PREFIX_LEN - 1)
#define NONCE_END_WORDS  3
void nonce_end(const struct nonce_stamp *stamp, const struct transport_address *client,
               uint64_t ret_words[NONCE_END_WORDS]);

// The MACs of many clients over IPv4, made at once, which takes less. ip: as in memory, in network order.
static inline uint64_t nonce_ipv4_client(uint32_t ip, uint16_t port)
{
    return ip | (uint64_t)port << 32;
}
void nonce_macs(const struct nonce_stamp *stamp, const uint64_t *ipv4_clients, size_t count, uint64_t *ret_macs);

enum nonce_verdict nonce_verify(const struct nonce_policy *policy, const struct transport_address *client,
                                uint32_t now_s, struct span nonce);

// The security features that a nonce announces, whoever made it. False when it does not start with a nonce cookie.
bool nonce_read_features(struct span nonce, uint32_t *ret_features);
