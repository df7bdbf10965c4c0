// SPDX-License-Identifier: BSD-3-Clause
// See control/session_log.h.
#include "control/session_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/log_queue.h"
#include "base/log_sink.h"
#include "turn/session_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Some ten thousand lines: so many may end at once, or while a disk takes its time.
#define QUEUE_CAPACITY (8 * 1024 * 1024)

#define STARTED "session_started"
#define ENDED   "session_ended"

struct session_record {
    struct turn_allocation_view view; // its username is that in names
    enum turn_end end;
    uint64_t duration_ms;
    struct timespec started;
    const char *realm; // in names
    char names[];
};

struct session_log {
    struct session_log_config config;
    bool to_log;
    bool to_file;
    enum log_format format;
    struct session_record **pending; // by allocation
    uint32_t pending_count;
    struct log_sink sink;
    struct log_queue *queue;
    uint64_t lost; // for want of memory, or of a worker's report
    uint64_t lost_said;
};

struct traffic {
    bool is_tcp;
    uint64_t connections;
    struct allocation_traffic sums;
};

static void write_line(void *context, const void *line, size_t len)
{
    struct session_log *log = context;

    log_sink_write(&log->sink, line, len);
}

static const char *describe(int error)
{
    return error == -ENXIO ? "nobody reads this FIFO" : strerror(-error);
}

static void reopen(void *context)
{
    struct session_log *log = context;
    int error = log_sink_reopen(&log->sink);

    if (error)
        log_message(LOG_LEVEL_ERROR, "session_log",
                    "cannot open %s anew: %s; lines go where they went", log->sink.path,
                    describe(error));
}

int session_log_create(const struct session_log_config *config, struct session_log **ret_log)
{
    const struct settings_session_log *settings = &config->settings->session_log;
    struct session_log *log = calloc(1, sizeof(*log));
    int error = 0;

    if (!log)
        return -ENOMEM;
    log->config = *config;
    log->to_log = settings->to == SESSION_LOG_TO_LOG;
    log->to_file = settings->to == SESSION_LOG_TO_FILE;
    log->format = (enum log_format)settings->format;
    log->pending = calloc(config->allocations, sizeof(struct session_record *));
    log->sink.fd = -1;
    if (!log->pending)
        error = -ENOMEM;
    else if (log->to_file)
        error = log_sink_open_file(settings->file, &log->sink);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "session_log", "%s cannot be opened: %s; see session_log.file",
                    settings->file, describe(error));
        free(log->pending);
        free(log);
        return error;
    }
    *ret_log = log;
    return 0;
}

int session_log_start(struct session_log *log)
{
    const struct log_queue_config config = {
        .capacity = QUEUE_CAPACITY,
        .write = write_line,
        .reopen = reopen,
        .context = log,
        .thread_name = "session-log",
    };

    return log->to_file ? log_queue_create(&config, &log->queue) : 0;
}

static void count_lost(struct session_log *log)
{
    __atomic_fetch_add(&log->lost, 1, __ATOMIC_RELAXED);
}

// What the thread is stuck with stays its.
void session_log_destroy(struct session_log *log, unsigned wait_ms)
{
    bool is_over = true;

    for (uint32_t i = 0; log->pending_count > 0 && i < log->config.allocations; i++) {
        if (!log->pending[i])
            continue;
        free(log->pending[i]);
        log->pending_count--;
        count_lost(log);
    }
    if (log->queue)
        log_queue_flush(log->queue, wait_ms);
    session_log_report(log);
    if (log->queue)
        is_over = log_queue_destroy(log->queue, wait_ms);
    if (!is_over)
        return;
    log_sink_close(&log->sink);
    free(log->pending);
    free(log);
}

bool session_log_is_wanted(const struct session_log *log)
{
    return log->to_log || log->to_file;
}

static void add_address(struct log_line *line, const char *key,
                        const struct transport_address *address)
{
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    if (address->ip.family != IP_FAMILY_NONE)
        log_line_pair(line, key, transport_address_format(address, text));
}

static void add_view(struct log_line *line, const struct turn_allocation_view *view,
                     const char *realm)
{
    char session[SESSION_ID_TEXT_LEN];

    log_line_pair(line, "session", session_id_format(view->session_id, session));
    log_line_pair(line, "user", view->username);
    if (realm)
        log_line_pair(line, "realm", realm);
    add_address(line, "client", &view->five_tuple.client);
    add_address(line, "server", &view->five_tuple.server);
    log_line_pair(line, "transport",
                  five_tuple_transport_name((enum five_tuple_transport)view->five_tuple.transport));
    log_line_pair(line, "peers", view->is_tcp ? "tcp" : "udp");
    add_address(line, "relayed", &view->relayed_v4);
    add_address(line, "relayed_v6", &view->relayed_v6);
}

void session_log_started(const struct turn_allocation_view *view)
{
    struct log_line line;

    if (!log_begin(&line, LOG_LEVEL_DEBUG, STARTED))
        return;
    add_view(&line, view, NULL);
    log_end(&line, LOG_LEVEL_DEBUG);
}

static void add_record(struct log_line *line, const struct session_record *record,
                       const struct traffic *traffic)
{
    add_view(line, &record->view, record->realm);
    log_line_time(line, "started", &record->started);
    log_line_tenths(line, "duration_s", record->duration_ms / 100);
    log_line_pair(line, "reason", turn_end_name(record->end));
    if (traffic->is_tcp)
        log_line_number(line, "tcp_connections", traffic->connections);
    else
        log_line_number(line, "to_peer_packets", traffic->sums.to_peer_packets);
    log_line_number(line, "to_peer_bytes", traffic->sums.to_peer_bytes);
    if (!traffic->is_tcp)
        log_line_number(line, "to_client_packets", traffic->sums.to_client_packets);
    log_line_number(line, "to_client_bytes", traffic->sums.to_client_bytes);
}

// Lost ones are counted where they are lost.
static void write_to_file(struct session_log *log, const struct session_record *record,
                          const struct traffic *traffic)
{
    struct log_line line;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    log_line_begin(&line, log->format, &now, log_level_name(LOG_LEVEL_INFO), ENDED);
    add_record(&line, record, traffic);
    log_line_end(&line);
    if (log->queue)
        (void)log_queue_put(log->queue, line.text, line.len);
    else
        log_sink_write(&log->sink, line.text, line.len);
}

static void write_to_log(const struct session_log *log, const struct session_record *record,
                         const struct traffic *traffic)
{
    enum log_level level = log->to_log ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    struct log_line line;

    if (log->to_log ? !log_begin_always(&line, level, ENDED) : !log_begin(&line, level, ENDED))
        return;
    add_record(&line, record, traffic);
    log_end(&line, level);
}

static void finish(struct session_log *log, struct session_record *record,
                   const struct traffic *traffic)
{
    if (log->to_file)
        write_to_file(log, record, traffic);
    write_to_log(log, record, traffic);
    free(record);
}

static struct timespec earlier(struct timespec time, uint64_t ms)
{
    uint64_t time_ms = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000 - ms;

    return (struct timespec){.tv_sec = (time_t)(time_ms / 1000),
                             .tv_nsec = (long)(time_ms % 1000 * 1000000)};
}

static struct session_record *make_record(const struct session_log *log,
                                          const struct turn_allocation_view *view,
                                          enum turn_end end)
{
    const char *realm = log->config.settings->realm;
    size_t user_len = strlen(view->username) + 1, realm_len = strlen(realm) + 1;
    struct session_record *record = malloc(sizeof(*record) + user_len + realm_len);
    struct timespec now;

    if (!record)
        return NULL;
    *record = (struct session_record){
        .view = *view,
        .end = end,
        .duration_ms = clock_monotonic_ms() - view->started_ms,
    };
    clock_gettime(CLOCK_REALTIME, &now);
    record->started = earlier(now, record->duration_ms);
    record->view.username = memcpy(record->names, view->username, user_len);
    record->realm = memcpy(record->names + user_len, realm, realm_len);
    return record;
}

void session_log_ended(struct session_log *log, const struct turn_allocation_view *view,
                       enum turn_end end)
{
    if (!session_log_is_wanted(log) && !log_is_wanted(LOG_LEVEL_DEBUG, ENDED))
        return;
    log->pending[view->id] = make_record(log, view, end);
    if (log->pending[view->id])
        log->pending_count++;
    else
        count_lost(log);
}

struct session_record *session_log_take(struct session_log *log, uint32_t allocation)
{
    struct session_record *record = log->pending[allocation];

    if (record)
        log->pending_count--;
    log->pending[allocation] = NULL;
    return record;
}

void session_log_carried(struct session_log *log, uint32_t allocation,
                         const struct allocation_traffic *sums)
{
    const struct traffic traffic = {.sums = *sums};
    struct session_record *record = session_log_take(log, allocation);

    if (record)
        finish(log, record, &traffic);
}

void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *sums)
{
    const struct traffic traffic = {
        .is_tcp = true,
        .connections = sums->connections,
        .sums = {.to_peer_bytes = sums->to_peer_bytes, .to_client_bytes = sums->to_client_bytes},
    };

    finish(log, record, &traffic);
}

void session_log_reopen(struct session_log *log)
{
    if (log->queue)
        log_queue_reopen(log->queue);
}

uint64_t session_log_lost_count(const struct session_log *log)
{
    return __atomic_load_n(&log->lost, __ATOMIC_RELAXED) + log_sink_lost(&log->sink) +
           (log->queue ? log_queue_lost(log->queue) : 0);
}

void session_log_report(struct session_log *log)
{
    uint64_t lost = session_log_lost_count(log);
    struct log_line line;

    if (lost == log->lost_said || !log_begin_always(&line, LOG_LEVEL_WARNING, "log_lost"))
        return;
    log_line_pair(&line, "log", "sessions");
    log_line_number(&line, "count", lost - log->lost_said);
    log_end(&line, LOG_LEVEL_WARNING);
    log->lost_said = lost;
}
