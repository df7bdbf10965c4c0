// SPDX-License-Identifier: BSD-3-Clause
// One log line under construction, as text (logfmt) or as a JSON object, and beside it, for the journal, the fields
// that it is searched by. Whatever a value holds, it stays within its quotes and its line. Knows no levels, no sinks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
};

// With the newline; what does not fit is left out, from the end, and the line still ends as it should.
#define LOG_LINE_CAPACITY 8192
// Room for all fields of a line, each of which may be longer there than in the line by its name.
#define LOG_LINE_FIELDS_CAPACITY 12288

struct log_line {
    enum log_format format;
    bool has_fields; // for the journal, which keeps time and level itself
    bool full;       // something did not fit: all that follows is left out
    size_t len;
    size_t fields_len;
    char text[LOG_LINE_CAPACITY];
    char fields[LOG_LINE_FIELDS_CAPACITY];
};

// A line that begins with the time, in UTC, and the level.
void log_line_begin(struct log_line *line, enum log_format format, const struct timespec *wall_time, const char *level,
                    const char *event);
// One without these, which whoever it is for knows already.
void log_line_begin_bare(struct log_line *line, enum log_format format, const char *event);
// The same, with fields: PRIORITY (RFC 5424 section 6.2.1), SYSLOG_IDENTIFIER, TURNPIKE_EVENT, and for each pair
// TURNPIKE_ and its key.
void log_line_begin_journal(struct log_line *line, enum log_format format, unsigned priority, const char *event);

// key: a short snake_case name. value NULL: as "".
void log_line_pair(struct log_line *line, const char *key, const char *value);
// The same of bytes that are nobody's promise: zeros may be among them.
void log_line_bytes(struct log_line *line, const char *key, const void *value, size_t len);
void log_line_number(struct log_line *line, const char *key, uint64_t value);
// In tenths of a unit, said as a decimal fraction: 12.3.
void log_line_tenths(struct log_line *line, const char *key, uint64_t value);
// A time of the wall clock, in UTC.
void log_line_time(struct log_line *line, const char *key, const struct timespec *wall_time);

// The closing brace, a newline; with fields the text becomes MESSAGE, behind them.
void log_line_end(struct log_line *line);
