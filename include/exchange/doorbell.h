// SPDX-License-Identifier: BSD-3-Clause
// Lets a thread sleep while nobody has anything for it: who takes from rings announces that it is about to wait, and
// who fills one of them then rings, once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_ring;

struct doorbell {
    uint32_t waiting; // the waiting thread sets, another clears; atomic
    int fd;           // eventfd; readable once it was rung
} __attribute__((aligned(64)));

// 0 or -errno.
int doorbell_init(struct doorbell *doorbell);
// fd may be negative.
void doorbell_done(struct doorbell *doorbell);

// About to wait for fd. False: one of the rings is not empty, do not wait. What was rung before is taken back: who is
// rung for other reasons too, such as to end, looks at those after this, not before.
bool doorbell_arm(struct doorbell *doorbell, struct rte_ring *const *rings, unsigned count);

// One of the rings was filled.
void doorbell_ring(struct doorbell *doorbell);
