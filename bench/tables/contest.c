// SPDX-License-Identifier: BSD-3-Clause
// Entries, and the keys of clients behind large NATs: many ports of one address.
#include "contest.h"

#include "../fail.h"
#include "base/bytes.h"
#include "proto/stun.h"

#include <netinet/in.h>
#include <rte_memory.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_AN_ADDRESS 8
#define FIRST_PORT         2000

static uint16_t client_port_be(uint32_t client)
{
    return htons((uint16_t)(FIRST_PORT + client % CLIENTS_AN_ADDRESS));
}

// Returns the bytes that the family has.
static size_t client_ip(uint8_t family, uint32_t client, uint8_t ret_ip[16])
{
    const uint8_t prefix[16] = {0x20, 0x01, 0x0D, 0xB8};
    size_t len = family == IP_FAMILY_V4 ? 4 : sizeof(prefix);
    // Clients' addresses are not counted up; of ones that are, a CRC fills some buckets only.
    uint32_t host = (client / CLIENTS_AN_ADDRESS * 0x9E3779B1u) & 0xFFFFFF;
    memcpy(ret_ip, prefix, sizeof(prefix));
    store_be32(ret_ip + len - 4, 0x0B000000 + host);
    return len;
}

static void key_of(uint8_t family, uint32_t client, struct flow_key *ret_key)
{
    uint8_t ip[16];
    client_ip(family, client, ip);
    flow_key_set(ret_key, FLOW_KEY_CLIENT, family, (struct flow_end){0, htons(3478)}, ip,
                 client_port_be(client), htons(TURN_CHANNEL_MIN));
}

uint32_t packed_key_len(uint8_t family)
{
    return family == IP_FAMILY_V4 ? 2 * sizeof(uint64_t) : sizeof(struct packed_key);
}

// The same places for the rest, the address behind it.
void packed_key_set(struct packed_key *key, uint8_t family, uint32_t client)
{
    uint8_t ip[16];
    size_t ip_len = client_ip(family, client, ip);
    *key = (struct packed_key){{FLOW_KEY_CLIENT | (uint64_t)client_port_be(client) << 32 |
                                (uint64_t)htons(TURN_CHANNEL_MIN) << 48}};
    memcpy(key->words + 1, ip, ip_len);
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
    contest->packed_keys = calloc(CONTEST_KEYS, sizeof(*contest->packed_keys));
    contest->places = calloc(CONTEST_KEYS, sizeof(*contest->places));
    contest->numbers = calloc(CONTEST_KEYS, sizeof(*contest->numbers));
    if (contest->keys == NULL || contest->packed_keys == NULL || contest->places == NULL ||
        contest->numbers == NULL)
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
    free(contest->packed_keys);
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
        packed_key_set(&contest->packed_keys[i], contest->family, contest->places[i]);
    }
}
