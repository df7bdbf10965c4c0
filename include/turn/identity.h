// SPDX-License-Identifier: BSD-3-Clause
// Who allocations belong to: a username and the key that it authenticates with, never the password
// (RFC 8656 section 6), each pair kept once however many allocations it has. Two keys of one
// username, of two algorithms or of a password that has changed since, are two identities.
#pragma once

#include "base/bytes.h"
#include "base/index_map.h"
#include "base/index_pool.h"
#include "proto/integrity.h"
#include "proto/stun.h"

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_KEY_MAX_LEN 32 // of a long-term key: SHA-256's

struct identity {
    char *name; // terminated
    uint32_t name_len;
    uint32_t references;
    uint8_t algorithm; // enum stun_password_algorithm: what the key was made with
    uint8_t key_len;
    uint8_t key[IDENTITY_KEY_MAX_LEN];
    bool is_good;        // the credentials of that generation have this key
    uint32_t generation; // of the credentials that the key was last looked for in
};

struct identity_table {
    struct identity *at;
    struct index_pool pool;
    struct index_map by_name;
    uint32_t generation; // of the credentials in force
};

// capacity: identities at once. 0, -ENOMEM.
int identity_table_init(struct identity_table *table, uint32_t capacity,
                        const struct siphash_key *key);
void identity_table_done(struct identity_table *table);

// One more reference, of a user whose key has just been found good. INDEX_NONE when the table or
// memory is full. name has no terminator in it.
uint32_t identity_take(struct identity_table *table, struct span name,
                       enum stun_password_algorithm algorithm, const struct integrity_key *key);
// One reference less; without any the identity is gone, and its key cleansed.
void identity_give(struct identity_table *table, uint32_t identity);

static inline const char *identity_name(const struct identity_table *table, uint32_t identity)
{
    return table->at[identity].name;
}

static inline enum stun_password_algorithm identity_algorithm(const struct identity_table *table,
                                                              uint32_t identity)
{
    return (enum stun_password_algorithm)table->at[identity].algorithm;
}

void identity_get_key(const struct identity_table *table, uint32_t identity,
                      struct integrity_key *ret_key);
