// SPDX-License-Identifier: BSD-3-Clause
// The kernel's interface and the thread that serves it. System calls are no work for a worker, so
// workers see rings alone, and a flood of frames for the kernel takes a core's time only where one
// is left.
#include "platform/twin.h"

#include "base/log.h"
#include "platform/port_facts.h"
#include "platform/tap.h"
#include "platform/vhost_net.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST 32
// How soon a worker or a ring that left no room, or a pool that had no buffer, is looked at again.
#define RETRY_MS 1

struct twin {
    struct plane *plane;
    unsigned side;
    int vhost_error; // 0: frames go by vhost-net, else by the TAP
    struct tap tap;
    struct vhost_net vhost_net;
    uint16_t next_worker;
    unsigned waiting_count;
    struct rte_mbuf *waiting[BURST]; // for room in the kernel's ring
    uint32_t stopping;               // set by the control thread; atomic
    pthread_t thread;
};

static bool is_by_vhost_net(const struct twin *twin)
{
    return twin->vhost_error == 0;
}

static void send_waiting(struct twin *twin)
{
    unsigned sent = twin->waiting_count;

    if (is_by_vhost_net(twin))
        sent = vhost_net_send(&twin->vhost_net, twin->waiting, twin->waiting_count);
    else
        tap_send(&twin->tap, twin->waiting, twin->waiting_count);
    twin->waiting_count -= sent;
    memmove(twin->waiting, twin->waiting + sent, twin->waiting_count * sizeof(twin->waiting[0]));
}

// While frames wait for room, others wait with the workers, which count what they have no room for.
static unsigned carry_to_kernel(struct twin *twin)
{
    uint16_t workers = twin->plane->config.worker_count;
    unsigned work = 0;

    if (twin->waiting_count > 0)
        send_waiting(twin);
    for (uint16_t i = 0; twin->waiting_count == 0 && i < workers; i++) {
        twin->waiting_count = plane_to_kernel_receive(twin->plane, twin->side, twin->next_worker,
                                                      twin->waiting, BURST);
        twin->next_worker = (uint16_t)((twin->next_worker + 1u) % workers);
        work += twin->waiting_count;
        if (twin->waiting_count > 0)
            send_waiting(twin);
    }
    return work;
}

static unsigned receive(struct twin *twin, struct rte_mbuf **ret_frames, unsigned max)
{
    return is_by_vhost_net(twin) ? vhost_net_receive(&twin->vhost_net, ret_frames, max)
                                 : tap_receive(&twin->tap, ret_frames, max);
}

static unsigned carry_from_kernel(struct twin *twin)
{
    struct rte_mbuf *frames[BURST];
    unsigned room = RTE_MIN(plane_from_kernel_room(twin->plane, twin->side), (uint32_t)BURST);
    unsigned count = receive(twin, frames, room);

    for (unsigned i = 0; i < count; i++) {
        if (plane_from_kernel_send(twin->plane, twin->side, frames[i]) != 0)
            rte_pktmbuf_free(frames[i]); // never: there was room, and nobody else fills the ring
    }
    return count;
}

static bool has_buffers(struct twin *twin)
{
    return is_by_vhost_net(twin) ? !vhost_net_lacks_buffers(&twin->vhost_net)
                                 : tap_can_receive(&twin->tap);
}

static bool is_stopping(const struct twin *twin)
{
    return __atomic_load_n(&twin->stopping, __ATOMIC_ACQUIRE);
}

// What cannot be received now waits in the kernel's queue.
static void wait_for_work(struct twin *twin)
{
    bool sends = twin->waiting_count == 0;
    bool receives = has_buffers(twin) && plane_from_kernel_room(twin->plane, twin->side) > 0;
    int from_kernel = is_by_vhost_net(twin) ? twin->vhost_net.fd : twin->tap.fd;
    struct pollfd fds[2] = {
        {.fd = sends ? twin->plane->twin_doorbells[twin->side].fd : -1, .events = POLLIN},
        {.fd = receives ? from_kernel : -1, .events = POLLIN},
    };

    if (sends && !plane_twin_doorbell_arm(twin->plane, twin->side))
        return;
    if (!is_stopping(twin))
        poll(fds, 2, sends && receives ? -1 : RETRY_MS);
    if (fds[1].revents && is_by_vhost_net(twin))
        vhost_net_clear(&twin->vhost_net);
}

static void *serve(void *context)
{
    struct twin *twin = context;

    pthread_setname_np(pthread_self(), "twin");
    while (!is_stopping(twin)) {
        if (carry_to_kernel(twin) + carry_from_kernel(twin) == 0)
            wait_for_work(twin);
    }
    return NULL;
}

static int set_up(const struct twin_config *config)
{
    struct ifreq request = {};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", config->name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, config->mac, sizeof(config->mac));
    if (ioctl(fd, SIOCSIFHWADDR, &request) < 0)
        error = -errno;
    request.ifr_mtu = config->mtu;
    if (!error && ioctl(fd, SIOCSIFMTU, &request) < 0)
        error = -errno;
    if (!error && ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        error = -errno;
    request.ifr_flags |= IFF_UP;
    if (!error && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        error = -errno;
    close(fd);
    return error;
}

static void close_interface(struct twin *twin)
{
    if (is_by_vhost_net(twin))
        vhost_net_close(&twin->vhost_net);
    else
        tap_close(&twin->tap);
}

static int open_vhost_net(const struct twin_config *config, struct vhost_net *ret_vhost_net)
{
    struct vhost_net_config vhost_net = {
        .path = config->vhost_net,
        .name = config->name,
        .mtu = config->mtu,
        .pool = config->pool,
    };
    int error;

    memcpy(vhost_net.mac, config->mac, sizeof(vhost_net.mac));
    error = vhost_net_open(&vhost_net, ret_vhost_net);
    if (error)
        return error;
    error = set_up(config);
    if (!error)
        error = vhost_net_check(ret_vhost_net, &vhost_net);
    if (error)
        vhost_net_close(ret_vhost_net);
    return error;
}

static int open_tap(const struct twin_config *config, struct tap *ret_tap)
{
    int error = tap_open(config->name, config->pool, ret_tap);

    if (error)
        return error;
    error = set_up(config);
    if (error)
        tap_close(ret_tap);
    return error;
}

static int start(const struct twin_config *config, struct twin *twin)
{
    int error;

    twin->vhost_error = open_vhost_net(config, &twin->vhost_net);
    error = twin->vhost_error;
    if (error && error != -EBUSY) // which is a twin of ours
        error = open_tap(config, &twin->tap);
    if (error)
        return error;
    error = -pthread_create(&twin->thread, NULL, serve, twin);
    if (error)
        close_interface(twin);
    return error;
}

static void add_fact(const struct twin *twin, const struct twin_config *config)
{
    struct port_fact *fact = port_facts_add(config->facts, "twin");

    snprintf(fact->found, sizeof(fact->found), "%s", config->name);
    snprintf(fact->used, sizeof(fact->used), is_by_vhost_net(twin) ? "vhost-net" : "tap");
    if (is_by_vhost_net(twin))
        snprintf(fact->why, sizeof(fact->why), "the kernel takes frames from rings and fills them");
    else
        snprintf(fact->why, sizeof(fact->why), "a system call a frame: %s: %s", config->vhost_net,
                 strerror(-twin->vhost_error));
}

int twin_create(const struct twin_config *config, struct twin **ret_twin)
{
    struct twin *twin = calloc(1, sizeof(*twin));
    int error = -ENOMEM;

    if (twin) {
        twin->plane = config->plane;
        twin->side = config->side;
        error = start(config, twin);
    }
    if (error == -EINVAL || error == -EBUSY)
        log_message(LOG_LEVEL_ERROR, "twin",
                    "%s is there already, and is no TAP that is free: give %s another name",
                    config->name, config->setting);
    else if (error)
        log_message(LOG_LEVEL_ERROR, "twin", "cannot make the interface %s with /dev/net/tun: %s",
                    config->name, strerror(-error));
    if (error) {
        free(twin);
        return error;
    }
    if (config->facts)
        add_fact(twin, config);
    *ret_twin = twin;
    return 0;
}

void twin_set_carrier(const struct twin *twin, bool is_up)
{
    if (is_by_vhost_net(twin))
        vhost_net_set_carrier(&twin->vhost_net, is_up);
    else
        tap_set_carrier(&twin->tap, is_up);
}

void twin_destroy(struct twin *twin)
{
    uint64_t one = 1;
    ssize_t ignored;

    __atomic_store_n(&twin->stopping, 1, __ATOMIC_RELEASE);
    ignored = write(twin->plane->twin_doorbells[twin->side].fd, &one, sizeof(one));
    (void)ignored;
    pthread_join(twin->thread, NULL);
    rte_pktmbuf_free_bulk(twin->waiting, twin->waiting_count);
    close_interface(twin);
    free(twin);
}
