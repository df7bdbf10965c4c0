// SPDX-License-Identifier: BSD-3-Clause
// Completes listening and relay addresses with those of the interface.
#include "control/endpoints.h"

#include "base/log.h"

#include <errno.h>

static int add_listener(struct plane_config *config, const struct ip_address *ip, uint32_t port)
{
    if (config->listener_count == PLANE_LISTENERS_MAX) {
        log_message(LOG_LEVEL_ERROR, "too_many_addresses",
                    "the interface has more than %d addresses: name those to listen on in listen",
                    PLANE_LISTENERS_MAX);
        return -E2BIG;
    }
    config->listeners[config->listener_count++] =
        (struct transport_address){.ip = *ip, .port = (uint16_t)port};
    return 0;
}

// An address may be on another interface, as a service address on lo, when packets for it are
// routed here.
static int check_address(const struct settings *settings, const struct interface *interface,
                         const struct ip_address *ip)
{
    char text[IP_ADDRESS_TEXT_LEN];

    // A twin is not there yet, and its addresses come after it.
    if (settings_have_twin(settings) || interface_has_address(interface, ip))
        return 0;
    ip_address_format(ip, text);
    if (!interface_host_has_address(ip)) {
        log_message(LOG_LEVEL_ERROR, "no_address",
                    "%s is no address of this host: 'ip address' lists those there are", text);
        return -EADDRNOTAVAIL;
    }
    log_message(LOG_LEVEL_WARNING, "address_elsewhere",
                "%s is no address of %s: packets for it arrive only if they are routed here", text,
                interface->name);
    return 0;
}

static int resolve_listeners(const struct settings *settings, const struct interface *interface,
                             struct plane_config *config)
{
    const struct settings_listener *listeners = settings->listen.items;
    int error = 0;

    for (uint32_t i = 0; !error && i < settings->listen.count; i++) {
        error = check_address(settings, interface, &listeners[i].address);
        if (!error)
            error = add_listener(config, &listeners[i].address, listeners[i].port);
    }
    for (uint32_t i = 0; !error && settings->listen.count == 0 && i < interface->address_count; i++)
        error = add_listener(config, &interface->addresses[i], SETTINGS_DEFAULT_PORT);
    return error;
}

// Several listeners of one address share its port for TLS.
static bool is_address_of_earlier(const struct plane_config *config, uint16_t index)
{
    for (uint16_t i = 0; i < index; i++) {
        if (ip_address_equal(&config->listeners[i].ip, &config->listeners[index].ip))
            return true;
    }
    return false;
}

static bool has_tls(const struct settings *settings)
{
    return settings->certificates.count > 0;
}

// DTLS has the port of TLS; on the others it shares those of plain UDP (RFC 7983).
static int resolve_dtls_listeners(const struct settings *settings, struct plane_config *config)
{
    uint16_t plain_count = config->listener_count;
    int error = 0;

    config->dtls = has_tls(settings) && settings->dtls;
    for (uint16_t i = 0; !error && config->dtls && settings->tls_port && i < plain_count; i++) {
        if (!is_address_of_earlier(config, i))
            error = add_listener(config, &config->listeners[i].ip, settings->tls_port);
    }
    return error;
}

static int add_stream_listener(struct plane_config *config, enum stream_transport transport,
                               uint16_t thread, const struct ip_address *ip, uint32_t port)
{
    unsigned index = plane_listener_total(config);

    if (config->stream_listener_count == PLANE_STREAM_LISTENERS_MAX) {
        log_message(
            LOG_LEVEL_ERROR, "too_many_addresses",
            "addresses and ports of TCP, TLS and DTLS, times tls_threads, are more than %d: "
            "take fewer threads, or fewer addresses in listen and tls_listen",
            PLANE_STREAM_LISTENERS_MAX);
        return -E2BIG;
    }
    config->listeners[index] = (struct transport_address){.ip = *ip, .port = (uint16_t)port};
    config->stream_listeners[config->stream_listener_count++] =
        (struct plane_stream_listener){(uint8_t)transport, (uint8_t)thread};
    return 0;
}

static int add_tls_listeners(const struct settings *settings, uint16_t thread, uint16_t plain_count,
                             struct plane_config *config)
{
    const struct settings_listener *listeners = settings->tls_listen.items;
    int error = 0;

    for (uint16_t i = 0; !error && settings->tls_port && i < plain_count; i++) {
        if (!is_address_of_earlier(config, i))
            error = add_stream_listener(config, STREAM_TLS, thread, &config->listeners[i].ip,
                                        settings->tls_port);
    }
    for (uint32_t i = 0; !error && i < settings->tls_listen.count; i++)
        error = add_stream_listener(config, STREAM_TLS, thread, &listeners[i].address,
                                    listeners[i].port);
    return error;
}

// plain_count: of the listeners that are not for DTLS alone.
static int add_thread_listeners(const struct settings *settings, uint16_t thread,
                                uint16_t plain_count, struct plane_config *config)
{
    int error = 0;

    for (uint16_t i = 0; !error && settings->tcp && i < plain_count; i++)
        error = add_stream_listener(config, STREAM_TCP, thread, &config->listeners[i].ip,
                                    config->listeners[i].port);
    if (!error && has_tls(settings))
        error = add_tls_listeners(settings, thread, plain_count, config);
    for (uint16_t i = 0; !error && config->dtls && i < config->listener_count; i++)
        error = add_stream_listener(config, STREAM_DTLS, thread, &config->listeners[i].ip,
                                    config->listeners[i].port);
    return error;
}

// Behind those of UDP: all of them for one thread after the other.
static int resolve_stream_listeners(const struct settings *settings,
                                    const struct interface *interface, uint16_t plain_count,
                                    struct plane_config *config)
{
    const struct settings_listener *listeners = settings->tls_listen.items;
    uint16_t threads = settings->tls_threads > 0 ? (uint16_t)settings->tls_threads : 1;
    int error = 0;

    for (uint32_t i = 0; !error && i < settings->tls_listen.count; i++)
        error = check_address(settings, interface, &listeners[i].address);
    for (uint16_t thread = 0; !error && thread < threads; thread++)
        error = add_thread_listeners(settings, thread, plain_count, config);
    config->stream_thread_count = config->stream_listener_count > 0 ? threads : 0;
    return error;
}

static void add_relay(const struct settings *settings, struct plane_config *config,
                      const struct settings_relay *relay)
{
    const struct ip_address *external = &relay->external_address;

    config->relays[config->relay_count++] = (struct plane_relay){
        .local = relay->address,
        .advertised = external->family == IP_FAMILY_NONE ? relay->address : *external,
        .min_port = (uint16_t)(relay->min_port ? relay->min_port : settings->min_port),
        .max_port = (uint16_t)(relay->max_port ? relay->max_port : settings->max_port),
    };
}

// The first address of a family.
static void add_default_relay(const struct settings *settings, const struct interface *interface,
                              enum ip_family family, struct plane_config *config)
{
    for (unsigned i = 0; i < interface->address_count; i++) {
        struct settings_relay relay = {.address = interface->addresses[i]};

        if (relay.address.family != family)
            continue;
        if (settings->external_address.family == family)
            relay.external_address = settings->external_address;
        add_relay(settings, config, &relay);
        return;
    }
}

static int resolve_relays(const struct settings *settings, const struct interface *interface,
                          struct plane_config *config)
{
    const struct settings_relay *relays = settings->relay.items;

    int error = 0;

    for (uint32_t i = 0; !error && i < settings->relay.count; i++) {
        error = check_address(settings, interface, &relays[i].address);
        if (!error)
            add_relay(settings, config, &relays[i]);
    }
    if (settings->relay.count == 0) {
        add_default_relay(settings, interface, IP_FAMILY_V4, config);
        add_default_relay(settings, interface, IP_FAMILY_V6, config);
    }
    return error;
}

static int check(const struct settings *settings, const struct interface *interface,
                 const struct plane_config *config)
{
    bool external_is_used = settings->external_address.family == IP_FAMILY_NONE;

    if (config->listener_count == 0 || config->relay_count == 0) {
        log_message(LOG_LEVEL_ERROR, "no_address",
                    "%s has no global address: give it one, or name addresses in listen and relay",
                    interface->name);
        return -EADDRNOTAVAIL;
    }
    for (unsigned i = 0; i < config->relay_count; i++) {
        external_is_used |=
            ip_address_equal(&config->relays[i].advertised, &settings->external_address);
        if (!plane_relay_has_listener(config, &config->relays[i]))
            continue;
        log_message(LOG_LEVEL_ERROR, "port_conflict",
                    "relay ports %u..%u contain a listening port of the same address: change "
                    "min_port and max_port",
                    config->relays[i].min_port, config->relays[i].max_port);
        return -EINVAL;
    }
    if (!external_is_used) {
        log_message(LOG_LEVEL_ERROR, "no_address",
                    "external_address is of a family that %s has no address of: give it one, or "
                    "remove the setting",
                    interface->name);
        return -EADDRNOTAVAIL;
    }
    return 0;
}

int endpoints_resolve(const struct settings *settings, const struct interface *interface,
                      struct plane_config *ret_config)
{
    struct plane_config config = *ret_config;
    uint16_t plain_count;
    int error;

    config.listener_count = 0;
    config.stream_listener_count = 0;
    config.relay_count = 0;
    error = resolve_listeners(settings, interface, &config);
    plain_count = config.listener_count;
    if (!error)
        error = resolve_dtls_listeners(settings, &config);
    if (!error)
        error = resolve_stream_listeners(settings, interface, plain_count, &config);
    if (!error)
        error = resolve_relays(settings, interface, &config);
    if (!error)
        error = check(settings, interface, &config);
    if (error)
        return error;
    *ret_config = config;
    return 0;
}
