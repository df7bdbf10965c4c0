// SPDX-License-Identifier: BSD-3-Clause
// What a client sends on its connection: cut into messages (RFC 8656 section 2.1), which go to its home among the
// workers. What is not whole yet, or what a worker has no room for, waits in the connection, and more is not read
// meanwhile. Its thread's only.
#pragma once

#include "control/stream_thread_state.h"

enum stream_cut {
    STREAM_CUT_ALL,  // whole messages, that is
    STREAM_CUT_WAIT, // for a worker to make room, or for the answer to a ConnectionBind
    STREAM_CUT_BAD,  // the connection is over
};

// What waits is given to the workers.
enum stream_cut stream_input_take_waiting(struct stream_thread *thread, struct stream_connection *connection);
// Reads the socket, when nothing waits for a worker. 0: done for now; else the connection is over.
int stream_input_receive(struct stream_thread *thread, struct stream_connection *connection);
