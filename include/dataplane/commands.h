// SPDX-License-Identifier: BSD-3-Clause
// What the control plane tells a worker, applied in order between bursts.
#pragma once

#include "dataplane/worker_state.h"

// Apply what fits in one poll. Returns the number of commands begun or gone on with.
unsigned commands_apply(struct worker *worker);
