// SPDX-License-Identifier: BSD-3-Clause
// The floor: what testpmd's macswap engine does, and no relaying. Receive, swap the two MAC addresses, transmit.
#pragma once

// One burst of PORT_ID.
void macswap_poll(void);
