// SPDX-License-Identifier: BSD-3-Clause
// What a request costs the control plane: the TURN server's own code, fed with signed messages,
// without I/O. Messages are made and signed outside of the timed region; every response is looked
// at.
#include "clients.h"
#include "resident.h"
#include "rest.h"
#include "samples.h"

#include <rte_cycles.h>
#include <stdlib.h>

#define WALL_S 1700000000

struct message {
    struct turn_packet packet;
    uint8_t bytes[CLIENT_MESSAGE_MAX_LEN];
};

struct bench {
    struct clients clients;
    struct turn_server *server;
    struct turn_time now;
    struct message *messages;
    struct turn_output output;
    struct samples samples;
    struct rest rest;
    struct figure figures[CLIENT_REQUEST_COUNT];
    double tsc_hz;
    int64_t resident_before; // bytes, before there is a server
    double memory;           // bytes an allocation with a permission and a channel
};

static void make_server(struct bench *bench)
{
    uint32_t allocations = bench->clients.options.allocations;
    struct turn_config config = {
        .limits = {.allocations = allocations,
                   .allocations_per_worker = allocations,
                   .permissions_per_worker = 2 * allocations,
                   .channels_per_worker = allocations,
                   .permissions_per_allocation = 64,
                   .channels_per_allocation = 64,
                   .default_lifetime_s = 600,
                   .max_lifetime_s = 3600},
    };
    clients_configure(&bench->clients, &config);
    bench->now = (struct turn_time){.monotonic_ms = 5000000, .wall_s = WALL_S};
    bench->resident_before = resident_len();
    require(turn_server_create(&config, &bench->server) == 0, "no server");
}

static void make_message(const struct bench *bench, enum client_request request, uint32_t client,
                         struct message *message)
{
    message->packet = (struct turn_packet){.five_tuple = client_five_tuple(client)};
    message->packet.bytes =
        (struct span){message->bytes, client_write(&bench->clients, request, client,
                                                   bench->now.monotonic_ms, message->bytes)};
}

// The worker's part.
static void acknowledge(struct bench *bench)
{
    for (unsigned i = 0; i < bench->output.command_count; i++) {
        if (bench->output.commands[i].kind == TURN_COMMAND_REMOVE_ALLOCATION)
            turn_server_removed(bench->server, &bench->now, bench->output.commands[i].allocation,
                                NULL);
    }
}

// Returns the cycles that it took.
static uint64_t run_chunk(struct bench *bench, uint32_t count)
{
    uint32_t succeeded = 0;
    uint64_t start = rte_rdtsc();
    for (uint32_t i = 0; i < count; i++) {
        turn_server_receive(bench->server, &bench->now, &bench->messages[i].packet, &bench->output);
        succeeded += bench->output.response_len > 0 && bench->output.response_error == 0;
        acknowledge(bench);
    }
    uint64_t cycles = rte_rdtsc() - start;
    require(succeeded == count, "a request was refused");
    return cycles;
}

static void run_phase(struct bench *bench, enum client_request request)
{
    uint32_t total = bench->clients.options.allocations;
    for (uint32_t first = 0; first < total; first += SAMPLE_CHUNK) {
        uint32_t left = total - first;
        uint32_t count = left < SAMPLE_CHUNK ? left : SAMPLE_CHUNK;
        for (uint32_t i = 0; i < count; i++)
            make_message(bench, request, first + i, &bench->messages[i]);
        rest_begin(&bench->rest);
        uint64_t cycles = run_chunk(bench, count);
        samples_add(&bench->samples, cycles, count, rest_lasted(&bench->rest));
    }
    struct figure figure = samples_take(&bench->samples);
    char text[64];
    printf("%-17s %-24s %12.0f\n", client_request_names[request], figure_text(&figure, 0, text),
           bench->tsc_hz / figure.median);
    fflush(stdout);
    bench->figures[request] = figure;
    if (request == CLIENT_CHANNEL_BIND)
        bench->memory = (double)(resident_len() - bench->resident_before) / total;
}

static const char help_head[] =
    "usage: requests [OPTION...]\n"
    "\n"
    "What a request costs the control plane, in TSC cycles: the TURN server's own code, fed with\n"
    "signed messages of as many clients as there are allocations, without I/O. Every response is\n"
    "looked at; an error ends the run.\n"
    "\n";

static const char help_tail[] =
    "\n"
    "Timed: turn_server_receive(), for each 100 requests: parsing, nonce, integrity, state, "
    "commands\n"
    "and the signed response; and taking in what a worker acknowledges. Not timed: making the\n"
    "requests, the packets around them, carrying the commands out.\n"
    "\n"
    "Memory is what the server's tables have come to occupy once every allocation has its "
    "permission\n"
    "and its channel.\n";

static void write_result(FILE *stream, const struct bench *bench, enum client_request request)
{
    const struct figure *figure = &bench->figures[request];
    if (stream == NULL)
        return;
    fprintf(stream, "{\"request\": \"%s\", ", client_request_names[request]);
    figure_json(stream, "cycles", figure);
    fprintf(stream, "\"per_second\": %.0f}", bench->tsc_hz / figure->median);
}

static void write_json(const struct bench *bench)
{
    struct results_file file;
    client_options_write(&bench->clients.options, bench->tsc_hz, &file);
    results_member(&file, "bytes_per_allocation", "%.1f", bench->memory);
    results_list(&file, "results");
    for (unsigned request = 0; request < CLIENT_REQUEST_COUNT; request++)
        write_result(results_next(&file), bench, (enum client_request)request);
    results_close(&file);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct client_options options;
    static char help[4096];
    snprintf(help, sizeof(help), "%s%s%s", help_head, client_options_help, help_tail);
    client_options_read(argc, argv, help, &options);
    bench.tsc_hz = samples_tsc_hz();
    bench.messages = calloc(SAMPLE_CHUNK, sizeof(*bench.messages));
    require(bench.messages != NULL, "no memory");
    samples_init(&bench.samples, options.allocations);
    rest_init(&bench.rest);
    clients_create(&bench.clients, &options, WALL_S);
    make_server(&bench);
    printf("TSC %.2f GHz; cycles a request: median (least-most) of every %d requests\n",
           bench.tsc_hz / 1e9, SAMPLE_CHUNK);
    printf("%-17s %-24s %12s\n", "request", "cycles", "requests/s");
    for (unsigned request = 0; request < CLIENT_REQUEST_COUNT; request++)
        run_phase(&bench, (enum client_request)request);
    printf("memory: %.0f bytes an allocation with a permission and a channel\n", bench.memory);
    write_json(&bench);
    turn_server_destroy(bench.server);
    clients_destroy(&bench.clients);
    free(bench.messages);
    samples_done(&bench.samples);
    return EXIT_SUCCESS;
}
