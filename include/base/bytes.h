// SPDX-License-Identifier: BSD-3-Clause
// A span of bytes and unaligned big-endian access to it: what every wire format is read and written with.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Borrowed bytes: never owns them; valid as long as the buffer it points into. data may be NULL when len is 0.
struct span {
    const uint8_t *data;
    size_t len;
};

static inline uint16_t load_be16(const void *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap16(value);
}

static inline uint32_t load_be32(const void *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap32(value);
}

static inline uint64_t load_be64(const void *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap64(value);
}

static inline void store_be16(void *bytes, uint16_t value)
{
    value = __builtin_bswap16(value);
    memcpy(bytes, &value, sizeof(value));
}

static inline void store_be32(void *bytes, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(bytes, &value, sizeof(value));
}

static inline void store_be64(void *bytes, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(bytes, &value, sizeof(value));
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "turnpike is built for little-endian machines");
