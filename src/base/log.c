// SPDX-License-Identifier: BSD-3-Clause
// Who is heard, how much of it, and where it goes. Lines are built whole (base/log_line.h), so that
// those of several threads never mix.
#include "base/log.h"

#include "base/log_limit.h"
#include "base/log_queue.h"
#include "base/log_sink.h"
#include "base/log_subsystem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_CAPACITY 4096
// A few thousand lines.
#define QUEUE_CAPACITY (1024 * 1024)

// RFC 5424 section 6.2.1.
#define FACILITY_DAEMON 3

enum way {
    WAY_DIRECT, // before there is a thread
    WAY_QUEUED,
    WAY_ENDED, // the thread was left behind, stuck in the sink
};

static enum log_format line_format = LOG_FORMAT_TEXT;
static enum log_destination destination = LOG_TO_STDERR;
static struct log_limit limit = LOG_LIMIT_INITIALIZER;
static struct log_sink sink = {.fd = STDERR_FILENO};
static struct log_queue *queue;
static enum way way = WAY_DIRECT;
static uint64_t lost_said;
static uint64_t lost_at_end;

static const unsigned priorities[] = {
    [LOG_LEVEL_ERROR] = 3,
    [LOG_LEVEL_WARNING] = 4,
    [LOG_LEVEL_INFO] = 6,
    [LOG_LEVEL_DEBUG] = 7,
};

void log_setup(enum log_format format, enum log_level level)
{
    line_format = format;
    log_set_level(level);
}

int log_open(enum log_destination wanted)
{
    const char *path = wanted == LOG_TO_SYSLOG ? LOG_SINK_SYSLOG_PATH : LOG_SINK_JOURNAL_PATH;
    int error = 0;

    if (wanted == LOG_TO_STDERR)
        log_sink_open_stderr(&sink);
    else
        error = log_sink_open_socket(path, &sink);
    if (!error)
        destination = wanted;
    return error;
}

static void write_line(void *context, const void *line, size_t len)
{
    log_sink_write(context, line, len);
}

int log_start(void)
{
    const struct log_queue_config config = {
        .capacity = QUEUE_CAPACITY,
        .write = write_line,
        .context = &sink,
        .thread_name = "log",
    };
    int error = log_queue_create(&config, &queue);

    if (!error)
        way = WAY_QUEUED;
    return error;
}

void log_stop(unsigned wait_ms)
{
    if (way != WAY_QUEUED)
        return;
    lost_at_end = log_queue_lost(queue);
    way = log_queue_destroy(queue, wait_ms) ? WAY_DIRECT : WAY_ENDED;
    queue = NULL;
}

void log_flush(unsigned wait_ms)
{
    if (way == WAY_QUEUED)
        log_queue_flush(queue, wait_ms);
}

void log_set_rate(uint32_t per_second)
{
    log_limit_set(&limit, per_second);
}

static void begin(struct log_line *line, const struct timespec *now, enum log_level level,
                  const char *event)
{
    switch (destination) {
    case LOG_TO_STDERR:
        log_line_begin(line, line_format, now, log_level_name(level), event);
        break;
    case LOG_TO_SYSLOG:
        log_line_begin_bare(line, line_format, event);
        break;
    case LOG_TO_JOURNAL:
        log_line_begin_journal(line, line_format, priorities[level], event);
        break;
    }
}

bool log_begin_always(struct log_line *line, enum log_level level, const char *event)
{
    struct timespec now;

    if (!log_is_wanted(level, event))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    begin(line, &now, level, event);
    return true;
}

bool log_begin(struct log_line *line, enum log_level level, const char *event)
{
    struct timespec now;

    if (!log_is_wanted(level, event))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!log_limit_allows(&limit, event, (uint64_t)now.tv_sec))
        return false;
    begin(line, &now, level, event);
    return true;
}

// Lost ones are counted where they are lost.
static void deliver(const void *bytes, size_t len)
{
    if (way == WAY_QUEUED)
        (void)log_queue_put(queue, bytes, len);
    else if (way == WAY_DIRECT)
        log_sink_write(&sink, bytes, len);
}

// As syslog(3) sends it to the daemon of the same machine (RFC 3164 section 4.1): local time, no
// host, and no newline.
static void deliver_to_syslog(const struct log_line *line, enum log_level level)
{
    char datagram[LOG_LINE_CAPACITY + 64];
    struct timespec now;
    struct tm local;
    int len;
    char time[32];

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(time, sizeof(time), "%b %e %H:%M:%S", &local);
    len = snprintf(datagram, sizeof(datagram), "<%u>%s turnpike[%d]: %.*s",
                   FACILITY_DAEMON * 8 + priorities[level], time, (int)getpid(), (int)line->len - 1,
                   line->text);
    deliver(datagram, (size_t)len);
}

void log_end(struct log_line *line, enum log_level level)
{
    log_line_end(line);
    switch (destination) {
    case LOG_TO_STDERR:
        deliver(line->text, line->len);
        break;
    case LOG_TO_SYSLOG:
        deliver_to_syslog(line, level);
        break;
    case LOG_TO_JOURNAL:
        deliver(line->fields, line->fields_len);
        break;
    }
}

void log_event(enum log_level level, const char *event, ...)
{
    struct log_line line;
    const char *key;
    va_list pairs;

    if (!log_begin(&line, level, event))
        return;
    va_start(pairs, event);
    while ((key = va_arg(pairs, const char *)) != NULL)
        log_line_pair(&line, key, va_arg(pairs, const char *));
    va_end(pairs);
    log_end(&line, level);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    char message[MESSAGE_CAPACITY];
    struct log_line line;
    va_list arguments;

    if (!log_begin(&line, level, event))
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    log_line_pair(&line, "message", message);
    log_end(&line, level);
}

static void say_count(const char *event, const char *key, const char *value, uint64_t count)
{
    struct log_line line;

    if (!log_begin_always(&line, LOG_LEVEL_WARNING, event))
        return;
    log_line_pair(&line, key, value);
    log_line_number(&line, "count", count);
    log_end(&line, LOG_LEVEL_WARNING);
}

void log_report(void)
{
    char event[LOG_LIMIT_KIND_LEN];
    uint64_t count, lost = log_lost_count();

    while (log_limit_take_suppressed(&limit, event, &count))
        say_count("log_suppressed", "of", event, count);
    if (lost > lost_said) {
        say_count("log_lost", "log", "log", lost - lost_said);
        // Where that was lost as well, it is said again.
        if (log_lost_count() == lost)
            lost_said = lost;
    }
}

uint64_t log_suppressed_count(void)
{
    return log_limit_suppressed(&limit);
}

uint64_t log_lost_count(void)
{
    return log_sink_lost(&sink) + (queue ? log_queue_lost(queue) : lost_at_end);
}
