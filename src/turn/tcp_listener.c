// SPDX-License-Identifier: BSD-3-Clause
// See turn/tcp_listener.h.
#include "turn/tcp_listener.h"

#include <errno.h>

// Ports that other processes of the host may have taken; more of them in a row are no accident.
#define TRIES_MAX 8

// Ports that were refused stay taken meanwhile, so that none is tried twice.
bool tcp_listener_open(struct turn_server *server, uint32_t allocation, uint16_t relay,
                       uint16_t *ret_port)
{
    const struct turn_tcp_listener *listener = &server->config.tcp_listener;
    uint16_t ports[TRIES_MAX];
    unsigned count = 0;
    int error = -EADDRINUSE;

    while (error == -EADDRINUSE && count < TRIES_MAX &&
           relay_ports_take(&server->tcp_ports, relay, 0, RELAY_PORT_ANY, &server->config.random,
                            &ports[count])) {
        struct turn_relayed_address address = {.relay = relay, .port = ports[count++]};
        error = listener->listen(listener->context, allocation, address);
    }
    unsigned refused = error == 0 ? count - 1 : count;
    for (unsigned i = 0; i < refused; i++)
        relay_ports_give(&server->tcp_ports, relay, ports[i]);
    if (error != 0)
        return false;
    *ret_port = ports[refused];
    return true;
}

void tcp_listener_close(struct turn_server *server, struct turn_relayed_address address)
{
    relay_ports_give(&server->tcp_ports, address.relay, address.port);
}

// Whatever else listens at a relay's address, in the range or not, is the host's own and no peer.
bool tcp_listener_localize(const struct turn_server *server, struct transport_address *peer)
{
    const struct turn_config *config = &server->config;
    for (uint16_t relay = 0; relay < config->relay_count; relay++) {
        if (!ip_address_equal(&config->relays[relay].advertised, &peer->ip))
            continue;
        peer->ip = config->relays[relay].local;
        return relay_ports_is_taken(&server->tcp_ports, relay, peer->port);
    }
    return true;
}

void tcp_listener_advertise(const struct turn_server *server, struct transport_address *peer)
{
    const struct turn_config *config = &server->config;
    for (uint16_t relay = 0; relay < config->relay_count; relay++) {
        if (ip_address_equal(&config->relays[relay].local, &peer->ip) &&
            relay_ports_is_taken(&server->tcp_ports, relay, peer->port)) {
            peer->ip = config->relays[relay].advertised;
            return;
        }
    }
}
