// SPDX-License-Identifier: BSD-3-Clause
// Workers that are told of their allocations as the control plane would tell it: by commands.
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
#define MAX_BPS            4000000000 // a limit that is asked about, and never reached
#define ANSWERS_PER_SECOND 1000000000 // so many that the limit is looked at and never reached

uint32_t subject_flows_max(void)
{
    return PLANE_RELAYS_MAX * FLOW_PORTS_A_RELAY;
}

// Relay ports are spread over the workers in slices, so a worker has at most these more than
// others.
static uint32_t flows_a_worker(const struct subject *subject)
{
    if (subject->worker_count == 1)
        return subject->flow_count;
    return subject->flow_count / subject->worker_count + 2 * PORT_SLICE_COUNT;
}

static void make_config(const struct subject *subject, uint32_t handoff_ring_len,
                        struct plane_config *config)
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
    config->worker_count = subject->worker_count;
    config->allocations = subject->flow_count;
    config->allocations_per_worker = flows_a_worker(subject);
    config->permissions_per_worker = flows_a_worker(subject);
    config->channels_per_worker = flows_a_worker(subject);
    config->steerings_per_worker = subject->worker_count == 1 ? 1 : flows_a_worker(subject);
    config->adjacencies = HOP_TO_PEER + 1;
    config->command_ring_len = COMMAND_RING_LEN;
    config->punt_ring_len = 64;
    config->handoff_ring_len = subject->worker_count == 1 ? 64 : handoff_ring_len;
    config->max_bps = MAX_BPS;
    config->rate_limit = (struct plane_rate_limit){ANSWERS_PER_SECOND, UINT16_MAX};
    config->stateless.nonce.lifetime_s = 3600;
    config->stateless.nonce.features = NONCE_FEATURE_PASSWORD_ALGORITHMS;
    snprintf(config->stateless.realm, sizeof(config->stateless.realm), "example.org");
    snprintf(config->stateless.software, sizeof(config->stateless.software), "turnpike");
}

static void apply_all(const struct subject *subject, uint16_t worker)
{
    while (commands_apply(subject->workers[worker]) > 0)
        continue;
}

static void tell(const struct subject *subject, uint16_t worker, const struct command *command)
{
    if (plane_command_room(subject->plane, worker) == 0)
        apply_all(subject, worker);
    if (plane_command_send(subject->plane, worker, command) != 0)
        fail("the command ring has no room");
}

static void set_adjacency(const struct subject *subject, uint16_t worker, uint32_t index)
{
    struct command command = {.kind = COMMAND_SET_ADJACENCY};
    command.set_adjacency.index = index;
    command.set_adjacency.adjacency = (struct adjacency){
        .destination_mac = {2, 0, 0, 0, 0, (uint8_t)index},
        .source_mac = {2, 0, 0, 0, 1, 0},
        .port = worker,
        .mtu = SUBJECT_MTU,
        .resolved = 1,
    };
    tell(subject, worker, &command);
}

static void install(const struct subject *subject, uint32_t flow)
{
    uint16_t owner = subject_owner(subject, flow);
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
    tell(subject, owner, &command);
    command = (struct command){.kind = COMMAND_INSTALL_PERMISSION, .allocation = flow};
    command.permission.peer = peer.ip;
    command.permission.path = path;
    tell(subject, owner, &command);
    command = (struct command){.kind = COMMAND_INSTALL_CHANNEL, .allocation = flow};
    command.channel.peer = peer;
    command.channel.number = TURN_CHANNEL_MIN;
    command.channel.path = path;
    tell(subject, owner, &command);
}

// The worker where the client's packets land knows whose they are, as after a request that landed
// there.
static void install_steering(const struct subject *subject, uint32_t flow)
{
    uint16_t owner = subject_owner(subject, flow);
    struct command command = {.kind = COMMAND_INSTALL_STEERING};
    command.steering.client = (struct client_key){flow_client(subject->scenario, flow), 0};
    command.steering.owner = owner;
    tell(subject, owner ^ 1, &command);
}

static void create_worker(const struct subject_config *config, struct subject *subject,
                          uint16_t worker)
{
    struct worker_config worker_config = {
        .plane = subject->plane,
        .id = worker,
        .port = worker,
        .socket = SOCKET_ID_ANY,
        .pool = config->pool,
    };
    if (worker_create(&worker_config, &subject->workers[worker]) != 0)
        fail("no worker: %u allocations need more memory than there is", subject->flow_count);
    const struct tables *tables = &subject->workers[worker]->tables;
    subject->table_len += tables->memory.len + tables->flows.memory.len;
    set_adjacency(subject, worker, HOP_TO_CLIENT);
    set_adjacency(subject, worker, HOP_TO_PEER);
}

static void check_told(const struct subject *subject, uint64_t count)
{
    uint64_t applied = 0, refused = 0;
    for (uint16_t worker = 0; worker < subject->worker_count; worker++) {
        const uint64_t *counters = subject->plane->counters[worker].counters;
        apply_all(subject, worker);
        applied += counters[COUNTER_COMMANDS];
        refused += counters[COUNTER_COMMAND_FAILURES];
    }
    if (applied != count || refused != 0)
        fail("the worker refused %ju of %ju commands", (uintmax_t)refused, (uintmax_t)applied);
}

uint16_t subject_owner(const struct subject *subject, uint32_t flow)
{
    return port_slice_worker(flow_relayed(subject->scenario, flow).port, subject->worker_count);
}

void subject_create(const struct subject_config *config, struct subject *ret_subject)
{
    static struct plane_config plane_config;
    struct subject subject = {
        .scenario = config->scenario,
        .flow_count = config->flow_count,
        .worker_count = config->worker_count,
    };
    make_config(&subject, config->handoff_ring_len, &plane_config);
    if (plane_create(&plane_config, &subject.plane) != 0)
        fail("no plane");
    for (uint16_t worker = 0; worker < subject.worker_count; worker++)
        create_worker(config, &subject, worker);
    uint64_t told = 2 * subject.worker_count;
    for (uint32_t flow = 0; flow < subject.flow_count; flow++) {
        install(&subject, flow);
        told += COMMANDS_A_FLOW;
        if (subject.worker_count > 1 && flow_lands_wrong(flow, config->wrong_percent)) {
            install_steering(&subject, flow);
            told++;
        }
        if (flow % FLOWS_A_PROGRESS == 0)
            config->progress();
    }
    check_told(&subject, told);
    *ret_subject = subject;
}

void subject_destroy(struct subject *subject)
{
    for (uint16_t worker = 0; worker < subject->worker_count; worker++)
        worker_destroy(subject->workers[worker]);
    plane_destroy(subject->plane);
}
