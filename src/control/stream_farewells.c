// SPDX-License-Identifier: BSD-3-Clause
// The ends of connections that are told a second time.
#include "control/stream_farewells.h"

#include <stdlib.h>

void stream_farewells_done(struct stream_farewells *farewells)
{
    free(farewells->entries);
    *farewells = (struct stream_farewells){0};
}

void stream_farewells_add(struct stream_farewells *farewells, const struct client_key *client,
                          uint32_t now_s)
{
    if (!farewells->entries)
        farewells->entries = malloc(STREAM_FAREWELLS_MAX * sizeof(*farewells->entries));
    // Without memory its allocation, if there is one, goes when its lifetime is over.
    if (!farewells->entries)
        return;
    if (farewells->count == STREAM_FAREWELLS_MAX) {
        farewells->first++;
        farewells->count--;
    }
    farewells->entries[(farewells->first + farewells->count++) % STREAM_FAREWELLS_MAX] =
        (struct stream_farewell){*client, now_s};
}

bool stream_farewells_next(struct stream_farewells *farewells, uint32_t now_s,
                           struct client_key *ret_client)
{
    const struct stream_farewell *entry;

    if (farewells->count == 0)
        return false;
    entry = &farewells->entries[farewells->first % STREAM_FAREWELLS_MAX];
    // A whole second and what of another the clock has left out.
    if (now_s < entry->told_s + 2)
        return false;
    *ret_client = entry->client;
    farewells->first++;
    farewells->count--;
    return true;
}
