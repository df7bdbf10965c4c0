// SPDX-License-Identifier: BSD-3-Clause
// Entries, and the keys of clients behind large NATs: many ports of one address.
#include "contest.h"

#include "../fail.h"
#include "base/bytes.h"
#include "proto/stun.h"

#include <netinet/in.h>
#include <rte_memory.h>
#include <stdlib.h>

#define CLIENTS_AN_ADDRESS 8
#define FIRST_PORT         2000

static void key_of(uint8_t family, uint32_t client, struct flow_key *ret_key)
{
    uint8_t ip[16] = {0x20, 0x01, 0x0D, 0xB8};
    // Clients' addresses are not counted up; of ones that are, a CRC fills some buckets only.
    uint32_t host = (client / CLIENTS_AN_ADDRESS * 0x9E3779B1u) & 0xFFFFFF;
    store_be32(family == IP_FAMILY_V4 ? ip : ip + 12, 0x0B000000 + host);
    uint16_t port = (uint16_t)(FIRST_PORT + client % CLIENTS_AN_ADDRESS);
    flow_key_set(ret_key, FLOW_KEY_CLIENT, family, (struct flow_end){0, htons(3478)}, ip,
                 htons(port), htons(TURN_CHANNEL_MIN));
}

void contest_init(struct contest *contest, uint8_t family, uint32_t entry_count)
{
    *contest =
        (struct contest){.family = family, .entry_count = entry_count, .random = random_seeded(1)};
    size_t len = (size_t)entry_count * sizeof(*contest->entries);
    if (table_memory_take(len, SOCKET_ID_ANY, &contest->memory) != 0)
        fail("no memory for %u entries", entry_count);
    contest->entries = contest->memory.bytes;
    contest->keys = aligned_alloc(64, CONTEST_KEYS * sizeof(*contest->keys));
    contest->places = calloc(CONTEST_KEYS, sizeof(*contest->places));
    contest->numbers = calloc(CONTEST_KEYS, sizeof(*contest->numbers));
    if (contest->keys == NULL || contest->places == NULL || contest->numbers == NULL)
        fail("out of memory");
    for (uint32_t i = 0; i < entry_count; i++) {
        key_of(family, i, &contest->entries[i].key);
        contest->entries[i].number = i;
    }
}

void contest_done(struct contest *contest)
{
    table_memory_give(&contest->memory);
    free(contest->keys);
    free(contest->places);
    free(contest->numbers);
}

void contest_draw(struct contest *contest, bool are_there)
{
    for (unsigned i = 0; i < CONTEST_KEYS; i++) {
        uint32_t number = random_below(&contest->random, contest->entry_count);
        contest->numbers[i] = are_there ? number : FLOW_NONE;
        contest->places[i] = are_there ? number : contest->entry_count + number;
        key_of(contest->family, contest->places[i], &contest->keys[i]);
    }
}
