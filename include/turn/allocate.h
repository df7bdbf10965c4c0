// SPDX-License-Identifier: BSD-3-Clause
// Allocate requests (RFC 8656 section 7.2).
#pragma once

#include "turn/request.h"

// The error code to answer with, or 0 when it has written the response itself. The request is
// authenticated.
unsigned turn_allocate(struct turn_request *request);
