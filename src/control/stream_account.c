// SPDX-License-Identifier: BSD-3-Clause
// Atomic sums, and an atomic count of those who share them.
#include "control/stream_account.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct stream_account {
    uint32_t allocation;
    uint32_t shares;
    uint64_t connections;
    uint64_t to_peer_bytes;
    uint64_t to_client_bytes;
};

struct stream_account *stream_account_create(uint32_t allocation)
{
    struct stream_account *account = calloc(1, sizeof(*account));

    if (account)
        *account = (struct stream_account){.allocation = allocation, .shares = 1};
    return account;
}

struct stream_account *stream_account_share(struct stream_account *account)
{
    if (account)
        __atomic_fetch_add(&account->shares, 1, __ATOMIC_RELAXED);
    return account;
}

void stream_account_add(struct stream_account *account, uint64_t to_peer_bytes,
                        uint64_t to_client_bytes)
{
    if (!account)
        return;
    __atomic_fetch_add(&account->connections, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&account->to_peer_bytes, to_peer_bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&account->to_client_bytes, to_client_bytes, __ATOMIC_RELAXED);
}

static void log_ended(const struct stream_account *account)
{
    const uint64_t counts[] = {account->allocation, account->connections, account->to_peer_bytes,
                               account->to_client_bytes};
    char texts[sizeof(counts) / sizeof(counts[0])][24];

    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        snprintf(texts[i], sizeof(texts[i]), "%" PRIu64, counts[i]);
    log_event(LOG_LEVEL_DEBUG, "allocation_ended", "id", texts[0], "tcp_connections", texts[1],
              "to_peer_bytes", texts[2], "to_client_bytes", texts[3], NULL);
}

void stream_account_give(struct stream_account *account)
{
    if (!account || __atomic_sub_fetch(&account->shares, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    log_ended(account);
    free(account);
}
