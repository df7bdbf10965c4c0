// SPDX-License-Identifier: BSD-3-Clause
// Lets a thread sleep while nobody has anything for it.
#include "exchange/doorbell.h"

#include <errno.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

int doorbell_init(struct doorbell *doorbell)
{
    doorbell->waiting = 0;
    doorbell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return doorbell->fd < 0 ? -errno : 0;
}

void doorbell_done(struct doorbell *doorbell)
{
    if (doorbell->fd >= 0)
        close(doorbell->fd);
    doorbell->fd = -1;
}

// Two threads each store, then load what the other stores: the one that is about to wait says so
// and looks at the rings; the other fills a ring and looks whether it waits. With a full fence
// between store and load on both sides, at least one of them sees the other, so nothing is left
// lying while the one it is for sleeps.
bool doorbell_arm(struct doorbell *doorbell, struct rte_ring *const *rings, unsigned count)
{
    uint64_t rung;
    ssize_t ignored =
        read(doorbell->fd, &rung, sizeof(rung)); // what was rung before is being seen to now
    (void)ignored;
    __atomic_store_n(&doorbell->waiting, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < count; i++) {
        if (rte_ring_empty(rings[i]))
            continue;
        __atomic_store_n(&doorbell->waiting, 0, __ATOMIC_RELAXED);
        return false;
    }
    return true;
}

void doorbell_ring(struct doorbell *doorbell)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&doorbell->waiting, __ATOMIC_RELAXED) == 0 ||
        __atomic_exchange_n(&doorbell->waiting, 0, __ATOMIC_RELAXED) == 0)
        return;
    uint64_t one = 1;
    ssize_t ignored = write(doorbell->fd, &one, sizeof(one)); // full means rung already
    (void)ignored;
}
