// SPDX-License-Identifier: BSD-3-Clause
// The pattern is a piece of a table of random bytes: written and checked at the speed of memcpy and
// memcmp.
#include "payload.h"

#include "base/bytes.h"
#include "random.h"

#include <string.h>

#define HEAD_LEN  PAYLOAD_MIN_LEN
#define PLACES    4096
#define TABLE_LEN (PLACES + PAYLOAD_MAX_LEN)
// Beside the direction.
#define COMMON_PATTERN 0x80

static_assert(HEAD_LEN == 8 + 8 + 8, "three words");

static uint8_t table[TABLE_LEN];
static uint64_t check_seed;

void payload_setup(uint64_t seed)
{
    struct random_state random = random_seeded(seed);

    for (size_t i = 0; i < sizeof(table); i++)
        table[i] = (uint8_t)(random_next(&random) >> 56);
    check_seed = random_next(&random);
}

static const uint8_t *pattern(uint64_t check, bool is_common)
{
    return table + (is_common ? 0 : check % PLACES);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

// Fewer bits than 64, for the direction has its place in the same word.
static uint64_t checksum(uint64_t which, uint64_t sent, size_t len, uint8_t direction)
{
    uint64_t hash = mix(mix(mix(check_seed, which), sent), len << 8 | direction);

    return hash >> 8;
}

void payload_write(uint8_t *bytes, size_t len, const struct payload *payload)
{
    uint64_t which = (uint64_t)payload->flow << 32 | payload->number;
    uint8_t kind = payload->direction | (payload->has_common_pattern ? COMMON_PATTERN : 0);
    uint64_t check = checksum(which, payload->sent, len, kind);

    store_be64(bytes, which);
    store_be64(bytes + 8, payload->sent);
    store_be64(bytes + 16, (uint64_t)kind << 56 | check);
    memcpy(bytes + HEAD_LEN, pattern(check, payload->has_common_pattern), len - HEAD_LEN);
}

bool payload_read(const uint8_t *bytes, size_t len, struct payload *ret_payload)
{
    if (len < PAYLOAD_MIN_LEN || len > PAYLOAD_MAX_LEN)
        return false;
    uint64_t which = load_be64(bytes), sent = load_be64(bytes + 8), last = load_be64(bytes + 16);
    uint8_t kind = (uint8_t)(last >> 56);
    bool is_common = kind & COMMON_PATTERN;
    uint64_t check = checksum(which, sent, len, kind);
    if (check != (last & (UINT64_MAX >> 8)) ||
        memcmp(bytes + HEAD_LEN, pattern(check, is_common), len - HEAD_LEN) != 0)
        return false;
    *ret_payload = (struct payload){
        .flow = (uint32_t)(which >> 32),
        .number = (uint32_t)which,
        .sent = sent,
        .direction = kind & ~COMMON_PATTERN,
        .has_common_pattern = is_common,
    };
    return true;
}
