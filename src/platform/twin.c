// SPDX-License-Identifier: BSD-3-Clause
// A TAP and the thread that serves it. A system call a frame is no work for a worker, and DPDK's
// own TAP driver raises a signal for each; so workers see rings alone, and a flood of frames for
// the kernel takes a core's time only where one is left.
#include "platform/twin.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
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
#include <sys/uio.h>
#include <unistd.h>

#define BURST 32
// How soon a worker that left no room, or no buffer, is looked at again.
#define RETRY_MS 1

struct twin {
    struct plane *plane;
    struct rte_mempool *pool;
    int fd;
    uint32_t stopping;      // set by the control thread; atomic
    struct rte_mbuf *spare; // to read into
    pthread_t thread;
};

// Frames that the kernel does not take, for the interface is down or its queue is full, are lost
// there as they would be in a card.
static void write_frame(const struct twin *twin, struct rte_mbuf *frame)
{
    ssize_t ignored =
        write(twin->fd, rte_pktmbuf_mtod(frame, const void *), rte_pktmbuf_data_len(frame));

    (void)ignored;
    rte_pktmbuf_free(frame);
}

static unsigned carry_to_kernel(struct twin *twin)
{
    struct rte_mbuf *frames[BURST];
    unsigned work = 0;

    for (uint16_t worker = 0; worker < twin->plane->config.worker_count; worker++) {
        unsigned count = plane_to_kernel_receive(twin->plane, worker, frames, BURST);

        for (unsigned i = 0; i < count; i++)
            write_frame(twin, frames[i]);
        work += count;
    }
    return work;
}

static bool can_read(struct twin *twin)
{
    if (!twin->spare)
        twin->spare = rte_pktmbuf_alloc(twin->pool);
    return twin->spare && plane_from_kernel_room(twin->plane) > 0;
}

// False when the kernel has nothing to send.
static bool read_frame(struct twin *twin)
{
    struct rte_mbuf *frame = twin->spare;
    ssize_t len = read(twin->fd, rte_pktmbuf_mtod(frame, void *), rte_pktmbuf_tailroom(frame));

    if (len <= 0)
        return false;
    frame->data_len = (uint16_t)len;
    frame->pkt_len = (uint32_t)len;
    twin->spare = NULL;
    if (plane_from_kernel_send(twin->plane, frame) != 0)
        rte_pktmbuf_free(frame); // never: there was room, and nobody else fills the ring
    return true;
}

static unsigned carry_from_kernel(struct twin *twin)
{
    unsigned work = 0;

    while (work < BURST && can_read(twin) && read_frame(twin))
        work++;
    return work;
}

static bool is_stopping(const struct twin *twin)
{
    return __atomic_load_n(&twin->stopping, __ATOMIC_ACQUIRE);
}

// What cannot be read now waits in the kernel's queue.
static void wait_for_work(struct twin *twin)
{
    bool reads = can_read(twin);
    struct pollfd fds[2] = {
        {.fd = twin->plane->twin_doorbell.fd, .events = POLLIN},
        {.fd = reads ? twin->fd : -1, .events = POLLIN},
    };

    if (plane_twin_doorbell_arm(twin->plane) && !is_stopping(twin))
        poll(fds, 2, reads ? -1 : RETRY_MS);
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

static int open_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error;

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
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

static int start(const struct twin_config *config, struct twin *twin)
{
    int error;

    twin->fd = open_tap(config->name);
    if (twin->fd < 0)
        return twin->fd;
    error = set_up(config);
    if (!error)
        error = -pthread_create(&twin->thread, NULL, serve, twin);
    if (error)
        close(twin->fd);
    return error;
}

int twin_create(const struct twin_config *config, struct twin **ret_twin)
{
    struct twin *twin = calloc(1, sizeof(*twin));
    int error = -ENOMEM;

    if (twin) {
        twin->plane = config->plane;
        twin->pool = config->pool;
        error = start(config, twin);
    }
    if (error == -EINVAL || error == -EBUSY)
        log_message(LOG_LEVEL_ERROR, "twin",
                    "%s is there already, and is no TAP that is free: give interface another name",
                    config->name);
    else if (error)
        log_message(LOG_LEVEL_ERROR, "twin", "cannot make the interface %s with /dev/net/tun: %s",
                    config->name, strerror(-error));
    if (error) {
        free(twin);
        return error;
    }
    *ret_twin = twin;
    return 0;
}

// A kernel before Linux 5.0 has a carrier whatever it is told.
void twin_set_carrier(const struct twin *twin, bool is_up)
{
    unsigned carrier = is_up;

    (void)ioctl(twin->fd, TUNSETCARRIER, &carrier);
}

void twin_destroy(struct twin *twin)
{
    uint64_t one = 1;
    ssize_t ignored;

    __atomic_store_n(&twin->stopping, 1, __ATOMIC_RELEASE);
    ignored = write(twin->plane->twin_doorbell.fd, &one, sizeof(one));
    (void)ignored;
    pthread_join(twin->thread, NULL);
    rte_pktmbuf_free(twin->spare);
    close(twin->fd);
    free(twin);
}
