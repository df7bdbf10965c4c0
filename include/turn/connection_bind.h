// SPDX-License-Identifier: BSD-3-Clause
// ConnectionBind requests (RFC 6062 section 5.4). They come on a connection of their own, from a
// client that is known by the allocation of the connection to the peer.
#pragma once

#include "turn/request.h"

// The allocation that a request of this method is about, to authenticate it with; NULL when it
// names none.
struct allocation *turn_connection_bind_allocation(const struct turn_request *request);

// The error code to answer with, or 0 when it has written the response itself. The request is
// authenticated; its allocation, if any, is its user's.
unsigned turn_connection_bind(struct turn_request *request);
