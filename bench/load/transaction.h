// SPDX-License-Identifier: BSD-3-Clause
// Requests that wait for their responses, as many at once as the window has places, sent again by
// the timers of RFC 8489 section 6.2.1.
#pragma once

#include "base/index_pool.h"
#include "proto/stun.h"
#include "random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRANSACTION_REQUEST_MAX_LEN 768
#define TRANSACTION_RTO_MS          500
#define TRANSACTION_SENDS_MAX       7  // Rc
#define TRANSACTION_LAST_WAIT       16 // Rm, in RTOs

struct transaction {
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    bool is_open;
    uint8_t sends;
    uint8_t step;       // the owner's
    uint8_t challenges; // the owner's
    uint32_t flow;      // the owner's
    uint32_t request_len;
    uint64_t first_sent; // ticks
    uint64_t deadline;   // ticks
    uint8_t request[TRANSACTION_REQUEST_MAX_LEN];
};

struct transactions {
    struct transaction *places;
    uint32_t window;
    uint64_t rto; // ticks
    struct index_pool free;
    struct random_state random;
};

enum transaction_due {
    TRANSACTION_NONE,
    TRANSACTION_RESEND, // counted as sent
    TRANSACTION_EXPIRED,
};

// hz: of the clock that all times are on. 0, -ENOMEM.
int transactions_init(struct transactions *transactions, uint32_t window, uint64_t hz,
                      uint64_t seed);
void transactions_done(struct transactions *transactions);

// NULL when the window is full.
struct transaction *transactions_open(struct transactions *transactions);
void transactions_close(struct transactions *transactions, struct transaction *transaction);

// A new id; the owner then writes the request with it and says that it was sent.
void transactions_renew(struct transactions *transactions, struct transaction *transaction);
void transactions_sent(struct transactions *transactions, struct transaction *transaction,
                       uint64_t now);

// The open one with this id, or NULL.
struct transaction *transactions_match(struct transactions *transactions, const uint8_t *id);

// Walk: *cursor starts at 0. The next one whose time has come; TRANSACTION_NONE ends the walk.
enum transaction_due transactions_due(struct transactions *transactions, uint64_t now,
                                      uint32_t *cursor, struct transaction **ret_transaction);

static inline uint32_t transactions_open_count(const struct transactions *transactions)
{
    return index_pool_used(&transactions->free);
}
