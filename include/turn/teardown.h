// SPDX-License-Identifier: BSD-3-Clause
// How things end, by Refresh, by time or by a closed connection: state goes, a command is written,
// and what the worker still holds waits for its acknowledgement. Of a TCP allocation no worker
// holds anything: it is gone at once.
#pragma once

#include "turn/server_state.h"

// Each takes a live one and writes one command. Ending a relayed address ends the allocation when
// it is the last.
void teardown_permission(struct turn_server *server, uint32_t permission,
                         struct turn_output *output);
void teardown_channel(struct turn_server *server, uint32_t channel, struct turn_output *output);
void teardown_relayed(struct turn_server *server, struct allocation *allocation,
                      enum relayed_slot slot, enum turn_end end, struct turn_output *output);
void teardown_allocation(struct turn_server *server, struct allocation *allocation,
                         enum turn_end end, struct turn_output *output);
// Its Connect, if that still waits, has been answered, or will not be.
void teardown_tcp_connection(struct turn_server *server, uint32_t connection,
                             struct turn_output *output);
// The same, when the caller has closed it: no command.
void teardown_tcp_closed(struct turn_server *server, uint32_t connection);
// The held port was never on a worker: free at once, no command.
void teardown_reservation(struct turn_server *server, uint32_t reservation);
// A reservation's port now belongs to an allocation.
void teardown_redeem(struct turn_server *server, uint32_t reservation);

// The worker's acknowledgements, of an id that was handed out once; one that nobody awaits changes
// nothing.
void teardown_allocation_acknowledged(struct turn_server *server, struct allocation *allocation);
void teardown_relay_acknowledged(struct turn_server *server, struct allocation *allocation,
                                 const struct turn_relayed_address *address);
