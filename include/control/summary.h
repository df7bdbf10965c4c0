// SPDX-License-Identifier: BSD-3-Clause
// What a relay that has come to life says of itself.
#pragma once

#include "exchange/plane.h"
#include "platform/interface.h"
#include "platform/xdp_filter.h"

// A log line for each address, and one for the rest.
void summary_log(const struct plane_config *config, const struct interface *interface,
                 const struct xdp_filter *filter, bool hugepages);
