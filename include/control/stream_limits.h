// SPDX-License-Identifier: BSD-3-Clause
// What bounds clients' connections, each thread's for itself.
#pragma once

#include <stdint.h>

struct stream_limits {
    uint32_t connections; // of a thread, at most 2^24
    uint32_t half_open;   // of them, in a TLS handshake or a PROXY header: the oldest gives way
    uint32_t per_source;  // of one IPv4 address or one /64; 0: any number
    uint32_t out_len;     // bytes that wait for a client: media beyond it is dropped, responses beyond twice as many
    uint32_t proxy_s;     // to send the PROXY header
    uint32_t handshake_s; // to complete the TLS handshake
    uint32_t frame_s;     // to send the rest of a message
    uint32_t stuck_s;     // with bytes waiting, of which the client takes none
    uint32_t quiet_s;     // without a byte of a client's that has no allocation
    uint32_t idle_s;      // of one that has had one: no less than the longest lifetime of an allocation
};

static const struct stream_limits stream_limits_default = {
    .connections = 65536,
    .half_open = 1024,
    .per_source = 1024,
    .out_len = 256 * 1024,
    .proxy_s = 3,
    .handshake_s = 10,
    .frame_s = 10,
    .stuck_s = 30,
    .quiet_s = 60,
    .idle_s = 3660,
};
