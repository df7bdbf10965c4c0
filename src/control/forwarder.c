// SPDX-License-Identifier: BSD-3-Clause
// Translates TURN's commands into those of the workers.
#include "control/forwarder.h"

#include "base/log.h"
#include "exchange/client_home.h"
#include "exchange/reply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A command may come with a new adjacency, and in a walk with the end of an old one.
#define ROOM_FOR_ONE_EVENT (3 * TURN_OUTPUT_COMMANDS_MAX + 8)

#define WORKER_NONE UINT8_MAX

// What later commands about an allocation do not say again.
struct known_allocation {
    uint8_t relay_v4; // index, for the source of routes to its peers
    uint8_t relay_v6;
    uint8_t received_by; // worker that its client's packets land on, WORKER_NONE: there is none
};

struct forwarder {
    struct plane *plane;
    struct next_hops *hops;
    uint16_t ports[NEXT_HOPS_INTERFACES_MAX][PLANE_WORKERS_MAX];
    struct known_allocation *allocations;
};

static_assert(PLANE_WORKERS_MAX < WORKER_NONE && PLANE_RELAYS_MAX < UINT8_MAX, "indices fit");

int forwarder_create(const struct forwarder_config *config, struct forwarder **ret_forwarder)
{
    const struct plane_config *plane = &config->plane->config;
    struct forwarder *forwarder = calloc(1, sizeof(*forwarder));

    if (!forwarder)
        return -ENOMEM;
    forwarder->plane = config->plane;
    forwarder->hops = config->hops;
    for (unsigned place = 0; place < NEXT_HOPS_INTERFACES_MAX && config->ports[place]; place++)
        memcpy(forwarder->ports[place], config->ports[place],
               plane->worker_count * sizeof(config->ports[place][0]));
    forwarder->allocations = malloc(plane->allocations * sizeof(*forwarder->allocations));
    if (!forwarder->allocations) {
        free(forwarder);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < plane->allocations; i++)
        forwarder->allocations[i].received_by = WORKER_NONE;
    *ret_forwarder = forwarder;
    return 0;
}

void forwarder_destroy(struct forwarder *forwarder)
{
    free(forwarder->allocations);
    free(forwarder);
}

static bool rings_have_room(const struct forwarder *forwarder, uint32_t room)
{
    for (uint16_t worker = 0; worker < forwarder->plane->config.worker_count; worker++) {
        if (plane_command_room(forwarder->plane, worker) < room)
            return false;
    }
    return true;
}

bool forwarder_is_ready(struct forwarder *forwarder)
{
    forwarder_flush(forwarder);
    return !next_hops_have_changed(forwarder->hops) &&
           rings_have_room(forwarder, ROOM_FOR_ONE_EVENT);
}

static void send(struct forwarder *forwarder, uint16_t worker, const struct command *command)
{
    int error = plane_command_send(forwarder->plane, worker, command);

    // There was room before the event was taken up.
    assert(error == 0);
    (void)error;
}

void forwarder_flush(struct forwarder *forwarder)
{
    struct command command = {.kind = COMMAND_SET_ADJACENCY};
    struct adjacency *adjacency = &command.set_adjacency.adjacency;

    while (next_hops_have_changed(forwarder->hops) && rings_have_room(forwarder, 1)) {
        const uint16_t *ports;

        next_hops_take_changed(forwarder->hops, &command.set_adjacency.index, adjacency);
        ports = forwarder->ports[adjacency->port];
        for (uint16_t worker = 0; worker < forwarder->plane->config.worker_count; worker++) {
            // Each worker transmits on a port of its own.
            adjacency->port = (uint8_t)ports[worker];
            send(forwarder, worker, &command);
        }
    }
}

static const enum five_tuple_transport stream_transports[] = {
    [STREAM_TCP] = FIVE_TUPLE_TCP, [STREAM_TLS] = FIVE_TUPLE_TLS, [STREAM_DTLS] = FIVE_TUPLE_DTLS};

static struct five_tuple listener_tuple(const struct plane_config *config, uint16_t listener)
{
    struct five_tuple tuple = {.server = config->listeners[listener], .transport = FIVE_TUPLE_UDP};

    if (plane_listener_is_stream(config, listener)) {
        const struct plane_stream_listener *stream = plane_stream_listener(config, listener);

        tuple.transport = stream_transports[stream->transport];
        tuple.thread = stream->thread;
    }
    return tuple;
}

static uint16_t find_listener(const struct forwarder *forwarder, const struct five_tuple *tuple)
{
    const struct plane_config *config = &forwarder->plane->config;

    for (uint16_t i = 0; i < plane_listener_total(config); i++) {
        const struct five_tuple its = listener_tuple(config, i);

        if (transport_address_equal(&its.server, &tuple->server) &&
            its.transport == tuple->transport && its.thread == tuple->thread)
            return i;
    }
    assert(!"a 5-tuple that no listener made");
    return 0;
}

struct client_key forwarder_client_key(const struct forwarder *forwarder,
                                       const struct five_tuple *tuple)
{
    return (struct client_key){.address = tuple->client,
                               .listener = find_listener(forwarder, tuple)};
}

// Adjacencies are sent as soon as they are known, so that none is used before it is set.
static uint32_t resolve(struct forwarder *forwarder, const struct ip_address *destination,
                        const struct ip_address *source, bool *ret_changed)
{
    uint32_t adjacency = next_hops_resolve(forwarder->hops, destination, source, ret_changed);

    forwarder_flush(forwarder);
    return adjacency;
}

static uint16_t find_hairpin(const struct forwarder *forwarder, const struct ip_address *peer)
{
    const struct plane_config *config = &forwarder->plane->config;

    for (uint16_t i = 0; i < config->relay_count; i++) {
        if (ip_address_equal(&config->relays[i].advertised, peer))
            return i;
    }
    return RELAY_NONE;
}

static struct peer_path peer_path(struct forwarder *forwarder, uint32_t allocation,
                                  const struct ip_address *peer, bool *ret_changed)
{
    const struct known_allocation *known = &forwarder->allocations[allocation];
    struct peer_path path = {.adjacency = ADJACENCY_NONE, .relay = find_hairpin(forwarder, peer)};
    uint8_t relay = peer->family == IP_FAMILY_V4 ? known->relay_v4 : known->relay_v6;

    *ret_changed = false;
    if (path.relay == RELAY_NONE)
        path.adjacency =
            resolve(forwarder, peer, &forwarder->plane->config.relays[relay].local, ret_changed);
    return path;
}

// Nothing where the owner itself is meant.
static void send_steering(struct forwarder *forwarder, enum command_kind kind, uint16_t worker,
                          const struct turn_command *command, const struct client_key *client)
{
    const struct command steering = {
        .kind = kind,
        .allocation = command->allocation,
        .steering = {.client = *client, .owner = command->worker},
    };

    if (worker != command->worker)
        send(forwarder, worker, &steering);
}

static uint16_t home_of(const struct forwarder *forwarder, const struct client_key *client)
{
    return client_home(client->address.ip.bytes, client->address.port,
                       forwarder->plane->config.worker_count);
}

// Two workers hand the client's packets to the owner of its allocation: the one that they land on,
// and the client's home, where every other one sends a client that it does not know.
static void install_steering(struct forwarder *forwarder, const struct turn_command *command,
                             const struct client_key *client)
{
    struct known_allocation *known = &forwarder->allocations[command->allocation];
    uint8_t received_by = (uint8_t)command->allocation_info.received_by;
    uint16_t home = home_of(forwarder, client);

    if (known->received_by == received_by)
        return;
    if (known->received_by == WORKER_NONE)
        send_steering(forwarder, COMMAND_INSTALL_STEERING, home, command, client);
    else if (known->received_by != home)
        send_steering(forwarder, COMMAND_REMOVE_STEERING, known->received_by, command, client);
    if (received_by != home)
        send_steering(forwarder, COMMAND_INSTALL_STEERING, received_by, command, client);
    known->received_by = received_by;
}

static void remove_steering(struct forwarder *forwarder, const struct turn_command *command,
                            const struct client_key *client)
{
    struct known_allocation *known = &forwarder->allocations[command->allocation];
    uint16_t home = home_of(forwarder, client);

    if (known->received_by == WORKER_NONE)
        return;
    send_steering(forwarder, COMMAND_REMOVE_STEERING, home, command, client);
    if (known->received_by != home)
        send_steering(forwarder, COMMAND_REMOVE_STEERING, known->received_by, command, client);
    known->received_by = WORKER_NONE;
}

static void set_relay(const struct turn_relayed_address *relayed, uint16_t *ret_relay,
                      uint16_t *ret_port)
{
    *ret_relay = relayed->port > 0 ? relayed->relay : RELAY_NONE;
    *ret_port = relayed->port;
}

static bool translate_install_allocation(struct forwarder *forwarder,
                                         const struct turn_command *command,
                                         struct command *translated)
{
    const struct five_tuple *tuple = &command->allocation_info.five_tuple;
    struct known_allocation *known = &forwarder->allocations[command->allocation];
    bool changed = false;

    translated->install_allocation.client = forwarder_client_key(forwarder, tuple);
    // The kernel finds the way to whoever has a connection of its.
    if (tuple->transport == FIVE_TUPLE_UDP || tuple->transport == FIVE_TUPLE_DTLS)
        translated->install_allocation.adjacency =
            resolve(forwarder, &tuple->client.ip, &tuple->server.ip, &changed);
    set_relay(&command->allocation_info.relayed_v4, &translated->install_allocation.relay_v4,
              &translated->install_allocation.relay_v4_port);
    set_relay(&command->allocation_info.relayed_v6, &translated->install_allocation.relay_v6,
              &translated->install_allocation.relay_v6_port);
    translated->install_allocation.user = command->allocation_info.user;
    translated->install_allocation.user_tag = command->allocation_info.user_tag;
    known->relay_v4 = (uint8_t)command->allocation_info.relayed_v4.relay;
    known->relay_v6 = (uint8_t)command->allocation_info.relayed_v6.relay;
    return changed;
}

// Returns whether what it refers to has moved since it was last said.
static bool translate(struct forwarder *forwarder, const struct turn_command *command,
                      struct command *translated)
{
    static const enum command_kind kinds[TURN_COMMAND_KIND_COUNT] = {
        [TURN_COMMAND_INSTALL_ALLOCATION] = COMMAND_INSTALL_ALLOCATION,
        [TURN_COMMAND_REMOVE_ALLOCATION] = COMMAND_REMOVE_ALLOCATION,
        [TURN_COMMAND_REMOVE_RELAY] = COMMAND_REMOVE_RELAY,
        [TURN_COMMAND_INSTALL_PERMISSION] = COMMAND_INSTALL_PERMISSION,
        [TURN_COMMAND_REMOVE_PERMISSION] = COMMAND_REMOVE_PERMISSION,
        [TURN_COMMAND_INSTALL_CHANNEL] = COMMAND_INSTALL_CHANNEL,
        [TURN_COMMAND_REMOVE_CHANNEL] = COMMAND_REMOVE_CHANNEL,
    };
    bool changed = false;

    *translated = (struct command){.kind = kinds[command->kind], .allocation = command->allocation};
    switch (command->kind) {
    case TURN_COMMAND_INSTALL_ALLOCATION:
        return translate_install_allocation(forwarder, command, translated);
    case TURN_COMMAND_REMOVE_RELAY:
        translated->remove_relay.relay = command->removed_relay.relay;
        translated->remove_relay.port = command->removed_relay.port;
        break;
    case TURN_COMMAND_INSTALL_PERMISSION:
        translated->permission.path =
            peer_path(forwarder, command->allocation, &command->permission, &changed);
        translated->permission.peer = command->permission;
        break;
    case TURN_COMMAND_REMOVE_PERMISSION:
        translated->permission.peer = command->permission;
        break;
    case TURN_COMMAND_INSTALL_CHANNEL:
        translated->channel.path =
            peer_path(forwarder, command->allocation, &command->channel.peer.ip, &changed);
        translated->channel.peer = command->channel.peer;
        translated->channel.number = command->channel.number;
        break;
    case TURN_COMMAND_REMOVE_CHANNEL:
        translated->channel.peer = command->channel.peer;
        translated->channel.number = command->channel.number;
        break;
    }
    return changed;
}

static void carry_out(struct forwarder *forwarder, const struct turn_command *command)
{
    struct command translated;

    translate(forwarder, command, &translated);
    // First the steering, to other workers: the client's packets may come there as soon as it has
    // its response.
    if (command->kind == TURN_COMMAND_INSTALL_ALLOCATION)
        install_steering(forwarder, command, &translated.install_allocation.client);
    send(forwarder, command->worker, &translated);
    if (command->kind == TURN_COMMAND_REMOVE_ALLOCATION) {
        const struct client_key client =
            forwarder_client_key(forwarder, &command->allocation_info.five_tuple);

        remove_steering(forwarder, command, &client);
    }
}

static bool has_response(const struct turn_output *output, bool for_sender)
{
    return output->response_len > 0 && (output->response_to.transport == 0) == for_sender;
}

// To a client who does not wait for the answer to a message of the moment: it has a connection, and
// so nothing to do with the order of commands.
static void respond_late(struct forwarder *forwarder, const struct turn_output *output)
{
    const struct client_key client = forwarder_client_key(forwarder, &output->response_to);
    struct command command = {
        .kind = COMMAND_TRANSMIT,
        .transmit.frame = stream_make_answer(forwarder->plane, &client,
                                             (struct span){output->response, output->response_len}),
    };

    if (command.transmit.frame)
        send(forwarder, home_of(forwarder, &client), &command);
    else
        log_message(LOG_LEVEL_WARNING, "no_buffers",
                    "a client waits for an answer in vain, for want of packet_buffers");
}

static void respond(struct forwarder *forwarder, const struct turn_output *output,
                    const struct punt *punt)
{
    struct command command = {.kind = COMMAND_TRANSMIT, .transmit.frame = punt->message.frame};
    // Behind the commands, on the ring that they took.
    bool has_ring = output->command_count > 0 && !turn_command_is_tcp(&output->commands[0]);
    uint16_t worker = has_ring ? output->commands[0].worker : punt->worker;

    if (!has_response(output, true) ||
        reply_frame(punt->message.frame, punt->message.message_offset, output->response,
                    output->response_len) < 0)
        punt_discard(punt);
    else
        send(forwarder, worker, &command);
}

void forwarder_carry_out(struct forwarder *forwarder, const struct turn_output *output,
                         const struct punt *punt)
{
    for (unsigned i = 0; i < output->command_count; i++) {
        if (!turn_command_is_tcp(&output->commands[i]))
            carry_out(forwarder, &output->commands[i]);
    }
    if (has_response(output, false))
        respond_late(forwarder, output);
    if (punt)
        respond(forwarder, output, punt);
}

void forwarder_reinstall(struct forwarder *forwarder, const struct turn_output *output)
{
    for (unsigned i = 0; i < output->command_count; i++) {
        struct command translated;

        if (translate(forwarder, &output->commands[i], &translated))
            send(forwarder, output->commands[i].worker, &translated);
    }
}

void forwarder_client_tuple(const struct forwarder *forwarder, const struct client_key *client,
                            struct five_tuple *ret_tuple)
{
    *ret_tuple = listener_tuple(&forwarder->plane->config, client->listener);
    ret_tuple->client = client->address;
}

void forwarder_five_tuple(const struct forwarder *forwarder, const struct punt *punt,
                          struct five_tuple *ret_tuple)
{
    forwarder_client_tuple(forwarder, &punt->message.client, ret_tuple);
}
