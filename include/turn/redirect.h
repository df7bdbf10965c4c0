// SPDX-License-Identifier: BSD-3-Clause
// What a draining server says to who asks for an allocation (RFC 8489 section 10); see turn/drain.h.
#pragma once

#include "proto/builder.h"
#include "turn/request.h"

// For an Allocate that is good otherwise. 0: it is served; else the error.
unsigned redirect_error(const struct turn_request *request, bool has_reservation);

// What 300 carries.
void redirect_add_alternates(const struct turn_request *request, struct stun_builder *builder);
