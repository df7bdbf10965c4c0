// SPDX-License-Identifier: BSD-3-Clause
// A TAP: an interface of the kernel's whose wire is a file. A frame costs a system call.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

struct tap {
    int fd;
    struct rte_mempool *pool;
    struct rte_mbuf *spare; // to read into; NULL: there was none
};

// name: of a new interface, or of a TAP that nobody holds open, in the network namespace of the
// calling thread. pool: buffers that frames of its MTU fit into; borrowed. 0 or -errno: -EINVAL,
// -EBUSY: the name is another interface's.
int tap_open(const char *name, struct rte_mempool *pool, struct tap *ret_tap);
// The frames are the kernel's, or lost as they would be in a card.
void tap_send(const struct tap *tap, struct rte_mbuf **frames, unsigned count);
// False: there is no buffer to read into now.
bool tap_can_receive(struct tap *tap);
// How many; 0: the kernel has nothing to send, or there is no buffer.
unsigned tap_receive(struct tap *tap, struct rte_mbuf **ret_frames, unsigned max);
// Any thread.
void tap_set_carrier(const struct tap *tap, bool is_up);
// The interface goes too, unless it was there before.
void tap_close(struct tap *tap);
