// SPDX-License-Identifier: BSD-3-Clause
// Who spins keeps the CPU until its time slice is over; who sleeps a little may have it back at
// once, by its priority, and finds a few bursts more in its rings.
#include "nap.h"

#include "device.h"

#include <sys/prctl.h>
#include <time.h>

void nap_init(struct nap *nap, uint32_t us)
{
    *nap = (struct nap){.us = us};
    if (us > 0)
        (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); // 50 us by default
}

bool nap_is_due(struct nap *nap, uint64_t frames)
{
    uint64_t moved = frames - nap->frames;

    nap->frames = frames;
    return nap->us > 0 && moved < DEVICE_BURST;
}

void nap_take(struct nap *nap)
{
    struct timespec time = {nap->us / 1000000, (long)(nap->us % 1000000) * 1000};

    nap->taken++;
    (void)nanosleep(&time, NULL);
}
