// SPDX-License-Identifier: BSD-3-Clause
// What a device is asked to deliver where: the ports of each worker's slices at each relay address
// to that worker, in as few masked rules as there can be; and, where it delivers nothing else, all
// that is the relay's.
#pragma once

#include "exchange/plane.h"

#include <stdint.h>

// Devices have places for some thousands, and each takes time to make.
#define STEERING_RULES_MAX 1024

enum steering_rule_kind {
    STEERING_RELAY,     // UDP to the ports of a slice: to the queue of its worker
    STEERING_LISTENER,  // UDP to a port: spread over all queues
    STEERING_FRAGMENTS, // UDP in fragments: spread by addresses, so that pieces stay together
    STEERING_ERRORS,    // ICMP or ICMPv6 of one type, or one code of it: to the first queue
};

struct steering_rule {
    struct ip_address destination;
    uint8_t kind;      // enum steering_rule_kind
    uint8_t icmp_type; // of STEERING_ERRORS
    uint8_t icmp_code;
    uint8_t icmp_code_mask; // 0: any code
    uint16_t port;          // of STEERING_RELAY and _LISTENER, host byte order: where these bits,
    uint16_t port_mask;     // and no others, are as in port
    uint16_t queue;         // of STEERING_RELAY
};

struct steering_rules {
    unsigned count; // that there are to be; those beyond STEERING_RULES_MAX are not in at
    struct steering_rule at[STEERING_RULES_MAX];
};

// For a device that delivers everything: rules for its relay ports alone, by which no listener's
// port is touched. Ports that are nobody's may be among them, so that a range of any bounds takes
// few rules.
void steering_rules_make(const struct plane_config *config, struct steering_rules *ret_rules);

// For a device that delivers what a rule matches and leaves the rest to the kernel: rules for all
// that is the relay's, and no port that is not. What looks the same but is the kernel's comes too:
// ICMP errors and UDP in fragments.
void steering_rules_make_all(const struct plane_config *config, struct steering_rules *ret_rules);
