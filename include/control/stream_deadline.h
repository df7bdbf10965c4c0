// SPDX-License-Identifier: BSD-3-Clause
// How long a connection may take for what it has begun, by the limits of its thread. One that is joined has no
// deadline. Its thread's only.
#pragma once

#include "control/stream_thread_state.h"

#include <stdint.h>

// When it is due to be closed, unless something happens before.
uint32_t stream_deadline_s(const struct stream_thread *thread, const struct stream_connection *connection);
// Of one that is due: what counts its end.
uint64_t *stream_deadline_counter(struct stream_thread *thread, const struct stream_connection *connection);
