// SPDX-License-Identifier: BSD-3-Clause
// Calibration, and patience with a machine that others use too.
#include "rest.h"

#include <rte_cycles.h>
#include <sys/resource.h>

#define CALIBRATION_ROUNDS 2000
// A machine this much slower than it was at its best is not at rest.
#define SLOW_MACHINE 1.12
// Tries a sample, on average, before a slow one is taken for want of better.
#define TRIES_A_SAMPLE 10

// Independent chains of multiplications: as many as a core of one's own can have in flight, so that
// one shared with another thread shows.
static uint64_t calibrate(void)
{
    uint64_t start = rte_rdtsc_precise();
    uint64_t a = start, b = start + 1, c = start + 2, d = start + 3;
    for (unsigned i = 0; i < CALIBRATION_ROUNDS; i++) {
        a = a * 6364136223846793005u + i;
        b = b * 6364136223846793005u + i;
        c = c * 6364136223846793005u + i;
        d = d * 6364136223846793005u + i;
    }
    __asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d));
    return rte_rdtsc_precise() - start;
}

// Times that this thread had to make room for another.
static long preemptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

void rest_init(struct rest *rest)
{
    *rest = (struct rest){.best = UINT64_MAX};
}

static void rest_observe(struct rest *rest)
{
    uint64_t cycles = calibrate();
    if (cycles < rest->best)
        rest->best = cycles;
    if ((double)cycles > SLOW_MACHINE * (double)rest->best)
        rest->was_slow = true;
}

void rest_begin(struct rest *rest)
{
    rest->was_slow = false;
    rest->preempted = preemptions();
    rest_observe(rest);
}

bool rest_lasted(struct rest *rest)
{
    rest_observe(rest);
    return !rest->was_slow && preemptions() == rest->preempted;
}

void patience_init(struct patience *patience, uint32_t wanted)
{
    *patience = (struct patience){.wanted = wanted, .tries_left = wanted * (TRIES_A_SAMPLE - 1)};
}

bool patience_keep(struct patience *patience, bool rested)
{
    bool is_kept = rested || patience->tries_left == 0;
    patience->tries_left -= !is_kept;
    patience->discarded += !is_kept;
    patience->slow += is_kept && !rested;
    patience->kept += is_kept;
    return is_kept;
}
