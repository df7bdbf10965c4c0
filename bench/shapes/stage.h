// SPDX-License-Identifier: BSD-3-Clause
// One worker, and packets of one shape or another for it: each run draws them anew, times it, and checks every
// packet that leaves, every byte and drop that is counted, and every buffer.
#pragma once

#include "../measure.h"
#include "pieces.h"

#include <stdbool.h>
#include <stdint.h>

#define STAGE_BURST 64

struct stage {
    struct stand stand;    // without l3fwd
    struct pieces pieces;  // of the traffic
    struct pieces strays;
};

// The stand is the caller's. Anything that goes wrong ends the process, below too.
void stage_init(struct stage *stage, const struct stand *stand);
void stage_done(struct stage *stage);

// All below: TSC cycles; *rested is cleared when the machine was slow meanwhile.

// A packet relayed, tagged as the edge has it.
double stage_whole(struct stage *stage, bool *rested);
// A packet received and classified, and nothing else: what the worker does first of what does not go the short way.
double stage_classify(struct stage *stage, bool *rested);
// A datagram relayed that comes in so many fragments, a divisor of STAGE_BURST. is_full: before each burst the table of
// datagrams under way is full of strangers', which gives them no room but that of the oldest; in order only.
double stage_pieces(struct stage *stage, unsigned number, enum pieces_order order, bool is_full, bool *rested);
// A fragment of so many bytes behind the IP header of a datagram that will not be completed, when the table is full.
double stage_flood(struct stage *stage, uint16_t len, bool *rested);
