// SPDX-License-Identifier: BSD-3-Clause
// Structured log lines on stderr, text or JSON. Called by main, control and platform only; never on a packet path.
#pragma once

#include <stdarg.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
};

// Process-wide; call before threads start. Defaults: text, info.
void log_setup(enum log_format format, enum log_level level);

// From the next line on, whoever writes it.
void log_set_level(enum log_level level);

// One line. event is a short snake_case name; then pairs of (const char *key, const char *value), ended by NULL.
// Values are escaped as the format needs. Thread safe: one write(2) a line.
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

// One line with a formatted message and no pairs.
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
