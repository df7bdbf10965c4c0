// SPDX-License-Identifier: BSD-3-Clause
// Leaves the CPU to whom it is shared with while there is little to send and to receive.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct nap {
    uint32_t us;     // how long one is; 0: there are none
    uint64_t frames; // that had come and gone when it was asked last
    uint64_t taken;  // naps
};

// The calling thread's timers become exact.
void nap_init(struct nap *nap, uint32_t us);

// frames: all that have come and gone so far. Whether they were so few since the last time that
// nobody waits.
bool nap_is_due(struct nap *nap, uint64_t frames);

void nap_take(struct nap *nap);
