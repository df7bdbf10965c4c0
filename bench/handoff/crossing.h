// SPDX-License-Identifier: BSD-3-Clause
// The floor: a hand-off of packets that nothing else is done to, as a macswap is the floor of forwarding. What two
// workers lose by it no relay can win back.
#pragma once

#include <stdint.h>

struct plane;

// One round of a worker that relays nothing: what comes from its port or by ring leaves with its MAC addresses swapped,
// but for what is another's, which goes there by the relay's own rings. Whose a frame is, its mbuf's hash says.
void crossing_poll(const struct plane *plane, uint16_t worker);
