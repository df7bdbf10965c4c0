// SPDX-License-Identifier: BSD-3-Clause
// What OpenSSL does on this CPU without sockets or TURN: the most that a relay with it can.
#pragma once

struct openssl_figures {
    double handshakes_per_second;               // full ones of a TLS 1.3 server, P-256
    double written_per_second, read_per_second; // records of 1204 bytes, AES-128-GCM
};

void openssl_alone_run(double seconds, struct openssl_figures *ret_figures);
