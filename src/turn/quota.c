// SPDX-License-Identifier: BSD-3-Clause
// See turn/quota.h.
#include "turn/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int quota_init(struct quota *quota, uint32_t capacity, uint32_t limit,
               const struct siphash_key *key)
{
    struct quota made = {
        .counts = calloc(capacity ? capacity : 1, sizeof(*made.counts)),
        .limit = limit,
    };
    if (made.counts == NULL || name_table_init(&made.users, capacity, key) != 0) {
        free(made.counts);
        return -ENOMEM;
    }
    *quota = made;
    return 0;
}

void quota_done(struct quota *quota)
{
    name_table_done(&quota->users);
    free(quota->counts);
    memset(quota, 0, sizeof(*quota));
}

bool quota_allows(const struct quota *quota, enum quota_kind kind, struct span user)
{
    if (quota->limit == 0)
        return true;
    uint32_t index = name_table_find(&quota->users, user);
    return index == INDEX_NONE || quota->counts[index].held[kind] < quota->limit;
}

uint32_t quota_take(struct quota *quota, enum quota_kind kind, struct span user)
{
    uint32_t index = name_table_take(&quota->users, user);
    if (index == INDEX_NONE)
        return INDEX_NONE;
    if (quota->counts[index].held[kind]++ == 0 && kind == QUOTA_ALLOCATIONS)
        quota->allocating_count++;
    return index;
}

void quota_give(struct quota *quota, enum quota_kind kind, uint32_t user)
{
    if (--quota->counts[user].held[kind] == 0 && kind == QUOTA_ALLOCATIONS)
        quota->allocating_count--;
    name_table_give(&quota->users, user);
}
