// SPDX-License-Identifier: BSD-3-Clause
// Two workers at work on one stream of packets, of which some land on the one that does not own them.
#pragma once

#include "../port.h"
#include "../rest.h"
#include "../subject.h"
#include "../traffic.h"

#include <stdbool.h>
#include <stdint.h>

#define PAIR_WORKERS 2

enum pair_threads {
    PAIR_ALTERNATING = 1, // the workers poll in turn, on one CPU: what is done more, without waiting for other CPUs
    PAIR_BESIDE,          // a thread each, each on a CPU of its own
};

struct pair {
    struct subject *subject;
    struct traffic *traffic;
    struct port ports[PAIR_WORKERS];
    struct port_arrival *arrivals[PAIR_WORKERS];
    uint32_t arrival_counts[PAIR_WORKERS];
    struct rest rests[PAIR_WORKERS]; // of each thread's CPU
    int cpus[PAIR_WORKERS];
    uint32_t wrong_count; // packets that have landed wrong, of those loaded
};

// Anything that goes wrong ends the process. subject: set by the caller before pair_run().
void pair_init(struct pair *pair, struct traffic *traffic);
void pair_done(struct pair *pair);

// Whether there is a CPU for each worker. Asked before the EAL binds this thread to one of them.
bool pair_can_be_beside(void);

struct pair_landing {
    unsigned wrong_percent; // of the flows, as flow_lands_wrong() says
    bool clients_are_right; // the clients' packets: they land where their allocation was made
};

// Have every flow relayed once in each of the case's roles, all landing right.
void pair_warm_up(struct pair *pair);
// Draw a packet for every buffer and have them relayed, in bursts of 64. Every packet is checked, and that those that
// landed wrong and no others were handed on. Cycles of a worker, a packet. Clears *rested when a CPU was slow.
double pair_run(struct pair *pair, enum pair_threads threads, const struct pair_landing *landing, bool *rested);

// The same without a relay, see crossing.h: the packets land as they would, and those that land wrong cross over.
double pair_cross(struct pair *pair, enum pair_threads threads, const struct pair_landing *landing, bool *rested);
