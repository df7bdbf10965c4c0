// SPDX-License-Identifier: BSD-3-Clause
// What is measured: a worker of the relay, or two, with as many allocations as a case asks for.
#pragma once

#include "dataplane/worker.h"
#include "exchange/plane.h"
#include "scenario.h"

#include <stdint.h>

struct rte_mempool;

#define SUBJECT_MTU 1500

#define SUBJECT_WORKERS_MAX 2

struct subject_config {
    const struct scenario *scenario;
    uint32_t flow_count;
    uint16_t worker_count; // worker i is on port i
    uint32_t handoff_ring_len;
    unsigned wrong_percent; // so many flows land on a worker that does not own them: flow_lands_wrong()
    struct rte_mempool *pool;
    void (*progress)(void); // called now and then
};

struct subject {
    struct plane *plane;
    struct worker *workers[SUBJECT_WORKERS_MAX];
    uint16_t worker_count;
    const struct scenario *scenario;
    uint32_t flow_count;
    uint64_t table_len; // bytes of memory that the tables take
};

// Anything that goes wrong ends the process.
void subject_create(const struct subject_config *config, struct subject *ret_subject);
void subject_destroy(struct subject *subject);

// The worker whose port the flow's relayed address has.
uint16_t subject_owner(const struct subject *subject, uint32_t flow);

// The most allocations there are ports for.
uint32_t subject_flows_max(void);
