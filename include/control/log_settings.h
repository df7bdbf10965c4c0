// SPDX-License-Identifier: BSD-3-Clause
// Has the log go where the configuration says, and be as talkative.
#pragma once

#include "control/settings.h"

// At the start, before there are other threads. Where the destination is not there, lines go to stderr, which gets a
// warning: calls do not wait for a log.
void log_settings_open(const struct settings_log *settings);
// What of it changes while the relay runs: levels and the rate. Levels set by hand are as the file says again.
void log_settings_apply(const struct settings_log *settings);
