// SPDX-License-Identifier: BSD-3-Clause
// Who sends a request: the part of RFC 8489 section 9.2.4 that needs to know the user. What needs
// only the nonce, proto/stateless.h has checked before.
#pragma once

#include "turn/request.h"

// Fills in username, key, algorithm and answer_sha1; allocation is set. Other than CREDENTIALS_OK: 401.
enum credentials_verdict authentication_check(struct turn_request *request);
