// SPDX-License-Identifier: BSD-3-Clause
// See turn/permission.h.
#include "turn/permission.h"

int permission_table_init(struct permission_table *table, const struct peer_entry_limits *limits,
                          struct address_store *addresses, const struct siphash_key *key)
{
    return peer_entry_table_init(&table->entries, sizeof(struct permission),
                                 sizeof(struct peer_key), limits, addresses, key);
}

void permission_table_done(struct permission_table *table)
{
    peer_entry_table_done(&table->entries);
}

uint32_t permission_find(const struct permission_table *table, const struct allocation *allocation,
                         const struct ip_address *peer)
{
    struct permission like;
    if (!peer_key_find(table->entries.addresses, allocation, peer, &like.entry.key))
        return INDEX_NONE;
    return peer_entry_find(&table->entries, allocation->permissions, &like.entry);
}

unsigned permission_find_family(const struct permission_table *table,
                                const struct allocation *allocation, enum ip_family family,
                                uint32_t ret_permissions[PEER_ENTRIES_FOUND_MAX])
{
    return peer_entry_find_family(&table->entries, allocation->permissions, family,
                                  ret_permissions);
}

bool permission_table_has_room(const struct permission_table *table,
                               const struct allocation *allocation, uint32_t count)
{
    return peer_entry_table_has_room(&table->entries, allocation->worker,
                                     allocation->permission_count, count);
}

uint32_t permission_create(struct permission_table *table, struct allocation *allocation,
                           const struct ip_address *peer)
{
    struct permission made = {
        .entry.key = peer_key_take(table->entries.addresses, allocation, peer),
    };
    allocation->permission_count++;
    return peer_entry_create(&table->entries, allocation->worker, &allocation->permissions,
                             &made.entry);
}

void permission_destroy(struct permission_table *table, struct allocation *allocation,
                        uint32_t permission)
{
    peer_entry_destroy(&table->entries, allocation->worker, &allocation->permissions, permission);
    allocation->permission_count--;
}

struct ip_address permission_peer(const struct permission_table *table, uint32_t permission)
{
    return peer_key_ip(table->entries.addresses, &peer_entry_at(&table->entries, permission)->key);
}
