// SPDX-License-Identifier: BSD-3-Clause
// Writing commands into a turn_output. Whoever writes one has made sure that it fits
// (turn_output_has_room). Of a TCP allocation and its permissions nothing is written for workers.
#pragma once

#include "turn/allocation.h"
#include "turn/quota.h"
#include "turn/server.h"

#include <stdbool.h>

void turn_output_reset(struct turn_output *output);

static inline bool turn_output_has_room(const struct turn_output *output)
{
    return output->command_count < TURN_OUTPUT_COMMANDS_MAX;
}

void turn_output_install_allocation(struct turn_output *output,
                                    const struct allocation_table *table, const struct quota *users,
                                    const struct allocation *allocation);
void turn_output_remove_allocation(struct turn_output *output, const struct allocation_table *table,
                                   const struct allocation *allocation);
void turn_output_remove_relay(struct turn_output *output, const struct allocation *allocation,
                              enum relayed_slot slot);
// kind: TURN_COMMAND_INSTALL_ or TURN_COMMAND_REMOVE_PERMISSION, _CHANNEL.
void turn_output_permission(struct turn_output *output, enum turn_command_kind kind,
                            const struct allocation *allocation, const struct ip_address *peer);
void turn_output_channel(struct turn_output *output, enum turn_command_kind kind,
                         const struct allocation *allocation, uint16_t number,
                         const struct transport_address *peer);

// Of a TCP allocation.
void turn_output_tcp_connect(struct turn_output *output, const struct allocation *allocation,
                             uint32_t connection, const struct transport_address *peer,
                             struct turn_relayed_address from);
void turn_output_tcp_bind(struct turn_output *output, const struct quota *users,
                          const struct allocation *allocation, uint32_t connection,
                          const struct five_tuple *client);
void turn_output_tcp_close(struct turn_output *output, const struct allocation *allocation,
                           uint32_t connection);
// slots: bits by enum relayed_slot, of live ones.
void turn_output_tcp_unlisten(struct turn_output *output, const struct allocation *allocation,
                              unsigned slots);
