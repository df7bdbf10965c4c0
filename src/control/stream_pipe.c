// SPDX-License-Identifier: BSD-3-Clause
// A pipe between sockets. Whatever happens it is empty in the end: the next bytes are another
// client's.
#include "control/stream_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define REST_LEN 16384

int stream_pipe_init(struct stream_pipe *pipe)
{
    int fds[2];

    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
        return -errno;
    // Where the kernel refuses, less goes through at a time.
    fcntl(fds[1], F_SETPIPE_SZ, STREAM_PIPE_LEN);
    *pipe = (struct stream_pipe){{fds[0], fds[1]}};
    return 0;
}

void stream_pipe_done(struct stream_pipe *pipe)
{
    for (unsigned i = 0; i < 2; i++) {
        if (pipe->fds[i] >= 0)
            close(pipe->fds[i]);
        pipe->fds[i] = -1;
    }
}

static ssize_t move(int from, int to, size_t len)
{
    ssize_t moved;

    do
        moved = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (moved < 0 && errno == EINTR);
    return moved;
}

static int take_out(struct stream_pipe *pipe, size_t len, struct stream_buffer *rest)
{
    uint8_t bytes[REST_LEN];
    int error = 0;

    while (len > 0) {
        ssize_t got = read(pipe->fds[0], bytes, len < sizeof(bytes) ? len : sizeof(bytes));

        if (got <= 0) {
            stream_pipe_done(pipe);
            return -EIO;
        }
        if (!error)
            error = stream_buffer_append(rest, (struct span){bytes, (size_t)got}, 0);
        len -= (size_t)got;
    }
    return error;
}

// What is wrong with the other socket, the write of the rest will say.
int stream_pipe_carry(struct stream_pipe *pipe, int from, int to, size_t most,
                      struct stream_buffer *rest, size_t *ret_len)
{
    size_t left = most < STREAM_PIPE_LEN ? most : STREAM_PIPE_LEN;
    ssize_t taken = pipe->fds[0] < 0 ? -1 : move(from, pipe->fds[1], left);
    int error;

    if (taken <= 0)
        return -EAGAIN;
    left = (size_t)taken;
    while (left > 0) {
        ssize_t given = move(pipe->fds[0], to, left);

        if (given <= 0)
            break;
        left -= (size_t)given;
    }
    error = left > 0 ? take_out(pipe, left, rest) : 0;
    if (!error)
        *ret_len = (size_t)taken;
    return error;
}
