// SPDX-License-Identifier: BSD-3-Clause
// An allocation and a peer's IP address in eight bytes: what permissions and channels are found by
// (RFC 8656 sections 9, 12).
#pragma once

#include "turn/allocation.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct peer_key {
    uint32_t allocation : 30; // id
    uint32_t is_live : 1;     // what it is the key of
    uint32_t is_v6 : 1;       // the peer
    uint32_t peer;            // in the address store
};

static_assert(sizeof(struct peer_key) == 8, "no padding: hashed and compared as bytes");
static_assert(ALLOCATION_IDS_MAX <= 1u << 30, "every id fits");

// The key of something live. False when nobody keeps this address, so nobody has such a key.
bool peer_key_find(const struct address_store *addresses, const struct allocation *allocation,
                   const struct ip_address *peer, struct peer_key *ret_key);

// The same with the address kept, until it is given back: then it is no live key.
struct peer_key peer_key_take(struct address_store *addresses, const struct allocation *allocation,
                              const struct ip_address *peer);
void peer_key_give(struct address_store *addresses, struct peer_key *key);

static inline enum ip_family peer_key_family(const struct peer_key *key)
{
    return key->is_v6 ? IP_FAMILY_V6 : IP_FAMILY_V4;
}

static inline struct ip_address peer_key_ip(const struct address_store *addresses,
                                            const struct peer_key *key)
{
    return address_store_get(addresses, (uint16_t)peer_key_family(key), key->peer);
}
