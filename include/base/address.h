// SPDX-License-Identifier: BSD-3-Clause
// IP addresses, transport addresses and prefixes: one representation for both families, comparable with memcmp.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// The values are the IP version, not AF_INET/AF_INET6 and not the STUN family.
enum ip_family {
    IP_FAMILY_NONE = 0,
    IP_FAMILY_V4 = 4,
    IP_FAMILY_V6 = 6,
};

// An IPv4 address occupies bytes[0..3], network order; the other twelve are zero, always: equality is memcmp.
struct ip_address {
    uint8_t bytes[16];
    uint16_t family; // enum ip_family
};

// port is in host byte order.
struct transport_address {
    struct ip_address ip;
    uint16_t port;
};

// Bits past length are zero.
struct ip_prefix {
    struct ip_address ip;
    uint16_t length; // bits, 0..32 or 0..128
};

static_assert(sizeof(struct ip_address) == 18, "no padding: compared and hashed as bytes");
static_assert(sizeof(struct transport_address) == 20, "no padding: compared and hashed as bytes");
static_assert(sizeof(struct ip_prefix) == 20, "no padding: compared and hashed as bytes");

// "[2001:db8::1]:65535" and its terminator, "2001:db8::1/128" and its terminator.
#define TRANSPORT_ADDRESS_TEXT_LEN 56
#define IP_ADDRESS_TEXT_LEN 46
#define IP_PREFIX_TEXT_LEN 50

static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

// As of memcmp(): by family, then by number.
static inline int ip_address_compare(const struct ip_address *a, const struct ip_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static inline bool transport_address_equal(const struct transport_address *a, const struct transport_address *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static inline unsigned ip_address_len(const struct ip_address *ip)
{
    return ip->family == IP_FAMILY_V4 ? 4 : ip->family == IP_FAMILY_V6 ? 16 : 0;
}

// Network-order bytes: 4 for V4, 16 for V6.
struct ip_address ip_address_from_bytes(enum ip_family family, const void *bytes);

// Text in, 0 or -EINVAL. Only the numeric forms that inet_pton knows.
int ip_address_parse(const char *text, struct ip_address *ret_ip);

// "address/length", or an address alone, which means the whole address. -EINVAL when a bit past length is set.
int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix);

// "a.b.c.d:port" or "[v6]:port".
int transport_address_parse(const char *text, struct transport_address *ret_address);

// Write the text form and return text. The buffer is at least as long as the _TEXT_LEN of its kind.
const char *ip_address_format(const struct ip_address *ip, char *text);
const char *ip_prefix_format(const struct ip_prefix *prefix, char *text);
const char *transport_address_format(const struct transport_address *address, char *text);

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *ip);
// The first address behind a prefix. False: the prefix goes as far as there are addresses.
bool ip_prefix_behind(const struct ip_prefix *prefix, struct ip_address *ret_ip);
