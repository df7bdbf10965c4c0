// SPDX-License-Identifier: BSD-3-Clause
// What a worker does when a poll found nothing: spin for a while, then sleep, ever longer, until
// something comes where the kernel can tell. Where others may want its CPU it lets them have it
// meanwhile (one that never sleeps a few hundred times a second), and where the kernel tells of
// packets it sleeps for long at once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct idle_config {
    uint32_t sleep_max_us; // 0: spin for ever
    int packet_fd;         // readable when a packet has come; negative: none
    int doorbell_fd;       // readable when the worker was rung for; negative: none
    uint64_t tsc_hz;
    bool shares_cpu;
    bool is_told_of_all; // nothing comes but what ends a sleep
};

struct idle {
    struct idle_config config;
    uint32_t polls_max; // before the first sleep
    uint32_t first_sleep_us;
    uint32_t polls; // in a row that found nothing
    uint32_t sleep_us;
    uint64_t next_yield; // TSC; of one that never sleeps
};

// Also asks the kernel for sleeps as short as they are wished for; in the worker's own thread.
void idle_init(struct idle *idle, const struct idle_config *config);

static inline void idle_found_work(struct idle *idle)
{
    idle->polls = 0;
    idle->sleep_us = 0;
}

// True: it is time to sleep.
bool idle_found_nothing(struct idle *idle);
void idle_sleep(struct idle *idle);
