// SPDX-License-Identifier: BSD-3-Clause
// What workers have for a client: it waits in the connection until its socket takes it, and no more than the limit
// waits: media beyond it is lost, as on any path that is too narrow. Its thread's only.
#pragma once

#include "base/bytes.h"
#include "control/stream_thread_state.h"

#include <stdbool.h>
#include <stdint.h>

// Bytes that wait, those that TLS has sealed included.
uint32_t stream_output_len(const struct stream_connection *connection);
// A message, whole and without padding, behind what waits. False: there is no room or no memory for it, which is
// counted.
bool stream_output_put(struct stream_thread *thread, struct stream_connection *connection, struct span message);
// Writes what the socket takes. True: nothing is left; else *ret_error is -EAGAIN, or why the connection is over.
bool stream_output_write(struct stream_thread *thread, struct stream_connection *connection, int *ret_error);
