// SPDX-License-Identifier: BSD-3-Clause
// What the control plane tells a worker, applied in order between bursts.
#include "dataplane/commands.h"

#include "dataplane/allowance.h"
#include "dataplane/icmp_to_client.h"
#include "dataplane/stream_path.h"

#include <errno.h>
#include <rte_ring_elem.h>

// Between two bursts: enough that installing keeps up with any client, little enough that a port's
// queue does not overflow.
#define COMMANDS_A_POLL 32
#define REMOVALS_A_POLL 128

static bool adjacency_exists(const struct worker *worker, uint32_t index)
{
    return index < worker->config->adjacencies;
}

// The longest packet that a buffer of the pool holds. A driver may copy a frame into one, and not
// every driver looks at its length first: no link is as wide as to let a longer one pass.
static uint16_t mtu_of_buffers(const struct worker *worker)
{
    return (uint16_t)(rte_pktmbuf_data_room_size(worker->pool) - RTE_PKTMBUF_HEADROOM -
                      PACKET_ETHERNET_LEN);
}

static int set_adjacency(struct worker *worker, const struct command *command)
{
    uint32_t index = command->set_adjacency.index;
    if (index == ADJACENCY_NONE || !adjacency_exists(worker, index))
        return -EINVAL;
    struct adjacency *adjacency = &worker->adjacencies[index];
    *adjacency = command->set_adjacency.adjacency;
    if (adjacency->mtu > mtu_of_buffers(worker))
        adjacency->mtu = mtu_of_buffers(worker);
    // A worker sends through its own ports: what lies behind another is out of its reach.
    if (command->set_adjacency.adjacency.port != worker->port &&
        command->set_adjacency.adjacency.port != worker->relay_port)
        adjacency->resolved = 0;
    if (!adjacency->resolved)
        adjacency->mtu = 0; // lets nothing pass, whoever forgets to ask
    return 0;
}

static int install_steering(struct worker *worker, const struct command *command)
{
    if (command->steering.owner >= worker->config->worker_count ||
        command->steering.owner == worker->id)
        return -EINVAL;
    return steering_table_install(&worker->tables, command);
}

static int set_stateless(struct worker *worker, const struct command *command)
{
    stateless_answers_init(&worker->stateless, command->set_stateless.policy);
    plane_policy_applied(worker->plane, worker->id);
    return 0;
}

static int install_allocation(struct worker *worker, const struct command *command)
{
    const struct allocation_table *allocations = &worker->tables.allocations;
    uint32_t user = command->install_allocation.user;
    bool is_new;
    int error;
    if (!adjacency_exists(worker, command->install_allocation.adjacency) ||
        (worker->plane->user_bandwidth != NULL && user >= worker->config->users))
        return -EINVAL;
    if (worker->plane->user_bandwidth != NULL)
        shared_bandwidth_begin(&worker->plane->user_bandwidth[user],
                               command->install_allocation.user_tag);
    is_new = allocation_table_find(allocations, command->allocation) == TABLE_NONE;
    error = allocation_table_install(&worker->tables, command);
    if (!error && is_new)
        icmp_to_client_begin(worker, allocation_table_find(allocations, command->allocation));
    return error;
}

static int set_rates(struct worker *worker, const struct command *command)
{
    const struct bandwidth_limits limits = {
        .max_bps = command->set_rates.max_bps,
        .user_max_bps = command->set_rates.user_max_bps,
        .total_max_bps = command->set_rates.total_max_bps,
    };
    if ((limits.max_bps != 0 && worker->tables.allocations.buckets == NULL) ||
        (limits.user_max_bps != 0 && worker->tables.allocations.shares == NULL))
        return -EINVAL;
    allowance_set_limits(worker, &limits);
    rate_limiter_set(&worker->rate_limiter, command->set_rates.answers_per_second,
                     command->set_rates.burst, worker->tsc_hz);
    return 0;
}

static int apply(struct worker *worker, const struct command *command)
{
    switch ((enum command_kind)command->kind) {
    case COMMAND_SET_ADJACENCY:
        return set_adjacency(worker, command);
    case COMMAND_INSTALL_ALLOCATION:
        return install_allocation(worker, command);
    case COMMAND_INSTALL_PERMISSION:
        return adjacency_exists(worker, command->permission.path.adjacency)
                   ? permission_table_install(&worker->tables, command)
                   : -EINVAL;
    case COMMAND_REMOVE_PERMISSION:
        return permission_table_remove(&worker->tables, command);
    case COMMAND_INSTALL_CHANNEL:
        return adjacency_exists(worker, command->channel.path.adjacency)
                   ? channel_table_install(&worker->tables, command)
                   : -EINVAL;
    case COMMAND_REMOVE_CHANNEL:
        return channel_table_remove(&worker->tables, command);
    case COMMAND_INSTALL_STEERING:
        return install_steering(worker, command);
    case COMMAND_REMOVE_STEERING:
        return steering_table_remove(&worker->tables, command);
    case COMMAND_TRANSMIT:
        stream_path_answer(worker, command->transmit.frame);
        return 0;
    case COMMAND_SET_STATELESS:
        return set_stateless(worker, command);
    case COMMAND_SET_RATES:
        return set_rates(worker, command);
    default:
        return -EINVAL;
    }
}

// Go on with the removal. While it lasts, no other command is applied: what comes behind it may
// take up its addresses.
static void removal_continue(struct worker *worker)
{
    unsigned budget = REMOVALS_A_POLL;
    int error = 0;
    bool is_done = worker->removal.kind == COMMAND_REMOVE_ALLOCATION
                       ? removal_step_allocation(&worker->tables, &worker->removal, &budget, &error)
                       : removal_step_relay(&worker->tables, &worker->removal, &budget, &error);
    if (!is_done)
        return;
    worker->removing = false;
    worker_count(worker, COUNTER_COMMANDS);
    if (error != 0)
        worker_count(worker, COUNTER_COMMAND_FAILURES);
}

unsigned commands_apply(struct worker *worker)
{
    struct rte_ring *ring = worker->plane->commands[worker->id];
    for (unsigned count = 0; count < COMMANDS_A_POLL; count++) {
        if (worker->removing) {
            removal_continue(worker);
            if (worker->removing)
                return count + 1;
            continue;
        }
        struct command command;
        if (rte_ring_sc_dequeue_elem(ring, &command, sizeof(command)) != 0)
            return count;
        if (command.kind == COMMAND_REMOVE_ALLOCATION || command.kind == COMMAND_REMOVE_RELAY) {
            worker->removal = command;
            worker->removing = true;
            continue;
        }
        worker_count(worker, COUNTER_COMMANDS);
        if (apply(worker, &command) != 0)
            worker_count(worker, COUNTER_COMMAND_FAILURES);
    }
    return COMMANDS_A_POLL;
}
