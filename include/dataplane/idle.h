// SPDX-License-Identifier: BSD-3-Clause
// What a worker does when a poll found nothing: spin for a while, then sleep, ever longer, until a
// packet comes where the kernel can tell.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct idle {
    uint32_t polls; // in a row that found nothing
    uint32_t sleep_us;
    uint32_t sleep_max_us; // 0: spin for ever
    int wait_fd;           // readable when a packet has come; negative: none
};

// Also asks the kernel for sleeps as short as they are wished for; in the worker's own thread.
void idle_init(struct idle *idle, uint32_t sleep_max_us, int wait_fd);

static inline void idle_found_work(struct idle *idle)
{
    idle->polls = 0;
    idle->sleep_us = 0;
}

// True when it slept.
bool idle_found_nothing(struct idle *idle);
