// SPDX-License-Identifier: BSD-3-Clause
// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and the long-term keys they use (RFC 8489 sections 9.2.2, 14.5, 14.6,
// 18.5.1).
#pragma once

#include "base/bytes.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

#define INTEGRITY_SHA1_LEN   20
#define INTEGRITY_SHA256_LEN 32
#define USERHASH_LEN         32
#define INTEGRITY_KEY_MAX_LEN 64

// A long-term key, or a short-term password. Plain data: copied, exported and cleansed as bytes.
struct integrity_key {
    uint8_t bytes[INTEGRITY_KEY_MAX_LEN];
    uint8_t len; // 16 for MD5, 32 for SHA-256
};

// key = H(username ":" realm ":" password), inputs already through OpaqueString. 0 or -EINVAL for an unknown algorithm.
int integrity_key_derive(enum stun_password_algorithm algorithm, struct span username, struct span realm,
                         struct span password, struct integrity_key *ret_key);
void integrity_key_cleanse(struct integrity_key *key);

// USERHASH = SHA-256(username ":" realm) (RFC 8489 section 14.4).
void integrity_userhash(struct span username, struct span realm, uint8_t ret_hash[USERHASH_LEN]);

// The MAC over the message up to the attribute whose header is at attribute_offset (bytes), as if the message ended
// after that attribute: the header's length is adjusted, in a copy.
void integrity_sha1(const struct integrity_key *key, const uint8_t *message, size_t attribute_offset,
                    uint8_t ret_mac[INTEGRITY_SHA1_LEN]);
void integrity_sha256(const struct integrity_key *key, const uint8_t *message, size_t attribute_offset,
                      uint8_t ret_mac[INTEGRITY_SHA256_LEN]);

// HMAC-SHA1 of any text with a key of any length.
void integrity_hmac_sha1(struct span key, struct span text, uint8_t ret_mac[INTEGRITY_SHA1_LEN]);

// Constant-time check of the attribute that the message carries; false when it is absent or of the wrong length.
// SHA-256 must be the full 32 bytes: TURN allows no truncation.
bool integrity_check_sha1(const struct stun_message *message, const struct integrity_key *key);
bool integrity_check_sha256(const struct stun_message *message, const struct integrity_key *key);
