// SPDX-License-Identifier: BSD-3-Clause
// What operators have the relay do, beside killing: drain and undo it, reload, log more or less.
#pragma once

#include "control/question.h"

#include <stdbool.h>

extern const char *const orders_drain_keys[];
extern const char *const orders_log_keys[];

bool orders_drain(struct question *question);
bool orders_undrain(struct question *question);
bool orders_log(struct question *question);
bool orders_reload(struct question *question);
bool orders_reload_step(struct question *question);
