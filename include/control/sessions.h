// SPDX-License-Identifier: BSD-3-Clause
// Allocations as operators see them: in pages, by what they look for, and one with all it has.
#pragma once

#include "control/question.h"

#include <stdbool.h>

extern const char *const sessions_list_keys[];
extern const char *const sessions_show_keys[];

bool sessions_list(struct question *question);
bool sessions_list_step(struct question *question);
bool sessions_show(struct question *question);

// Says it under its session id. For other lists of allocations.
void sessions_open_row(struct question *question, const struct turn_allocation_view *view);
void sessions_close_row(struct question *question);

// Of this name, as it was given; an error in the answer otherwise.
bool sessions_find(struct question *question, const char *key, uint32_t *ret_allocation);
