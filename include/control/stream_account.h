// SPDX-License-Identifier: BSD-3-Clause
// What a TCP allocation carries (RFC 6062), counted by the threads that have its joined connections, and what it may
// carry: whose bandwidth it shares, and buckets of its own (exchange/bandwidth.h). It is shared: by
// whoever listens for the allocation's peers, and by each connection from its order to join on. When the last share is
// given up, and the allocation has ended, the session log gets its bytes, as it gets those of others. Any thread.
#pragma once

#include "exchange/bandwidth.h"

#include <stdint.h>

struct stream_account;
struct session_log;
struct session_log_tcp_traffic;
struct session_record;

// With one share. NULL, which all functions take: there is no memory, and nobody counts.
struct stream_account *stream_account_create(void);
// One share more.
struct stream_account *stream_account_share(struct stream_account *account);
// A connection more has been joined.
void stream_account_add_connection(struct stream_account *account);
// So many bytes more have been carried.
void stream_account_add_bytes(struct stream_account *account, enum direction direction, uint64_t bytes);
// So far. Of NULL nothing.
void stream_account_carried(const struct stream_account *account, struct session_log_tcp_traffic *ret_traffic);
// As quotas count users: see turn_command.tcp_bind. By who has a share, and the same for each.
void stream_account_set_user(struct stream_account *account, uint32_t user);
uint32_t stream_account_user(const struct stream_account *account);
// When it will be full again; atomic. NULL for NULL.
uint64_t *stream_account_bucket(struct stream_account *account, enum direction direction);
// The allocation has ended, and this is its record (control/session_log.h). By who has a share.
void stream_account_end(struct stream_account *account, struct session_log *log, struct session_record *record);
void stream_account_give(struct stream_account *account);
