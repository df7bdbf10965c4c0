// SPDX-License-Identifier: BSD-3-Clause
// Secret keys, and the way of hashing that this CPU can go.
#include "dataplane/flow_hash.h"

#include "base/random.h"

void flow_hash_init(struct flow_hash_keys *keys)
{
    uint8_t secret[FLOW_HASH_SECRET_LEN];
    random_fill(&random_system, secret, sizeof(secret));
    flow_hash_share(keys, secret);
}

void flow_hash_share(struct flow_hash_keys *keys, const uint8_t secret[FLOW_HASH_SECRET_LEN])
{
    memcpy(keys->rounds, secret, sizeof(keys->rounds));
    memcpy(&keys->sip, secret + sizeof(keys->rounds), sizeof(keys->sip));
    keys->has_aes = aes_is_usable();
}
