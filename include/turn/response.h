// SPDX-License-Identifier: BSD-3-Clause
// Responses to authenticated requests: integrity on every one, SOFTWARE on those to Allocate and
// Refresh, FINGERPRINT when the request had one (RFC 8489 section 9.2.4, RFC 8656 section 5).
#pragma once

#include "proto/builder.h"
#include "turn/request.h"

// Attributes go between begin and end. Both take what the request was authenticated with.
void response_begin_success(const struct turn_request *request, struct stun_builder *ret_builder);
void response_end(struct turn_request *request, struct stun_builder *builder);
// A whole error response; with 300 the alternate servers, with 420 the attributes that were not
// understood.
void response_error(struct turn_request *request, unsigned error);
