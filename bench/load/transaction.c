// SPDX-License-Identifier: BSD-3-Clause
// A transaction id begins with the transaction's place, so that a response needs no search; the
// rest is random.
#include "transaction.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

int transactions_init(struct transactions *transactions, uint32_t window, uint64_t hz,
                      uint64_t seed)
{
    struct transactions made = {
        .window = window, .rto = hz * TRANSACTION_RTO_MS / 1000, .random = random_seeded(seed)};

    made.places = calloc(window, sizeof(*made.places));
    if (!made.places || index_pool_init(&made.free, window) < 0) {
        free(made.places);
        return -ENOMEM;
    }
    *transactions = made;
    return 0;
}

void transactions_done(struct transactions *transactions)
{
    index_pool_done(&transactions->free);
    free(transactions->places);
    transactions->places = NULL;
}

struct transaction *transactions_open(struct transactions *transactions)
{
    uint32_t place = index_pool_take(&transactions->free);
    struct transaction *transaction;

    if (place == INDEX_NONE)
        return NULL;
    transaction = &transactions->places[place];
    transaction->is_open = true;
    transaction->challenges = 0;
    transactions_renew(transactions, transaction);
    return transaction;
}

void transactions_close(struct transactions *transactions, struct transaction *transaction)
{
    transaction->is_open = false;
    index_pool_give(&transactions->free, (uint32_t)(transaction - transactions->places));
}

void transactions_renew(struct transactions *transactions, struct transaction *transaction)
{
    store_be32(transaction->id, (uint32_t)(transaction - transactions->places));
    store_be64(transaction->id + 4, random_next(&transactions->random));
    transaction->sends = 0;
}

void transactions_sent(struct transactions *transactions, struct transaction *transaction,
                       uint64_t now)
{
    uint64_t wait = transactions->rto << transaction->sends;

    if (transaction->sends == 0)
        transaction->first_sent = now;
    transaction->sends++;
    if (transaction->sends == TRANSACTION_SENDS_MAX)
        wait = transactions->rto * TRANSACTION_LAST_WAIT;
    transaction->deadline = now + wait;
}

struct transaction *transactions_match(struct transactions *transactions, const uint8_t *id)
{
    uint32_t place = load_be32(id);
    struct transaction *transaction;

    if (place >= transactions->window)
        return NULL;
    transaction = &transactions->places[place];
    return transaction->is_open && memcmp(transaction->id, id, sizeof(transaction->id)) == 0
               ? transaction
               : NULL;
}

enum transaction_due transactions_due(struct transactions *transactions, uint64_t now,
                                      uint32_t *cursor, struct transaction **ret_transaction)
{
    while (*cursor < transactions->window) {
        struct transaction *transaction = &transactions->places[(*cursor)++];

        if (!transaction->is_open || transaction->deadline > now)
            continue;
        *ret_transaction = transaction;
        if (transaction->sends == TRANSACTION_SENDS_MAX)
            return TRANSACTION_EXPIRED;
        transactions_sent(transactions, transaction, now);
        return TRANSACTION_RESEND;
    }
    return TRANSACTION_NONE;
}
