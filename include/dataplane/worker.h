// SPDX-License-Identifier: BSD-3-Clause
// A worker: receive a burst, classify, look up, rewrite, transmit; then apply commands. Owns its
// tables alone.
#pragma once

#include "exchange/plane.h"

#include <stdint.h>

struct rte_mempool;
struct worker;

struct worker_config {
    struct plane *plane;      // borrowed
    uint16_t id;              // 0..worker_count-1
    uint16_t port;            // ethdev port
    uint16_t relay_port;      // the second, where the plane has two sides
    uint16_t queue;           // its rx and tx queue there, of both
    int socket;               // NUMA node of its memory, or SOCKET_ID_ANY
    struct rte_mempool *pool; // buffers for fragments
    int wait_fd;              // readable when its port has a packet, to wait for when idle; 0: none
    bool shares_cpu;          // with the control thread, a thread of streams or another worker
};

// Allocates every table at its full size. 0, -ENOMEM, -EINVAL. Control thread, before the worker
// runs.
int worker_create(const struct worker_config *config, struct worker **ret_worker);
// No worker of the plane runs. Frames in the rings of any of them are given back.
void worker_destroy(struct worker *worker);

// One round: commands, hand-offs, receive, transmit, expiry of fragments. Returns the number of
// frames and commands handled. For worker_run and for tests, which drive a worker without a thread.
unsigned worker_poll(struct worker *worker);

// Poll until plane->running is 0, idling as configured; an lcore function. worker: struct worker *.
// Returns 0.
int worker_run(void *worker);

// What is in use now: zero again when all is removed. Only while the worker is not running, or from
// its own thread.
struct worker_usage {
    uint32_t allocations;
    uint32_t permissions;
    uint32_t channels;
    uint32_t steerings;
    uint32_t fragments; // datagrams under reassembly
};
void worker_get_usage(const struct worker *worker, struct worker_usage *ret_usage);
