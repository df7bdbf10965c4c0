// SPDX-License-Identifier: BSD-3-Clause
// The clients' side of TURN for all flows (RFC 8656, RFC 8489 section 9.2): what is asked of the
// relay for each flow, many at once, until all are served.
#pragma once

#include "base/bytes.h"
#include "flow.h"
#include "histogram.h"
#include "pacer.h"
#include "proto/integrity.h"
#include "transaction.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_ERRORS_MAX 8
#define SESSION_REALM_MAX  128

// In the order in which they are taken for one flow.
enum session_step {
    STEP_ALLOCATE,
    STEP_PERMIT,
    STEP_BIND,
    STEP_REFRESH,
    STEP_DELETE,
    STEP_COUNT,
};

struct session_error {
    unsigned code; // 0: no response
    uint64_t count;
};

struct session_counts {
    uint64_t requests; // without what was sent again
    uint64_t resent;
    uint64_t challenged; // 401, the first time
    uint64_t stale;      // 438
    uint64_t discarded;  // responses to nothing, or whose integrity is wrong
    struct session_error errors[SESSION_ERRORS_MAX]; // that ended a flow's part in a round
};

// A round: some steps for every flow that is there.
struct session_round {
    unsigned steps; // bits of 1 << enum session_step
    uint32_t next;  // flow
    uint32_t done;
    uint32_t failed;
    uint64_t started, ended; // ticks; ended only when it is over
};

struct sessions_config {
    struct flows *flows;
    const char *username, *password;
    uint32_t lifetime_s;
    uint32_t window;
    uint64_t hz;
    uint64_t seed;
    // Sends a message from a flow's client to the server; bytes are the callee's no longer.
    void (*send)(void *context, uint32_t flow, const uint8_t *bytes, size_t len);
    void *context;
};

struct sessions {
    struct sessions_config config;
    struct transactions transactions;
    char realm[SESSION_REALM_MAX];
    struct integrity_key key;
    bool has_key;
    struct session_round round;
    struct pacer pacer;
    uint64_t next_due_walk;
    struct session_counts counts;
    struct histogram response_ticks; // of what was sent once
};

// 0, -ENOMEM.
int sessions_init(struct sessions *sessions, const struct sessions_config *config);
void sessions_done(struct sessions *sessions);

// The round before is over. rate: flows begun a second, 0: as the window allows.
void sessions_begin(struct sessions *sessions, unsigned steps, uint64_t rate, uint64_t now);

// No flow is begun any more: the round is over when those that are have been served.
void sessions_cut(struct sessions *sessions, uint64_t now);

// Whenever there is time: begins with flows, sends again.
void sessions_poll(struct sessions *sessions, uint64_t now);

// A response that reached a client.
void sessions_receive(struct sessions *sessions, const struct transport_address *client,
                      const struct stun_message *message, uint64_t now);

static inline bool sessions_is_over(const struct sessions *sessions)
{
    return sessions->round.ended != 0;
}
