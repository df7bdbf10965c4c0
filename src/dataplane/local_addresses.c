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

static struct local_host *host_add(struct local_addresses *addresses, const struct ip_address *ip)
{
    unsigned bucket = local_addresses_bucket(ip->bytes, ip_address_len(ip));
    struct local_host *host = &addresses->hosts[++addresses->host_count];
    memcpy(host->ip, ip->bytes, sizeof(host->ip));
    host->next = addresses->host_buckets[bucket];
    addresses->host_buckets[bucket] = host;
    return host;
}

// Of several ranges of one address the first is found here, the others by local_addresses_find().
static void host_add_relay(struct local_addresses *addresses, const struct plane_config *config,
                           const struct plane_relay *relay, const struct relay_slot *slots)
{
    struct local_host *host = host_add(addresses, &relay->local);
    host->slots = slots;
    host->min_port = relay->min_port;
    host->is_mixed = plane_relay_has_listener(config, relay);
    host->port_count = slots == NULL ? 0 : (uint32_t)(relay->max_port - relay->min_port) + 1;
}

// A listener's address where no relay has it is a host as well, without ports: what is looked for
// is the first of its bucket then, for clients' packets and peers' alike, which no branch has to
// learn.
static void host_add_listener(struct local_addresses *addresses, const struct ip_address *ip)
{
    size_t ip_len = ip_address_len(ip);
    if (memcmp(local_host_find(addresses, ip->bytes, ip_len)->ip, ip->bytes, ip_len) != 0)
        host_add(addresses, ip);
}

void local_addresses_init(struct local_addresses *addresses, const struct plane_config *config,
                          enum ip_family family, const struct relay_slot *const *slots)
{
    memset(addresses, 0, sizeof(*addresses));
    addresses->rfc5766_channels = config->rfc5766_channels;
    addresses->dtls = config->dtls;
    for (unsigned i = 0; i < LOCAL_ADDRESSES_BUCKETS; i++)
        addresses->host_buckets[i] = &addresses->hosts[0];
    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct transport_address *listener = &config->listeners[i];
        if (listener->ip.family != family)
            continue;
        add(addresses, &listener->ip, listener->port, listener->port, LOCAL_LISTENER, i, NULL);
    }
    for (unsigned i = 0; i < config->relay_count; i++) {
        const struct plane_relay *relay = &config->relays[i];
        if (relay->local.family != family)
            continue;
        const struct relay_slot *its_slots = slots != NULL ? slots[i] : NULL;
        add(addresses, &relay->local, relay->min_port, relay->max_port, LOCAL_RELAY, i, its_slots);
        host_add_relay(addresses, config, relay, its_slots);
    }
    for (unsigned i = 0; i < config->listener_count; i++) {
        if (config->listeners[i].ip.family == family)
            host_add_listener(addresses, &config->listeners[i].ip);
    }
}
