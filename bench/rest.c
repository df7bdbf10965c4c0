// SPDX-License-Identifier: BSD-3-Clause
// Glances at the core, and patience with a machine that others use too.
#include "rest.h"

#include <rte_cycles.h>
#include <sys/resource.h>

#define GLANCE_ROUNDS 1000
// A core that takes this much longer than it did at its best is not whole.
#define SLOW_CORE 1.12
// Longer than another thread has a core without a pause.
#define FIRST_GLANCES 300000

#define ADD(sum)                                                                                   \
    do {                                                                                           \
        (sum)++;                                                                                   \
        __asm__ volatile("" : "+r"(sum));                                                          \
    } while (0)

// More independent chains of additions than any core has adders: each cycle they take all of these,
// so that whoever else takes one shows. (Chains of multiplications leave a core of which another
// thread has half with room to spare.)
static uint64_t time_additions(void)
{
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
    uint64_t start = rte_rdtsc_precise();
    for (unsigned i = 0; i < GLANCE_ROUNDS; i++) {
        ADD(a);
        ADD(b);
        ADD(c);
        ADD(d);
        ADD(e);
        ADD(f);
        ADD(a);
        ADD(b);
        ADD(c);
        ADD(d);
        ADD(e);
        ADD(f);
    }
    return rte_rdtsc_precise() - start;
}

// Times that this thread had to make room for another.
static long preemptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

bool rest_glance(struct rest *rest)
{
    uint64_t cycles = time_additions();
    if (cycles < rest->best)
        rest->best = cycles;
    return (double)cycles <= SLOW_CORE * (double)rest->best;
}

void rest_init(struct rest *rest)
{
    *rest = (struct rest){.best = UINT64_MAX};
    for (unsigned i = 0; i < FIRST_GLANCES; i++)
        (void)rest_glance(rest);
}

void rest_observe(struct rest *rest)
{
    rest->was_slow |= !rest_glance(rest);
}

void rest_begin(struct rest *rest)
{
    rest->was_slow = false;
    rest->preempted = preemptions();
    rest_observe(rest);
}

bool rest_was_interrupted(const struct rest *rest)
{
    return preemptions() != rest->preempted;
}

bool rest_lasted(struct rest *rest)
{
    rest_observe(rest);
    return !rest->was_slow && !rest_was_interrupted(rest);
}

void patience_init(struct patience *patience, uint32_t wanted, uint32_t tries)
{
    *patience = (struct patience){.wanted = wanted, .tries_left = wanted * (tries - 1)};
}

bool patience_retry(struct patience *patience, bool rested)
{
    if (rested || patience->tries_left == 0)
        return false;
    patience->tries_left--;
    patience->discarded++;
    return true;
}

bool patience_keep(struct patience *patience, bool rested)
{
    if (patience_retry(patience, rested))
        return false;
    patience->slow += !rested;
    patience->kept++;
    return true;
}
