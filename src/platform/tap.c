// SPDX-License-Identifier: BSD-3-Clause
// See platform/tap.h. DPDK's own TAP driver raises a signal for each frame, which is more than it
// saves.
#include "platform/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tap_open(const char *name, struct rte_mempool *pool, struct tap *ret_tap)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error;

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    *ret_tap = (struct tap){.fd = fd, .pool = pool};
    return 0;
}

// Frames that the kernel does not take, for the interface is down or its queue is full, are lost
// there.
void tap_send(const struct tap *tap, struct rte_mbuf **frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ssize_t ignored = write(tap->fd, rte_pktmbuf_mtod(frames[i], const void *),
                                rte_pktmbuf_data_len(frames[i]));

        (void)ignored;
        rte_pktmbuf_free(frames[i]);
    }
}

bool tap_can_receive(struct tap *tap)
{
    if (!tap->spare)
        tap->spare = rte_pktmbuf_alloc(tap->pool);
    return tap->spare;
}

unsigned tap_receive(struct tap *tap, struct rte_mbuf **ret_frames, unsigned max)
{
    unsigned count = 0;

    while (count < max && tap_can_receive(tap)) {
        struct rte_mbuf *frame = tap->spare;
        ssize_t len = read(tap->fd, rte_pktmbuf_mtod(frame, void *), rte_pktmbuf_tailroom(frame));

        if (len <= 0)
            break;
        frame->data_len = (uint16_t)len;
        frame->pkt_len = (uint32_t)len;
        ret_frames[count++] = frame;
        tap->spare = NULL;
    }
    return count;
}

// A kernel before Linux 5.0 has a carrier whatever it is told.
void tap_set_carrier(const struct tap *tap, bool is_up)
{
    unsigned carrier = is_up;

    (void)ioctl(tap->fd, TUNSETCARRIER, &carrier);
}

void tap_close(struct tap *tap)
{
    rte_pktmbuf_free(tap->spare);
    close(tap->fd);
}
