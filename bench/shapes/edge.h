// SPDX-License-Identifier: BSD-3-Clause
// The port's edge on a VLAN, as platform/vlan.h makes it: tags in what comes, and whether what leaves has
// the right one.
#pragma once

#include "../port.h"
#include "../traffic.h"

#include "exchange/counters.h"

#include <stdint.h>

#define EDGE_VLAN 42

enum edge_tag {
    EDGE_UNTAGGED,
    EDGE_BY_SOFTWARE, // frames have a tag in them, both ways
    EDGE_BY_DEVICE,   // the device takes it off and puts it on: only the mbuf says that there is one
    EDGE_TAG_COUNT,
};

// Opens the port, behind a device of the EAL's: hooks need one. It is the first, and so PORT_ID. Anything that goes
// wrong ends the process.
void edge_open(struct port *port, const struct traffic *traffic, uint32_t capacity);

// From now on frames come so tagged, and are expected to leave so. The traffic is to be drawn anew, and restored.
// counters: of the one worker.
void edge_join(struct port *port, struct traffic *traffic, enum edge_tag tag, struct worker_counters *counters);
void edge_leave(struct port *port, struct traffic *traffic);

// Whether each frame that was sent bears its tag, and the counters have its bytes; then the tags are taken off, as
// check.h knows of none. before: the counters, before the frames came.
void edge_check(const struct port *port, const struct traffic *traffic, const struct worker_counters *before,
                const struct worker_counters *after);
