// SPDX-License-Identifier: BSD-3-Clause
// PROXY protocol version 2 (HAProxy's proxy-protocol.txt, section 2.2; CRC32c as in RFC 3720
// appendix B.4).
#include "proto/proxy_header.h"

#include <stdbool.h>

// Offsets in bytes.
#define COMMAND_OFFSET 12
#define FAMILY_OFFSET  13
#define LENGTH_OFFSET  14
#define FIXED_LEN      16

// With the version in the upper half.
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21

// Address family and transport in one byte.
#define TCP_OVER_IPV4 0x11
#define TCP_OVER_IPV6 0x21
#define TRANSPORT_MAX 2

#define TLV_HEADER_LEN  3
#define TLV_TYPE_CRC32C 0x03
#define CRC32C_LEN      4

static const uint8_t signature[COMMAND_OFFSET] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                  0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

// By address family (unspecified, IPv4, IPv6, AF_UNIX): what two addresses and their ports take.
static const uint16_t addresses_len[] = {0, 12, 36, 216};

// Four bits at a time.
static uint32_t crc32c_add(uint32_t crc, const uint8_t *bytes, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
        0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        crc = table[crc & 15] ^ crc >> 4;
        crc = table[crc & 15] ^ crc >> 4;
    }
    return crc;
}

// Over the whole header, with the sum itself taken as zero.
static bool checksum_is_right(struct span header, size_t sum_offset)
{
    static const uint8_t zero[CRC32C_LEN];
    size_t rest = sum_offset + CRC32C_LEN;
    uint32_t crc = crc32c_add(UINT32_MAX, header.data, sum_offset);

    crc = crc32c_add(crc, zero, sizeof(zero));
    crc = crc32c_add(crc, header.data + rest, header.len - rest);
    return ~crc == load_be32(header.data + sum_offset);
}

// Values are skipped, those of PP2_TYPE_SSL with the TLVs inside: we use none of them. One checksum
// and no more, or a header could ask for one pass over itself per seven of its bytes.
static bool tlvs_are_right(struct span header, size_t offset)
{
    size_t sum_offset = 0;
    size_t value_len;

    for (; offset < header.len; offset += TLV_HEADER_LEN + value_len) {
        size_t left = header.len - offset;

        if (left < TLV_HEADER_LEN)
            return false;
        value_len = load_be16(header.data + offset + 1);
        if (value_len > left - TLV_HEADER_LEN)
            return false;
        if (header.data[offset] != TLV_TYPE_CRC32C)
            continue;
        if (value_len != CRC32C_LEN || sum_offset != 0)
            return false;
        sum_offset = offset + TLV_HEADER_LEN;
    }
    return sum_offset == 0 || checksum_is_right(header, sum_offset);
}

static bool family_is_known(uint8_t family)
{
    return family >> 4 < sizeof(addresses_len) / sizeof(addresses_len[0]) &&
           (family & 15) <= TRANSPORT_MAX;
}

// What has come of the fixed part is right, its length apart. LOCAL takes any family: it is to be
// ignored.
static bool begins_right(struct span received)
{
    size_t len = received.len < sizeof(signature) ? received.len : sizeof(signature);

    if (len > 0 && memcmp(received.data, signature, len) != 0)
        return false;
    if (received.len <= COMMAND_OFFSET || received.data[COMMAND_OFFSET] == COMMAND_LOCAL)
        return true;
    return received.data[COMMAND_OFFSET] == COMMAND_PROXY &&
           (received.len <= FAMILY_OFFSET || family_is_known(received.data[FAMILY_OFFSET]));
}

// Where the TLVs begin. Without a family nothing says where: then what there is is skipped.
static size_t tlvs_offset(const uint8_t *header, size_t header_len)
{
    unsigned family = header[FAMILY_OFFSET] >> 4;

    return header[COMMAND_OFFSET] == COMMAND_LOCAL || family == 0
               ? header_len
               : (size_t)FIXED_LEN + addresses_len[family];
}

static void read_addresses(const uint8_t *addresses, enum ip_family family,
                           struct proxy_header *header)
{
    size_t ip_len = family == IP_FAMILY_V4 ? 4 : 16;
    const uint8_t *ports = addresses + 2 * ip_len;

    header->source.ip = ip_address_from_bytes(family, addresses);
    header->source.port = load_be16(ports);
    header->destination.ip = ip_address_from_bytes(family, addresses + ip_len);
    header->destination.port = load_be16(ports + 2);
}

static enum proxy_header_verdict read_whole(struct span bytes, struct proxy_header *ret_header)
{
    uint8_t family = bytes.data[FAMILY_OFFSET];
    bool gives_addresses = bytes.data[COMMAND_OFFSET] == COMMAND_PROXY &&
                           (family == TCP_OVER_IPV4 || family == TCP_OVER_IPV6);

    if (!tlvs_are_right(bytes, tlvs_offset(bytes.data, bytes.len)))
        return PROXY_HEADER_BAD;
    *ret_header = (struct proxy_header){.len = bytes.len};
    if (!gives_addresses)
        return PROXY_HEADER_LOCAL;
    read_addresses(bytes.data + FIXED_LEN, family == TCP_OVER_IPV4 ? IP_FAMILY_V4 : IP_FAMILY_V6,
                   ret_header);
    return PROXY_HEADER_PROXIED;
}

enum proxy_header_verdict proxy_header_parse(struct span received, struct proxy_header *ret_header)
{
    size_t len = FIXED_LEN;

    if (!begins_right(received))
        return PROXY_HEADER_BAD;
    if (received.len >= FIXED_LEN) {
        len += load_be16(received.data + LENGTH_OFFSET);
        if (len > PROXY_HEADER_MAX_LEN || tlvs_offset(received.data, len) > len)
            return PROXY_HEADER_BAD;
    }
    if (received.len >= len)
        return read_whole((struct span){received.data, len}, ret_header);
    *ret_header = (struct proxy_header){.len = len};
    return PROXY_HEADER_NEED_MORE;
}
