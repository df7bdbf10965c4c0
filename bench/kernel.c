// SPDX-License-Identifier: BSD-3-Clause
// The kernel as the control plane sees it over netlink, without one: every way leads through one
// gateway, which answers.
#include "control/netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

int netlink_open(struct netlink *netlink)
{
    memset(netlink, 0, sizeof(*netlink));
    return 0;
}

int netlink_subscribe(struct netlink *netlink)
{
    return netlink_open(netlink);
}

void netlink_close(struct netlink *netlink)
{
    (void)netlink;
}

int netlink_get_route(struct netlink *netlink, const struct ip_address *destination,
                      const struct ip_address *source, struct netlink_route *ret_route)
{
    static const uint8_t gateway[4] = {192, 0, 2, 254};
    (void)netlink;
    (void)destination;
    (void)source;
    *ret_route = (struct netlink_route){.interface = 1,
                                        .gateway = ip_address_from_bytes(IP_FAMILY_V4, gateway)};
    return 0;
}

int netlink_get_link(struct netlink *netlink, uint32_t interface, bool *ret_is_running)
{
    (void)netlink;
    (void)interface;
    *ret_is_running = true;
    return 0;
}

int netlink_get_neighbour(struct netlink *netlink, uint32_t interface, const struct ip_address *ip,
                          struct netlink_neighbour *ret_neighbour)
{
    (void)netlink;
    *ret_neighbour = (struct netlink_neighbour){
        .ip = *ip,
        .interface = interface,
        .state = NUD_REACHABLE,
        .mac = {2, 0, 0, 0, 0, 2},
        .protocol = NETLINK_PROTOCOL,
        .managed = true,
    };
    return 0;
}

int netlink_manage_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *ip)
{
    (void)netlink;
    (void)interface;
    (void)ip;
    return 0;
}

int netlink_delete_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *ip)
{
    (void)netlink;
    (void)interface;
    (void)ip;
    return 0;
}

int netlink_list_neighbours(struct netlink *netlink, uint32_t interface,
                            void (*take)(const struct netlink_neighbour *neighbour, void *context),
                            void *context)
{
    (void)netlink;
    (void)interface;
    (void)take;
    (void)context;
    return 0;
}

int netlink_list_routes(struct netlink *netlink, const struct netlink_route_reader *reader)
{
    (void)netlink;
    (void)reader;
    return 0;
}

int netlink_receive(struct netlink *netlink, const struct netlink_news *news)
{
    (void)netlink;
    (void)news;
    return -EAGAIN;
}
