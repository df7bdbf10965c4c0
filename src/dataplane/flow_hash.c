// SPDX-License-Identifier: BSD-3-Clause
// Secret keys, and the way of hashing that this CPU can go.
#include "dataplane/flow_hash.h"

#include "base/random.h"

void flow_hash_init(struct flow_hash_keys *keys)
{
    random_fill(&random_system, keys->rounds, sizeof(keys->rounds));
    random_fill(&random_system, &keys->sip, sizeof(keys->sip));
    keys->has_aes = aes_is_usable();
}
