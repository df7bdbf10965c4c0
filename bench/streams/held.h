// SPDX-License-Identifier: BSD-3-Clause
// Clients that do nothing: each has an allocation and a channel, and is there for as long as it is
// told.
#pragma once

#include "options.h"

// Says when all are there, waits for a line of standard input, and has each of them ask for a
// Binding then. How many clients were set up each second.
double held_run(const struct options *options);
