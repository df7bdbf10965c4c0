// SPDX-License-Identifier: BSD-3-Clause
// Log lines at the start and at the end.
#include "control/summary.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static void log_listener(const struct transport_address *listener, const char *transport)
{
    char address[TRANSPORT_ADDRESS_TEXT_LEN];

    log_event(LOG_LEVEL_INFO, "listening", "address", transport_address_format(listener, address),
              "transport", transport, NULL);
}

// Once, however many threads there are.
static void log_stream_listeners(const struct plane_config *config)
{
    static const char *const transports[] = {
        [STREAM_TCP] = "tcp", [STREAM_TLS] = "tls", [STREAM_DTLS] = "dtls"};

    for (unsigned i = 0; i < config->stream_listener_count; i++) {
        if (config->stream_listeners[i].thread == 0)
            log_listener(&config->listeners[config->listener_count + i],
                         transports[config->stream_listeners[i].transport]);
    }
}

static void log_relay(const struct plane_relay *relay)
{
    char local[IP_ADDRESS_TEXT_LEN], advertised[IP_ADDRESS_TEXT_LEN], ports[32];

    snprintf(ports, sizeof(ports), "%u-%u", relay->min_port, relay->max_port);
    log_event(LOG_LEVEL_INFO, "relaying", "address", ip_address_format(&relay->local, local),
              "advertised", ip_address_format(&relay->advertised, advertised), "ports", ports,
              NULL);
}

void summary_log(const struct plane_config *config, const struct interface *interface,
                 const char *device, const struct xdp_filter *filter, bool hugepages)
{
    char workers[16], allocations[16], mtu[16];

    for (unsigned i = 0; i < config->listener_count; i++)
        log_listener(&config->listeners[i], "udp");
    log_stream_listeners(config);
    for (unsigned i = 0; i < config->relay_count; i++)
        log_relay(&config->relays[i]);
    snprintf(workers, sizeof(workers), "%u", config->worker_count);
    snprintf(allocations, sizeof(allocations), "%" PRIu32, config->allocations);
    snprintf(mtu, sizeof(mtu), "%u", interface->mtu);
    if (filter)
        log_event(LOG_LEVEL_INFO, "started", "interface", interface->name, "mtu", mtu, "workers",
                  workers, "xdp",
                  xdp_filter_mode(filter) == XDP_FILTER_NATIVE ? "native" : "generic", "zero_copy",
                  xdp_filter_is_zero_copy(filter) ? "yes" : "no", "hugepages",
                  hugepages ? "yes" : "no", "allocations", allocations, NULL);
    else
        log_event(LOG_LEVEL_INFO, "started", "interface", interface->name, "device", device, "mtu",
                  mtu, "workers", workers, "hugepages", hugepages ? "yes" : "no", "allocations",
                  allocations, NULL);
}

// What there is nothing to say of is left out: pairs end at the first key that is NULL.
static void log_fact(const struct port_fact *fact)
{
    const struct {
        const char *key;
        const char *value;
    } all[] = {{"found", fact->found}, {"used", fact->used}, {"why", fact->why}};
    const char *keys[3] = {NULL}, *values[3] = {NULL};
    unsigned count = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (!*all[i].value)
            continue;
        keys[count] = all[i].key;
        values[count++] = all[i].value;
    }
    log_event(LOG_LEVEL_INFO, "port_uses", "item", fact->item, keys[0], values[0], keys[1],
              values[1], keys[2], values[2], NULL);
}

void summary_log_facts(const struct port_facts *facts)
{
    for (unsigned i = 0; i < facts->count; i++)
        log_fact(&facts->at[i]);
}

#define COUNT_TEXT_LEN 12

static const char *count_format(uint32_t count, char text[COUNT_TEXT_LEN])
{
    snprintf(text, COUNT_TEXT_LEN, "%" PRIu32, count);
    return text;
}

void summary_log_usage(const struct turn_usage *usage, const struct summary_tables *tables,
                       uint32_t buffers)
{
    char text[13][COUNT_TEXT_LEN];

    log_event(LOG_LEVEL_INFO, "in_use", "allocations", count_format(usage->allocations, text[0]),
              "permissions", count_format(usage->permissions, text[1]), "channels",
              count_format(usage->channels, text[2]), "reservations",
              count_format(usage->reservations, text[3]), "relay_ports",
              count_format(usage->relay_ports, text[4]), "pending_removals",
              count_format(usage->pending_removals, text[5]), "users",
              count_format(usage->users, text[6]), "table_allocations",
              count_format(tables->allocations, text[7]), "table_permissions",
              count_format(tables->permissions, text[8]), "table_channels",
              count_format(tables->channels, text[9]), "table_steerings",
              count_format(tables->steerings, text[10]), "table_fragments",
              count_format(tables->fragments, text[11]), "buffers", count_format(buffers, text[12]),
              NULL);
}
