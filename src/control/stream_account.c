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
    uint64_t bytes[2];       // each direction's
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

void stream_account_add_connection(struct stream_account *account)
{
    if (account)
        __atomic_fetch_add(&account->connections, 1, __ATOMIC_RELAXED);
}

void stream_account_add_bytes(struct stream_account *account, enum direction direction,
                              uint64_t bytes)
{
    if (account && bytes > 0)
        __atomic_fetch_add(&account->bytes[direction], bytes, __ATOMIC_RELAXED);
}

void stream_account_carried(const struct stream_account *account,
                            struct session_log_tcp_traffic *ret_traffic)
{
    *ret_traffic = (struct session_log_tcp_traffic){};
    if (!account)
        return;
    ret_traffic->connections = __atomic_load_n(&account->connections, __ATOMIC_RELAXED);
    ret_traffic->to_peer_bytes =
        __atomic_load_n(&account->bytes[DIRECTION_TO_PEER], __ATOMIC_RELAXED);
    ret_traffic->to_client_bytes =
        __atomic_load_n(&account->bytes[DIRECTION_TO_CLIENT], __ATOMIC_RELAXED);
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
    struct session_log_tcp_traffic traffic;

    stream_account_carried(account, &traffic);
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
