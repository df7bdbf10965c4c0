// SPDX-License-Identifier: BSD-3-Clause
// Which of the relay's own transport addresses a packet is for: a listener, a relay port, or
// neither.
#pragma once

#include "exchange/plane.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum local_kind {
    LOCAL_NONE,
    LOCAL_LISTENER,
    LOCAL_RELAY,
};

struct relay_slot;

struct local_address {
    uint8_t ip[16];
    const struct relay_slot
        *slots; // of a relay, from min_port on: what will be looked at next; NULL: nothing to fetch
    uint16_t min_port;
    uint16_t max_port; // inclusive
    uint8_t kind;      // enum local_kind
    uint8_t index;     // into plane_config.listeners or .relays
    bool rfc5766_channels;
};

// Of one family: the listeners first, so that none of their ports is ever taken for a relay's.
struct local_addresses {
    struct local_address entries[PLANE_LISTENERS_MAX + PLANE_RELAYS_MAX];
    unsigned count;
};

// slots: of each relay, or NULL.
void local_addresses_init(struct local_addresses *addresses, const struct plane_config *config,
                          enum ip_family family, const struct relay_slot *const *slots);

// NULL when the packet is not for us. ip_len: 4 or 16, a constant where this is inlined.
static inline const struct local_address *
local_addresses_find(const struct local_addresses *addresses, const uint8_t *ip, size_t ip_len,
                     uint16_t port)
{
    for (unsigned i = 0; i < addresses->count; i++) {
        const struct local_address *entry = &addresses->entries[i];
        if (port >= entry->min_port && port <= entry->max_port &&
            memcmp(entry->ip, ip, ip_len) == 0)
            return entry;
    }
    return NULL;
}

// Whatever the port.
static inline bool local_addresses_has(const struct local_addresses *addresses, const uint8_t *ip,
                                       size_t ip_len)
{
    for (unsigned i = 0; i < addresses->count; i++) {
        if (memcmp(addresses->entries[i].ip, ip, ip_len) == 0)
            return true;
    }
    return false;
}
