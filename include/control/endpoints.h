// SPDX-License-Identifier: BSD-3-Clause
// Where the relay listens and what relayed addresses are made of: the configuration, completed by
// the interface.
#pragma once

#include "control/settings.h"
#include "exchange/plane.h"
#include "platform/interface.h"

// Of a device that the relay owns the configuration says all: its twin is not there yet.
// Fills in listeners and relays of the plane's configuration. Logs what went wrong. 0;
// -EADDRNOTAVAIL: the interface has no address to offer, or not the one that is named; -EINVAL: a
// relay range would contain a listening port; -E2BIG.
int endpoints_resolve(const struct settings *settings, const struct interface *interface,
                      struct plane_config *ret_config);
