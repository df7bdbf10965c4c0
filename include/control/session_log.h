// SPDX-License-Identifier: BSD-3-Clause
// A line at the end of each allocation: who it was, from where to where, how much, how long, and why it ended. What an
// allocation has carried is known after it is gone, so a record of the rest waits for that. Lines go to a file of their
// own, by a thread of its own, or to the log. Control thread only, but for session_log_carried_tcp().
#pragma once

#include "control/settings.h"
#include "exchange/punt.h"
#include "turn/server.h"

#include <stdbool.h>
#include <stdint.h>

struct session_log;
// Of an allocation that has ended.
struct session_record;

struct session_log_config {
    const struct settings *settings; // borrowed, in force: the realm is that of the moment
    uint32_t allocations;            // as many ids as there are
};

// Opens the file. 0 or -errno, logged.
int session_log_create(const struct session_log_config *config, struct session_log **ret_log);
// The file's lines are written by a thread from here on, which runs where the caller may. 0 or -errno.
int session_log_start(struct session_log *log);
// All lines are written, or so many milliseconds are over. Records that still wait are counted as lost, and so said.
void session_log_destroy(struct session_log *log, unsigned wait_ms);

// Somebody counts on the lines: they are more than a help at level debug.
bool session_log_is_wanted(const struct session_log *log);

// For the log at level debug.
void session_log_started(const struct turn_allocation_view *view);
// For turn_watcher.
void session_log_ended(struct session_log *log, const struct turn_allocation_view *view, enum turn_end end);
// Its worker has reported the end of this allocation.
void session_log_carried(struct session_log *log, uint32_t allocation, const struct allocation_traffic *traffic);

// A TCP allocation (RFC 6062) is no worker's. Whoever counts for it takes its record when it has ended, and gives it
// back with the sums, on any thread. NULL: it has not ended, or there was no memory.
struct session_record *session_log_take(struct session_log *log, uint32_t allocation);
struct session_log_tcp_traffic {
    uint64_t connections;
    uint64_t to_peer_bytes;
    uint64_t to_client_bytes;
};
void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *traffic);

// The file is opened anew, for logrotate.
void session_log_reopen(struct session_log *log);
// Say what was lost since the last time. To be called once a second.
void session_log_report(struct session_log *log);
uint64_t session_log_lost_count(const struct session_log *log);
