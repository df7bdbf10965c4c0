// SPDX-License-Identifier: BSD-3-Clause
// See turn/peer_key.h.
#include "turn/peer_key.h"

// All but the address.
static struct peer_key begin(const struct allocation *allocation, const struct ip_address *peer)
{
    return (struct peer_key){
        .allocation = allocation->id & (ALLOCATION_IDS_MAX - 1),
        .is_live = true,
        .is_v6 = peer->family == IP_FAMILY_V6,
    };
}

bool peer_key_find(const struct address_store *addresses, const struct allocation *allocation,
                   const struct ip_address *peer, struct peer_key *ret_key)
{
    struct peer_key key = begin(allocation, peer);
    uint32_t stored;
    if (!address_store_find(addresses, peer, &stored))
        return false;
    key.peer = stored;
    *ret_key = key;
    return true;
}

struct peer_key peer_key_take(struct address_store *addresses, const struct allocation *allocation,
                              const struct ip_address *peer)
{
    struct peer_key key = begin(allocation, peer);
    key.peer = address_store_take(addresses, peer);
    return key;
}

void peer_key_give(struct address_store *addresses, struct peer_key *key)
{
    address_store_give(addresses, (uint16_t)peer_key_family(key), key->peer);
    key->is_live = false;
}
