// SPDX-License-Identifier: BSD-3-Clause
// Which of the relay's own transport addresses a packet is for: a listener, a relay port, or
// neither.
#pragma once

#include "exchange/plane.h"

#include <assert.h>
#include <rte_branch_prediction.h>
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
    uint8_t next; // of the same bucket: index + 1 into the entries; 0: last
};

// One of our IP addresses, to be asked in few steps which of its ports are a relay's.
struct local_host {
    uint8_t ip[16];
    const struct relay_slot *slots; // from min_port on
    uint16_t min_port;
    bool is_mixed;                 // there are listeners among the relay ports
    uint32_t port_count;           // from min_port on; 0: no relay
    const struct local_host *next; // of the same bucket
};

#define LOCAL_ADDRESSES_MAX     (PLANE_LISTENERS_MAX + PLANE_RELAYS_MAX)
#define LOCAL_ADDRESSES_BUCKETS 256

static_assert(LOCAL_ADDRESSES_MAX < UINT8_MAX, "an index + 1 fits");

// Of one family: in each bucket the listeners first, so that none of their ports is ever taken for
// a relay's. Nobody outside chooses what is in it, so the hash needs no key.
struct local_addresses {
    uint8_t buckets[LOCAL_ADDRESSES_BUCKETS]; // first of a list: index + 1; 0: empty
    struct local_address entries[LOCAL_ADDRESSES_MAX];
    unsigned count;
    const struct local_host *host_buckets[LOCAL_ADDRESSES_BUCKETS]; // lists, nobody's the last
    struct local_host hosts[LOCAL_ADDRESSES_MAX + 1]; // nobody's, with no ports, first
    unsigned host_count;
    bool rfc5766_channels; // as configured
    bool dtls;
};

// slots: of each relay, or NULL.
void local_addresses_init(struct local_addresses *addresses, const struct plane_config *config,
                          enum ip_family family, const struct relay_slot *const *slots);

static inline unsigned local_addresses_bucket(const uint8_t *ip, size_t ip_len)
{
    uint32_t words[4] = {0};
    memcpy(words, ip, ip_len);
    return ((words[0] ^ words[1] ^ words[2] ^ words[3]) * 0x9E3779B1u) >> 24;
}

static inline const struct local_address *
local_addresses_at(const struct local_addresses *addresses, uint8_t place)
{
    return place == 0 ? NULL : &addresses->entries[place - 1];
}

// NULL when the packet is not for us. ip_len: 4 or 16, a constant where this is inlined.
static inline const struct local_address *
local_addresses_find(const struct local_addresses *addresses, const uint8_t *ip, size_t ip_len,
                     uint16_t port)
{
    uint8_t first = addresses->buckets[local_addresses_bucket(ip, ip_len)];
    const struct local_address *entry = local_addresses_at(addresses, first);
    while (entry != NULL &&
           (port < entry->min_port || port > entry->max_port || memcmp(entry->ip, ip, ip_len) != 0))
        entry = local_addresses_at(addresses, entry->next);
    return entry;
}

// The one with this address, or one without relay ports.
static inline const struct local_host *local_host_find(const struct local_addresses *addresses,
                                                       const uint8_t *ip, size_t ip_len)
{
    const struct local_host *host = addresses->host_buckets[local_addresses_bucket(ip, ip_len)];
    while (unlikely(memcmp(host->ip, ip, ip_len) != 0 && host->next != NULL))
        host = host->next;
    return host;
}

// Whatever the port.
static inline bool local_addresses_has(const struct local_addresses *addresses, const uint8_t *ip,
                                       size_t ip_len)
{
    uint8_t first = addresses->buckets[local_addresses_bucket(ip, ip_len)];
    const struct local_address *entry = local_addresses_at(addresses, first);
    while (entry != NULL && memcmp(entry->ip, ip, ip_len) != 0)
        entry = local_addresses_at(addresses, entry->next);
    return entry != NULL;
}
