// SPDX-License-Identifier: BSD-3-Clause
// Numbers only rise where order is kept: what is missing below the last one is lost or yet to come.
#include "stamp.h"

#include <string.h>

void stamp_fill(uint8_t *payload, uint32_t len, uint32_t client, enum way way)
{
    store_be32(payload, client | (uint32_t)way << 31);
    stamp_number(payload, 0);
    for (uint32_t i = STAMP_LEN; i < len; i++)
        payload[i] = (uint8_t)(i * 7 + client * 13 + (uint32_t)way);
}

void stamp_check(struct stamps *stamps, struct span payload, const uint8_t *expected,
                 uint32_t expected_len)
{
    uint64_t number;

    if (payload.len != expected_len || memcmp(payload.data, expected, 4) != 0 ||
        memcmp(payload.data + STAMP_LEN, expected + STAMP_LEN, expected_len - STAMP_LEN) != 0) {
        stamps->wrong++;
        return;
    }
    number = load_be64(payload.data + 4);
    if (number == 0 || number > stamps->sent) {
        stamps->wrong++;
        return;
    }
    stamps->received++;
    if (number <= stamps->last)
        stamps->late++;
    else
        stamps->last = number;
}
