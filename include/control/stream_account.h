// SPDX-License-Identifier: BSD-3-Clause
// What a TCP allocation carries (RFC 6062), counted by the threads that have its joined connections. It is shared: by
// whoever listens for the allocation's peers, and by each connection from its order to join on. When the last share is
// given up, the allocation's end and its bytes are logged, as those of other allocations are. Any thread.
#pragma once

#include <stdint.h>

struct stream_account;

// With one share. NULL, which all functions take: there is no memory, and nobody counts.
struct stream_account *stream_account_create(uint32_t allocation);
// One share more.
struct stream_account *stream_account_share(struct stream_account *account);
// A connection has carried so much, and is over.
void stream_account_add(struct stream_account *account, uint64_t to_peer_bytes, uint64_t to_client_bytes);
void stream_account_give(struct stream_account *account);
