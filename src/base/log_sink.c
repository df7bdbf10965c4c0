// SPDX-License-Identifier: BSD-3-Clause
// See base/log_sink.h.
#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_MODE 0640

// Of a FIFO it does not wait for who reads it.
static int open_file(const char *path)
{
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags, FILE_MODE);

    return fd >= 0 ? fd : -errno;
}

static int connect_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    return fd;
}

void log_sink_open_stderr(struct log_sink *sink)
{
    *sink = (struct log_sink){.fd = STDERR_FILENO};
}

int log_sink_open_file(const char *path, struct log_sink *ret_sink)
{
    int fd = open_file(path);

    if (fd < 0)
        return fd;
    *ret_sink = (struct log_sink){.path = path, .fd = fd};
    return 0;
}

int log_sink_open_socket(const char *path, struct log_sink *ret_sink)
{
    int fd = connect_socket(path);

    if (fd < 0)
        return fd;
    *ret_sink = (struct log_sink){.path = path, .fd = fd, .is_socket = true};
    return 0;
}

void log_sink_close(struct log_sink *sink)
{
    if (sink->path && sink->fd >= 0)
        close(sink->fd);
    sink->fd = -1;
}

// A daemon that was started anew has a new socket.
static bool send_datagram(struct log_sink *sink, const void *line, size_t len)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        if (sink->fd >= 0 && send(sink->fd, line, len, MSG_NOSIGNAL) == (ssize_t)len)
            return true;
        log_sink_close(sink);
        sink->fd = connect_socket(sink->path);
    }
    return false;
}

// Somebody may have made the pipe, which others write to as well, one that does not block.
static bool wait_for_room(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    return poll(&poll_fd, 1, -1) >= 0 && (poll_fd.revents & POLLOUT) != 0;
}

// How much of it.
static size_t write_all(int fd, const uint8_t *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t written = write(fd, bytes + done, len - done);

        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR && (errno != EAGAIN || !wait_for_room(fd)))
            break;
    }
    return done;
}

static bool write_line(struct log_sink *sink, const void *line, size_t len)
{
    size_t done;

    if (sink->is_torn && write_all(sink->fd, (const uint8_t *)"\n", 1) != 1)
        return false;
    done = write_all(sink->fd, line, len);
    sink->is_torn = done > 0 && done < len;
    return done == len;
}

void log_sink_write(struct log_sink *sink, const void *line, size_t len)
{
    bool taken = sink->is_socket ? send_datagram(sink, line, len) : write_line(sink, line, len);

    if (!taken)
        __atomic_fetch_add(&sink->lost, 1, __ATOMIC_RELAXED);
}

int log_sink_reopen(struct log_sink *sink)
{
    int fd;

    if (!sink->path || sink->is_socket)
        return 0;
    fd = open_file(sink->path);
    if (fd < 0)
        return fd;
    log_sink_close(sink);
    sink->fd = fd;
    sink->is_torn = false;
    return 0;
}

uint64_t log_sink_lost(const struct log_sink *sink)
{
    return __atomic_load_n(&sink->lost, __ATOMIC_RELAXED);
}
