// SPDX-License-Identifier: BSD-3-Clause
// What an allocation has carried so far, looked at from another thread while its worker goes on. The worker does
// nothing for it and is not waited for: a figure may lack the packet of the moment.
#pragma once

#include "exchange/punt.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

// Of an allocation with more channels than that some are left out, and figures are ahead by what those have still to
// spend, 64 kB each at most.
#define LIVE_TRAFFIC_CHANNELS_MAX 256

// Control thread. The id is of a live allocation of this worker's. False: it has not been installed yet.
bool worker_get_traffic(const struct worker *worker, uint32_t allocation, struct allocation_traffic *ret_traffic);
