// SPDX-License-Identifier: BSD-3-Clause
// Formats the workers' counters for people.
#include "control/statistics.h"

#include "control/stream_server.h"
#include "control/tcp_relay.h"

#include <inttypes.h>
#include <string.h>

#define LINES_PER_HEADER 20
// With the longest name of a drop a line has 80 columns.
#define HEADER_FORMAT "%7s %9s %6s %9s %6s %5s %6s %5s %s\n"
#define LINE_FORMAT   "%7s %9.0f %6.*f %9.0f %6.*f %5.0f %6.0f %5.1f %s\n"
#define NAME_LEN      12

// And these have 78.
#define WORKERS_HEADER_FORMAT "\n%6s %11s %11s %11s %11s %11s %11s\n"
#define WORKERS_LINE_FORMAT                                                                        \
    "%6s %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64 "\n"

void statistics_init(struct statistics *statistics, const struct plane *plane,
                     const struct turn_server *server, FILE *stream, uint64_t now_ms)
{
    *statistics = (struct statistics){.plane = plane,
                                      .server = server,
                                      .stream = stream,
                                      .last_ms = now_ms,
                                      .started_ms = now_ms};
}

static uint64_t drop_sum(const struct worker_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < DROP_COUNT; i++)
        sum += counters->drops[i];
    return sum;
}

static enum drop top_drop(const struct worker_counters *counters)
{
    enum drop top = 0;

    for (unsigned i = 1; i < DROP_COUNT; i++) {
        if (counters->drops[i] > counters->drops[top])
            top = i;
    }
    return top;
}

static uint64_t to_peer_packets(const struct worker_counters *counters)
{
    return counters->counters[COUNTER_CHANNEL_TO_PEER] + counters->counters[COUNTER_SEND_TO_PEER];
}

static uint64_t to_client_packets(const struct worker_counters *counters)
{
    return counters->counters[COUNTER_PEER_TO_CHANNEL] + counters->counters[COUNTER_PEER_TO_DATA];
}

static double per_second(uint64_t count, uint64_t interval_ms)
{
    return (double)count * 1000 / (double)interval_ms;
}

static double megabits(uint64_t bytes, uint64_t interval_ms)
{
    return per_second(bytes * 8, interval_ms) / 1e6;
}

// Six columns are enough for 999 Gbit/s.
static int megabits_decimals(double megabits)
{
    return megabits < 999.99 ? 2 : megabits < 9999.9 ? 1 : 0;
}

static double busy_percent(const struct worker_counters *counters)
{
    uint64_t cycles = counters->busy_tsc + counters->idle_tsc;

    return cycles > 0 ? 100.0 * (double)counters->busy_tsc / (double)cycles : 0;
}

// What a worker, or all of them, did in that time.
static void print_line(FILE *stream, const char *name, const struct worker_counters *part,
                       uint64_t interval_ms)
{
    double to_peer = megabits(part->counters[COUNTER_TO_PEER_BYTES], interval_ms);
    double to_client = megabits(part->counters[COUNTER_TO_CLIENT_BYTES], interval_ms);
    uint64_t drops = drop_sum(part);

    fprintf(stream, LINE_FORMAT, name, per_second(to_peer_packets(part), interval_ms),
            megabits_decimals(to_peer), to_peer, per_second(to_client_packets(part), interval_ms),
            megabits_decimals(to_client), to_client,
            per_second(part->counters[COUNTER_PUNTED], interval_ms), per_second(drops, interval_ms),
            busy_percent(part), drops > 0 ? drop_name(top_drop(part)) : "-");
}

static void print_header_when_due(struct statistics *statistics)
{
    if (statistics->lines == 0)
        fprintf(statistics->stream, HEADER_FORMAT, "allocs", "to-peer/s", "Mbit/s", "to-clnt/s",
                "Mbit/s", "req/s", "drop/s", "busy%", "top drop");
}

static const char *format_worker(uint16_t worker, char *text)
{
    snprintf(text, NAME_LEN, "w%u", worker);
    return text;
}

void statistics_print_line(struct statistics *statistics, uint64_t now_ms)
{
    uint16_t worker_count = statistics->plane->config.worker_count;
    uint64_t interval_ms = now_ms > statistics->last_ms ? now_ms - statistics->last_ms : 1;
    struct worker_counters parts[PLANE_WORKERS_MAX] = {}, sum;
    struct turn_usage usage;
    char name[NAME_LEN];

    for (uint16_t i = 0; i < worker_count; i++) {
        struct worker_counters now;

        worker_counters_sum(&statistics->plane->counters[i], 1, &now);
        parts[i] = now;
        worker_counters_subtract(&parts[i], &statistics->last[i]);
        statistics->last[i] = now;
    }
    worker_counters_sum(parts, worker_count, &sum);
    statistics->last_ms = now_ms;
    turn_server_usage(statistics->server, &usage);
    print_header_when_due(statistics);
    snprintf(name, sizeof(name), "%" PRIu32, usage.allocations);
    print_line(statistics->stream, name, &sum, interval_ms);
    for (uint16_t i = 0; worker_count > 1 && i < worker_count; i++)
        print_line(statistics->stream, format_worker(i, name), &parts[i], interval_ms);
    fflush(statistics->stream);
    statistics->lines += worker_count > 1 ? worker_count + 1 : 1;
    if (statistics->lines >= LINES_PER_HEADER)
        statistics->lines = 0;
}

static void print_workers(const struct statistics *statistics)
{
    fprintf(statistics->stream, WORKERS_HEADER_FORMAT, "worker", "received", "transmitted",
            "to peers", "to clients", "handed on", "dropped");
    for (uint16_t i = 0; i < statistics->plane->config.worker_count; i++) {
        struct worker_counters counters;
        char name[NAME_LEN];

        worker_counters_sum(&statistics->plane->counters[i], 1, &counters);
        fprintf(statistics->stream, WORKERS_LINE_FORMAT, format_worker(i, name),
                counters.counters[COUNTER_RX_PACKETS], counters.counters[COUNTER_TX_PACKETS],
                to_peer_packets(&counters), to_client_packets(&counters),
                counters.counters[COUNTER_HANDOFF_OUT], drop_sum(&counters));
    }
}

static void print_streams(const struct statistics *statistics)
{
    struct stream_counters counters;
    struct dtls_counters dtls;

    if (!statistics->streams)
        return;
    stream_server_sum(statistics->streams, &counters);
    stream_server_sum_dtls(statistics->streams, &dtls);
#define X(name, help)                                                                              \
    if (counters.name > 0)                                                                         \
        fprintf(statistics->stream, "%16" PRIu64 "  TCP and TLS: %s\n", counters.name, help);
    STREAM_COUNTER_LIST(X)
#undef X
#define X(name, help)                                                                              \
    if (dtls.name > 0)                                                                             \
        fprintf(statistics->stream, "%16" PRIu64 "  DTLS: %s\n", dtls.name, help);
    DTLS_COUNTER_LIST(X)
#undef X
}

static void print_tcp_relay(const struct statistics *statistics)
{
    const struct tcp_relay_counters *counters;

    if (!statistics->tcp_relay)
        return;
    counters = tcp_relay_counters(statistics->tcp_relay);
#define X(name, help)                                                                              \
    if (counters->name > 0)                                                                        \
        fprintf(statistics->stream, "%16" PRIu64 "  TCP relaying: %s\n", counters->name, help);
    TCP_RELAY_COUNTER_LIST(X)
#undef X
}

void statistics_print_summary(struct statistics *statistics, uint64_t now_ms)
{
    struct worker_counters sum;

    worker_counters_sum(statistics->plane->counters, statistics->plane->config.worker_count, &sum);
    fprintf(statistics->stream, "\nin %.1f s:\n", (double)(now_ms - statistics->started_ms) / 1000);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        if (sum.counters[i] > 0 || i == COUNTER_RX_PACKETS)
            fprintf(statistics->stream, "%16" PRIu64 "  %s\n", sum.counters[i], counter_help(i));
    }
    for (unsigned i = 0; i < DROP_COUNT; i++) {
        if (sum.drops[i] > 0)
            fprintf(statistics->stream, "%16" PRIu64 "  dropped (%s): %s\n", sum.drops[i],
                    drop_name(i), drop_help(i));
    }
    print_streams(statistics);
    print_tcp_relay(statistics);
    if (statistics->plane->config.worker_count > 1)
        print_workers(statistics);
    fflush(statistics->stream);
}
