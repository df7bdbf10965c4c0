// SPDX-License-Identifier: BSD-3-Clause
// Who has allocations, and how many, in pages.
#pragma once

#include "control/question.h"

#include <stdbool.h>

extern const char *const user_list_keys[];

bool user_list(struct question *question);
bool user_list_step(struct question *question);
