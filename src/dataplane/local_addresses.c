// SPDX-License-Identifier: BSD-3-Clause
// Which of the relay's own transport addresses a packet is for.
#include "dataplane/local_addresses.h"

// To the end of its bucket.
static void bucket_append(struct local_addresses *addresses, uint8_t *end, uint8_t place)
{
    while (*end != 0)
        end = &addresses->entries[*end - 1].next;
    *end = place;
}

static void add(struct local_addresses *addresses, const struct ip_address *ip, uint16_t min_port,
                uint16_t max_port, enum local_kind kind, unsigned index,
                const struct relay_slot *slots)
{
    struct local_address *entry = &addresses->entries[addresses->count++];
    memcpy(entry->ip, ip->bytes, sizeof(entry->ip));
    entry->min_port = min_port;
    entry->max_port = max_port;
    entry->kind = (uint8_t)kind;
    entry->index = (uint8_t)index;
    entry->slots = slots;
    unsigned bucket = local_addresses_bucket(entry->ip, ip_address_len(ip));
    bucket_append(addresses, &addresses->buckets[bucket], (uint8_t)addresses->count);
}

void local_addresses_init(struct local_addresses *addresses, const struct plane_config *config,
                          enum ip_family family, const struct relay_slot *const *slots)
{
    memset(addresses, 0, sizeof(*addresses));
    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct transport_address *listener = &config->listeners[i];
        if (listener->ip.family != family)
            continue;
        add(addresses, &listener->ip, listener->port, listener->port, LOCAL_LISTENER, i, NULL);
        addresses->entries[addresses->count - 1].rfc5766_channels = config->rfc5766_channels;
    }
    for (unsigned i = 0; i < config->relay_count; i++) {
        const struct plane_relay *relay = &config->relays[i];
        if (relay->local.family == family)
            add(addresses, &relay->local, relay->min_port, relay->max_port, LOCAL_RELAY, i,
                slots != NULL ? slots[i] : NULL);
    }
}
