// SPDX-License-Identifier: BSD-3-Clause
// Text forms of addresses and prefixes (RFC 4291 section 2.2, RFC 5952), for configuration and
// logs.
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

static_assert(IP_ADDRESS_TEXT_LEN >= INET6_ADDRSTRLEN, "inet_ntop's longest output fits");

struct ip_address ip_address_from_bytes(enum ip_family family, const void *bytes)
{
    struct ip_address ip = {.family = family};

    memcpy(ip.bytes, bytes, ip_address_len(&ip));
    return ip;
}

int ip_address_parse(const char *text, struct ip_address *ret_ip)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        *ret_ip = ip_address_from_bytes(IP_FAMILY_V4, bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ret_ip = ip_address_from_bytes(IP_FAMILY_V6, bytes);
    else
        return -EINVAL;
    return 0;
}

// Plain decimal: no sign, no space, no leading zero, as one number has one spelling.
static int parse_decimal(const char *text, unsigned max, unsigned *ret_value)
{
    unsigned value = 0;

    if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > max)
            return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

// inet_pton wants a terminator where our forms have a separator.
static int parse_ip_part(const char *text, size_t len, struct ip_address *ret_ip)
{
    char part[IP_ADDRESS_TEXT_LEN];

    if (len >= sizeof(part))
        return -EINVAL;
    memcpy(part, text, len);
    part[len] = '\0';
    return ip_address_parse(part, ret_ip);
}

// The first `length` bits of both agree. length is at most 128.
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned length)
{
    unsigned whole = length / 8;
    unsigned rest = length % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static struct ip_address mask_host_bits(const struct ip_address *ip, unsigned length)
{
    struct ip_address masked = {.family = ip->family};

    memcpy(masked.bytes, ip->bytes, length / 8);
    if (length % 8 != 0)
        masked.bytes[length / 8] = ip->bytes[length / 8] & (uint8_t)(0xFF00 >> (length % 8));
    return masked;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix)
{
    const char *slash = strchr(text, '/');
    size_t ip_len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct ip_address ip;
    struct ip_address masked;
    unsigned length;

    if (parse_ip_part(text, ip_len, &ip) != 0)
        return -EINVAL;
    length = ip_address_len(&ip) * 8;
    if (slash != NULL && parse_decimal(slash + 1, length, &length) != 0)
        return -EINVAL;
    masked = mask_host_bits(&ip, length);
    if (!ip_address_equal(&ip, &masked))
        return -EINVAL;
    *ret_prefix = (struct ip_prefix){.ip = ip, .length = (uint16_t)length};
    return 0;
}

int transport_address_parse(const char *text, struct transport_address *ret_address)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    struct ip_address ip;
    size_t ip_len;
    unsigned port;

    if (colon == NULL || parse_decimal(colon + 1, UINT16_MAX, &port) != 0)
        return -EINVAL;
    ip_len = (size_t)(colon - text);
    if (bracketed) {
        if (text[ip_len - 1] != ']')
            return -EINVAL;
        text++;
        ip_len -= 2;
    }
    if (parse_ip_part(text, ip_len, &ip) != 0)
        return -EINVAL;
    // Brackets belong to IPv6 and only to it: "::1:80" could be read two ways.
    if (bracketed != (ip.family == IP_FAMILY_V6))
        return -EINVAL;
    *ret_address = (struct transport_address){.ip = ip, .port = (uint16_t)port};
    return 0;
}

const char *ip_address_format(const struct ip_address *ip, char *text)
{
    switch (ip->family) {
    case IP_FAMILY_V4:
        return inet_ntop(AF_INET, ip->bytes, text, IP_ADDRESS_TEXT_LEN);
    case IP_FAMILY_V6:
        return inet_ntop(AF_INET6, ip->bytes, text, IP_ADDRESS_TEXT_LEN);
    default:
        return strcpy(text, "none");
    }
}

const char *ip_prefix_format(const struct ip_prefix *prefix, char *text)
{
    char ip[IP_ADDRESS_TEXT_LEN];

    snprintf(text, IP_PREFIX_TEXT_LEN, "%s/%u", ip_address_format(&prefix->ip, ip), prefix->length);
    return text;
}

const char *transport_address_format(const struct transport_address *address, char *text)
{
    char ip[IP_ADDRESS_TEXT_LEN];

    ip_address_format(&address->ip, ip);
    if (address->ip.family == IP_FAMILY_V6)
        snprintf(text, TRANSPORT_ADDRESS_TEXT_LEN, "[%s]:%u", ip, address->port);
    else
        snprintf(text, TRANSPORT_ADDRESS_TEXT_LEN, "%s:%u", ip, address->port);
    return text;
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *ip)
{
    return prefix->ip.family == ip->family &&
           bits_equal(prefix->ip.bytes, ip->bytes, prefix->length);
}

bool ip_prefix_behind(const struct ip_prefix *prefix, struct ip_address *ret_ip)
{
    struct ip_address ip = prefix->ip;

    for (unsigned bits = prefix->length; bits > 0; bits = (bits - 1) / 8 * 8) {
        unsigned byte = (bits - 1) / 8;
        unsigned before = ip.bytes[byte];

        ip.bytes[byte] = (uint8_t)(before + (0x80u >> (bits - 1) % 8));
        if (ip.bytes[byte] > before) {
            *ret_ip = ip;
            return true;
        }
    }
    return false;
}
