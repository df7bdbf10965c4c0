// SPDX-License-Identifier: BSD-3-Clause
// Hosts are numbered by their bits in reverse: the lowest bit of a number is the highest of the
// host part.
#include "endpoint.h"

#include "base/bytes.h"

#define HOST_BITS_MAX 31 // of a longer host part, the first ones

static unsigned host_bits(const struct endpoint_range *range)
{
    unsigned bits = 8 * ip_address_len(&range->prefix.ip) - range->prefix.length;

    return bits < HOST_BITS_MAX ? bits : HOST_BITS_MAX;
}

static uint32_t reserved_count(const struct endpoint_range *range)
{
    return host_bits(range) > 1 ? 2 : 0;
}

static uint32_t host_count(const struct endpoint_range *range)
{
    return (1u << host_bits(range)) - reserved_count(range);
}

uint32_t endpoint_range_count(const struct endpoint_range *range)
{
    uint64_t count = (uint64_t)host_count(range) * (range->last_port - range->first_port + 1u);

    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static uint32_t reverse(uint32_t value)
{
    value = (value & 0x55555555) << 1 | (value >> 1 & 0x55555555);
    value = (value & 0x33333333) << 2 | (value >> 2 & 0x33333333);
    value = (value & 0x0F0F0F0F) << 4 | (value >> 4 & 0x0F0F0F0F);
    return __builtin_bswap32(value);
}

struct transport_address endpoint_at(const struct endpoint_range *range, uint32_t number)
{
    uint32_t hosts = host_count(range);
    // All zeros and all ones are the same in reverse.
    uint32_t host = reverse(number % hosts + reserved_count(range) / 2);
    struct transport_address address = {range->prefix.ip,
                                        (uint16_t)(range->first_port + number / hosts)};
    // Either family's address begins with the first byte: the host part comes after the prefix.
    uint64_t high = load_be64(address.ip.bytes), low = load_be64(address.ip.bytes + 8);
    unsigned __int128 bits =
        range->prefix.length < 128 ? ((unsigned __int128)host << 96) >> range->prefix.length : 0;

    store_be64(address.ip.bytes, high | (uint64_t)(bits >> 64));
    store_be64(address.ip.bytes + 8, low | (uint64_t)bits);
    return address;
}
