// SPDX-License-Identifier: BSD-3-Clause
// What setting up an allocation costs both planes: signed requests enter a worker as frames, are
// punted, handled and answered by the control plane's own code, and leave the worker as responses,
// in one process and without a kernel.
#include "base/clock.h"
#include "clients.h"
#include "control/forwarder.h"
#include "control/sizing.h"
#include "dataplane/worker.h"
#include "port.h"
#include "resident.h"
#include "rest.h"
#include "samples.h"

#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// As the relay's own: see src/control/loop.c and src/platform/port.c.
#define PUNT_BURST  32
#define RX_BURST    64
#define PRIVATE_LEN 16
#define MTU         1500
#define SILENT_MS   2000
#define PROGRESS_MS 1000
#define POLLS_MAX   1000000 // after which a chunk that has not been answered never will be
#define HEADERS_LEN                                                                                \
    (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

enum plane_share {
    SHARE_CONTROL,
    SHARE_WORKER,
    SHARE_COUNT,
};

static const char *const share_names[SHARE_COUNT] = {"control", "worker"};

struct bench {
    struct clients clients;
    struct plane *plane;
    struct worker *worker;
    struct turn_server *server;
    struct next_hops *hops;
    struct forwarder *forwarder;
    struct turn_output output;
    struct rte_mempool *pool;
    struct port port;
    struct port_arrival arrivals[SAMPLE_CHUNK];
    bool seen[SAMPLE_CHUNK];
    uint64_t cycles[SHARE_COUNT];  // of this chunk
    int64_t resident[SHARE_COUNT]; // bytes that each has touched
    struct samples samples[SHARE_COUNT];
    struct rest rest;
    struct figure figures[CLIENT_REQUEST_COUNT][SHARE_COUNT];
    double memory[SHARE_COUNT]; // bytes an allocation with a permission and a channel
    double tsc_hz;
    uint64_t start_ms;
    uint64_t said_ms;
};

// Parts.

static void start_eal(void)
{
    char lcores[32];
    char *arguments[] = {
        "setup", lcores, "--no-pci", "--no-telemetry", "--log-level=4", "--no-shconf", "--no-huge",
        "-m",    "64",   NULL};
    snprintf(lcores, sizeof(lcores), "--lcores=0@%d", sched_getcpu());
    require(rte_eal_init((int)RTE_DIM(arguments) - 1, arguments) >= 0, "the EAL does not start");
}

static void make_plane(struct bench *bench, const struct turn_config *turn,
                       const struct settings *settings)
{
    static struct plane_config config;
    sizing_plane(settings, &turn->limits, &config);
    config.stateless = turn->stateless;
    config.listeners[0] = client_five_tuple(0).server;
    config.listener_count = 1;
    config.relay_count = turn->relay_count;
    for (uint16_t i = 0; i < turn->relay_count; i++)
        config.relays[i] = (struct plane_relay){turn->relays[i].local, turn->relays[i].advertised,
                                                turn->relays[i].min_port, turn->relays[i].max_port};
    require(plane_create(&config, &bench->plane) == 0, "no plane");
}

static void make_control(struct bench *bench, const struct turn_config *turn)
{
    static const uint16_t ports[] = {PORT_ID};
    const struct plane_config *plane = &bench->plane->config;
    const struct next_hops_config hops = {
        .interfaces = {{1, {2, 0, 0, 0, 0, 1}, MTU}},
        .interface_count = 1,
        .adjacencies = plane->adjacencies,
        .destinations = sizing_destinations(plane),
    };
    require(turn_server_create(turn, &bench->server) == 0, "no server");
    require(next_hops_create(&hops, &bench->hops) == 0, "no next hops");
    const struct forwarder_config forwarder = {bench->plane, bench->hops, {ports}};
    require(forwarder_create(&forwarder, &bench->forwarder) == 0, "no forwarder");
}

// Sized as a relay's are that is configured for as many.
static void make_relay(struct bench *bench)
{
    const struct settings settings = {
        .workers = 1,
        .total_quota = bench->clients.options.allocations,
        .permissions_per_allocation = 64,
        .channels_per_allocation = 64,
        .default_lifetime_s = 600,
        .max_lifetime_s = 3600,
    };
    struct turn_config turn = {};
    sizing_limits(&settings, &turn.limits);
    clients_configure(&bench->clients, &turn);
    int64_t before = resident_len();
    make_plane(bench, &turn, &settings);
    const struct worker_config worker = {
        .plane = bench->plane, .port = PORT_ID, .socket = SOCKET_ID_ANY, .pool = bench->pool};
    require(worker_create(&worker, &bench->worker) == 0, "no worker");
    int64_t between = resident_len();
    make_control(bench, &turn);
    bench->resident[SHARE_WORKER] = between - before;
    bench->resident[SHARE_CONTROL] = resident_len() - between;
}

static void destroy_relay(struct bench *bench)
{
    forwarder_destroy(bench->forwarder);
    next_hops_destroy(bench->hops);
    worker_destroy(bench->worker);
    plane_destroy(bench->plane);
    turn_server_destroy(bench->server);
}

// Frames.

static void write_headers(uint8_t *frame, const struct five_tuple *tuple, size_t message_len)
{
    struct rte_ether_hdr *ethernet = (struct rte_ether_hdr *)frame;
    struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ethernet + 1);
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    *ethernet = (struct rte_ether_hdr){.dst_addr = {{2, 0, 0, 0, 0, 1}},
                                       .src_addr = {{2, 0, 0, 0, 0, 2}},
                                       .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)};
    *ip = (struct rte_ipv4_hdr){
        .version_ihl = RTE_IPV4_VHL_DEF,
        .total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + sizeof(*udp) + message_len)),
        .time_to_live = 64,
        .next_proto_id = IPPROTO_UDP,
    };
    memcpy(&ip->src_addr, tuple->client.ip.bytes, sizeof(ip->src_addr));
    memcpy(&ip->dst_addr, tuple->server.ip.bytes, sizeof(ip->dst_addr));
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    *udp = (struct rte_udp_hdr){
        .src_port = rte_cpu_to_be_16(tuple->client.port),
        .dst_port = rte_cpu_to_be_16(tuple->server.port),
        .dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(*udp) + message_len)),
    };
    udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
}

static void make_arrival(struct bench *bench, enum client_request request, uint32_t client,
                         struct port_arrival *ret_arrival)
{
    const struct five_tuple tuple = client_five_tuple(client);
    struct rte_mbuf *frame = rte_pktmbuf_alloc(bench->pool);
    require(frame != NULL, "no buffer: one was lost");
    uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
    size_t len =
        client_write(&bench->clients, request, client, clock_monotonic_ms(), data + HEADERS_LEN);
    write_headers(data, &tuple, len);
    *ret_arrival = (struct port_arrival){frame, (uint16_t)(HEADERS_LEN + len)};
}

static bool has_right_checksums(uint8_t *data)
{
    const struct rte_ipv4_hdr *ip =
        (const struct rte_ipv4_hdr *)(data + sizeof(struct rte_ether_hdr));
    struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
    uint16_t sum = udp->dgram_cksum;
    udp->dgram_cksum = 0;
    return rte_ipv4_cksum(ip) == 0 && rte_ipv4_udptcp_cksum(ip, udp) == sum;
}

// Whose client's the response is, by the address it goes to. Ends the process when something is
// wrong with it.
static uint32_t check_response(const struct bench *bench, enum client_request request,
                               uint32_t first, struct rte_mbuf *frame)
{
    uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
    const struct rte_ipv4_hdr *ip =
        (const struct rte_ipv4_hdr *)(data + sizeof(struct rte_ether_hdr));
    const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
    require(rte_pktmbuf_data_len(frame) > HEADERS_LEN && has_right_checksums(data),
            "a response has a wrong checksum");
    const struct span message = {data + HEADERS_LEN,
                                 rte_be_to_cpu_16(udp->dgram_len) - sizeof(*udp)};
    require(message.len == rte_pktmbuf_data_len(frame) - HEADERS_LEN,
            "a response has a wrong length");
    // The end of the transaction id says which request it answers.
    uint32_t client = message.len >= STUN_HEADER_LEN ? load_be32(message.data + 16) : first;
    const struct five_tuple tuple = client_five_tuple(client);
    require(memcmp(&ip->dst_addr, tuple.client.ip.bytes, 4) == 0 &&
                rte_be_to_cpu_16(udp->dst_port) == tuple.client.port,
            "a response goes to somebody else");
    require(client_is_served(&bench->clients, request, client, message), "a request was refused");
    return client - first;
}

static void check_responses(struct bench *bench, enum client_request request, uint32_t first,
                            uint32_t count)
{
    memset(bench->seen, 0, sizeof(bench->seen));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = check_response(bench, request, first, bench->port.sent[i]);
        require(at < count && !bench->seen[at], "a response came twice");
        bench->seen[at] = true;
        rte_pktmbuf_free(bench->port.sent[i]);
    }
}

// The planes, in turn on one thread.

// Returns whether it had anything to do.
static bool run_worker(struct bench *bench)
{
    bool had_work = false;
    int64_t resident = resident_len();
    uint64_t start = rte_rdtsc();
    while (worker_poll(bench->worker) > 0)
        had_work = true;
    bench->cycles[SHARE_WORKER] += rte_rdtsc() - start;
    bench->resident[SHARE_WORKER] += resident_len() - resident;
    return had_work;
}

// As src/control/loop.c does it.
static void take_message(struct bench *bench, const struct punt *punt, const struct turn_time *now)
{
    struct turn_packet packet = {.bytes = punt_bytes(punt), .worker = punt->worker};
    forwarder_five_tuple(bench->forwarder, punt, &packet.five_tuple);
    turn_server_receive(bench->server, now, &packet, &bench->output);
    forwarder_carry_out(bench->forwarder, &bench->output, punt);
}

static void take_punt(struct bench *bench, const struct punt *punt)
{
    const struct turn_time now = {.monotonic_ms = clock_monotonic_ms(), .wall_s = clock_wall_s()};
    require(forwarder_is_ready(bench->forwarder), "the command ring has no room");
    if (punt->kind == PUNT_MESSAGE)
        take_message(bench, punt, &now);
    else
        turn_server_removed(bench->server, &now, punt->allocation, NULL);
}

static void run_control(struct bench *bench)
{
    struct punt punts[PUNT_BURST];
    unsigned count;
    int64_t resident = resident_len();
    uint64_t start = rte_rdtsc();
    while ((count = plane_punt_receive(bench->plane, 0, punts, PUNT_BURST)) > 0) {
        for (unsigned i = 0; i < count; i++)
            take_punt(bench, &punts[i]);
    }
    bench->cycles[SHARE_CONTROL] += rte_rdtsc() - start;
    bench->resident[SHARE_CONTROL] += resident_len() - resident;
}

static void run_chunk(struct bench *bench, enum client_request request, uint32_t first,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        make_arrival(bench, request, first + i, &bench->arrivals[i]);
    port_load(&bench->port, bench->arrivals, count, RX_BURST);
    memset(bench->cycles, 0, sizeof(bench->cycles));
    rest_begin(&bench->rest);
    while (run_worker(bench))
        run_control(bench);
    bool rested = rest_lasted(&bench->rest);
    require(bench->port.sent_count == count, "a request was not answered");
    check_responses(bench, request, first, count);
    for (unsigned share = 0; share < SHARE_COUNT; share++)
        samples_add(&bench->samples[share], bench->cycles[share], count, rested);
}

// What is said.

static void say_progress(struct bench *bench, enum client_request request, uint32_t done)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - bench->start_ms < SILENT_MS || now_ms - bench->said_ms < PROGRESS_MS)
        return;
    bench->said_ms = now_ms;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s: %u of %u\r", client_request_names[request], done,
                bench->clients.options.allocations);
}

static double both(const struct figure figures[SHARE_COUNT])
{
    return figures[SHARE_CONTROL].median + figures[SHARE_WORKER].median;
}

static void say_phase(const struct bench *bench, enum client_request request)
{
    const struct figure *figures = bench->figures[request];
    char control[64], worker[64];
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    printf("%-17s %-22s %10.0f   %-22s %10.0f   %10.0f\n", client_request_names[request],
           figure_text(&figures[SHARE_CONTROL], 0, control),
           bench->tsc_hz / figures[SHARE_CONTROL].median,
           figure_text(&figures[SHARE_WORKER], 0, worker),
           bench->tsc_hz / figures[SHARE_WORKER].median, bench->tsc_hz / both(figures));
    fflush(stdout);
}

static void run_phase(struct bench *bench, enum client_request request)
{
    uint32_t total = bench->clients.options.allocations;
    for (uint32_t first = 0; first < total; first += SAMPLE_CHUNK) {
        run_chunk(bench, request, first, RTE_MIN(total - first, (uint32_t)SAMPLE_CHUNK));
        say_progress(bench, request, first);
    }
    for (unsigned share = 0; share < SHARE_COUNT; share++) {
        bench->figures[request][share] = samples_take(&bench->samples[share]);
        if (request == CLIENT_CHANNEL_BIND)
            bench->memory[share] = (double)bench->resident[share] / total;
    }
    say_phase(bench, request);
}

static void check_usage(const struct bench *bench)
{
    static const struct turn_usage none;
    static const struct worker_usage worker_none;
    struct turn_usage usage;
    struct worker_usage worker_usage;
    turn_server_usage(bench->server, &usage);
    worker_get_usage(bench->worker, &worker_usage);
    require(memcmp(&usage, &none, sizeof(none)) == 0 &&
                memcmp(&worker_usage, &worker_none, sizeof(worker_none)) == 0,
            "something is left of what was deleted");
    require(bench->plane->counters[0].counters[COUNTER_COMMAND_FAILURES] == 0, "a command failed");
}

static const char help_head[] =
    "usage: setup [OPTION...]\n"
    "\n"
    "What setting up allocations costs both planes, in TSC cycles, on one thread and without I/O:\n"
    "signed requests enter a worker as frames and are punted; the control plane authenticates "
    "them,\n"
    "changes its state, finds next hops and commands the worker, which carries that out and "
    "transmits\n"
    "the response. Every response is checked; a wrong one ends the run.\n"
    "\n";

static const char help_tail[] =
    "\n"
    "Timed, apart: what the control thread does and what the worker does, for each 100 requests, "
    "rings\n"
    "included. Not timed: making the requests, checking the responses, the event loop's wake-ups. "
    "The\n"
    "kernel's routes and neighbours are a fake's, which costs nothing.\n"
    "\n"
    "Memory is what each plane's tables have come to occupy once every allocation has its "
    "permission and\n"
    "its channel; of the worker, its packet buffers left out.\n";

static void write_result(FILE *stream, const struct bench *bench, enum client_request request)
{
    const struct figure *figures = bench->figures[request];
    if (stream == NULL)
        return;
    fprintf(stream, "{\"request\": \"%s\", ", client_request_names[request]);
    for (unsigned share = 0; share < SHARE_COUNT; share++) {
        char name[32];
        snprintf(name, sizeof(name), "%s_cycles", share_names[share]);
        figure_json(stream, name, &figures[share]);
        fprintf(stream, "\"%s_per_second\": %.0f, ", share_names[share],
                bench->tsc_hz / figures[share].median);
    }
    fprintf(stream, "\"per_second\": %.0f}", bench->tsc_hz / both(figures));
}

static void write_json(const struct bench *bench)
{
    struct results_file file;
    client_options_write(&bench->clients.options, bench->tsc_hz, &file);
    results_member(&file, "bytes_per_allocation", "{\"control\": %.1f, \"worker\": %.1f}",
                   bench->memory[SHARE_CONTROL], bench->memory[SHARE_WORKER]);
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
    start_eal();
    bench.tsc_hz = samples_tsc_hz();
    bench.start_ms = clock_monotonic_ms();
    bench.pool = rte_pktmbuf_pool_create("setup", 2 * SAMPLE_CHUNK, 0, PRIVATE_LEN,
                                         RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    require(bench.pool != NULL, "no packet buffers");
    port_open(&bench.port, PORT_ID, SAMPLE_CHUNK);
    for (unsigned share = 0; share < SHARE_COUNT; share++)
        samples_init(&bench.samples[share], options.allocations);
    rest_init(&bench.rest);
    clients_create(&bench.clients, &options, clock_wall_s());
    make_relay(&bench);
    printf("TSC %.2f GHz; cycles a request: median (least-most) of every %d requests\n",
           bench.tsc_hz / 1e9, SAMPLE_CHUNK);
    printf("%-17s %-22s %10s   %-22s %10s   %10s\n", "request", "control", "requests/s", "worker",
           "requests/s", "both, /s");
    for (unsigned request = 0; request < CLIENT_REQUEST_COUNT; request++)
        run_phase(&bench, (enum client_request)request);
    printf("memory: %.0f bytes of the control plane and %.0f of the worker an allocation with a "
           "permission and a "
           "channel\n",
           bench.memory[SHARE_CONTROL], bench.memory[SHARE_WORKER]);
    check_usage(&bench);
    write_json(&bench);
    destroy_relay(&bench);
    clients_destroy(&bench.clients);
    for (unsigned share = 0; share < SHARE_COUNT; share++)
        samples_done(&bench.samples[share]);
    port_close(&bench.port);
    return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
