// SPDX-License-Identifier: BSD-3-Clause
// Opens any device that DPDK drives, with a pair of queues for each worker.
#include "platform/device.h"

#include "base/log.h"
#include "platform/node.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <rte_bus_pci.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RING_LEN 2048
// Of what a device can spread over its queues, what keeps the packets of a flow together. Devices
// differ in what they call UDP, so each takes what it knows.
#define SPREAD_BY                                                                                  \
    (RTE_ETH_RSS_IP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |                \
     RTE_ETH_RSS_IPV6_UDP_EX)
#define RX_CHECKSUMS     (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define RX_VLAN          (RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_VLAN_FILTER)
#define VIRTUAL_PREFIX   "net_"
#define AF_PACKET_PREFIX "net_af_packet"
#define ETHERNET_LEN     18 // with a checksum
#define VLAN_TAGS_LEN    8  // two
// Frames of net_af_packet lie in these, behind a header of the kernel's.
#define AF_PACKET_FRAME_LEN     2048
#define AF_PACKET_HEAD_LEN      (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))
#define AF_PACKET_FRAME_LEN_MIN (1280 + AF_PACKET_HEAD_LEN + ETHERNET_LEN) // for IPv6

bool device_is_pci(const char *device)
{
    struct rte_pci_addr address;

    return rte_pci_addr_parse(device, &address) == 0;
}

bool device_is_valid(const char *device)
{
    size_t name_len = strcspn(device, ",");

    return device_is_pci(device) ||
           (strncmp(device, VIRTUAL_PREFIX, strlen(VIRTUAL_PREFIX)) == 0 &&
            name_len > strlen(VIRTUAL_PREFIX) && name_len < RTE_ETH_NAME_MAX_LEN);
}

// The name under which DPDK knows it; of a virtual device the arguments too.
static const char *split(const char *device, char name[RTE_ETH_NAME_MAX_LEN])
{
    size_t len = strcspn(device, ",");
    struct rte_pci_addr address;

    if (rte_pci_addr_parse(device, &address) == 0)
        rte_pci_device_name(&address, name, RTE_ETH_NAME_MAX_LEN);
    else
        snprintf(name, RTE_ETH_NAME_MAX_LEN, "%.*s", (int)len, device);
    return device[len] == ',' ? device + len + 1 : "";
}

// Drivers for cards without an IOMMU need memory whose own address the kernel tells: hugepages.
static bool is_bound_to_uio(const char *name)
{
    char path[128], target[128] = "";
    const char *driver;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", name);
    if (readlink(path, target, sizeof(target) - 1) < 0)
        return false;
    driver = strrchr(target, '/');
    return driver && strstr(driver, "uio");
}

static void log_missing(const char *device, const char *name, int error)
{
    const char *hint = "";

    if (device_is_pci(device))
        hint = "; is it bound to vfio-pci (dpdk-devbind.py)?";
    if (device_is_pci(device) && !rte_eal_has_hugepages() && is_bound_to_uio(name))
        hint = "; bound to uio, it is there for a relay with hugepages alone: set hugepages = "
               "\"on\", which says how many it needs";
    log_message(LOG_LEVEL_ERROR, "device", "DPDK has no device %s: %s%s", device, strerror(-error),
                hint);
}

bool device_is_same(const char *device, const char *other)
{
    char name[RTE_ETH_NAME_MAX_LEN], other_name[RTE_ETH_NAME_MAX_LEN];

    (void)split(device, name);
    (void)split(other, other_name);
    return strcmp(name, other_name) == 0;
}

// A card was found when the EAL started.
static int attach(const char *device, uint16_t *ret_port)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    const char *arguments = split(device, name);
    int error = 0;

    if (!device_is_pci(device))
        error = rte_eal_hotplug_add("vdev", name, arguments);
    if (!error)
        error = rte_eth_dev_get_port_by_name(name, ret_port);
    if (error)
        log_missing(device, name, error);
    return error;
}

static void detach(const char *device)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    (void)split(device, name);
    rte_eal_hotplug_remove(device_is_pci(device) ? "pci" : "vdev", name);
}

static int check_queues(const char *device, const struct rte_eth_dev_info *info,
                        uint16_t queue_count)
{
    uint16_t pairs = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

    if (pairs >= queue_count)
        return 0;
    log_message(LOG_LEVEL_ERROR, "queues",
                "%s has %u pairs of queues, and each of %u workers needs one: set workers = %u%s",
                device, pairs, queue_count, pairs,
                device_is_pci(device) ? "" : ", or give the device more in its arguments");
    return -EINVAL;
}

static bool is_af_packet(const char *device)
{
    return strncmp(device, AF_PACKET_PREFIX, strlen(AF_PACKET_PREFIX)) == 0;
}

// What stands behind it in the arguments, up to the next one; NULL: nothing.
static const char *find_argument(const char *device, const char *argument)
{
    const char *found = strstr(device, argument);

    return found ? found + strlen(argument) : NULL;
}

// Asks the kernel about the interface below. False: there is none.
static bool ask_af_packet_interface(const char *device, unsigned long question,
                                    struct ifreq *ret_answer)
{
    const char *name = find_argument(device, ",iface=");
    struct ifreq request = {};
    int fd, result;

    if (!name || strcspn(name, ",") >= sizeof(request.ifr_name))
        return false;
    memcpy(request.ifr_name, name, strcspn(name, ","));
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    result = ioctl(fd, question, &request);
    close(fd);
    *ret_answer = request;
    return result == 0;
}

// Of the kernel's interface below; 0: there is none.
static uint16_t af_packet_interface_mtu(const char *device)
{
    struct ifreq answer;

    return ask_af_packet_interface(device, SIOCGIFMTU, &answer)
               ? (uint16_t)RTE_MIN(answer.ifr_mtu, DEVICE_MTU_MAX)
               : 0;
}

bool device_has_carrier(const struct device *device)
{
    struct ifreq answer;

    return !is_af_packet(device->name) ||
           !ask_af_packet_interface(device->name, SIOCGIFFLAGS, &answer) ||
           (answer.ifr_flags & IFF_RUNNING);
}

static uint16_t af_packet_frame_len(const char *device)
{
    const char *len = find_argument(device, ",framesz=");
    unsigned long number = len ? strtoul(len, NULL, 10) : AF_PACKET_FRAME_LEN;

    return (uint16_t)RTE_MIN(number, 2ul * DEVICE_MTU_MAX);
}

static uint16_t af_packet_mtu(const char *device)
{
    uint16_t mtu = af_packet_interface_mtu(device);
    unsigned frame_len = RTE_MAX(af_packet_frame_len(device), AF_PACKET_FRAME_LEN_MIN);
    uint16_t limit = (uint16_t)(frame_len - AF_PACKET_HEAD_LEN - ETHERNET_LEN);

    return mtu > 0 ? RTE_MIN(mtu, limit) : DEVICE_MTU_DEFAULT;
}

static uint16_t frame_len(const char *device, uint16_t mtu)
{
    uint16_t len = mtu + ETHERNET_LEN + VLAN_TAGS_LEN;

    return is_af_packet(device) ? RTE_MAX(len, af_packet_frame_len(device)) : len;
}

int device_expect_node(const char *device)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    (void)split(device, name);
    return device_is_pci(device) ? node_of_card(name) : SOCKET_ID_ANY;
}

uint16_t device_expect_frame_len(const struct device_config *config)
{
    uint16_t own = is_af_packet(config->name) ? af_packet_mtu(config->name) : DEVICE_MTU_DEFAULT;

    return frame_len(config->name, config->mtu > 0 ? config->mtu : own);
}

// What DPDK lets nobody go beyond when a port is configured.
static uint16_t configurable_mtu(const struct rte_eth_dev_info *info)
{
    uint32_t limit = info->max_mtu;

    if (info->max_mtu == UINT16_MAX && info->max_rx_pktlen > ETHERNET_LEN)
        limit = RTE_MIN(limit, info->max_rx_pktlen - ETHERNET_LEN);
    return (uint16_t)RTE_MIN(limit, DEVICE_MTU_MAX);
}

// net_af_packet tells DPDK of 1500 whatever its interface has, and is not asked when that is more.
static int learn_mtu(const struct rte_eth_dev_info *info, struct device *device)
{
    if (!is_af_packet(device->name)) {
        device->mtu_limit = configurable_mtu(info);
        return rte_eth_dev_get_mtu(device->port, &device->own_mtu);
    }
    device->own_mtu = af_packet_mtu(device->name);
    device->mtu_limit = device->own_mtu;
    return 0;
}

static int learn(const struct rte_eth_dev_info *info, uint16_t mtu, struct device *device)
{
    struct rte_ether_addr mac;
    int error = rte_eth_macaddr_get(device->port, &mac);

    if (!error)
        error = learn_mtu(info, device);
    if (error)
        return error;
    memcpy(device->mac, mac.addr_bytes, sizeof(device->mac));
    device->mtu = RTE_MIN(mtu > 0 ? mtu : device->own_mtu, device->mtu_limit);
    device->frame_len = frame_len(device->name, device->mtu);
    // DPDK says of a virtual device that it is where the thread was that made it.
    device->node =
        device_is_pci(device->name) ? rte_eth_dev_socket_id(device->port) : SOCKET_ID_ANY;
    return 0;
}

static int find_port(const struct device_config *config, struct device *device)
{
    struct rte_eth_dev_info info;
    int error = rte_eth_dev_info_get(device->port, &info);

    if (!error && check_queues(config->name, &info, config->queue_count) < 0)
        return -EINVAL;
    if (!error)
        error = learn(&info, config->mtu, device);
    if (error)
        log_message(LOG_LEVEL_ERROR, "device", "%s does not say what it is: %s", config->name,
                    strerror(-error));
    return error;
}

int device_find(const struct device_config *config, struct device *ret_device)
{
    struct device device = {.name = config->name, .queue_count = config->queue_count};
    int error = attach(config->name, &device.port);

    if (error)
        return error;
    error = find_port(config, &device);
    if (error) {
        detach(config->name);
        return error;
    }
    *ret_device = device;
    return 0;
}

// With rings on this node; SOCKET_ID_ANY is -1.
static int set_up_queues(const struct device *device, int node, struct rte_mempool *pool)
{
    uint16_t rx_len = RING_LEN, tx_len = RING_LEN;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(device->port, &rx_len, &tx_len);

    for (uint16_t queue = 0; !error && queue < device->queue_count; queue++) {
        error = rte_eth_rx_queue_setup(device->port, queue, rx_len, (unsigned)node, NULL, pool);
        if (!error)
            error = rte_eth_tx_queue_setup(device->port, queue, tx_len, (unsigned)node, NULL);
    }
    return error;
}

// On the device's node, or where there is room.
static int start_queues(const struct device *device, struct rte_mempool *pool)
{
    int error = set_up_queues(device, device->node, pool);

    if (error == -ENOMEM && device->node >= 0)
        error = set_up_queues(device, SOCKET_ID_ANY, pool);
    return error ? error : rte_eth_dev_start(device->port);
}

// The kernel behind the twin listens to groups that the device knows nothing of.
static void receive_groups(uint16_t port)
{
    if (rte_eth_allmulticast_enable(port) != 0)
        (void)rte_eth_promiscuous_enable(port);
}

// Cards of hypervisors, asked to check sums, deliver packets of their host that have none yet:
// these could be consumed, but not relayed. Virtual devices compute them as we do, but for all
// packets.
static bool checks_sums_itself(const struct device *device, const struct rte_eth_dev_info *info)
{
    static const char *const virtual_cards[] = {"net_virtio", "net_vmxnet3", "net_netvsc"};

    for (unsigned i = 0; i < RTE_DIM(virtual_cards); i++) {
        if (strcmp(info->driver_name, virtual_cards[i]) == 0)
            return false;
    }
    return device_is_pci(device->name);
}

static uint64_t choose_rx_offloads(const struct device *device, uint16_t vlan,
                                   const struct rte_eth_dev_info *info)
{
    uint64_t wanted = checks_sums_itself(device, info) ? RX_CHECKSUMS : 0;

    if (vlan > 0)
        wanted |= RX_VLAN;
    return info->rx_offload_capa & wanted;
}

// net_virtio says that it inserts tags, and does so for those alone who ask before each burst.
static uint64_t choose_tx_offloads(uint16_t vlan, const struct rte_eth_dev_info *info)
{
    if (vlan == 0 || strcmp(info->driver_name, "net_virtio") == 0)
        return 0;
    return info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
}

// Virtual functions get a VLAN's frames only when they have asked for it; what other devices let
// pass of other VLANs is dropped as it comes.
static void filter_vlan(uint16_t port, uint16_t id, const struct rte_eth_dev_info *info)
{
    if (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER)
        (void)rte_eth_dev_vlan_filter(port, id, 1);
}

static int join_vlan(const struct device_config *config, const struct rte_eth_dev_info *info,
                     const struct rte_eth_conf *configuration, struct device *device)
{
    const struct vlan_config vlan = {
        .port = device->port,
        .queue_count = device->queue_count,
        .id = config->vlan,
        .device_inserts = configuration->txmode.offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT,
        .counters = config->counters,
    };

    if (config->vlan == 0)
        return 0;
    if (!config->is_isolated)
        filter_vlan(device->port, config->vlan, info);
    return vlan_create(&vlan, &device->vlan);
}

static void choose(const struct device *device, const struct device_config *config,
                   const struct rte_eth_dev_info *info, struct rte_eth_conf *ret_configuration)
{
    uint64_t spread_by = info->flow_type_rss_offloads & SPREAD_BY;

    *ret_configuration = (struct rte_eth_conf){
        .rxmode.mtu = RTE_MIN(device->mtu, configurable_mtu(info)),
        .rxmode.offloads = choose_rx_offloads(device, config->vlan, info),
        .txmode.offloads = choose_tx_offloads(config->vlan, info),
    };
    if (device->queue_count > 1 && spread_by) {
        ret_configuration->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        ret_configuration->rx_adv_conf.rss_conf.rss_hf = spread_by;
    }
}

// The kernel of an isolated device has its groups by itself.
static int start(const struct device *device, const struct device_config *config,
                 const struct rte_eth_conf *configuration, struct rte_mempool *pool)
{
    int error = rte_eth_dev_configure(device->port, device->queue_count, device->queue_count,
                                      configuration);

    if (!error)
        error = start_queues(device, pool);
    if (!error && !config->is_isolated)
        receive_groups(device->port);
    return error;
}

// A row of its own among the facts.
static int steer(struct device *device, const struct device_config *config,
                 struct port_facts *facts)
{
    const struct steering_config steering = {
        .device = device->name,
        .port = device->port,
        .vlan = config->vlan,
        .is_isolated = config->is_isolated,
        .plane = config->plane,
    };

    if (config->plane)
        return steering_create(&steering, facts, &device->steering);
    port_facts_add_steering(facts);
    return 0;
}

int device_start(struct device *device, const struct device_config *config,
                 struct rte_mempool *pool, struct port_facts *facts)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf configuration;
    int error = config->is_isolated ? steering_isolate(device->name, device->port) : 0;

    if (error)
        return error;
    error = rte_eth_dev_info_get(device->port, &info);
    if (!error) {
        choose(device, config, &info, &configuration);
        error = start(device, config, &configuration, pool);
    }
    if (!error)
        error = join_vlan(config, &info, &configuration, device);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "device", "cannot start %s: %s", device->name,
                    strerror(-error));
        return error;
    }
    port_facts_add_device(facts, device->port, device->name);
    port_facts_add_queues(facts, &info, device->queue_count);
    port_facts_add_spread(facts, device->port, &info, &configuration, device->queue_count);
    error = steer(device, config, facts);
    if (error)
        return error;
    port_facts_add_checksums(facts, &info, &configuration);
    port_facts_add_vlan(facts, config->vlan, &info, &configuration);
    port_facts_add_mtu(facts, device->own_mtu, device->mtu_limit, device->mtu);
    return 0;
}

void device_close(const struct device *device)
{
    if (device->steering)
        steering_destroy(device->steering);
    if (device->vlan)
        vlan_destroy(device->vlan);
    (void)rte_eth_promiscuous_disable(device->port);
    rte_eth_dev_stop(device->port);
    detach(device->name);
}
