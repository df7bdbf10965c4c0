// SPDX-License-Identifier: BSD-3-Clause
// The command line of the load generator for streams.
#pragma once

#include "base/address.h"
#include "wire.h"

#include <stdbool.h>

struct options {
    bool only_openssl, has_relay;
    bool counts_connections, holds_clients;
    bool only_tls12;
    enum transport transport;
    struct transport_address relay;
    struct ip_address peer;
    char user[129], password[129];
    uint32_t clients;
    uint32_t payload_len;
    bool to_peer, to_client;
    double duration_s, warm_up_s;
    uint32_t window_bytes; // of payload on its way, for each client
    int relay_cpu;         // -1: unknown
    bool is_quiet;
    const char *json;
};

// Whatever is wrong ends the process, and so does --help.
void options_read(int argc, char **argv, struct options *ret_options);
