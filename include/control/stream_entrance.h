// SPDX-License-Identifier: BSD-3-Clause
// A connection from where it was accepted until it is open: room is made for it, a proxy says who its client is, TLS
// shakes hands. Its thread's only.
#pragma once

#include "base/address.h"
#include "control/stream_thread_state.h"

#include <stdint.h>

// The socket, which is the connection's from here on. May close it at once.
void stream_entrance_begin(struct stream_thread *thread, int fd, const struct transport_address *source,
                           uint16_t listener);
// Its socket is ready, in a phase before STREAM_PHASE_OPEN. May close.
void stream_entrance_serve(struct stream_thread *thread, struct stream_connection *connection);
