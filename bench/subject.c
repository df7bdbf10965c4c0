// SPDX-License-Identifier: BSD-3-Clause
// A worker that is told of its allocations as the control plane would tell it: by commands.
#include "subject.h"

#include "dataplane/commands.h"
#include "dataplane/worker_state.h"
#include "fail.h"
#include "proto/stun.h"

#include <rte_memory.h>
#include <stdio.h>
#include <string.h>

#define COMMAND_RING_LEN   64
#define COMMANDS_A_FLOW    3
#define FLOWS_A_PROGRESS   4096
#define ANSWERS_PER_SECOND 1000000000 // so many that the limit is looked at and never reached

uint32_t subject_flows_max(void)
{
    return PLANE_RELAYS_MAX * FLOW_PORTS_A_RELAY;
}

static void make_config(const struct subject *subject, struct plane_config *config)
{
    const struct scenario *scenario = subject->scenario;
    memset(config, 0, sizeof(*config));
    config->listeners[0] = flow_listener(scenario);
    config->listener_count = 1;
    config->relay_count = (uint16_t)(flow_relay(subject->flow_count - 1) + 1);
    for (uint16_t i = 0; i < config->relay_count; i++) {
        struct ip_address address = flow_relay_ip(scenario->peer_family, i);
        config->relays[i] = (struct plane_relay){address, address, FLOW_MIN_PORT, 65535};
    }
    config->worker_count = 1;
    config->allocations = subject->flow_count;
    config->allocations_per_worker = subject->flow_count;
    config->permissions_per_worker = subject->flow_count;
    config->channels_per_worker = subject->flow_count;
    config->steerings_per_worker = 1;
    config->adjacencies = HOP_TO_PEER + 1;
    config->command_ring_len = COMMAND_RING_LEN;
    config->punt_ring_len = 64;
    config->handoff_ring_len = 64;
    config->rate_limit = (struct plane_rate_limit){ANSWERS_PER_SECOND, UINT16_MAX};
    config->stateless.nonce.lifetime_s = 3600;
    config->stateless.nonce.features = NONCE_FEATURE_PASSWORD_ALGORITHMS;
    snprintf(config->stateless.realm, sizeof(config->stateless.realm), "example.org");
    snprintf(config->stateless.software, sizeof(config->stateless.software), "turnpike");
}

static void apply_all(struct subject *subject)
{
    while (commands_apply(subject->worker) > 0)
        continue;
}

static void tell(struct subject *subject, const struct command *command)
{
    if (plane_command_room(subject->plane, 0) == 0)
        apply_all(subject);
    if (plane_command_send(subject->plane, 0, command) != 0)
        fail("the command ring has no room");
}

static void set_adjacency(struct subject *subject, uint32_t index)
{
    struct command command = {.kind = COMMAND_SET_ADJACENCY};
    command.set_adjacency.index = index;
    command.set_adjacency.adjacency = (struct adjacency){
        .destination_mac = {2, 0, 0, 0, 0, (uint8_t)index},
        .source_mac = {2, 0, 0, 0, 1, 0},
        .mtu = SUBJECT_MTU,
        .resolved = 1,
    };
    tell(subject, &command);
}

static void install(struct subject *subject, uint32_t flow)
{
    const struct scenario *scenario = subject->scenario;
    struct transport_address peer = flow_peer(scenario, flow, subject->flow_count);
    struct transport_address relayed = flow_relayed(scenario, flow);
    bool is_v4 = scenario->peer_family == IP_FAMILY_V4;
    struct peer_path path = {HOP_TO_PEER, RELAY_NONE};
    if (scenario_is_hairpin(scenario))
        path =
            (struct peer_path){ADJACENCY_NONE, flow_relay(flow_partner(flow, subject->flow_count))};
    struct command command = {.kind = COMMAND_INSTALL_ALLOCATION, .allocation = flow};
    command.install_allocation.client = (struct client_key){flow_client(scenario, flow), 0};
    command.install_allocation.adjacency = HOP_TO_CLIENT;
    command.install_allocation.relay_v4 = is_v4 ? flow_relay(flow) : RELAY_NONE;
    command.install_allocation.relay_v4_port = relayed.port;
    command.install_allocation.relay_v6 = is_v4 ? RELAY_NONE : flow_relay(flow);
    command.install_allocation.relay_v6_port = relayed.port;
    tell(subject, &command);
    command = (struct command){.kind = COMMAND_INSTALL_PERMISSION, .allocation = flow};
    command.permission.peer = peer.ip;
    command.permission.path = path;
    tell(subject, &command);
    command = (struct command){.kind = COMMAND_INSTALL_CHANNEL, .allocation = flow};
    command.channel.peer = peer;
    command.channel.number = TURN_CHANNEL_MIN;
    command.channel.path = path;
    tell(subject, &command);
}

void subject_create(struct subject *subject, const struct scenario *scenario, uint32_t flow_count,
                    struct rte_mempool *pool, void (*progress)(void))
{
    static struct plane_config config;
    struct worker_config worker_config = {.socket = SOCKET_ID_ANY, .pool = pool};
    *subject = (struct subject){.scenario = scenario, .flow_count = flow_count};
    make_config(subject, &config);
    if (plane_create(&config, &subject->plane) != 0)
        fail("no plane");
    worker_config.plane = subject->plane;
    if (worker_create(&worker_config, &subject->worker) != 0)
        fail("no worker: %u allocations need more memory than there is", flow_count);
    const struct tables *tables = &subject->worker->tables;
    subject->table_len = tables->memory.len + tables->flows.memory.len;
    set_adjacency(subject, HOP_TO_CLIENT);
    set_adjacency(subject, HOP_TO_PEER);
    for (uint32_t flow = 0; flow < flow_count; flow++) {
        install(subject, flow);
        if (flow % FLOWS_A_PROGRESS == 0)
            progress();
    }
    apply_all(subject);
    const uint64_t *counters = subject->plane->counters[0].counters;
    if (counters[COUNTER_COMMANDS] != (uint64_t)flow_count * COMMANDS_A_FLOW + 2 ||
        counters[COUNTER_COMMAND_FAILURES] != 0)
        fail("the worker refused %ju of %ju commands",
             (uintmax_t)counters[COUNTER_COMMAND_FAILURES], (uintmax_t)counters[COUNTER_COMMANDS]);
}

void subject_destroy(struct subject *subject)
{
    worker_destroy(subject->worker);
    plane_destroy(subject->plane);
}
