// SPDX-License-Identifier: BSD-3-Clause
// See base/log_line.h. The journal's fields are in its native protocol: NAME, a newline, the length
// as 64 bits in little endian, the bytes, a newline; so that no value can end its field.
#include "base/log_line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Kept free for what ends a line that is cut off: a quote, a brace, a newline.
#define LINE_RESERVE   4
#define TIME_TEXT_LEN  40
#define FIELD_PREFIX   "TURNPIKE_"
#define FIELD_NAME_LEN 64
#define MESSAGE_NAME   "MESSAGE"

// MESSAGE always finds room behind the fields.
#define FIELDS_RESERVE (LOG_LINE_CAPACITY + sizeof(MESSAGE_NAME) + 8 + 1)
static_assert(LOG_LINE_FIELDS_CAPACITY > FIELDS_RESERVE + 1024, "room for fields too");

// All of it or nothing: an escape sequence is never cut in two.
static void append(struct log_line *line, const char *text, size_t len)
{
    if (line->full || line->len + len > sizeof(line->text) - LINE_RESERVE) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void append_text(struct log_line *line, const char *text)
{
    append(line, text, strlen(text));
}

// For what must be there even in a line that is cut off; LINE_RESERVE pays for it.
static void append_always(struct log_line *line, const char *text)
{
    size_t len = strlen(text);

    memcpy(line->text + line->len, text, len);
    line->len += len;
}

// Length of the UTF-8 sequence that text starts with (RFC 3629 section 4), 0 when it is none.
static unsigned utf8_sequence_len(const uint8_t *text, size_t text_len)
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
    if (len > text_len || text[1] < low || text[1] > high)
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

static void append_json_control(struct log_line *line, const uint8_t *text)
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

static void append_text_control(struct log_line *line, const uint8_t *text, unsigned len)
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
static void append_escaped(struct log_line *line, const void *value, size_t value_len)
{
    const uint8_t *next = value, *end = next + value_len;
    bool json = line->format == LOG_FORMAT_JSON;

    while (next < end && !line->full) {
        unsigned len = utf8_sequence_len(next, (size_t)(end - next));

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
static bool is_bare(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] >= 0x7F || strchr("\"\\=", value[i]) != NULL)
            return false;
    }
    return len > 0;
}

static void append_field(struct log_line *line, const char *name, const void *value, size_t len)
{
    size_t name_len = strlen(name);
    size_t field_len = name_len + 1 + 8 + len + 1;
    char *at = line->fields + line->fields_len;

    if (line->fields_len + field_len > sizeof(line->fields) - FIELDS_RESERVE)
        return;
    memcpy(at, name, name_len);
    at += name_len;
    *at++ = '\n';
    for (unsigned i = 0; i < 8; i++)
        *at++ = (char)((uint64_t)len >> (8 * i));
    memcpy(at, value, len);
    at[len] = '\n';
    line->fields_len += field_len;
}

// Letters, digits and underscores, in capitals.
static void append_own_field(struct log_line *line, const char *key, const void *value, size_t len)
{
    char name[FIELD_NAME_LEN] = FIELD_PREFIX;
    size_t at = sizeof(FIELD_PREFIX) - 1;

    if (!line->has_fields)
        return;
    for (; *key != '\0' && at + 1 < sizeof(name); key++)
        name[at++] = (char)(*key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key);
    name[at] = '\0';
    append_field(line, name, value, len);
}

// A pair whose key does not fit is left out whole; a value that does not fit is cut off.
static void append_pair(struct log_line *line, const char *key, const void *value, size_t len,
                        bool quoted)
{
    bool json = line->format == LOG_FORMAT_JSON;
    size_t start = line->len;

    append_text(line, json ? ",\"" : " ");
    append_escaped(line, key, strlen(key));
    append_text(line, json ? "\":" : "=");
    append_text(line, quoted ? "\"" : "");
    if (line->full) {
        line->len = start;
        return;
    }
    append_escaped(line, value, len);
    append_always(line, quoted ? "\"" : "");
}

void log_line_bytes(struct log_line *line, const char *key, const void *value, size_t len)
{
    append_own_field(line, key, value, len);
    append_pair(line, key, value, len, line->format == LOG_FORMAT_JSON || !is_bare(value, len));
}

void log_line_pair(struct log_line *line, const char *key, const char *value)
{
    log_line_bytes(line, key, value != NULL ? value : "", value != NULL ? strlen(value) : 0);
}

// All or nothing: a number that is cut off would be another one.
static void append_number(struct log_line *line, const char *key, const char *text)
{
    size_t start = line->len;

    append_own_field(line, key, text, strlen(text));
    append_pair(line, key, text, strlen(text), false);
    if (line->full)
        line->len = start;
}

void log_line_number(struct log_line *line, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    append_number(line, key, text);
}

void log_line_tenths(struct log_line *line, const char *key, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu64 ".%u", value / 10, (unsigned)(value % 10));
    append_number(line, key, text);
}

// UTC, milliseconds: "2026-11-21T08:00:00.123Z".
static void format_time(const struct timespec *wall_time, char text[TIME_TEXT_LEN])
{
    struct tm utc;
    size_t len;

    gmtime_r(&wall_time->tv_sec, &utc);
    len = strftime(text, TIME_TEXT_LEN, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, TIME_TEXT_LEN - len, ".%03ldZ", wall_time->tv_nsec / 1000000);
}

void log_line_time(struct log_line *line, const char *key, const struct timespec *wall_time)
{
    char text[TIME_TEXT_LEN];

    format_time(wall_time, text);
    log_line_pair(line, key, text);
}

static void reset(struct log_line *line, enum log_format format)
{
    line->format = format;
    line->has_fields = false;
    line->full = false;
    line->len = 0;
    line->fields_len = 0;
}

void log_line_begin(struct log_line *line, enum log_format format, const struct timespec *wall_time,
                    const char *level, const char *event)
{
    bool json = format == LOG_FORMAT_JSON;
    char time[TIME_TEXT_LEN];

    format_time(wall_time, time);
    reset(line, format);
    append_text(line, json ? "{\"time\":\"" : "");
    append_text(line, time);
    append_text(line, json ? "\",\"level\":\"" : " ");
    append_text(line, level);
    append_text(line, json ? "\",\"event\":\"" : " ");
    append_escaped(line, event, strlen(event));
    append_always(line, json ? "\"" : "");
}

void log_line_begin_bare(struct log_line *line, enum log_format format, const char *event)
{
    bool json = format == LOG_FORMAT_JSON;

    reset(line, format);
    append_text(line, json ? "{\"event\":\"" : "");
    append_escaped(line, event, strlen(event));
    append_always(line, json ? "\"" : "");
}

void log_line_begin_journal(struct log_line *line, enum log_format format, unsigned priority,
                            const char *event)
{
    log_line_begin_bare(line, format, event);
    line->has_fields = true;
    append_field(line, "PRIORITY", (const char[]){(char)('0' + priority)}, 1);
    append_field(line, "SYSLOG_IDENTIFIER", "turnpike", 8);
    append_own_field(line, "event", event, strlen(event));
}

// Its newline is the journal's own.
static void append_message(struct log_line *line)
{
    size_t len = line->len - 1;
    char *at = line->fields + line->fields_len;

    memcpy(at, MESSAGE_NAME "\n", sizeof(MESSAGE_NAME));
    at += sizeof(MESSAGE_NAME);
    for (unsigned i = 0; i < 8; i++)
        *at++ = (char)((uint64_t)len >> (8 * i));
    memcpy(at, line->text, line->len);
    line->fields_len += sizeof(MESSAGE_NAME) + 8 + line->len;
}

void log_line_end(struct log_line *line)
{
    append_always(line, line->format == LOG_FORMAT_JSON ? "}\n" : "\n");
    if (line->has_fields)
        append_message(line);
}
