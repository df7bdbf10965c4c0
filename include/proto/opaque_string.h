// SPDX-License-Identifier: BSD-3-Clause
// The PRECIS OpaqueString profile for usernames, realms and passwords (RFC 8265 section 4.2, RFC 8489 section 9.2.2).
#pragma once

#include "base/bytes.h"

#include <stddef.h>

// Map non-ASCII spaces to U+0020, refuse controls and invalid UTF-8, normalize to NFC. Writes at most capacity bytes
// and a terminator: the buffer has capacity + 1. 0; -EINVAL for text that the profile forbids (empty included);
// -ENOSPC; -ENOMEM.
int opaque_string_prepare(struct span text, char *buffer, size_t capacity);
