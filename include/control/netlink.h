// SPDX-License-Identifier: BSD-3-Clause
// The kernel's routes, neighbours and addresses over rtnetlink: questions, which are answered at
// once, and news.
#pragma once

#include "base/address.h"
#include "platform/interface.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink_route {
    uint32_t interface;        // index of the one it leaves through
    uint32_t mtu;              // bytes, 0: that of the interface
    struct ip_address gateway; // family NONE: on the link
};

struct netlink_neighbour {
    struct ip_address ip;
    uint32_t interface;
    uint16_t state;   // NUD_*, ORed
    uint8_t mac[6];   // zeros when unknown
    uint8_t protocol; // who made it, 0: the kernel
    bool managed;     // kept resolved by the kernel (NTF_EXT_MANAGED)
};

// Marks the entries that are ours, those of a relay that was killed included.
#define NETLINK_PROTOCOL 112

struct netlink {
    struct mnl_socket *socket;
    uint32_t sequence;
    char buffer[16384];
};

// A socket for questions. 0 or -errno.
int netlink_open(struct netlink *netlink);
void netlink_close(struct netlink *netlink);

// The way to a destination from one of our addresses, or from any when source is NULL. 0;
// -ENETUNREACH or another -errno: there is none.
int netlink_get_route(struct netlink *netlink, const struct ip_address *destination,
                      const struct ip_address *source, struct netlink_route *ret_route);

// 0, -ENOENT or another -errno.
int netlink_get_neighbour(struct netlink *netlink, uint32_t interface, const struct ip_address *ip,
                          struct netlink_neighbour *ret_neighbour);

// Have the kernel resolve a neighbour, and keep it resolved where it can; where it cannot (before
// Linux 5.16), this has to be repeated. 0 or -errno.
int netlink_manage_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *ip);
int netlink_delete_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *ip);

// Whether an interface is up and has a carrier. 0, -ENODEV or another -errno.
int netlink_get_link(struct netlink *netlink, uint32_t interface, bool *ret_is_running);

// Every neighbour of an interface, both families. 0 or -errno.
int netlink_list_neighbours(struct netlink *netlink, uint32_t interface,
                            void (*take)(const struct netlink_neighbour *neighbour, void *context),
                            void *context);

struct netlink_route_reader {
    // A prefix that a route or rule names. spreads: what is in it goes several ways at once, so that
    // two addresses of it may differ. False: tell no more.
    bool (*prefix)(const struct ip_prefix *prefix, bool spreads, void *context);
    // Before its prefix, of a route that goes one way, by a gateway.
    void (*gateway)(const struct netlink_route *route, void *context);
    void *context;
};
// Every route and rule of either family, in whatever table. A reader who wants no more leaves the
// socket good for nothing else. 0 or -errno.
int netlink_list_routes(struct netlink *netlink, const struct netlink_route_reader *reader);

// The interface's addresses become those that it has now. 0; -errno: they are as they were.
int netlink_list_addresses(struct netlink *netlink, struct interface *interface);

// A socket for news of neighbours, routes and links. 0 or -errno.
int netlink_subscribe(struct netlink *netlink);
// One for news of addresses, which say no more than that there are others. 0 or -errno.
int netlink_subscribe_addresses(struct netlink *netlink);
// Throws away what news there are, without waiting.
void netlink_drain(struct netlink *netlink);

struct netlink_news {
    void (*neighbour)(const struct netlink_neighbour *neighbour,
                      void *context); // its state as of now
    void (*routes)(void *context);    // some route, rule, address or link has changed
    void (*link)(uint32_t interface, bool is_running, void *context);
    void (*link_gone)(uint32_t interface, void *context);
    void *context;
};
// Read what there is without waiting. 0; -ENOBUFS: news were lost, so everything may have changed;
// another -errno.
int netlink_receive(struct netlink *netlink, const struct netlink_news *news);

// One message as it arrived, for netlink_receive and its tests. False: it says nothing of the kind.
bool netlink_parse_route(const struct nlmsghdr *message, struct netlink_route *ret_route);
bool netlink_parse_neighbour(const struct nlmsghdr *message,
                             struct netlink_neighbour *ret_neighbour);
bool netlink_parse_prefix(const struct nlmsghdr *message, struct ip_prefix *ret_prefix,
                          bool *ret_spreads);
