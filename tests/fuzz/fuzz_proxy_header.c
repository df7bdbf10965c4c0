// SPDX-License-Identifier: BSD-3-Clause
// The PROXY protocol's header, against a reference that reads it whole, and however it is split.
#include "proto/proxy_header.h"

#include "fuzz.h"

#include <stdbool.h>

#define FIXED_LEN 16

// Bit by bit (RFC 3720 appendix B.4).
static uint32_t crc32c_reference(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t bit = 0; bit < len * 8; bit++) {
        crc ^= bytes[bit / 8] >> bit % 8 & 1;
        crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
    }
    return ~crc;
}

// The sum as it has to be, of a header with the sum there.
static uint32_t sum_reference(struct span header, size_t sum_offset)
{
    uint8_t copy[PROXY_HEADER_MAX_LEN];

    memcpy(copy, header.data, header.len);
    memset(copy + sum_offset, 0, 4);
    return crc32c_reference(copy, header.len);
}

// Where the TLVs begin, as far as the header says.
static size_t tlvs_reference(const uint8_t *header, size_t len)
{
    size_t address_len = header[13] >> 4 == 1 ? 4 : header[13] >> 4 == 2 ? 16 : 0;

    if (header[12] == 0x20 || header[13] >> 4 == 0)
        return len;
    return address_len == 0 ? FIXED_LEN + 2 * 108 : FIXED_LEN + 2 * address_len + 4;
}

// The offset of the value of the nth checksum of well-formed TLVs; 0: there is none.
static size_t find_sum(struct span header, unsigned nth)
{
    size_t at = tlvs_reference(header.data, header.len);

    while (at + 3 <= header.len) {
        size_t value_len = load_be16(header.data + at + 1);

        if (header.data[at] == 0x03 && value_len == 4 && nth-- == 0)
            return at + 7 <= header.len ? at + 3 : 0;
        at += 3 + value_len;
    }
    return 0;
}

static bool tlvs_end_with_header(struct span header)
{
    size_t at = tlvs_reference(header.data, header.len);

    while (at < header.len) {
        if (at + 3 > header.len)
            return false;
        if (header.data[at] == 0x03 && load_be16(header.data + at + 1) != 4)
            return false;
        at += 3 + (size_t)load_be16(header.data + at + 1);
    }
    return at == header.len;
}

static bool begins_as_a_header(const uint8_t *fixed)
{
    return memcmp(fixed, "\r\n\r\n\0\r\nQUIT\n", 12) == 0 &&
           (fixed[12] == 0x20 ||
            (fixed[12] == 0x21 && fixed[13] >> 4 <= 3 && (fixed[13] & 15) <= 2));
}

// What is to be said of a stream with at least the fixed part of a header in it.
static enum proxy_header_verdict judge_reference(struct span stream)
{
    struct span header = {stream.data, FIXED_LEN + (size_t)load_be16(stream.data + 14)};
    size_t sum_offset;

    if (!begins_as_a_header(stream.data) || header.len > PROXY_HEADER_MAX_LEN ||
        tlvs_reference(header.data, header.len) > header.len)
        return PROXY_HEADER_BAD;
    if (header.len > stream.len)
        return PROXY_HEADER_NEED_MORE;
    if (!tlvs_end_with_header(header) || find_sum(header, 1) != 0)
        return PROXY_HEADER_BAD;
    sum_offset = find_sum(header, 0);
    if (sum_offset != 0 && sum_reference(header, sum_offset) != load_be32(header.data + sum_offset))
        return PROXY_HEADER_BAD;
    return header.data[12] == 0x21 && (header.data[13] == 0x11 || header.data[13] == 0x21)
               ? PROXY_HEADER_PROXIED
               : PROXY_HEADER_LOCAL;
}

static void check_addresses(const uint8_t *bytes, const struct proxy_header *header)
{
    size_t ip_len = bytes[13] == 0x11 ? 4 : 16;
    const uint8_t *at = bytes + FIXED_LEN;

    REQUIRE(ip_address_len(&header->source.ip) == ip_len);
    REQUIRE(ip_address_len(&header->destination.ip) == ip_len);
    REQUIRE(memcmp(header->source.ip.bytes, at, ip_len) == 0);
    REQUIRE(memcmp(header->destination.ip.bytes, at + ip_len, ip_len) == 0);
    REQUIRE(header->source.port == load_be16(at + 2 * ip_len));
    REQUIRE(header->destination.port == load_be16(at + 2 * ip_len + 2));
}

// From bytes whose end a sanitizer knows.
static enum proxy_header_verdict parse_tight(struct span stream, struct proxy_header *ret_header)
{
    uint8_t *copy = malloc(stream.len + 1);
    enum proxy_header_verdict verdict;

    REQUIRE(copy != NULL);
    if (stream.len > 0)
        memcpy(copy + 1, stream.data, stream.len);
    verdict = proxy_header_parse((struct span){copy + 1, stream.len}, ret_header);
    free(copy);
    return verdict;
}

// Byte by byte, until there is something to say.
static enum proxy_header_verdict parse_by_bytes(struct span stream, struct proxy_header *ret_header)
{
    enum proxy_header_verdict verdict = PROXY_HEADER_NEED_MORE;

    for (size_t there = 0; there <= stream.len && verdict == PROXY_HEADER_NEED_MORE; there++) {
        verdict = parse_tight((struct span){stream.data, there}, ret_header);
        if (verdict == PROXY_HEADER_BAD)
            break;
        REQUIRE(ret_header->len >= FIXED_LEN && ret_header->len <= PROXY_HEADER_MAX_LEN);
        REQUIRE((ret_header->len > there) == (verdict == PROXY_HEADER_NEED_MORE));
    }
    return verdict;
}

static void check(struct span stream)
{
    struct proxy_header header = {0};
    struct proxy_header gathered = {0};
    enum proxy_header_verdict verdict = parse_tight(stream, &header);

    REQUIRE(parse_by_bytes(stream, &gathered) == verdict);
    REQUIRE(verdict == PROXY_HEADER_BAD || memcmp(&header, &gathered, sizeof(header)) == 0);
    if (stream.len >= FIXED_LEN)
        REQUIRE(judge_reference(stream) == verdict);
    if (verdict == PROXY_HEADER_LOCAL || verdict == PROXY_HEADER_PROXIED)
        REQUIRE(header.len <= stream.len);
    if (verdict == PROXY_HEADER_PROXIED)
        check_addresses(stream.data, &header);
    else
        REQUIRE(header.source.ip.family == IP_FAMILY_NONE && header.source.port == 0);
}

// Signature, version and checksum made right, so that chance need not find them.
static void repair(uint8_t *bytes, size_t len)
{
    struct span header = {bytes, len};
    size_t sum_offset;

    memcpy(bytes, "\r\n\r\n\0\r\nQUIT\n", 12);
    bytes[12] = 0x20 | (bytes[12] & 1);
    header.len = FIXED_LEN + (size_t)load_be16(bytes + 14);
    if (header.len > len || header.len > PROXY_HEADER_MAX_LEN)
        return;
    sum_offset = find_sum(header, 0);
    if (sum_offset != 0)
        store_be32(bytes + sum_offset, sum_reference(header, sum_offset));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t repaired[2048];

    check((struct span){data, size});
    if (size < FIXED_LEN || size > sizeof(repaired))
        return 0;
    memcpy(repaired, data, size);
    repair(repaired, size);
    check((struct span){repaired, size});
    return 0;
}
