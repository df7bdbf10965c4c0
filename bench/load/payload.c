// SPDX-License-Identifier: BSD-3-Clause
// The pattern is a piece of a table of random bytes: written and checked at the speed of memcpy and
// memcmp.
#include "payload.h"

#include "base/bytes.h"
#include "random.h"

#include <string.h>

#define PLACES    4096
#define TABLE_LEN (PLACES + PAYLOAD_MAX_LEN)
// Beside the direction.
#define COMMON_PATTERN 0x80

// The checksum of one that has no time.
#define SHORT_CHECK_BITS 40
#define SHORT_CHECK_MASK ((UINT64_C(1) << SHORT_CHECK_BITS) - 1)

static_assert(PAYLOAD_TIMED_LEN == 8 + 8 + 8, "which, when, what kind and the checksum");
static_assert(PAYLOAD_MIN_LEN == 8 + 1 + SHORT_CHECK_BITS / 8, "the same without when");

static uint8_t table[TABLE_LEN];
static uint64_t check_seed;

void payload_setup(uint64_t seed)
{
    struct random_state random = random_seeded(seed);

    for (size_t i = 0; i < sizeof(table); i++)
        table[i] = (uint8_t)(random_next(&random) >> 56);
    check_seed = random_next(&random);
}

static void store_be40(uint8_t *bytes, uint64_t value)
{
    bytes[0] = (uint8_t)(value >> 32);
    store_be32(bytes + 1, (uint32_t)value);
}

static uint64_t load_be40(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] << 32 | load_be32(bytes + 1);
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
    uint64_t check = checksum(which, payload_is_timed(len) ? payload->sent : 0, len, kind);
    size_t head_len = payload_head_len(len);

    store_be64(bytes, which);
    if (payload_is_timed(len)) {
        store_be64(bytes + 8, payload->sent);
        store_be64(bytes + 16, (uint64_t)kind << 56 | check);
    } else {
        bytes[8] = kind;
        store_be40(bytes + 9, check);
    }
    memcpy(bytes + head_len, pattern(check, payload->has_common_pattern), len - head_len);
}

bool payload_read(const uint8_t *bytes, size_t len, struct payload *ret_payload)
{
    if (len < PAYLOAD_MIN_LEN || len > PAYLOAD_MAX_LEN)
        return false;
    bool is_timed = payload_is_timed(len);
    size_t head_len = payload_head_len(len);
    uint64_t which = load_be64(bytes), sent = is_timed ? load_be64(bytes + 8) : 0;
    uint8_t kind = bytes[is_timed ? 16 : 8];
    bool is_common = kind & COMMON_PATTERN;
    uint64_t check = checksum(which, sent, len, kind);
    if (is_timed ? check != (load_be64(bytes + 16) & (UINT64_MAX >> 8))
                 : (check & SHORT_CHECK_MASK) != load_be40(bytes + 9))
        return false;
    if (memcmp(bytes + head_len, pattern(check, is_common), len - head_len) != 0)
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
