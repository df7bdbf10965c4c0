// SPDX-License-Identifier: BSD-3-Clause
// Transport addresses as the kernel's socket calls have them.
#pragma once

#include "base/address.h"

#include <netinet/in.h>
#include <sys/socket.h>

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// Returns its length.
static inline socklen_t socket_address_write(const struct transport_address *address, union socket_address *ret_address)
{
    if (address->ip.family == IP_FAMILY_V4) {
        ret_address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&ret_address->v4.sin_addr, address->ip.bytes, sizeof(ret_address->v4.sin_addr));
        return sizeof(ret_address->v4);
    }
    ret_address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&ret_address->v6.sin6_addr, address->ip.bytes, sizeof(ret_address->v6.sin6_addr));
    return sizeof(ret_address->v6);
}

static inline struct transport_address socket_address_read(const union socket_address *address)
{
    if (address->any.sa_family == AF_INET)
        return (struct transport_address){ip_address_from_bytes(IP_FAMILY_V4, &address->v4.sin_addr),
                                          ntohs(address->v4.sin_port)};
    return (struct transport_address){ip_address_from_bytes(IP_FAMILY_V6, &address->v6.sin6_addr),
                                      ntohs(address->v6.sin6_port)};
}
