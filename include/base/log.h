// SPDX-License-Identifier: BSD-3-Clause
// Structured log lines, text or JSON, on stderr, to syslog or to the journal. Called by main, control and platform
// only; never on a packet path. Any thread; once log_start() was called, nobody waits for who reads the log.
#pragma once

#include "base/log_line.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT,
};

// What a line is about, by its event (base/log_subsystem.h): each has a level of its own.
enum log_subsystem {
    LOG_RELAY,    // the relay itself: start, stop, configuration, health; whatever is none of the others'
    LOG_SESSIONS, // allocations
    LOG_LOGINS,   // who is refused
    LOG_CLIENTS,  // connections over TCP, TLS and DTLS, certificates
    LOG_NETWORK,  // interface, devices, routes, neighbours
    LOG_SUBSYSTEM_COUNT,
};

enum log_destination {
    LOG_TO_STDERR,
    LOG_TO_SYSLOG,
    LOG_TO_JOURNAL,
};

// Process-wide; call before threads start. Defaults: text, info, stderr, every line.
void log_setup(enum log_format format, enum log_level level);
// 0; -errno when nobody listens there: lines go where they went.
int log_open(enum log_destination destination);
// From here on a thread writes what is logged: where it is slow, lines are lost rather than waited for. It runs where
// the caller may. 0 or -errno.
int log_start(void);
// All that was logged is written, or so many milliseconds are over. Other threads have ended.
void log_stop(unsigned wait_ms);

// Wait for the same, with other threads at work: before an end without further ado.
void log_flush(unsigned wait_ms);

// These take effect with the next line, whoever writes it.
void log_set_level(enum log_level level); // of all subsystems
void log_set_subsystem_level(enum log_subsystem subsystem, enum log_level level);
enum log_level log_subsystem_level(enum log_subsystem subsystem);
// Lines a second of each event; 0: as many as there are. What is left out, log_report() says.
void log_set_rate(uint32_t per_second);

// Names, as the configuration has them: "sessions", "debug". False: no such name.
const char *log_subsystem_name(enum log_subsystem subsystem);
bool log_subsystem_parse(const char *name, enum log_subsystem *ret_subsystem);
const char *log_level_name(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret_level);

// One line. event is a short snake_case name; then pairs of (const char *key, const char *value), ended by NULL.
// Values are escaped as the format needs.
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

// One line with a formatted message and no pairs.
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same in pieces: when log_begin() or log_begin_always() is true, log_line_pair() and its like, and log_end(). The
// second knows no rate, for lines that are counted on.
bool log_begin(struct log_line *line, enum log_level level, const char *event);
bool log_begin_always(struct log_line *line, enum log_level level, const char *event);
void log_end(struct log_line *line, enum log_level level);
bool log_is_wanted(enum log_level level, const char *event);

// Say what was left out since the last time, if anything was. To be called once a second.
void log_report(void);
uint64_t log_suppressed_count(void); // for want of rate
uint64_t log_lost_count(void);       // for want of a reader
