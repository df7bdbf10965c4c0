// SPDX-License-Identifier: BSD-3-Clause
// What runs: one thread that receives, sends and keeps the time, in phases.
#pragma once

#include "device.h"
#include "flood.h"
#include "flow.h"
#include "media.h"
#include "nap.h"
#include "neighbour.h"
#include "options.h"
#include "pacer.h"
#include "prepared.h"
#include "session.h"
#include "transit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

// Frames that are neither media nor answers.
struct engine_strays {
    uint64_t icmp_errors;
    uint64_t bad_checksums;
    uint64_t fragments;
    uint64_t others;
};

struct engine {
    const struct options *options;
    uint64_t hz; // of the time stamp counter
    struct device device;
    struct link link;
    struct neighbour_own own;
    bool has_next_hop;
    struct flows flows;
    struct sessions sessions;
    bool has_media;
    struct media media;
    struct prepared prepared;
    struct flood flood;
    struct pacer media_pacer, flood_pacer;
    struct nap nap;
    uint64_t media_ticks; // how long it was sent
    struct transit transit;
    struct engine_strays strays;
    struct session_round setup, refresh, deletion; // as they ended
    struct session_round upkeep;                   // all rounds beside the media together
};

// Counts signals: the first ends what is sent, the second everything.
extern volatile sig_atomic_t engine_stop;

// The EAL runs. Says on stderr what went wrong. 0 or -errno.
int engine_open(struct engine *engine, const struct options *options);
void engine_close(struct engine *engine);

// Everything, in order. 0, or -errno when a phase could not begin.
int engine_run(struct engine *engine);
