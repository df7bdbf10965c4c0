// SPDX-License-Identifier: BSD-3-Clause
// A TAP whose frames the kernel's vhost-net carries, by DPDK's virtio_user: rings in our memory,
// and a thread of the kernel's that empties and fills them. A burst costs a system call at most.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VHOST_NET_PATH "/dev/vhost-net"

struct mnl_socket;
struct rte_mbuf;
struct rte_mempool;

struct vhost_net_config {
    const char *path; // VHOST_NET_PATH
    const char *name; // of the interface, as tap_open() has it
    uint8_t mac[6];
    uint16_t mtu;             // bytes
    struct rte_mempool *pool; // borrowed; up to VHOST_NET_BUFFERS of its buffers stay here
};

#define VHOST_NET_RING_LEN 256
#define VHOST_NET_BUFFERS  (2 * VHOST_NET_RING_LEN)

struct vhost_net {
    uint16_t port;
    int fd;                     // readable when the kernel has sent
    uint64_t missed;            // buffers that were not there, as DPDK counts them
    uint32_t index;             // of the interface
    struct mnl_socket *netlink; // in its network namespace
};

// The interface is there, in the network namespace of the calling thread, and has to be brought up.
// 0 or -errno: what the path is opened with, or -EIO where DPDK has said more.
int vhost_net_open(const struct vhost_net_config *config, struct vhost_net *ret_vhost_net);
// Whether the kernel takes frames: DPDK does not tell when it failed to hand over the rings. The
// interface is up; one frame is sent to it, from itself. In its network namespace. 0 or -ETIMEDOUT,
// -ENOMEM.
int vhost_net_check(const struct vhost_net *vhost_net, const struct vhost_net_config *config);
// How many the ring had room for; the others stay the caller's.
unsigned vhost_net_send(const struct vhost_net *vhost_net, struct rte_mbuf **frames,
                        unsigned count);
// How many; 0: the kernel has nothing to send, or there are no buffers.
unsigned vhost_net_receive(const struct vhost_net *vhost_net, struct rte_mbuf **ret_frames,
                           unsigned max);
// Whether that was for want of buffers: nothing says when there are some.
bool vhost_net_lacks_buffers(struct vhost_net *vhost_net);
// fd was readable, and frames will be received next.
void vhost_net_clear(const struct vhost_net *vhost_net);
// The control thread, which has CAP_NET_ADMIN.
void vhost_net_set_carrier(const struct vhost_net *vhost_net, bool is_up);
// Nobody sends or receives any more. The interface goes too, unless it was there before.
void vhost_net_close(struct vhost_net *vhost_net);
