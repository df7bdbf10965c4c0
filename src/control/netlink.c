// SPDX-License-Identifier: BSD-3-Clause
// rtnetlink by libmnl.
#include "control/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

// The kernel answers questions at once; this only keeps a bug from hanging the control thread.
#define ANSWER_TIMEOUT_S  1
#define NEWS_BUFFER_LEN   (4 << 20)
#define NEWS_MESSAGES_MAX 64 // in one go: the loop has other work too
#define LISTINGS_MAX      3
#define PREFIX_ALL(ip)    ((uint8_t)(ip_address_len(ip) * 8))

static uint8_t address_family(const struct ip_address *ip)
{
    return ip->family == IP_FAMILY_V4 ? AF_INET : AF_INET6;
}

static bool parse_address(uint8_t family, const struct nlattr *attribute, struct ip_address *ret_ip)
{
    enum ip_family ip_family = family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6;

    if (mnl_attr_get_payload_len(attribute) != (family == AF_INET ? 4 : 16))
        return false;
    *ret_ip = ip_address_from_bytes(ip_family, mnl_attr_get_payload(attribute));
    return true;
}

static int open_socket(struct netlink *netlink)
{
    int error;

    memset(netlink, 0, sizeof(*netlink));
    netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!netlink->socket)
        return -errno;
    if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) == 0)
        return 0;
    error = -errno;
    mnl_socket_close(netlink->socket);
    return error;
}

int netlink_open(struct netlink *netlink)
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    int error = open_socket(netlink);

    if (!error)
        setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
                   sizeof(timeout));
    return error;
}

void netlink_close(struct netlink *netlink)
{
    mnl_socket_close(netlink->socket);
}

// Send the request in netlink->buffer and read its answer: one message, or all of a dump, or an
// acknowledgement.
static int ask(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t take, void *context)
{
    bool one_message = !(request->nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK));
    unsigned portid = mnl_socket_get_portid(netlink->socket);
    int more = MNL_CB_OK;

    request->nlmsg_seq = ++netlink->sequence;
    if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
        return -errno;
    while (more == MNL_CB_OK) {
        ssize_t len =
            mnl_socket_recvfrom(netlink->socket, netlink->buffer, sizeof(netlink->buffer));

        if (len < 0)
            return -errno;
        more = mnl_cb_run(netlink->buffer, (size_t)len, netlink->sequence, portid, take, context);
        // An answer that came too late for its own question.
        if (more == MNL_CB_ERROR && errno == EPROTO)
            more = MNL_CB_OK;
        else if (more == MNL_CB_ERROR)
            return -errno;
        else if (one_message)
            break;
    }
    return 0;
}

static struct nlmsghdr *begin(struct netlink *netlink, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(netlink->buffer);

    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | flags;
    return request;
}

static uint32_t parse_metric_mtu(const struct nlattr *metrics)
{
    const struct nlattr *metric;

    mnl_attr_for_each_nested(metric, metrics)
    {
        if (mnl_attr_get_type(metric) == RTAX_MTU &&
            mnl_attr_get_payload_len(metric) == sizeof(uint32_t))
            return mnl_attr_get_u32(metric);
    }
    return 0;
}

// RTA_VIA: a gateway of the other family.
static bool parse_via(const struct nlattr *attribute, struct ip_address *ret_gateway)
{
    const struct rtvia *via = mnl_attr_get_payload(attribute);
    size_t len = mnl_attr_get_payload_len(attribute);

    if (len != sizeof(*via) + (via->rtvia_family == AF_INET ? 4 : 16))
        return false;
    *ret_gateway = ip_address_from_bytes(via->rtvia_family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6,
                                         via->rtvia_addr);
    return true;
}

bool netlink_parse_route(const struct nlmsghdr *message, struct netlink_route *ret_route)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct netlink_route route = {};
    const struct nlattr *attribute;
    bool good = true;

    if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_type != RTN_UNICAST)
        return false;
    mnl_attr_for_each(attribute, message, sizeof(*header))
    {
        switch (mnl_attr_get_type(attribute)) {
        case RTA_OIF:
            route.interface = mnl_attr_get_u32(attribute);
            break;
        case RTA_GATEWAY:
            good = good && parse_address(header->rtm_family, attribute, &route.gateway);
            break;
        case RTA_VIA:
            good = good && parse_via(attribute, &route.gateway);
            break;
        case RTA_METRICS:
            route.mtu = parse_metric_mtu(attribute);
            break;
        }
    }
    if (!good || route.interface == 0)
        return false;
    *ret_route = route;
    return true;
}

struct route_answer {
    struct netlink_route route;
    bool found;
};

static int take_route(const struct nlmsghdr *message, void *context)
{
    struct route_answer *answer = context;

    answer->found = netlink_parse_route(message, &answer->route);
    return MNL_CB_OK;
}

int netlink_get_route(struct netlink *netlink, const struct ip_address *destination,
                      const struct ip_address *source, struct netlink_route *ret_route)
{
    struct nlmsghdr *request = begin(netlink, RTM_GETROUTE, 0);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    struct route_answer answer = {};
    int error;

    header->rtm_family = address_family(destination);
    header->rtm_dst_len = PREFIX_ALL(destination);
    mnl_attr_put(request, RTA_DST, ip_address_len(destination), destination->bytes);
    if (source) {
        header->rtm_src_len = PREFIX_ALL(source);
        mnl_attr_put(request, RTA_SRC, ip_address_len(source), source->bytes);
    }
    error = ask(netlink, request, take_route, &answer);
    if (error)
        return error;
    if (!answer.found)
        return -ENETUNREACH;
    *ret_route = answer.route;
    return 0;
}

bool netlink_parse_neighbour(const struct nlmsghdr *message,
                             struct netlink_neighbour *ret_neighbour)
{
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);
    struct netlink_neighbour neighbour = {.interface = (uint32_t)header->ndm_ifindex,
                                          .state = header->ndm_state};
    const struct nlattr *attribute;

    if ((message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH) ||
        (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
        return false;
    mnl_attr_for_each(attribute, message, sizeof(*header))
    {
        uint16_t len = mnl_attr_get_payload_len(attribute);

        switch (mnl_attr_get_type(attribute)) {
        case NDA_DST:
            if (!parse_address(header->ndm_family, attribute, &neighbour.ip))
                return false;
            break;
        case NDA_LLADDR:
            if (len == sizeof(neighbour.mac))
                memcpy(neighbour.mac, mnl_attr_get_payload(attribute), sizeof(neighbour.mac));
            break;
        case NDA_PROTOCOL:
            neighbour.protocol = mnl_attr_get_u8(attribute);
            break;
        case NDA_FLAGS_EXT:
            neighbour.managed = (mnl_attr_get_u32(attribute) & NTF_EXT_MANAGED) != 0;
            break;
        }
    }
    if (neighbour.ip.family == IP_FAMILY_NONE)
        return false;
    // A deleted entry is said with the state it had.
    if (message->nlmsg_type == RTM_DELNEIGH)
        neighbour.state = NUD_NONE;
    *ret_neighbour = neighbour;
    return true;
}

static struct nlmsghdr *begin_neighbour(struct netlink *netlink, uint16_t type, uint16_t flags,
                                        uint32_t interface, const struct ip_address *ip)
{
    struct nlmsghdr *request = begin(netlink, type, flags);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

    header->ndm_family = address_family(ip);
    header->ndm_ifindex = (int)interface;
    mnl_attr_put(request, NDA_DST, ip_address_len(ip), ip->bytes);
    return request;
}

struct neighbour_answer {
    struct netlink_neighbour neighbour;
    bool found;
};

static int take_neighbour(const struct nlmsghdr *message, void *context)
{
    struct neighbour_answer *answer = context;

    answer->found = netlink_parse_neighbour(message, &answer->neighbour);
    return MNL_CB_OK;
}

int netlink_get_neighbour(struct netlink *netlink, uint32_t interface, const struct ip_address *ip,
                          struct netlink_neighbour *ret_neighbour)
{
    struct nlmsghdr *request = begin_neighbour(netlink, RTM_GETNEIGH, 0, interface, ip);
    struct neighbour_answer answer = {};
    int error = ask(netlink, request, take_neighbour, &answer);

    if (error)
        return error;
    if (!answer.found)
        return -ENOENT;
    *ret_neighbour = answer.neighbour;
    return 0;
}

int netlink_manage_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *ip)
{
    struct nlmsghdr *request = begin_neighbour(
        netlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, interface, ip);
    struct ndmsg *header = mnl_nlmsg_get_payload(request);

    // NTF_USE sets off a resolution on kernels that know of no more.
    header->ndm_flags = NTF_USE;
    mnl_attr_put_u8(request, NDA_PROTOCOL, NETLINK_PROTOCOL);
    mnl_attr_put_u32(request, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
    return ask(netlink, request, NULL, NULL);
}

int netlink_delete_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *ip)
{
    return ask(netlink, begin_neighbour(netlink, RTM_DELNEIGH, NLM_F_ACK, interface, ip), NULL,
               NULL);
}

static bool is_running(const struct ifinfomsg *link)
{
    return (link->ifi_flags & IFF_UP) && (link->ifi_flags & IFF_LOWER_UP);
}

static int take_link(const struct nlmsghdr *message, void *context)
{
    bool *running = context;

    *running = is_running(mnl_nlmsg_get_payload(message));
    return MNL_CB_OK;
}

int netlink_get_link(struct netlink *netlink, uint32_t interface, bool *ret_is_running)
{
    struct nlmsghdr *request = begin(netlink, RTM_GETLINK, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    bool running = false;
    int error;

    header->ifi_index = (int)interface;
    error = ask(netlink, request, take_link, &running);
    if (!error)
        *ret_is_running = running;
    return error;
}

struct neighbour_list {
    void (*take)(const struct netlink_neighbour *neighbour, void *context);
    void *context;
    uint32_t interface;
};

static int take_listed(const struct nlmsghdr *message, void *context)
{
    struct neighbour_list *list = context;
    struct netlink_neighbour neighbour;

    if (netlink_parse_neighbour(message, &neighbour) && neighbour.interface == list->interface)
        list->take(&neighbour, list->context);
    return MNL_CB_OK;
}

int netlink_list_neighbours(struct netlink *netlink, uint32_t interface,
                            void (*take)(const struct netlink_neighbour *neighbour, void *context),
                            void *context)
{
    struct neighbour_list list = {take, context, interface};
    struct nlmsghdr *request = begin(netlink, RTM_GETNEIGH, NLM_F_DUMP);

    mnl_nlmsg_put_extra_header(request, sizeof(struct ndmsg));
    return ask(netlink, request, take_listed, &list);
}

// Routes and rules begin alike: family and length of the destination; RTA_DST is FRA_DST.
static_assert((int)RTA_DST == (int)FRA_DST && sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr) &&
                  offsetof(struct rtmsg, rtm_dst_len) == offsetof(struct fib_rule_hdr, dst_len),
              "one reader for both");

bool netlink_parse_prefix(const struct nlmsghdr *message, struct ip_prefix *ret_prefix,
                          bool *ret_spreads)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    bool is_route = message->nlmsg_type == RTM_NEWROUTE;
    bool has_ways = false, has_group = false, has_way = false;
    struct ip_prefix prefix = {.length = header->rtm_dst_len};
    const struct nlattr *attribute;

    if ((!is_route && message->nlmsg_type != RTM_NEWRULE) ||
        (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
        return false;
    prefix.ip.family = header->rtm_family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6;
    mnl_attr_for_each(attribute, message, sizeof(*header))
    {
        uint16_t type = mnl_attr_get_type(attribute);

        if (type == RTA_DST && !parse_address(header->rtm_family, attribute, &prefix.ip))
            return false;
        has_ways |= is_route && type == RTA_MULTIPATH;
        has_group |= is_route && type == RTA_NH_ID;
        has_way |= is_route && type == RTA_OIF;
    }
    *ret_prefix = prefix;
    *ret_spreads = has_ways || (has_group && !has_way);
    return true;
}

struct route_list {
    const struct netlink_route_reader *reader;
    bool is_enough;
};

static int take_listed_route(const struct nlmsghdr *message, void *context)
{
    struct route_list *list = context;
    const struct netlink_route_reader *reader = list->reader;
    struct netlink_route route;
    struct ip_prefix prefix;
    bool spreads;

    if (netlink_parse_route(message, &route) && route.gateway.family != IP_FAMILY_NONE)
        reader->gateway(&route, reader->context);
    if (netlink_parse_prefix(message, &prefix, &spreads))
        list->is_enough = !reader->prefix(&prefix, spreads, reader->context);
    return list->is_enough ? MNL_CB_STOP : MNL_CB_OK;
}

int netlink_list_routes(struct netlink *netlink, const struct netlink_route_reader *reader)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    static const uint16_t types[] = {RTM_GETROUTE, RTM_GETRULE};
    struct route_list list = {reader, false};

    for (unsigned i = 0; i < 4 && !list.is_enough; i++) {
        struct nlmsghdr *request = begin(netlink, types[i / 2], NLM_F_DUMP);
        struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

        header->rtm_family = families[i % 2];
        int error = ask(netlink, request, take_listed_route, &list);
        // A kernel without that family, or without rules, has no prefixes of the kind.
        if (error && error != -EAFNOSUPPORT && error != -EOPNOTSUPP)
            return error;
    }
    return 0;
}

static int take_address(const struct nlmsghdr *message, void *context)
{
    interface_take_address(message, context);
    return MNL_CB_OK;
}

int netlink_list_addresses(struct netlink *netlink, struct interface *interface)
{
    struct interface now = *interface;
    int error = -EINTR;

    // The kernel says so when addresses have changed while it listed them.
    for (unsigned i = 0; i < LISTINGS_MAX && error == -EINTR; i++) {
        struct nlmsghdr *request = begin(netlink, RTM_GETADDR, NLM_F_DUMP);

        mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
        now.address_count = 0;
        error = ask(netlink, request, take_address, &now);
    }
    if (!error)
        *interface = now;
    return error;
}

static int subscribe_to(struct netlink *netlink, const int *groups, size_t count)
{
    int error = open_socket(netlink);

    for (size_t i = 0; !error && i < count; i++) {
        int group = groups[i];

        if (mnl_socket_setsockopt(netlink->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
            0) {
            error = -errno;
            mnl_socket_close(netlink->socket);
        }
    }
    return error;
}

int netlink_subscribe(struct netlink *netlink)
{
    static const int groups[] = {RTNLGRP_NEIGH,     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                 RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,  RTNLGRP_LINK};
    const int len = NEWS_BUFFER_LEN;
    int error = subscribe_to(netlink, groups, sizeof(groups) / sizeof(groups[0]));

    if (error)
        return error;
    // Above the limit of ordinary processes where that is permitted.
    if (setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVBUFFORCE, &len,
                   sizeof(len)) < 0)
        setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVBUF, &len, sizeof(len));
    return 0;
}

int netlink_subscribe_addresses(struct netlink *netlink)
{
    static const int groups[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

    return subscribe_to(netlink, groups, sizeof(groups) / sizeof(groups[0]));
}

void netlink_drain(struct netlink *netlink)
{
    int fd = mnl_socket_get_fd(netlink->socket);
    ssize_t len;

    // That some were lost is news too, and said once.
    do {
        len = recv(fd, netlink->buffer, sizeof(netlink->buffer), MSG_DONTWAIT);
    } while (len >= 0 || errno == ENOBUFS || errno == EINTR);
}

static int take_news(const struct nlmsghdr *message, void *context)
{
    const struct netlink_news *news = context;
    struct netlink_neighbour neighbour;
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

    if (message->nlmsg_type == RTM_NEWNEIGH || message->nlmsg_type == RTM_DELNEIGH) {
        if (netlink_parse_neighbour(message, &neighbour))
            news->neighbour(&neighbour, news->context);
        return MNL_CB_OK;
    }
    // Of another family when it only leaves a bridge.
    if (message->nlmsg_type == RTM_DELLINK && link->ifi_family == AF_UNSPEC)
        news->link_gone((uint32_t)link->ifi_index, news->context);
    else if (message->nlmsg_type == RTM_NEWLINK && link->ifi_family == AF_UNSPEC)
        news->link((uint32_t)link->ifi_index, is_running(link), news->context);
    news->routes(news->context);
    return MNL_CB_OK;
}

int netlink_receive(struct netlink *netlink, const struct netlink_news *news)
{
    int fd = mnl_socket_get_fd(netlink->socket);

    for (unsigned i = 0; i < NEWS_MESSAGES_MAX; i++) {
        ssize_t len = recv(fd, netlink->buffer, sizeof(netlink->buffer), MSG_DONTWAIT);

        if (len < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        mnl_cb_run(netlink->buffer, (size_t)len, 0, 0, take_news, (void *)news);
    }
    return 0;
}
