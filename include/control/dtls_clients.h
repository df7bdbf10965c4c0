// SPDX-License-Identifier: BSD-3-Clause
// The DTLS clients of a thread and how their associations end: at a newer handshake, by time, by want of room. Each end
// of one that was open is told to the control plane, when there is room, and once more. "Open" here is quiet or not.
#pragma once

#include "base/timer_wheel.h"
#include "control/dtls_table.h"
#include "control/stream_farewells.h"
#include "control/stream_sources.h"

#include <stdbool.h>
#include <stdint.h>

// A handshake may take so long.
#define DTLS_HANDSHAKE_MS 30000

struct dtls_limits {
    uint32_t associations_max;
    uint32_t handshakes_max; // of those
    uint32_t per_source;     // of one IPv4 address or one /64; 0: any number
    uint32_t quiet_s;        // without traffic, of one that is quiet
    uint32_t idle_s;         // of one that is not
};

struct dtls_clients {
    struct dtls_thread *thread;
    struct dtls_limits limits;
    struct dtls_table table;
    struct timer_wheel idle;
    struct stream_sources sources;
    struct stream_farewells farewells;
    uint64_t now_ms; // set by whoever calls
};

// 0, -ENOMEM. thread outlives it.
int dtls_clients_init(struct dtls_clients *clients, struct dtls_thread *thread, const struct dtls_limits *limits);
// Clients are told, the control plane is not.
void dtls_clients_done(struct dtls_clients *clients);

// For one that begins a handshake. Without room the handshake that takes longest gives way, then who has been
// quiet for longest. NULL: there is none, or its source has as many as it may.
struct dtls_place *dtls_clients_take(struct dtls_clients *clients, const struct client_key *client);
// Its handshake is over: what was open of this client ends.
void dtls_clients_open(struct dtls_clients *clients, struct dtls_place *place);
// NULL: none.
struct dtls_place *dtls_clients_find_open(const struct dtls_clients *clients, const struct client_key *client);
// It has been given an allocation.
void dtls_clients_serve(struct dtls_clients *clients, struct dtls_place *place);
// There was traffic.
void dtls_clients_touch(struct dtls_clients *clients, struct dtls_place *place);
void dtls_clients_end(struct dtls_clients *clients, struct dtls_place *place);

// The control plane has to know of a client's end before there are messages of its next association.
bool dtls_clients_is_too_soon(const struct dtls_clients *clients, const struct client_key *client);

// What is due at now_ms.
void dtls_clients_tick(struct dtls_clients *clients);
// So often; 0: there is nothing that time changes.
uint32_t dtls_clients_tick_ms(const struct dtls_clients *clients);
// What the control plane has not heard yet, as far as there is room.
void dtls_clients_send_news(struct dtls_clients *clients);
