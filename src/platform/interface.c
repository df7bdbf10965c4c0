// SPDX-License-Identifier: BSD-3-Clause
// Asks the kernel about an interface: ioctl for what ethtool and ifconfig show, netlink for its
// addresses.
#include "platform/interface.h"

#include "base/log.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// An address that is going away, or that the kernel changes for privacy, is no address for a
// server.
#define UNFIT_FLAGS (IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_DADFAILED)

#define DUMPS_MAX 10

static void request_init(struct ifreq *request, const char *name)
{
    memset(request, 0, sizeof(*request));
    snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", name);
}

// Queues that both receive and transmit. A driver that does not say has one.
static uint16_t query_queue_count(int fd, const char *name)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request;
    uint32_t pairs;

    request_init(&request, name);
    request.ifr_data = (void *)&channels;
    if (ioctl(fd, SIOCETHTOOL, &request) < 0)
        return 1;
    pairs = channels.rx_count < channels.tx_count ? channels.rx_count : channels.tx_count;
    if (channels.combined_count > pairs)
        pairs = channels.combined_count;
    return (uint16_t)(pairs > 0 ? pairs : 1);
}

static int query_link(int fd, struct interface *interface)
{
    struct ifreq request;

    request_init(&request, interface->name);
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
        return -errno;
    interface->index = (uint32_t)request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return -errno;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return -EINVAL;
    memcpy(interface->mac, request.ifr_hwaddr.sa_data, sizeof(interface->mac));
    if (ioctl(fd, SIOCGIFMTU, &request) < 0)
        return -errno;
    interface->mtu = (uint16_t)(request.ifr_mtu < UINT16_MAX ? request.ifr_mtu : UINT16_MAX);
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return -errno;
    interface->up = (request.ifr_flags & IFF_UP) != 0;
    interface->queue_count = query_queue_count(fd, interface->name);
    return 0;
}

void interface_take_address(const struct nlmsghdr *message, struct interface *interface)
{
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    enum ip_family family = header->ifa_family == AF_INET ? IP_FAMILY_V4 : IP_FAMILY_V6;
    uint32_t flags = header->ifa_flags;
    const struct nlattr *attribute, *address = NULL, *local = NULL;

    if (header->ifa_index != interface->index || header->ifa_scope != RT_SCOPE_UNIVERSE ||
        (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
        return;
    mnl_attr_for_each(attribute, message, sizeof(*header))
    {
        if (mnl_attr_get_type(attribute) == IFA_LOCAL)
            local = attribute;
        else if (mnl_attr_get_type(attribute) == IFA_ADDRESS)
            address = attribute;
        else if (mnl_attr_get_type(attribute) == IFA_FLAGS)
            flags = mnl_attr_get_u32(attribute);
    }
    // On a point-to-point link IFA_ADDRESS is the other end.
    if (local)
        address = local;
    if (!address || (flags & UNFIT_FLAGS) || interface->address_count == INTERFACE_ADDRESSES_MAX)
        return;
    interface->addresses[interface->address_count++] =
        ip_address_from_bytes(family, mnl_attr_get_payload(address));
}

static int take_address(const struct nlmsghdr *message, void *context)
{
    interface_take_address(message, context);
    return MNL_CB_OK;
}

static int dump_addresses(struct interface *interface)
{
    char buffer[8192]; // the kernel's dumps are made of messages of at most this
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
    ssize_t len;
    int more = MNL_CB_OK, error;

    if (!socket)
        return -errno;
    request->nlmsg_type = RTM_GETADDR;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
        more = MNL_CB_ERROR;
    while (more == MNL_CB_OK) {
        len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        more = len < 0 ? MNL_CB_ERROR
                       : mnl_cb_run(buffer, (size_t)len, 0, mnl_socket_get_portid(socket),
                                    take_address, interface);
    }
    error = more == MNL_CB_ERROR ? -errno : 0;
    mnl_socket_close(socket);
    return error;
}

static int query_addresses(struct interface *interface)
{
    int error = -EINTR;

    // The kernel says so when addresses have changed while it listed them.
    for (unsigned i = 0; i < DUMPS_MAX && error == -EINTR; i++) {
        interface->address_count = 0;
        error = dump_addresses(interface);
    }
    return error;
}

int interface_query(const char *name, struct interface *ret_interface)
{
    struct interface interface = {};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    snprintf(interface.name, sizeof(interface.name), "%s", name);
    error = query_link(fd, &interface);
    close(fd);
    if (!error)
        error = query_addresses(&interface);
    if (error == -ENODEV)
        log_message(LOG_LEVEL_ERROR, "no_interface",
                    "there is no interface %s: 'ip link' lists those there are; set interface in "
                    "the configuration",
                    name);
    else if (error == -EINVAL)
        log_message(LOG_LEVEL_ERROR, "no_ethernet",
                    "%s is no Ethernet interface, and the relay needs one", name);
    else if (error)
        log_message(LOG_LEVEL_ERROR, "interface", "cannot ask the kernel about %s: %s", name,
                    strerror(-error));
    if (error)
        return error;
    *ret_interface = interface;
    return 0;
}

int interface_check(const struct interface *interface, uint32_t workers)
{
    if (!interface->up) {
        log_message(LOG_LEVEL_ERROR, "interface_down", "%s is down: 'ip link set dev %s up'",
                    interface->name, interface->name);
        return -ENETDOWN;
    }
    // Packets of a queue without a worker would go to the kernel, which knows nothing of them.
    if (interface->queue_count != workers) {
        log_message(
            LOG_LEVEL_ERROR, "queues",
            "%s has %u queues, each needs a worker, and workers is %u: set it to the same, or "
            "change the interface with 'ethtool -L %s combined %u' ('rx %u tx %u' for drivers "
            "without combined channels)",
            interface->name, interface->queue_count, workers, interface->name, workers, workers,
            workers);
        return -EINVAL;
    }
    return 0;
}

bool interface_has_address(const struct interface *interface, const struct ip_address *ip)
{
    for (unsigned i = 0; i < interface->address_count; i++) {
        if (ip_address_equal(&interface->addresses[i], ip))
            return true;
    }
    return false;
}

// A socket binds to local addresses only.
bool interface_host_has_address(const struct ip_address *ip)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool is_v4 = ip->family == IP_FAMILY_V4;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result;

    if (fd < 0)
        return false;
    memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
    memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
    result = is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
                   : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
    close(fd);
    return result == 0;
}
