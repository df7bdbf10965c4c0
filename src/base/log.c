// SPDX-License-Identifier: BSD-3-Clause
// Log lines: built whole on the stack, escaped, and written with one write(2), so that lines of
// several threads never mix.
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_CAPACITY 8192
// Kept free for what ends a line that is cut off: a quote, a brace, a newline.
#define LINE_RESERVE     4
#define MESSAGE_CAPACITY 4096

static enum log_format line_format = LOG_FORMAT_TEXT;
static enum log_level threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

struct line {
    char text[LINE_CAPACITY];
    size_t len;
    bool full; // something did not fit: all that follows is left out
};

void log_setup(enum log_format format, enum log_level level)
{
    line_format = format;
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    __atomic_store_n(&threshold, level, __ATOMIC_RELAXED);
}

static bool is_wanted(enum log_level level)
{
    return level <= __atomic_load_n(&threshold, __ATOMIC_RELAXED);
}

// All of it or nothing: an escape sequence is never cut in two.
static void append(struct line *line, const char *text, size_t len)
{
    if (line->full || line->len + len > sizeof(line->text) - LINE_RESERVE) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void append_text(struct line *line, const char *text)
{
    append(line, text, strlen(text));
}

// For what must be there even in a line that is cut off; LINE_RESERVE pays for it.
static void append_always(struct line *line, const char *text)
{
    size_t len = strlen(text);

    memcpy(line->text + line->len, text, len);
    line->len += len;
}

// Length of the UTF-8 sequence that text starts with (RFC 3629 section 4), 0 when it is none.
static unsigned utf8_sequence_len(const uint8_t *text)
{
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    unsigned len;

    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xC2 && text[0] <= 0xDF) {
        len = 2;
    } else if (text[0] >= 0xE0 && text[0] <= 0xEF) {
        len = 3;
        low = text[0] == 0xE0 ? 0xA0 : low;   // overlong
        high = text[0] == 0xED ? 0x9F : high; // surrogates
    } else if (text[0] >= 0xF0 && text[0] <= 0xF4) {
        len = 4;
        low = text[0] == 0xF0 ? 0x90 : low;   // overlong
        high = text[0] == 0xF4 ? 0x8F : high; // past U+10FFFF
    } else {
        return 0;
    }
    if (text[1] < low || text[1] > high)
        return 0;
    for (unsigned i = 2; i < len; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

// A control character of C0, DEL or C1 (U+0080..U+009F): it could drive a terminal.
static bool is_control(const uint8_t *text)
{
    return text[0] < 0x20 || text[0] == 0x7F || (text[0] == 0xC2 && text[1] < 0xA0);
}

static void append_json_control(struct line *line, const uint8_t *text)
{
    char escape[8];

    switch (text[0]) {
    case '\n':
        append_text(line, "\\n");
        return;
    case '\r':
        append_text(line, "\\r");
        return;
    case '\t':
        append_text(line, "\\t");
        return;
    default:
        // U+0080..U+009F: the second byte is the code point.
        snprintf(escape, sizeof(escape), "\\u%04x", text[0] == 0xC2 ? text[1] : text[0]);
        append_text(line, escape);
    }
}

static void append_text_control(struct line *line, const uint8_t *text, unsigned len)
{
    char escape[8];

    if (text[0] == '\n') {
        append_text(line, "\\n");
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        snprintf(escape, sizeof(escape), "\\x%02x", text[i]);
        append_text(line, escape);
    }
}

// The inside of a quoted string, in the line's format. Bytes that are no UTF-8 become U+FFFD in
// JSON, which has no other way to say them, and \xNN in text.
static void append_escaped(struct line *line, const char *value)
{
    const uint8_t *next = (const uint8_t *)value;
    bool json = line_format == LOG_FORMAT_JSON;

    while (*next != '\0' && !line->full) {
        unsigned len = utf8_sequence_len(next);

        if (len == 0) {
            if (json)
                append_text(line, "\\ufffd");
            else
                append_text_control(line, next, 1);
            len = 1;
        } else if (is_control(next)) {
            if (json)
                append_json_control(line, next);
            else
                append_text_control(line, next, len);
        } else if (*next == '"' || *next == '\\') {
            append(line, (const char[]){'\\', (char)*next}, 2);
        } else {
            append(line, (const char *)next, len);
        }
        next += len;
    }
}

// A bare word needs no quotes in text.
static bool is_bare(const char *value)
{
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        if (*value <= ' ' || *value >= 0x7F || strchr("\"\\=", *value) != NULL)
            return false;
    }
    return true;
}

// A pair whose key does not fit is left out whole; a value that does not fit is cut off.
static void append_pair(struct line *line, const char *key, const char *value)
{
    bool json = line_format == LOG_FORMAT_JSON;
    bool quoted = json || !is_bare(value);
    size_t start = line->len;

    append_text(line, json ? ",\"" : " ");
    append_escaped(line, key);
    append_text(line, json ? "\":" : "=");
    append_text(line, quoted ? "\"" : "");
    if (line->full) {
        line->len = start;
        return;
    }
    append_escaped(line, value);
    append_always(line, quoted ? "\"" : "");
}

// UTC, milliseconds: "2026-11-21T08:00:00.123Z".
static void append_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[40];
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof(text) - len, ".%03ldZ", now.tv_nsec / 1000000);
    append_text(line, text);
}

static void begin_line(struct line *line, enum log_level level, const char *event)
{
    bool json = line_format == LOG_FORMAT_JSON;

    line->len = 0;
    line->full = false;
    append_text(line, json ? "{\"time\":\"" : "");
    append_time(line);
    append_text(line, json ? "\",\"level\":\"" : " ");
    append_text(line, level_names[level]);
    append_text(line, json ? "\",\"event\":\"" : " ");
    append_escaped(line, event);
    append_always(line, json ? "\"" : "");
}

static void end_line(struct line *line)
{
    ssize_t written;

    append_always(line, line_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    // Nobody is left to tell when standard error is gone.
    written = write(STDERR_FILENO, line->text, line->len);
    (void)written;
}

void log_event(enum log_level level, const char *event, ...)
{
    struct line line;
    const char *key;
    va_list pairs;

    if (!is_wanted(level))
        return;
    begin_line(&line, level, event);
    va_start(pairs, event);
    while ((key = va_arg(pairs, const char *)) != NULL) {
        const char *value = va_arg(pairs, const char *);

        append_pair(&line, key, value != NULL ? value : "");
    }
    va_end(pairs);
    end_line(&line);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    char message[MESSAGE_CAPACITY];
    struct line line;
    va_list arguments;

    if (!is_wanted(level))
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    begin_line(&line, level, event);
    append_pair(&line, "message", message);
    end_line(&line);
}
