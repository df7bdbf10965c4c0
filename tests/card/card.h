// SPDX-License-Identifier: BSD-3-Clause
// A card that takes rte_flow rules and does as they say, in the place of DPDK's functions of these
// names: what no machine for tests has in hardware. Linked into a test, or loaded into the relay
// before DPDK (preload.c).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CARD_NOWHERE (-1)

struct card {
    bool knows_rules; // else as drivers without any
    bool knows_masks; // of ports; else exact ones alone
    bool can_isolate;
    bool sees_first_fragments; // has the ports of these; else rules with ports match no fragment
    unsigned capacity;         // rules
    unsigned fails_at;         // the rule of this number is good, but cannot be made; 0: none
    void (*on_rule)(uint16_t port); // after each that was made; NULL: nobody asks

    unsigned made, live; // rules, from the beginning on and now
    bool is_isolated;
};

// One for all ports. card_reset(): it can do everything, and has no rules.
extern struct card card;
void card_reset(void);

// As a card that nobody resets when who made its rules is killed: they are in this file, where the
// next one finds them. False: there is no such file to be had.
bool card_keep(const char *path);

// The queue that a rule sends this Ethernet frame to, that of the arrival where none matches, or
// CARD_NOWHERE. Of several queues of a rule one is chosen by addresses, and ports where there are
// any. vlan: of a tag that was taken off, or -1.
int card_queue_of(const uint8_t *frame, size_t len, int vlan, uint16_t arrival);
