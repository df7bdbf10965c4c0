// SPDX-License-Identifier: BSD-3-Clause
// A client that costs less than the server it measures: it believes every signature, decodes a
// certificate once, and has one ephemeral key, whose secret is one.
#pragma once

// For all of this process's P-256 keys from now on. Handshakes are as long, and as much work for
// the server.
void handshake_savings_take(void);
