// SPDX-License-Identifier: BSD-3-Clause
// Allocations with the most traffic since the last question of that kind that is most of a second old. What each had
// carried by then, and by the one before, is remembered from the first such question on: 56 bytes an allocation.
#pragma once

#include "control/question.h"

#include <stdbool.h>

extern const char *const top_talkers_keys[];

bool top_talkers(struct question *question);
bool top_talkers_step(struct question *question);
// What was remembered is forgotten.
void top_talkers_done(struct question *question);
