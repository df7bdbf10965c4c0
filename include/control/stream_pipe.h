// SPDX-License-Identifier: BSD-3-Clause
// A pipe that bytes of one plain socket go through to another without being copied (splice(2)). It holds them within a
// call only: what the other socket does not take comes out as memory, so that one pipe serves all of a thread's.
#pragma once

#include "control/stream_buffer.h"

#include <stddef.h>

#define STREAM_PIPE_LEN (128 * 1024) // at most, in one call: what a read takes, too

struct stream_pipe {
    int fds[2]; // -1: there is none
};

// 0 or -errno.
int stream_pipe_init(struct stream_pipe *pipe);
void stream_pipe_done(struct stream_pipe *pipe);

// most: bytes to take. 0: so many bytes were taken, at least one, and what the other socket did not take of them is in
// rest. -EAGAIN: none can be taken this way, and only a read tells whether some have come or the stream is at its end.
// Else -errno: no memory for the rest.
int stream_pipe_carry(struct stream_pipe *pipe, int from, int to, size_t most, struct stream_buffer *rest,
                      size_t *ret_len);
