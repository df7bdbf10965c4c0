// SPDX-License-Identifier: BSD-3-Clause
// What is measured: a worker of the relay, with as many allocations as a case asks for.
#pragma once

#include "dataplane/worker.h"
#include "exchange/plane.h"
#include "scenario.h"

#include <stdint.h>

struct rte_mempool;

#define SUBJECT_MTU 1500

struct subject {
    struct plane *plane;
    struct worker *worker;
    const struct scenario *scenario;
    uint32_t flow_count;
    uint64_t table_len; // bytes of memory that the tables take
};

// Calls progress now and then. Anything that goes wrong ends the process.
void subject_create(struct subject *subject, const struct scenario *scenario, uint32_t flow_count,
                    struct rte_mempool *pool, void (*progress)(void));
void subject_destroy(struct subject *subject);

// The most allocations there are ports for.
uint32_t subject_flows_max(void);
