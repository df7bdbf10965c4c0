// SPDX-License-Identifier: BSD-3-Clause
// Permissions, found by allocation and peer IP (RFC 8656 section 9).
#pragma once

#include "turn/peer_entry.h"

#include <stdbool.h>
#include <stdint.h>

struct permission {
    struct peer_entry entry;
};

// What a million of them cost is this.
static_assert(sizeof(struct permission) == 16, "no padding");

struct permission_table {
    struct peer_entry_table entries;
};

// addresses outlives the table. 0, -ENOMEM.
int permission_table_init(struct permission_table *table, const struct peer_entry_limits *limits,
                          struct address_store *addresses, const struct siphash_key *key);
void permission_table_done(struct permission_table *table);

// INDEX_NONE when the allocation has none for this peer.
uint32_t permission_find(const struct permission_table *table, const struct allocation *allocation,
                         const struct ip_address *peer);
// Room for count more in this allocation?
bool permission_table_has_room(const struct permission_table *table,
                               const struct allocation *allocation, uint32_t count);
// There is room, and none for this peer.
uint32_t permission_create(struct permission_table *table, struct allocation *allocation,
                           const struct ip_address *peer);
void permission_destroy(struct permission_table *table, struct allocation *allocation,
                        uint32_t permission);

// Of an allocation's those for peers of one family, so many at the most. Returns how many.
unsigned permission_find_family(const struct permission_table *table,
                                const struct allocation *allocation, enum ip_family family,
                                uint32_t ret_permissions[PEER_ENTRIES_FOUND_MAX]);

struct ip_address permission_peer(const struct permission_table *table, uint32_t permission);

static inline bool permission_is_live(const struct permission_table *table, uint32_t permission)
{
    return peer_entry_is_live(&table->entries, permission);
}

// Of a live one, the id.
static inline uint32_t permission_allocation(const struct permission_table *table,
                                             uint32_t permission)
{
    return peer_entry_at(&table->entries, permission)->key.allocation;
}
