// SPDX-License-Identifier: BSD-3-Clause
// See turn/output.h.
#include "turn/output.h"

#include <assert.h>

void turn_output_reset(struct turn_output *output)
{
    output->response_len = 0;
    output->response_error = 0;
    output->request_method = 0;
    output->login = CREDENTIALS_OK;
    output->login_user = (struct span){0};
    output->has_started = false;
    output->refusal = QUOTA_NOT_REFUSED;
    output->response_to.transport = 0;
    output->command_count = 0;
}

static struct turn_command *append(struct turn_output *output, enum turn_command_kind kind,
                                   const struct allocation *allocation)
{
    assert(turn_output_has_room(output));
    struct turn_command *command = &output->commands[output->command_count++];
    *command = (struct turn_command){
        .kind = (uint16_t)kind, .worker = allocation->worker, .allocation = allocation->id};
    return command;
}

static struct turn_relayed_address live_address(const struct allocation *allocation,
                                                enum relayed_slot slot)
{
    const struct relayed *relayed = &allocation->relayed[slot];
    return relayed->state == RELAYED_LIVE ? relayed->address : (struct turn_relayed_address){0};
}

static struct turn_command *append_allocation(struct turn_output *output,
                                              enum turn_command_kind kind,
                                              const struct allocation_table *table,
                                              const struct allocation *allocation)
{
    struct turn_command *command = append(output, kind, allocation);
    command->allocation_info.five_tuple = allocation_five_tuple(table, allocation);
    command->allocation_info.received_by = allocation->received_by;
    command->allocation_info.relayed_v4 = live_address(allocation, RELAYED_V4);
    command->allocation_info.relayed_v6 = live_address(allocation, RELAYED_V6);
    return command;
}

void turn_output_install_allocation(struct turn_output *output,
                                    const struct allocation_table *table, const struct quota *users,
                                    const struct allocation *allocation)
{
    if (allocation->is_tcp)
        return;
    struct turn_command *command =
        append_allocation(output, TURN_COMMAND_INSTALL_ALLOCATION, table, allocation);
    command->allocation_info.user = allocation->user;
    command->allocation_info.user_tag = quota_user_tag(users, allocation->user);
}

void turn_output_remove_allocation(struct turn_output *output, const struct allocation_table *table,
                                   const struct allocation *allocation)
{
    append_allocation(output, TURN_COMMAND_REMOVE_ALLOCATION, table, allocation);
}

void turn_output_remove_relay(struct turn_output *output, const struct allocation *allocation,
                              enum relayed_slot slot)
{
    append(output, TURN_COMMAND_REMOVE_RELAY, allocation)->removed_relay =
        live_address(allocation, slot);
}

void turn_output_permission(struct turn_output *output, enum turn_command_kind kind,
                            const struct allocation *allocation, const struct ip_address *peer)
{
    if (!allocation->is_tcp)
        append(output, kind, allocation)->permission = *peer;
}

void turn_output_channel(struct turn_output *output, enum turn_command_kind kind,
                         const struct allocation *allocation, uint16_t number,
                         const struct transport_address *peer)
{
    struct turn_command *command = append(output, kind, allocation);
    command->channel.number = number;
    command->channel.peer = *peer;
}

void turn_output_tcp_connect(struct turn_output *output, const struct allocation *allocation,
                             uint32_t connection, const struct transport_address *peer,
                             struct turn_relayed_address from)
{
    struct turn_command *command = append(output, TURN_COMMAND_TCP_CONNECT, allocation);
    command->tcp_connect.connection = connection;
    command->tcp_connect.peer = *peer;
    command->tcp_connect.from = from;
}

void turn_output_tcp_bind(struct turn_output *output, const struct quota *users,
                          const struct allocation *allocation, uint32_t connection,
                          const struct five_tuple *client)
{
    struct turn_command *command = append(output, TURN_COMMAND_TCP_BIND, allocation);
    command->tcp_bind.connection = connection;
    command->tcp_bind.client = *client;
    command->tcp_bind.user = allocation->user;
    command->tcp_bind.user_tag = quota_user_tag(users, allocation->user);
}

void turn_output_tcp_close(struct turn_output *output, const struct allocation *allocation,
                           uint32_t connection)
{
    append(output, TURN_COMMAND_TCP_CLOSE, allocation)->tcp_close = connection;
}

void turn_output_tcp_unlisten(struct turn_output *output, const struct allocation *allocation,
                              unsigned slots)
{
    struct turn_command *command = append(output, TURN_COMMAND_TCP_UNLISTEN, allocation);
    if ((slots & 1u << RELAYED_V4) != 0)
        command->tcp_unlisten.relayed_v4 = live_address(allocation, RELAYED_V4);
    if ((slots & 1u << RELAYED_V6) != 0)
        command->tcp_unlisten.relayed_v6 = live_address(allocation, RELAYED_V6);
}
