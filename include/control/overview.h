// SPDX-License-Identifier: BSD-3-Clause
// The relay as a whole, its workers, its ports, what they drop, and its quotas: answers that are as short as
// these are few.
#pragma once

#include "control/question.h"

bool overview_status(struct question *question);
bool overview_workers(struct question *question);
bool overview_ports(struct question *question);
bool overview_drops(struct question *question);
bool overview_quotas(struct question *question);
