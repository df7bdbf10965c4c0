// SPDX-License-Identifier: BSD-3-Clause
// CreatePermission requests (RFC 8656 section 10.2), and the installing of one permission.
#pragma once

#include "turn/request.h"

// The error code to answer with, or 0 when it has written the response itself. The request is
// authenticated and its allocation is there and its user's.
unsigned turn_create_permission(struct turn_request *request);

// Install or refresh a permission of the request's allocation; there is room for it.
void turn_install_permission(struct turn_request *request, const struct ip_address *peer);
