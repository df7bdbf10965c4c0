// SPDX-License-Identifier: BSD-3-Clause
// Which subsystem the lines of an event belong to: one table, so that whoever writes a line need not know.
#pragma once

#include "base/log.h"

enum log_subsystem log_subsystem_of(const char *event);
