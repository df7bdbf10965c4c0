// SPDX-License-Identifier: BSD-3-Clause
// The command line of bench/load: the EAL's arguments, then '--', then these.
#pragma once

#include "base/address.h"
#include "endpoint.h"
#include "flood.h"
#include "flow.h"
#include "media.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct option_user {
    char name[129], password[129];
};

struct option_lens {
    uint16_t values[MEDIA_LENS_MAX];
    unsigned count;
};

struct option_mac {
    uint8_t bytes[ETHERNET_ADDRESS_LEN];
    bool is_given;
};

struct options {
    // The link
    uint32_t port;
    uint32_t ring_len;
    uint32_t nap_us;           // 0: spin
    uint32_t realtime;         // priority; 0: none
    struct ip_prefix local[2]; // one address each
    unsigned local_count;
    struct ip_address next_hop;
    struct option_mac next_hop_mac;
    // Who talks
    struct transport_address relay;
    struct option_user user;
    struct endpoint_range clients, peers, sources;
    // Sessions
    uint32_t allocations;
    uint32_t window;
    uint32_t setup_rate;
    uint32_t lifetime_s;
    bool permit, refresh, keep;
    uint32_t refresh_rate; // 0: now and then
    // Media
    double duration_s;
    uint64_t rate; // 0: flat out
    bool directions[DIRECTION_COUNT];
    enum media_framing framing;
    struct option_lens lens;
    double zipf;
    bool no_checksum;
    uint32_t damage_every;
    uint32_t drain_ms;
    uint32_t on_the_way; // frames, at most; 0: as many as there is room for
    bool prepared;       // made ahead
    bool floor;          // no relay: frames come back with their MAC addresses swapped
    // Strangers
    enum flood_kind flood;
    uint64_t flood_rate;
    // Instead of media
    const char *pcap;
    uint32_t pcap_frames;
    // Results
    const char *json;
    bool quiet;
    uint64_t seed;
};

enum options_verdict {
    OPTIONS_RUN,
    OPTIONS_DONE,  // help was printed to output
    OPTIONS_WRONG, // was said on errors
};

// argv[0] is skipped. Strings stay where they are.
enum options_verdict options_parse(int argc, char **argv, FILE *output, FILE *errors,
                                   struct options *ret_options);
