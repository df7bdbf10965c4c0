// SPDX-License-Identifier: BSD-3-Clause
// Where log lines end: standard error, a file that is reopened for logrotate, or a datagram socket of the machine
// (syslog's, the journal's). Writing may block: it is for a thread that may (base/log_queue.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where syslog and the journal listen.
#define LOG_SINK_SYSLOG_PATH  "/dev/log"
#define LOG_SINK_JOURNAL_PATH "/run/systemd/journal/socket"

struct log_sink {
    const char *path; // borrowed; NULL: standard error
    int fd;
    bool is_socket;
    bool is_torn; // the last line was written in part: the next begins with a newline
    uint64_t lost; // lines that it did not take; read by any thread
};

void log_sink_open_stderr(struct log_sink *sink);
// The file is made, with mode 0640, or appended to. 0 or -errno.
int log_sink_open_file(const char *path, struct log_sink *ret_sink);
// Who listens there may come and go: there is a try with each line. 0 or -errno of the first one.
int log_sink_open_socket(const char *path, struct log_sink *ret_sink);
// Standard error stays open.
void log_sink_close(struct log_sink *sink);

// What cannot be written is counted as lost.
void log_sink_write(struct log_sink *sink, const void *line, size_t len);
// Open the file of this path anew: another one, when logrotate has moved that. 0; -errno: the old one stays in use.
int log_sink_reopen(struct log_sink *sink);
uint64_t log_sink_lost(const struct log_sink *sink);
