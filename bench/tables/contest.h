// SPDX-License-Identifier: BSD-3-Clause
// What tables are asked: the relay's keys for the channels of many clients, in bursts, and which entry each leads to.
#pragma once

#include "../load/random.h"
#include "dataplane/flow_table.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTEST_BURST 64
#define CONTEST_KEYS  32768 // of a sample: keys in a row take no room in the caches that matter

// What a lookup is for: a line of its own, as what a packet is rewritten by. number: its index, so that it is seen
// whether the right one was read.
struct entry {
    struct flow_key key;
    uint32_t number;
} __attribute__((aligned(64)));

// The same key for a table that is told how long it is and keeps it: 16 bytes with IPv4, all with IPv6.
struct packed_key {
    uint64_t words[4];
};

struct contest {
    struct table_memory memory;
    struct entry *entries;
    uint32_t entry_count;
    struct random_state random;
    uint8_t family; // enum ip_family
    // A sample's questions and their answers.
    struct flow_key *keys;
    struct packed_key *packed_keys;
    uint32_t *places; // in an array of all clients that a key can name, as the relay ports' is
    uint32_t *numbers; // FLOW_NONE: in no table
};

// Anything that goes wrong ends the process.
void contest_init(struct contest *contest, uint8_t family, uint32_t entry_count);
void contest_done(struct contest *contest);

uint32_t packed_key_len(uint8_t family);
void packed_key_set(struct packed_key *key, uint8_t family, uint32_t client);

// Draw a sample's keys: of entries, any as likely as any other, or of clients that there are not.
void contest_draw(struct contest *contest, bool are_there);
