// SPDX-License-Identifier: BSD-3-Clause
// Times are shown in microseconds.
#include "report.h"

#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <string.h>

static const char *const direction_names[DIRECTION_COUNT] = {"to peer", "to client"};
static const char *const direction_keys[DIRECTION_COUNT] = {"to_peer", "to_client"};

static const struct {
    double share;
    const char *key;
} quantiles[] = {{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}};

#define QUANTILE_COUNT (sizeof(quantiles) / sizeof(quantiles[0]))

static double seconds(const struct engine *engine, uint64_t ticks)
{
    return (double)ticks / (double)engine->hz;
}

static double microseconds(const struct engine *engine, uint64_t ticks)
{
    return 1e6 * seconds(engine, ticks);
}

static double quantile_us(const struct engine *engine, const struct histogram *ticks, double share)
{
    return microseconds(engine, histogram_quantile(ticks, share));
}

static double mean_us(const struct engine *engine, const struct histogram *ticks)
{
    return ticks->count ? microseconds(engine, ticks->sum / ticks->count) : 0;
}

static double per_second(const struct engine *engine, uint64_t count, uint64_t ticks)
{
    return ticks ? (double)count / seconds(engine, ticks) : 0;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

// Live

void report_ticker_start(struct report_ticker *ticker, const struct engine *engine)
{
    uint64_t now = rte_rdtsc();

    *ticker = (struct report_ticker){.start = now, .next = now + engine->hz};
    memcpy(ticker->media, engine->media.counts, sizeof(ticker->media));
    ticker->flood = engine->flood.counts;
}

static bool is_due(struct report_ticker *ticker, const struct engine *engine, uint64_t now)
{
    if (now < ticker->next)
        return false;
    ticker->next += engine->hz;
    return !engine->options->quiet;
}

void report_round_tick(struct report_ticker *ticker, const struct engine *engine, const char *name,
                       uint64_t now)
{
    const struct session_round *round = &engine->sessions.round;

    if (!is_due(ticker, engine, now))
        return;
    fprintf(stderr, "%4.0f s  %s: %u done (+%u), %u failed, %" PRIu64 " sent again\n",
            seconds(engine, now - ticker->start), name, round->done, round->done - ticker->done,
            round->failed, engine->sessions.counts.resent);
    ticker->done = round->done;
}

static uint64_t faults(const struct media_counts *counts)
{
    return counts->wrong + counts->misdirected;
}

static void print_live_direction(const struct report_ticker *ticker, const struct engine *engine,
                                 enum direction direction)
{
    const struct media_counts *counts = &engine->media.counts[direction];
    const struct media_counts *before = &ticker->media[direction];
    const struct histogram *ticks = &engine->media.ticks[direction];

    fprintf(stderr,
            "  %s: %" PRIu64 "/s out, %" PRIu64 "/s in, %" PRIu64 " wrong, p50 %.0f us p99 %.0f us",
            direction_names[direction], counts->sent - before->sent,
            counts->received - before->received, faults(counts), quantile_us(engine, ticks, 0.5),
            quantile_us(engine, ticks, 0.99));
}

void report_media_tick(struct report_ticker *ticker, const struct engine *engine, uint64_t now)
{
    if (!is_due(ticker, engine, now))
        return;
    fprintf(stderr, "%4.0f s", seconds(engine, now - ticker->start));
    for (unsigned i = 0; i < DIRECTION_COUNT && engine->has_media; i++) {
        if (engine->options->directions[i])
            print_live_direction(ticker, engine, i);
    }
    if (engine->options->flood != FLOOD_NONE)
        fprintf(stderr, "  flood: %" PRIu64 "/s out, %" PRIu64 "/s answered",
                engine->flood.counts.sent - ticker->flood.sent,
                engine->flood.counts.answered - ticker->flood.answered);
    fputc('\n', stderr);
    memcpy(ticker->media, engine->media.counts, sizeof(ticker->media));
    ticker->flood = engine->flood.counts;
}

// For people

static void print_round(const struct engine *engine, FILE *stream, const char *name,
                        const struct session_round *round)
{
    uint64_t ticks = round->ended - round->started;

    if (round->started == 0)
        return;
    if (round->ended == 0) {
        fprintf(stream, "%-12s interrupted: %u done, %u failed\n", name, round->done,
                round->failed);
        return;
    }
    fprintf(stream, "%-12s %u done, %u failed in %.3f s: %.0f /s\n", name, round->done,
            round->failed, seconds(engine, ticks), per_second(engine, round->done, ticks));
}

static void print_latency(const struct engine *engine, FILE *stream, const struct histogram *ticks)
{
    fprintf(stream, "             us:");
    for (unsigned i = 0; i < QUANTILE_COUNT; i++)
        fprintf(stream, " %s %.1f,", quantiles[i].key,
                quantile_us(engine, ticks, quantiles[i].share));
    fprintf(stream, " max %.1f, mean %.1f\n", microseconds(engine, ticks->max),
            mean_us(engine, ticks));
}

static void print_requests(const struct engine *engine, FILE *stream)
{
    const struct session_counts *counts = &engine->sessions.counts;

    fprintf(stream,
            "%-12s %" PRIu64 ", sent again %" PRIu64 ", challenged %" PRIu64
            ", stale nonce %" PRIu64 ", responses discarded %" PRIu64 "\n",
            "requests", counts->requests, counts->resent, counts->challenged, counts->stale,
            counts->discarded);
    for (unsigned i = 0; i < SESSION_ERRORS_MAX && counts->errors[i].count > 0; i++) {
        if (counts->errors[i].code == 0)
            fprintf(stream, "             no answer: %" PRIu64 "\n", counts->errors[i].count);
        else
            fprintf(stream, "             %u %s: %" PRIu64 "\n", counts->errors[i].code,
                    stun_error_reason(counts->errors[i].code), counts->errors[i].count);
    }
    print_latency(engine, stream, &engine->sessions.response_ticks);
}

// What is sent again and again has no number that tells the flow what is missing.
static void count_losses(const struct engine *engine, enum direction direction,
                         struct flow_losses *ret_losses)
{
    const struct media_counts *counts = &engine->media.counts[direction];

    if (engine->options->prepared)
        *ret_losses = (struct flow_losses){
            .lost = counts->sent > counts->received ? counts->sent - counts->received : 0};
    else
        flows_count_losses(&engine->flows, direction, ret_losses);
}

static void print_direction(const struct engine *engine, FILE *stream, enum direction direction)
{
    const struct media_counts *counts = &engine->media.counts[direction];
    struct flow_losses losses;

    count_losses(engine, direction, &losses);
    fprintf(stream,
            "%-12s sent %" PRIu64 " (%.0f /s), received %" PRIu64 " (%.0f /s), lost %" PRIu64
            " (%.4f %%)\n",
            direction_names[direction], counts->sent,
            per_second(engine, counts->sent, engine->media_ticks), counts->received,
            per_second(engine, counts->received, engine->media_ticks), losses.lost,
            percent(losses.lost, counts->sent));
    fprintf(stream,
            "             wrong %" PRIu64 ", misdirected %" PRIu64 ", reordered %" PRIu64
            ", duplicates %" PRIu64 "\n",
            counts->wrong, counts->misdirected, counts->reordered, counts->duplicates);
    if (engine->options->prepared) {
        fprintf(stream, "             checked %" PRIu64 "\n", counts->checked);
        return;
    }
    fprintf(stream, "             flows: %u used, %u with loss, %u reordered, %u with duplicates",
            losses.flows_used, losses.flows_with_loss, losses.flows_with_reordering,
            losses.flows_with_duplicates);
    if (losses.worst_lost > 0)
        fprintf(stream, "; flow %u lost most, %u", losses.worst_flow, losses.worst_lost);
    fputc('\n', stream);
    print_latency(engine, stream, &engine->media.ticks[direction]);
}

static void print_flood(const struct engine *engine, FILE *stream)
{
    const struct flood_counts *counts = &engine->flood.counts;

    fprintf(stream,
            "%-12s sent %" PRIu64 " (%.0f /s), answered %" PRIu64
            " (%.0f /s, %.2f %%), wrong %" PRIu64 "\n",
            engine->options->flood == FLOOD_BINDING ? "binding" : "allocate", counts->sent,
            per_second(engine, counts->sent, engine->media_ticks), counts->answered,
            per_second(engine, counts->answered, engine->media_ticks),
            percent(counts->answered, counts->sent), counts->wrong);
    print_latency(engine, stream, &engine->flood.ticks);
}

void report_print(const struct engine *engine, FILE *stream)
{
    const struct engine_strays *strays = &engine->strays;
    char relay[TRANSPORT_ADDRESS_TEXT_LEN];

    fprintf(stream, "%-12s %s by %s\n", engine->options->floor ? "no relay" : "relay",
            transport_address_format(&engine->options->relay, relay), engine->device.name);
    print_round(engine, stream, "allocated", &engine->setup);
    for (unsigned i = 0; i < DIRECTION_COUNT && engine->has_media; i++) {
        if (engine->options->directions[i])
            print_direction(engine, stream, i);
    }
    print_round(engine, stream, "kept up", &engine->upkeep);
    if (engine->options->flood != FLOOD_NONE)
        print_flood(engine, stream);
    print_round(engine, stream, "refreshed", &engine->refresh);
    print_round(engine, stream, "deleted", &engine->deletion);
    if (engine->flows.count > 0)
        print_requests(engine, stream);
    fprintf(stream,
            "%-12s out %" PRIu64 ", in %" PRIu64 ", not due in time %" PRIu64
            ", ICMP errors %" PRIu64 ", bad checksums %" PRIu64 ", fragments %" PRIu64
            ", others %" PRIu64 "\n",
            "frames", engine->device.sent, engine->device.received,
            engine->media_pacer.skipped + engine->flood_pacer.skipped, strays->icmp_errors,
            strays->bad_checksums, strays->fragments, strays->others);
}

// For programs

static void write_latency(struct json *json, const struct engine *engine, const char *name,
                          const struct histogram *ticks)
{
    json_begin(json, name);
    json_count(json, "count", ticks->count);
    for (unsigned i = 0; i < QUANTILE_COUNT; i++)
        json_number(json, quantiles[i].key, quantile_us(engine, ticks, quantiles[i].share));
    json_number(json, "max", microseconds(engine, ticks->max));
    json_number(json, "mean", mean_us(engine, ticks));
    json_end(json);
}

static void write_round(struct json *json, const struct engine *engine, const char *name,
                        const struct session_round *round)
{
    uint64_t ticks = round->ended > round->started ? round->ended - round->started : 0;

    if (round->started == 0)
        return;
    json_begin(json, name);
    json_count(json, "done", round->done);
    json_count(json, "failed", round->failed);
    json_number(json, "seconds", seconds(engine, ticks));
    json_number(json, "per_second", per_second(engine, round->done, ticks));
    json_end(json);
}

static void write_requests(struct json *json, const struct engine *engine)
{
    const struct session_counts *counts = &engine->sessions.counts;

    json_begin(json, "requests");
    json_count(json, "sent", counts->requests);
    json_count(json, "sent_again", counts->resent);
    json_count(json, "challenged", counts->challenged);
    json_count(json, "stale_nonce", counts->stale);
    json_count(json, "responses_discarded", counts->discarded);
    json_begin(json, "errors");
    for (unsigned i = 0; i < SESSION_ERRORS_MAX && counts->errors[i].count > 0; i++) {
        char code[16];
        snprintf(code, sizeof(code), "%u", counts->errors[i].code);
        json_count(json, counts->errors[i].code ? code : "no_answer", counts->errors[i].count);
    }
    json_end(json);
    write_latency(json, engine, "response_us", &engine->sessions.response_ticks);
    json_end(json);
}

static void write_direction(struct json *json, const struct engine *engine,
                            enum direction direction)
{
    const struct media_counts *counts = &engine->media.counts[direction];
    struct flow_losses losses;

    count_losses(engine, direction, &losses);
    json_begin(json, direction_keys[direction]);
    json_count(json, "sent", counts->sent);
    json_number(json, "sent_per_second", per_second(engine, counts->sent, engine->media_ticks));
    json_count(json, "sent_bytes", counts->sent_len);
    json_count(json, "damaged", counts->damaged);
    json_count(json, "received", counts->received);
    json_number(json, "received_per_second",
                per_second(engine, counts->received, engine->media_ticks));
    json_count(json, "received_bytes", counts->received_len);
    json_count(json, "lost", losses.lost);
    if (engine->options->prepared)
        json_count(json, "checked", counts->checked);
    json_count(json, "wrong", counts->wrong);
    json_count(json, "misdirected", counts->misdirected);
    json_count(json, "reordered", counts->reordered);
    json_count(json, "duplicates", counts->duplicates);
    json_count(json, "flows_used", losses.flows_used);
    json_count(json, "flows_with_loss", losses.flows_with_loss);
    json_count(json, "flows_reordered", losses.flows_with_reordering);
    json_count(json, "flows_with_duplicates", losses.flows_with_duplicates);
    json_count(json, "most_lost_by_one_flow", losses.worst_lost);
    write_latency(json, engine, "latency_us", &engine->media.ticks[direction]);
    json_end(json);
}

static void write_media(struct json *json, const struct engine *engine)
{
    json_begin(json, "media");
    json_number(json, "seconds", seconds(engine, engine->media_ticks));
    json_count(json, "rate", engine->options->rate);
    json_count(json, "not_due_in_time", engine->media_pacer.skipped);
    json_count(json, "most_on_the_way", engine->transit.most);
    json_number(json, "longest_away_us", microseconds(engine, engine->transit.longest_away));
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        if (engine->options->directions[i])
            write_direction(json, engine, i);
    }
    json_end(json);
}

static void write_flood(struct json *json, const struct engine *engine)
{
    const struct flood_counts *counts = &engine->flood.counts;

    json_begin(json, "flood");
    json_text(json, "kind", engine->options->flood == FLOOD_BINDING ? "binding" : "allocate");
    json_number(json, "seconds", seconds(engine, engine->media_ticks));
    json_count(json, "rate", engine->options->flood_rate);
    json_count(json, "not_due_in_time", engine->flood_pacer.skipped);
    json_count(json, "sent", counts->sent);
    json_count(json, "answered", counts->answered);
    json_number(json, "answered_per_second",
                per_second(engine, counts->answered, engine->media_ticks));
    json_count(json, "wrong", counts->wrong);
    write_latency(json, engine, "answer_us", &engine->flood.ticks);
    json_end(json);
}

static void write_frames(struct json *json, const struct engine *engine)
{
    json_begin(json, "frames");
    json_count(json, "sent", engine->device.sent);
    json_count(json, "received", engine->device.received);
    json_count(json, "port_refused", engine->device.refused);
    json_count(json, "icmp_errors", engine->strays.icmp_errors);
    json_count(json, "bad_checksums", engine->strays.bad_checksums);
    json_count(json, "fragments", engine->strays.fragments);
    json_count(json, "others", engine->strays.others);
    json_count(json, "naps", engine->nap.taken);
    json_end(json);
}

int report_write_json(const struct engine *engine, const char *path)
{
    struct json json = {.stream = fopen(path, "we")};
    char relay[TRANSPORT_ADDRESS_TEXT_LEN];
    bool failed;

    if (!json.stream)
        return -errno;
    json_begin(&json, NULL);
    json_text(&json, "relay", transport_address_format(&engine->options->relay, relay));
    json_text(&json, "device", engine->device.name);
    json_text(&json, "driver", engine->device.driver);
    if (engine->options->floor)
        json_text(&json, "floor", "macswap");
    json_count(&json, "allocations", engine->flows.count);
    write_round(&json, engine, "allocated", &engine->setup);
    if (engine->has_media)
        write_media(&json, engine);
    write_round(&json, engine, "kept_up", &engine->upkeep);
    if (engine->options->flood != FLOOD_NONE)
        write_flood(&json, engine);
    write_round(&json, engine, "refreshed", &engine->refresh);
    write_round(&json, engine, "deleted", &engine->deletion);
    if (engine->flows.count > 0)
        write_requests(&json, engine);
    write_frames(&json, engine);
    json_end(&json);
    failed = ferror(json.stream);
    return fclose(json.stream) != 0 || failed ? -EIO : 0;
}

bool report_is_wrong(const struct engine *engine)
{
    uint64_t wrong = engine->strays.bad_checksums + engine->flood.counts.wrong;

    for (unsigned i = 0; i < DIRECTION_COUNT; i++)
        wrong += faults(&engine->media.counts[i]);
    return wrong > 0;
}

bool report_has_failures(const struct engine *engine)
{
    return engine->setup.failed + engine->refresh.failed + engine->deletion.failed > 0;
}
