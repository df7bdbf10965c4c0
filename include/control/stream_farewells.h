// SPDX-License-Identifier: BSD-3-Clause
// The ends of connections that are told a second time. A worker and the control plane may still have had a request of
// the client's before them when its end was told first; what came of that request goes with the second word.
#pragma once

#include "exchange/command.h"

#include <stdbool.h>
#include <stdint.h>

#define STREAM_FAREWELLS_MAX 1024 // a power of two; the oldest are forgotten where more end within a second

struct stream_farewell {
    struct client_key client;
    uint32_t told_s;
};

// All zero: none.
struct stream_farewells {
    struct stream_farewell *entries; // none: memory is taken with the first
    uint32_t first;
    uint32_t count;
};

void stream_farewells_done(struct stream_farewells *farewells);

// Its end has been told.
void stream_farewells_add(struct stream_farewells *farewells, const struct client_key *client, uint32_t now_s);
// The next one that was told a second ago, or more: it is to be told again, unless the client has come back.
bool stream_farewells_next(struct stream_farewells *farewells, uint32_t now_s, struct client_key *ret_client);
