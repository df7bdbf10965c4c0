// SPDX-License-Identifier: BSD-3-Clause
// See turn/quota.h.
#include "turn/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int quota_init(struct quota *quota, uint32_t capacity, const struct quota_limits *limits,
               const struct siphash_key *key)
{
    struct quota made = {
        .counts = calloc(capacity ? capacity : 1, sizeof(*made.counts)),
        .limits = *limits,
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

const char *quota_refusal_name(enum quota_refusal refusal)
{
    static const char *const names[QUOTA_REFUSAL_COUNT] = {[QUOTA_NOT_REFUSED] = "none",
#define X(id, name) [QUOTA_REFUSED_##id] = #name,
                                                           QUOTA_REFUSAL_LIST(X)
#undef X
    };
    return names[refusal];
}

bool quota_allows(const struct quota *quota, enum quota_kind kind, struct span user)
{
    if (quota->limits.per_user == 0)
        return true;
    uint32_t index = name_table_find(&quota->users, user);
    return index == INDEX_NONE || quota->counts[index].held[kind] < quota->limits.per_user;
}

enum quota_refusal quota_check(const struct quota *quota, struct span user)
{
    if (!quota_allows(quota, QUOTA_ALLOCATIONS, user))
        return QUOTA_REFUSED_USER;
    if (quota_has_room(quota))
        return QUOTA_NOT_REFUSED;
    return quota->allocation_count >= quota->limits.total ? QUOTA_REFUSED_TOTAL
                                                          : QUOTA_REFUSED_BANDWIDTH;
}

uint32_t quota_take(struct quota *quota, enum quota_kind kind, struct span user)
{
    uint32_t index = name_table_take(&quota->users, user);
    if (index == INDEX_NONE)
        return INDEX_NONE;
    uint32_t held = quota->counts[index].held[kind]++;
    if (kind == QUOTA_ALLOCATIONS) {
        quota->allocation_count++;
        quota->allocating_count += held == 0;
    }
    return index;
}

void quota_give(struct quota *quota, enum quota_kind kind, uint32_t user)
{
    uint32_t held = --quota->counts[user].held[kind];
    if (kind == QUOTA_ALLOCATIONS) {
        quota->allocation_count--;
        quota->allocating_count -= held == 0;
    }
    name_table_give(&quota->users, user);
}

uint32_t quota_user_tag(const struct quota *quota, uint32_t user)
{
    const struct name *name = &quota->users.names[user];
    return index_map_hash(&quota->users.by_text, name->text, name->len);
}
