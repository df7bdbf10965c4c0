// SPDX-License-Identifier: BSD-3-Clause
// What a TCP allocation carries (RFC 6062), counted by the threads that have its joined connections. It is shared: by
// whoever listens for the allocation's peers, and by each connection from its order to join on. When the last share is
// given up, and the allocation has ended, the session log gets its bytes, as it gets those of others. Any thread.
#pragma once

#include <stdint.h>

struct stream_account;
struct session_log;
struct session_record;

// With one share. NULL, which all functions take: there is no memory, and nobody counts.
struct stream_account *stream_account_create(void);
// One share more.
struct stream_account *stream_account_share(struct stream_account *account);
// A connection has carried so much, and is over.
void stream_account_add(struct stream_account *account, uint64_t to_peer_bytes, uint64_t to_client_bytes);
// The allocation has ended, and this is its record (control/session_log.h). By who has a share.
void stream_account_end(struct stream_account *account, struct session_log *log, struct session_record *record);
void stream_account_give(struct stream_account *account);
