// SPDX-License-Identifier: BSD-3-Clause
// Atomic sums, and an atomic count of those who share them.
#include "control/stream_account.h"

#include "control/session_log.h"

#include <stdlib.h>

struct stream_account {
    uint32_t shares;
    uint32_t user;
    uint64_t full_tsc[2]; // of each direction's bucket
    uint64_t connections;
    uint64_t to_peer_bytes;
    uint64_t to_client_bytes;
    struct session_log *log; // these two by who had a share, before it gave that up
    struct session_record *record;
};

struct stream_account *stream_account_create(void)
{
    struct stream_account *account = calloc(1, sizeof(*account));

    if (account)
        *account = (struct stream_account){.shares = 1};
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

void stream_account_set_user(struct stream_account *account, uint32_t user)
{
    if (account)
        __atomic_store_n(&account->user, user, __ATOMIC_RELAXED);
}

uint32_t stream_account_user(const struct stream_account *account)
{
    return account ? __atomic_load_n(&account->user, __ATOMIC_RELAXED) : 0;
}

uint64_t *stream_account_bucket(struct stream_account *account, enum direction direction)
{
    return account ? &account->full_tsc[direction] : NULL;
}

void stream_account_end(struct stream_account *account, struct session_log *log,
                        struct session_record *record)
{
    account->log = log;
    account->record = record;
}

static void tell(const struct stream_account *account)
{
    const struct session_log_tcp_traffic traffic = {
        .connections = account->connections,
        .to_peer_bytes = account->to_peer_bytes,
        .to_client_bytes = account->to_client_bytes,
    };

    session_log_carried_tcp(account->log, account->record, &traffic);
}

void stream_account_give(struct stream_account *account)
{
    if (!account || __atomic_sub_fetch(&account->shares, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (account->record)
        tell(account);
    free(account);
}
