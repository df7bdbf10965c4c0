// SPDX-License-Identifier: BSD-3-Clause
// Who may use the relay: long-term users from the configuration, and TURN REST time-limited credentials
// (RFC 8489 section 9.2; draft-uberti-behave-turn-rest: username "timestamp:userid", password base64(HMAC-SHA1(secret,
// username))).
#pragma once

#include "base/bytes.h"
#include "proto/integrity.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

#define USERNAME_MAX_LEN 508 // RFC 8489 section 14.3: fewer than 509 bytes

struct credentials;

// realm: copied as OpaqueString leaves it. 0; -EINVAL when OpaqueString refuses it or it is too long; -ENOMEM.
int credentials_create(const char *realm, struct credentials **ret_credentials);
void credentials_destroy(struct credentials *credentials);

// 0; -EINVAL (OpaqueString refuses name or password, or one is too long), -EEXIST (name taken), -ENOMEM. The password
// itself is not kept (RFC 8656 section 6).
int credentials_add_user(struct credentials *credentials, const char *name, const char *password);
// Precomputed keys, either may be NULL: that algorithm is then refused for this user.
int credentials_add_user_keys(struct credentials *credentials, const char *name, const uint8_t md5[16],
                              const uint8_t sha256[32]);
// All secrets added are valid at once. Copied. 0; -EINVAL when empty; -ENOMEM.
int credentials_add_rest_secret(struct credentials *credentials, struct span secret);

enum credentials_verdict {
    CREDENTIALS_OK,
    CREDENTIALS_UNKNOWN_USER,
    CREDENTIALS_EXPIRED, // REST timestamp in the past
    CREDENTIALS_WRONG,   // the MAC does not match
    CREDENTIALS_OTHER_REALM,
};

// Is this the user whom the request names, by USERNAME or USERHASH?
bool credentials_names(const struct credentials *credentials, const struct stun_message *message, const char *username);

// Is this the key that the user has under algorithm? Of a REST name any secret will do, and its time does not count.
bool credentials_have_key(const struct credentials *credentials, const char *username,
                          enum stun_password_algorithm algorithm, const struct integrity_key *key);

// Does the message's MAC (SHA-256 when present, else SHA-1) match under this key?
bool credentials_mac_matches(const struct stun_message *message, const struct integrity_key *key);

// Check the message's MAC (SHA-256 when present, else SHA-1) with the key of its USERNAME or USERHASH under algorithm.
// Takes the same time for an unknown user as for a wrong password. On OK: the key, and the user's name as it stands in
// the configuration or in USERNAME (into ret_username, at least USERNAME_MAX_LEN + 1 bytes). wall_s: seconds since the
// epoch.
enum credentials_verdict credentials_check(const struct credentials *credentials, const struct stun_message *message,
                                           enum stun_password_algorithm algorithm, uint64_t wall_s,
                                           struct integrity_key *ret_key, char *ret_username);

// The part of a username that quotas count by: the userid of a REST name ("timestamp:userid" with a userid), else all.
struct span credentials_quota_name(const struct credentials *credentials, const char *username);
