// SPDX-License-Identifier: BSD-3-Clause
// See platform/steering_rules.h. Ranges of ports and slices of workers are both cut into blocks
// that a value and a mask describe; a rule is where one of each meet.
#include "platform/steering_rules.h"

#include "base/port_slice.h"

#include <string.h>

#define PORT_BITS  16
#define SLICE_MASK (PORT_SLICE_COUNT - 1)

// Ports that are as value in the bits of mask.
struct block {
    uint16_t value;
    uint16_t mask;
};

struct maker {
    const struct plane_config *config;
    bool exactly; // no ports but the relays'
    struct steering_rules *rules;
};

static void add(struct maker *maker, const struct steering_rule *rule)
{
    if (maker->rules->count < STEERING_RULES_MAX)
        maker->rules->at[maker->rules->count] = *rule;
    maker->rules->count++;
}

// The slices from first on, count of them, a power of two that first is a multiple of: a rule where
// all are one worker's and such ports are in the block, else each half for itself.
static void add_slices(struct maker *maker, const struct ip_address *address,
                       const struct block *ports, unsigned first, unsigned count)
{
    const struct block slices = {(uint16_t)(first << 1),
                                 (uint16_t)((SLICE_MASK & ~(count - 1)) << 1)};
    uint16_t workers = maker->config->worker_count;
    uint16_t owner = port_slice_worker(slices.value, workers);

    if ((ports->value ^ slices.value) & ports->mask & slices.mask)
        return;
    if (owner != port_slice_worker((uint16_t)((first + count - 1) << 1), workers)) {
        add_slices(maker, address, ports, first, count / 2);
        add_slices(maker, address, ports, first + count / 2, count / 2);
        return;
    }
    add(maker, &(struct steering_rule){.destination = *address,
                                       .kind = STEERING_RELAY,
                                       .port = ports->value | slices.value,
                                       .port_mask = ports->mask | slices.mask,
                                       .queue = owner});
}

static bool has_relay_port(const struct plane_config *config, const struct ip_address *address,
                           uint32_t first, uint32_t last)
{
    for (unsigned i = 0; i < config->relay_count; i++) {
        const struct plane_relay *relay = &config->relays[i];

        if (ip_address_equal(&relay->local, address) && relay->min_port <= last &&
            relay->max_port >= first)
            return true;
    }
    return false;
}

static bool has_relay_ports_alone(const struct plane_config *config,
                                  const struct ip_address *address, uint32_t first, uint32_t last)
{
    for (unsigned i = 0; i < config->relay_count; i++) {
        const struct plane_relay *relay = &config->relays[i];

        if (ip_address_equal(&relay->local, address) && relay->min_port <= first &&
            relay->max_port >= last)
            return true;
    }
    return false;
}

static bool has_listener(const struct plane_config *config, const struct ip_address *address,
                         uint32_t first, uint32_t last)
{
    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct transport_address *listener = &config->listeners[i];

        if (ip_address_equal(&listener->ip, address) && listener->port >= first &&
            listener->port <= last)
            return true;
    }
    return false;
}

// The ports from first on that agree with it in so many bits: as one block where that may be taken
// whole, else each half for itself.
static void add_ports(struct maker *maker, const struct ip_address *address, uint32_t first,
                      unsigned bits)
{
    const struct plane_config *config = maker->config;
    uint32_t count = UINT32_C(1) << (PORT_BITS - bits), last = first + count - 1;
    bool whole = maker->exactly ? has_relay_ports_alone(config, address, first, last)
                                : !has_listener(config, address, first, last);

    if (!has_relay_port(config, address, first, last))
        return;
    if (whole || count == 1) {
        const struct block ports = {(uint16_t)first, (uint16_t) ~(count - 1)};

        add_slices(maker, address, &ports, 0, PORT_SLICE_COUNT);
        return;
    }
    add_ports(maker, address, first, bits + 1);
    add_ports(maker, address, first + count / 2, bits + 1);
}

// Several relays may have one address, each with ports of its own.
static bool is_address_of_earlier_relay(const struct plane_config *config, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (ip_address_equal(&config->relays[i].local, &config->relays[index].local))
            return true;
    }
    return false;
}

static void add_relays(struct maker *maker)
{
    for (unsigned i = 0; i < maker->config->relay_count; i++) {
        if (!is_address_of_earlier_relay(maker->config, i))
            add_ports(maker, &maker->config->relays[i].local, 0, 0);
    }
}

static void add_fragments(struct maker *maker, const struct ip_address *address)
{
    add(maker, &(struct steering_rule){.destination = *address, .kind = STEERING_FRAGMENTS});
}

// Of the kinds that a peer's host and the routers before it answer with.
static void add_errors(struct maker *maker, const struct ip_address *address)
{
    static const uint8_t types_v4[] = {3, 11}, types_v6[] = {1, 2, 3};
    bool is_v4 = address->family == IP_FAMILY_V4;
    unsigned count = is_v4 ? sizeof(types_v4) : sizeof(types_v6);

    for (unsigned i = 0; i < count; i++)
        add(maker, &(struct steering_rule){.destination = *address,
                                           .kind = STEERING_ERRORS,
                                           .icmp_type = is_v4 ? types_v4[i] : types_v6[i]});
}

// Of what routers say of the way to clients, how long a packet may be (RFC 1191, RFC 8201). Other
// errors about what was sent from a listener's address are for sockets there.
static void add_too_big(struct maker *maker, const struct ip_address *address)
{
    bool is_v4 = address->family == IP_FAMILY_V4;

    add(maker, &(struct steering_rule){.destination = *address,
                                       .kind = STEERING_ERRORS,
                                       .icmp_type = is_v4 ? 3 : 2,
                                       .icmp_code = is_v4 ? 4 : 0,
                                       .icmp_code_mask = is_v4 ? UINT8_MAX : 0});
}

static bool is_address_of_relay(const struct plane_config *config, const struct ip_address *address)
{
    return has_relay_port(config, address, 0, UINT16_MAX);
}

static bool is_address_of_earlier_listener(const struct plane_config *config, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (ip_address_equal(&config->listeners[i].ip, &config->listeners[index].ip))
            return true;
    }
    return false;
}

static void add_listeners(struct maker *maker)
{
    const struct plane_config *config = maker->config;

    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct transport_address *listener = &config->listeners[i];

        add(maker, &(struct steering_rule){.destination = listener->ip,
                                           .kind = STEERING_LISTENER,
                                           .port = listener->port,
                                           .port_mask = UINT16_MAX});
        if (is_address_of_earlier_listener(config, i) || is_address_of_relay(config, &listener->ip))
            continue;
        add_fragments(maker, &listener->ip);
        add_too_big(maker, &listener->ip);
    }
}

void steering_rules_make(const struct plane_config *config, struct steering_rules *ret_rules)
{
    struct maker maker = {.config = config, .rules = ret_rules};

    ret_rules->count = 0;
    add_relays(&maker);
}

void steering_rules_make_all(const struct plane_config *config, struct steering_rules *ret_rules)
{
    struct maker maker = {.config = config, .exactly = true, .rules = ret_rules};

    ret_rules->count = 0;
    add_relays(&maker);
    for (unsigned i = 0; i < config->relay_count; i++) {
        if (is_address_of_earlier_relay(config, i))
            continue;
        add_fragments(&maker, &config->relays[i].local);
        add_errors(&maker, &config->relays[i].local);
    }
    add_listeners(&maker);
}
