// SPDX-License-Identifier: BSD-3-Clause
// How large tables, rings and pools are made, and how much memory that takes: all from the quotas
// of the configuration.
#pragma once

#include "control/settings.h"
#include "exchange/plane.h"
#include "turn/server.h"

#include <stdint.h>

// Quotas of the TURN server.
void sizing_limits(const struct settings *settings, struct turn_limits *ret_limits);

// Sizes, rates and waiting of the plane; listeners, relays and the stateless policy are left alone.
void sizing_plane(const struct settings *settings, const struct turn_limits *limits,
                  struct plane_config *config);

// Clients and peers whose next hops are remembered.
uint32_t sizing_destinations(const struct plane_config *config);

uint32_t sizing_buffer_count(const struct settings *settings);

// Memory that the EAL needs: for rings and packet buffers, of buffers_len bytes. The workers'
// tables come on top of it where there are no hugepages.
uint32_t sizing_memory_mb(const struct settings *settings, uint64_t buffers_len);
