// SPDX-License-Identifier: BSD-3-Clause
// FINGERPRINT's value (RFC 8489 section 14.7): it is on every request of an ICE agent, and on every answer to one.
#pragma once

#include <stddef.h>
#include <stdint.h>

// message: what comes before the attribute, its header's length with the attribute taken into account.
uint32_t fingerprint(const void *message, size_t len);
