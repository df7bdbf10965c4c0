// SPDX-License-Identifier: BSD-3-Clause
// Where the relay owns the device whole, the kernel lives behind it: what is not the relay's goes
// to the kernel's twin of the device, and what the kernel sends there goes out of the device.
#pragma once

#include "dataplane/worker_state.h"

// Frames of the kernel that are transmitted in one poll at most, so that media does not wait for
// them.
#define KERNEL_PATH_BURST 32

// Not the relay's: the kernel's where there is a twin, otherwise dropped for that reason. The frame
// is gone for the caller.
void kernel_path_send(struct worker *worker, struct rte_mbuf *frame, enum drop otherwise);

// A packet that classify() refused: the kernel's, or dropped for the reason it has. What was meant
// for the relay and is wrong is no business of the kernel's. The packet is gone for the caller.
void kernel_path_refuse(struct worker *worker, const struct packet *packet);

void kernel_path_flush(struct worker *worker);

// Transmit what the kernel sends: worker 0 does. The number of frames.
unsigned kernel_path_receive(struct worker *worker);
