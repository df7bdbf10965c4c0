// SPDX-License-Identifier: BSD-3-Clause
// The floor: what testpmd's macswap engine does, and no relaying. Receive, swap the two MAC addresses, transmit.
#pragma once

#include <stdint.h>

struct rte_mbuf;

// One burst of PORT_ID.
void macswap_poll(void);

// What comes after receiving, by the first queue of this port. Anything that is not sent ends the process.
void macswap_send(uint16_t port, struct rte_mbuf **frames, uint16_t count);
