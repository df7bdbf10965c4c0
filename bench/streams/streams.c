// SPDX-License-Identifier: BSD-3-Clause
// A load generator for TURN relays: clients over TCP, TLS and DTLS.
#include "../fail.h"
#include "../load/json.h"
#include "connections.h"
#include "held.h"
#include "media.h"
#include "openssl_alone.h"
#include "options.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_WRONG = 3,
};

static const char *const way_names[WAY_COUNT] = {[TO_PEER] = "to_peer", [TO_CLIENT] = "to_client"};

static FILE *open_report(const struct options *options, struct json *json)
{
    FILE *file = options->json ? fopen(options->json, "w") : stdout;

    if (!file)
        fail("%s: %s", options->json, strerror(errno));
    *json = (struct json){.stream = file};
    json_begin(json, NULL);
    return file;
}

static void close_report(FILE *file, struct json *json)
{
    json_end(json);
    if (file != stdout && fclose(file) != 0)
        fail("the report cannot be written: %s", strerror(errno));
}

static void report_busy(struct json *json, double busy, double relay_busy)
{
    json_number(json, "busy", busy);
    if (relay_busy >= 0)
        json_number(json, "relay_busy", relay_busy);
}

static void report_way(struct json *json, const char *name, const struct media_way *way)
{
    json_begin(json, name);
    json_number(json, "received_per_second", way->received_per_second);
    json_number(json, "gbit_per_second", way->gbit_per_second);
    json_count(json, "sent", way->sent);
    json_count(json, "received", way->received);
    json_count(json, "lost", way->lost);
    json_count(json, "wrong", way->wrong);
    json_count(json, "late", way->late);
    json_end(json);
}

static int run_media(const struct options *options)
{
    struct media_figures figures;
    struct json json;
    bool is_wrong;
    FILE *file;

    media_run(options, &figures);
    is_wrong = figures.strangers > 0;
    file = open_report(options, &json);
    json_count(&json, "payload_bytes", options->payload_len);
    json_number(&json, "seconds", figures.seconds);
    report_busy(&json, figures.busy, figures.relay_busy);
    json_count(&json, "peer_dropped", figures.peer_dropped);
    json_count(&json, "strangers", figures.strangers);
    for (unsigned way = 0; way < WAY_COUNT; way++) {
        // Nothing and nobody mixes up a stream; datagrams overtake each other.
        is_wrong |= figures.ways[way].wrong > 0 ||
                    (options->transport != TRANSPORT_DTLS && figures.ways[way].late > 0);
        if (figures.ways[way].is_used)
            report_way(&json, way_names[way], &figures.ways[way]);
    }
    close_report(file, &json);
    return is_wrong ? EXIT_WRONG : EXIT_SUCCESS;
}

static int run_connections(const struct options *options)
{
    struct connections_figures figures;
    struct json json;
    FILE *file;

    connections_run(options, &figures);
    file = open_report(options, &json);
    json_number(&json, "seconds", figures.seconds);
    report_busy(&json, figures.busy, figures.relay_busy);
    json_number(&json, "per_second", figures.per_second);
    json_count(&json, "done", figures.done);
    json_count(&json, "broken", figures.broken);
    json_count(&json, "overdue", figures.overdue);
    json_number(&json, "p50_ms", figures.p50_ms);
    json_number(&json, "p99_ms", figures.p99_ms);
    close_report(file, &json);
    return EXIT_SUCCESS;
}

static int run_held(const struct options *options)
{
    double per_second = held_run(options);
    struct json json;
    FILE *file = open_report(options, &json);

    json_count(&json, "clients", options->clients);
    json_number(&json, "set_up_per_second", per_second);
    close_report(file, &json);
    return EXIT_SUCCESS;
}

static int run_openssl(const struct options *options)
{
    struct openssl_figures figures;
    struct json json;
    FILE *file;

    openssl_alone_run(options->duration_s, &figures);
    file = open_report(options, &json);
    json_number(&json, "handshakes_per_second", figures.handshakes_per_second);
    json_number(&json, "written_per_second", figures.written_per_second);
    json_number(&json, "read_per_second", figures.read_per_second);
    close_report(file, &json);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options;

    options_read(argc, argv, &options);
    signal(SIGPIPE, SIG_IGN);
    if (options.only_openssl)
        return run_openssl(&options);
    if (options.holds_clients)
        return run_held(&options);
    return options.counts_connections ? run_connections(&options) : run_media(&options);
}
