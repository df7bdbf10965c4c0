// SPDX-License-Identifier: BSD-3-Clause
// Ending allocations on an operator's word: one, or all of a user. They end in the ordinary way, and their clients
// learn it with their next request (437).
#pragma once

#include "control/question.h"

#include <stdbool.h>

extern const char *const killing_keys[];

bool killing_begin(struct question *question);
bool killing_step(struct question *question);
