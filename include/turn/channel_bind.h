// SPDX-License-Identifier: BSD-3-Clause
// ChannelBind requests (RFC 8656 section 12.2).
#pragma once

#include "turn/request.h"

// The error code to answer with, or 0 when it has written the response itself. The request is
// authenticated and its allocation is there and its user's.
unsigned turn_channel_bind(struct turn_request *request);
