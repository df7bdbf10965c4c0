// SPDX-License-Identifier: BSD-3-Clause
// What settings say together: whether they contradict each other, or cannot be served. Control thread only.
#pragma once

#include "control/setting.h"
#include "control/settings.h"

#include <stdbool.h>
#include <stdint.h>

// Every contradiction is reported, but for those of settings that are in the report already. config: where they stand.
void settings_check(const struct settings *settings, const config_t *config, struct setting_report *report);

// What no file alone can be wrong about: a port range in which a worker of so many would have no
// pair of ports.
bool settings_range_serves_workers(uint32_t min_port, uint32_t max_port, uint32_t workers);
