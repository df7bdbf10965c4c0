// SPDX-License-Identifier: BSD-3-Clause
// Refresh requests (RFC 8656 section 8.2), and the lifetimes that they and Allocate grant.
#pragma once

#include "turn/request.h"

// The error code to answer with, or 0 when it has written the response itself. The request is
// authenticated and its allocation is there and its user's.
unsigned turn_refresh(struct turn_request *request);

// The lifetime that a request is granted; without LIFETIME the default. False: malformed.
bool turn_read_lifetime(const struct turn_request *request, bool zero_deletes,
                        uint32_t *ret_lifetime_s);
