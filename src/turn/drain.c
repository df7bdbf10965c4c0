// SPDX-License-Identifier: BSD-3-Clause
// See turn/drain.h.
#include "turn/drain.h"

#include "turn/output.h"
#include "turn/teardown.h"

void turn_server_drain(struct turn_server *server, const struct turn_alternates *alternates)
{
    server->drain = TURN_DRAIN_NEWCOMERS;
    server->alternates = *alternates;
}

void turn_server_undrain(struct turn_server *server)
{
    server->drain = TURN_DRAIN_NONE;
}

// None comes behind the cursor: from here on tokens are worth nothing either.
bool turn_server_end_allocations(struct turn_server *server, uint64_t *cursor,
                                 struct turn_output *output)
{
    turn_output_reset(output);
    server->drain = TURN_DRAIN_ALL;
    for (unsigned i = 0; i < TURN_WALK_STEPS_MAX && turn_output_has_room(output); i++) {
        struct server_place place;
        if (!server_next_place(server, cursor, &place) || place.table != SERVER_ALLOCATIONS)
            return false;
        struct allocation *allocation = allocation_get(&server->allocations, place.index);
        if (allocation != NULL)
            teardown_allocation(server, allocation, TURN_END_SHUT_DOWN, output);
    }
    return true;
}
