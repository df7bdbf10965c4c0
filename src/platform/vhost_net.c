// SPDX-License-Identifier: BSD-3-Clause
// See platform/vhost_net.h. The driver has no call for the carrier, which goes by netlink, and has
// no word for a start that failed, so a frame is sent to see.
#include "platform/vhost_net.h"

#include "platform/kernel_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_TRIES   5000
#define CHECK_WAIT_US 1000
#define CHECK_LEN     60

static void device_name(const char *interface, char name[RTE_ETH_NAME_MAX_LEN])
{
    snprintf(name, RTE_ETH_NAME_MAX_LEN, "net_virtio_user_%s", interface);
}

static int look_at(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

// A frame lies in one buffer: whoever transmits it may take no chains.
static int add_device(const struct vhost_net_config *config, uint16_t *ret_port)
{
    char name[RTE_ETH_NAME_MAX_LEN], arguments[512];
    const uint8_t *mac = config->mac;

    device_name(config->name, name);
    // DPDK adds no second one, and says that it has.
    if (rte_eth_dev_get_port_by_name(name, ret_port) == 0)
        return -EBUSY;
    snprintf(arguments, sizeof(arguments),
             "path=%s,iface=%s,queues=1,queue_size=%u,mrg_rxbuf=0,"
             "mac=%02x:%02x:%02x:%02x:%02x:%02x",
             config->path, config->name, VHOST_NET_RING_LEN, mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
    if (rte_eal_hotplug_add("vdev", name, arguments) != 0)
        return -EIO;
    return rte_eth_dev_get_port_by_name(name, ret_port);
}

static void remove_device(uint16_t port)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    if (rte_eth_dev_get_name_by_port(port, name) != 0)
        return;
    rte_eth_dev_stop(port);
    rte_eal_hotplug_remove("vdev", name);
}

// No offloads: what the kernel sends has its checksums and fits into the MTU.
static int start_device(const struct vhost_net_config *config, uint16_t port)
{
    struct rte_eth_conf configuration = {.intr_conf.rxq = 1};
    struct rte_eth_dev_info info;
    int error = rte_eth_dev_info_get(port, &info);

    if (error)
        return error;
    configuration.rxmode.mtu = RTE_MIN(config->mtu, info.max_mtu);
    error = rte_eth_dev_configure(port, 1, 1, &configuration);
    if (!error)
        error =
            rte_eth_rx_queue_setup(port, 0, VHOST_NET_RING_LEN, SOCKET_ID_ANY, NULL, config->pool);
    if (!error)
        error = rte_eth_tx_queue_setup(port, 0, VHOST_NET_RING_LEN, SOCKET_ID_ANY, NULL);
    return error ? error : rte_eth_dev_start(port);
}

// For good: a kernel that says each time that it has sent costs less than to ask it to.
static int find_doorbell(uint16_t port, int *ret_fd)
{
    int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port, 0);

    if (fd < 0 || rte_eth_dev_rx_intr_enable(port, 0) != 0)
        return -EIO;
    *ret_fd = fd;
    return 0;
}

static int open_netlink(struct mnl_socket **ret_netlink)
{
    struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (!netlink)
        return -errno;
    *ret_netlink = netlink;
    return 0;
}

static bool is_called(const char *pid, const char *name)
{
    char line[32];

    return kernel_file_read(line, sizeof(line), "/proc/%.20s/comm", pid) == 0 &&
           strcmp(line, name) == 0;
}

// Before Linux 6.4 the kernel's thread, whose name has that of the thread it was made for, may run
// on any CPU, those of workers too. Who is not root cannot change that.
static void keep_off_workers(void)
{
    const struct dirent *entry;
    char name[32];
    cpu_set_t cpus;
    DIR *processes = opendir("/proc");

    if (!processes)
        return;
    snprintf(name, sizeof(name), "vhost-%d", gettid());
    while (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && (entry = readdir(processes))) {
        if (atoi(entry->d_name) > 0 && is_called(entry->d_name, name))
            (void)sched_setaffinity(atoi(entry->d_name), sizeof(cpus), &cpus);
    }
    closedir(processes);
}

static int open_port(const struct vhost_net_config *config, struct vhost_net *vhost_net)
{
    int error = start_device(config, vhost_net->port);

    if (!error)
        error = find_doorbell(vhost_net->port, &vhost_net->fd);
    if (!error)
        error = open_netlink(&vhost_net->netlink);
    vhost_net->index = if_nametoindex(config->name);
    return error;
}

int vhost_net_open(const struct vhost_net_config *config, struct vhost_net *ret_vhost_net)
{
    struct vhost_net vhost_net = {};
    int error = look_at(config->path);

    if (!error)
        error = add_device(config, &vhost_net.port);
    if (error)
        return error;
    error = open_port(config, &vhost_net);
    if (error) {
        vhost_net_close(&vhost_net);
        return -EIO;
    }
    keep_off_workers();
    *ret_vhost_net = vhost_net;
    return 0;
}

static uint32_t count_received(const char *interface)
{
    struct ifaddrs *all;
    uint32_t count = 0;

    if (getifaddrs(&all) < 0)
        return 0;
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        const struct rtnl_link_stats *statistics = one->ifa_data;

        if (one->ifa_addr && one->ifa_addr->sa_family == AF_PACKET && statistics &&
            strcmp(one->ifa_name, interface) == 0)
            count = statistics->rx_packets;
    }
    freeifaddrs(all);
    return count;
}

// To itself, of the type for such tests, which nobody takes any further.
static struct rte_mbuf *make_frame(const struct vhost_net_config *config)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(config->pool);
    struct rte_ether_hdr *header;

    if (!frame)
        return NULL;
    frame->data_len = CHECK_LEN;
    frame->pkt_len = CHECK_LEN;
    header = rte_pktmbuf_mtod(frame, struct rte_ether_hdr *);
    memset(header, 0, CHECK_LEN);
    memcpy(header->dst_addr.addr_bytes, config->mac, sizeof(config->mac));
    memcpy(header->src_addr.addr_bytes, config->mac, sizeof(config->mac));
    header->ether_type = rte_cpu_to_be_16(0x9000);
    return frame;
}

int vhost_net_check(const struct vhost_net *vhost_net, const struct vhost_net_config *config)
{
    uint32_t before = count_received(config->name);
    struct rte_mbuf *frame = make_frame(config);

    if (!frame)
        return -ENOMEM;
    if (vhost_net_send(vhost_net, &frame, 1) == 0) {
        rte_pktmbuf_free(frame);
        return -ETIMEDOUT;
    }
    for (unsigned i = 0; i < CHECK_TRIES; i++) {
        if (count_received(config->name) != before)
            return 0;
        usleep(CHECK_WAIT_US);
    }
    return -ETIMEDOUT;
}

unsigned vhost_net_send(const struct vhost_net *vhost_net, struct rte_mbuf **frames, unsigned count)
{
    return rte_eth_tx_burst(vhost_net->port, 0, frames, (uint16_t)count);
}

unsigned vhost_net_receive(const struct vhost_net *vhost_net, struct rte_mbuf **ret_frames,
                           unsigned max)
{
    return rte_eth_rx_burst(vhost_net->port, 0, ret_frames, (uint16_t)max);
}

bool vhost_net_lacks_buffers(struct vhost_net *vhost_net)
{
    uint64_t missed = vhost_net->missed;
    struct rte_eth_stats statistics;

    if (rte_eth_stats_get(vhost_net->port, &statistics) == 0)
        vhost_net->missed = statistics.rx_nombuf;
    return vhost_net->missed != missed;
}

void vhost_net_clear(const struct vhost_net *vhost_net)
{
    uint64_t rings;
    ssize_t ignored = read(vhost_net->fd, &rings, sizeof(rings));

    (void)ignored;
}

// The kernel has done it when the call returns; what it has against it is nobody's to read.
void vhost_net_set_carrier(const struct vhost_net *vhost_net, bool is_up)
{
    char buffer[256], answer[256];
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct ifinfomsg *link;
    ssize_t ignored;

    message->nlmsg_type = RTM_NEWLINK;
    message->nlmsg_flags = NLM_F_REQUEST;
    link = mnl_nlmsg_put_extra_header(message, sizeof(*link));
    link->ifi_index = (int)vhost_net->index;
    mnl_attr_put_u8(message, IFLA_CARRIER, is_up);
    (void)mnl_socket_sendto(vhost_net->netlink, message, message->nlmsg_len);
    ignored = recv(mnl_socket_get_fd(vhost_net->netlink), answer, sizeof(answer), MSG_DONTWAIT);
    (void)ignored;
}

void vhost_net_close(struct vhost_net *vhost_net)
{
    remove_device(vhost_net->port);
    if (vhost_net->netlink)
        mnl_socket_close(vhost_net->netlink);
}
