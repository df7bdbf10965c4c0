// SPDX-License-Identifier: BSD-3-Clause
// What a burst costs a worker, in TSC cycles a packet: in process and without I/O, 160-byte
// payloads, a uniformly random flow for each packet. Between bursts, outside what is timed, frames
// are written anew and the lines they take are left as they fall.
#include "dataplane/burst.h"

#include "base/bytes.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST       WORKER_BURST
#define PAYLOAD_LEN 160
#define FRAMES      4096
#define SAMPLES     4001
#define RELAYS      PLANE_RELAYS_MAX
#define MIN_PORT    1024

enum direction {
    MACSWAP, // the floor: what no forwarding at all costs
    TO_PEER,
    TO_CLIENT,
    MIXED,
    DIRECTIONS,
};

static const char *const direction_names[DIRECTIONS] = {"macswap", "channel to peer",
                                                        "peer to channel", "mixed"};

struct bench {
    struct plane *plane;
    struct worker *worker;
    struct rte_mempool *pool;
    uint32_t flows; // one allocation with one channel each
    enum ip_family family;
};

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

// Addresses by flow. A relay address has 64511 ports, so a million flows need 16 of them.

static struct ip_address ip(enum ip_family family, uint32_t v4)
{
    uint8_t bytes[16] = {0x20, 0x01, 0x0D, 0xB8};

    store_be32(family == IP_FAMILY_V4 ? bytes : bytes + 12, v4);
    return ip_address_from_bytes(family, bytes);
}

static struct transport_address listener_of(enum ip_family family)
{
    return (struct transport_address){ip(family, 0xCB007101), 3478};
}

static struct transport_address client_of(enum ip_family family, uint32_t flow)
{
    return (struct transport_address){ip(family, 0x0B000000 + flow / 8),
                                      (uint16_t)(2000 + flow % 8)};
}

static struct transport_address peer_of(enum ip_family family, uint32_t flow)
{
    return (struct transport_address){ip(family, 0x17000000 + flow), 5000};
}

static uint16_t relay_of(uint32_t flow)
{
    return (uint16_t)(flow / (65536 - MIN_PORT));
}

static struct transport_address relayed_of(enum ip_family family, uint32_t flow)
{
    return (struct transport_address){ip(family, 0x0A000001 + relay_of(flow)),
                                      (uint16_t)(MIN_PORT + flow % (65536 - MIN_PORT))};
}

static void make_config(const struct bench *bench, struct plane_config *config)
{
    memset(config, 0, sizeof(*config));
    config->listeners[0] = listener_of(bench->family);
    config->listener_count = 1;
    config->relay_count = RELAYS;
    for (unsigned i = 0; i < RELAYS; i++) {
        struct ip_address address = ip(bench->family, 0x0A000001 + i);
        config->relays[i] = (struct plane_relay){address, address, MIN_PORT, 65535};
    }
    config->worker_count = 1;
    config->allocations = bench->flows;
    config->allocations_per_worker = bench->flows;
    config->permissions_per_worker = bench->flows;
    config->channels_per_worker = bench->flows;
    config->steerings_per_worker = 1;
    config->adjacencies = 2;
    config->command_ring_len = 64;
    config->punt_ring_len = 64;
    config->handoff_ring_len = 64;
}

static void install(struct bench *bench, uint32_t flow)
{
    struct tables *tables = &bench->worker->tables;
    struct command command = {.kind = COMMAND_INSTALL_ALLOCATION, .allocation = flow};
    uint16_t port = relayed_of(bench->family, flow).port;
    bool is_v4 = bench->family == IP_FAMILY_V4;

    command.install_allocation.client = (struct client_key){client_of(bench->family, flow), 0};
    command.install_allocation.adjacency = 1;
    command.install_allocation.relay_v4 = is_v4 ? relay_of(flow) : RELAY_NONE;
    command.install_allocation.relay_v4_port = port;
    command.install_allocation.relay_v6 = is_v4 ? RELAY_NONE : relay_of(flow);
    command.install_allocation.relay_v6_port = port;
    check(allocation_table_install(tables, &command) == 0, "allocation");
    command = (struct command){.kind = COMMAND_INSTALL_PERMISSION, .allocation = flow};
    command.permission.peer = peer_of(bench->family, flow).ip;
    command.permission.path = (struct peer_path){1, RELAY_NONE};
    check(permission_table_install(tables, &command) == 0, "permission");
    command = (struct command){.kind = COMMAND_INSTALL_CHANNEL, .allocation = flow};
    command.channel.peer = peer_of(bench->family, flow);
    command.channel.number = TURN_CHANNEL_MIN;
    command.channel.path = (struct peer_path){1, RELAY_NONE};
    check(channel_table_install(tables, &command) == 0, "channel");
}

static void bench_start(struct bench *bench)
{
    struct plane_config config;
    struct worker_config worker_config = {.socket = SOCKET_ID_ANY, .pool = bench->pool};

    make_config(bench, &config);
    check(plane_create(&config, &bench->plane) == 0, "plane");
    worker_config.plane = bench->plane;
    check(worker_create(&worker_config, &bench->worker) == 0, "worker");
    bench->worker->adjacencies[1] =
        (struct adjacency){{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, 1500, 0, 1};
    for (uint32_t flow = 0; flow < bench->flows; flow++)
        install(bench, flow);
}

static void bench_stop(struct bench *bench)
{
    worker_destroy(bench->worker);
    plane_destroy(bench->plane);
}

static void write_frame(const struct bench *bench, struct rte_mbuf *frame,
                        const struct transport_address *source,
                        const struct transport_address *destination, const uint8_t *head,
                        size_t head_len)
{
    bool is_v4 = bench->family == IP_FAMILY_V4;
    size_t ip_len = is_v4 ? 20 : 40;
    size_t udp_len = 8 + head_len + PAYLOAD_LEN;

    frame->data_off = RTE_PKTMBUF_HEADROOM;
    frame->data_len = (uint16_t)(14 + ip_len + udp_len);
    frame->pkt_len = frame->data_len;
    frame->ol_flags = 0;
    frame->port = 0;
    uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
    uint8_t *header = data + 14;
    memset(data, 2, 12);
    store_be16(data + 12, is_v4 ? 0x0800 : 0x86DD);
    memset(header, 0, ip_len);
    if (is_v4) {
        header[0] = 0x45;
        store_be16(header + 2, (uint16_t)(20 + udp_len));
        header[6] = 0x40;
        header[8] = 64;
        header[9] = 17;
        memcpy(header + 12, source->ip.bytes, 4);
        memcpy(header + 16, destination->ip.bytes, 4);
        uint32_t sum = 0;
        for (unsigned i = 0; i < 20; i += 2)
            sum += load_be16(header + i);
        sum = (sum & 0xFFFF) + (sum >> 16);
        store_be16(header + 10, (uint16_t) ~((sum & 0xFFFF) + (sum >> 16)));
    } else {
        header[0] = 0x60;
        store_be16(header + 4, (uint16_t)udp_len);
        header[6] = 17;
        header[7] = 64;
        memcpy(header + 8, source->ip.bytes, 16);
        memcpy(header + 24, destination->ip.bytes, 16);
    }
    uint8_t *udp = header + ip_len;
    store_be16(udp, source->port);
    store_be16(udp + 2, destination->port);
    store_be16(udp + 4, (uint16_t)udp_len);
    store_be16(udp + 6, 0x1234); // right or wrong: it is carried along
    memcpy(udp + 8, head, head_len);
}

static void write_random(const struct bench *bench, enum direction direction,
                         struct rte_mbuf *frame)
{
    uint32_t flow = random_below(bench->flows);
    bool to_peer = direction == TO_PEER || (direction == MIXED && random_below(2));
    struct transport_address source =
        to_peer ? client_of(bench->family, flow) : peer_of(bench->family, flow);
    struct transport_address destination =
        to_peer ? listener_of(bench->family) : relayed_of(bench->family, flow);
    uint8_t head[4];

    store_be16(head, TURN_CHANNEL_MIN);
    store_be16(head + 2, PAYLOAD_LEN);
    write_frame(bench, frame, &source, &destination, head, to_peer ? sizeof(head) : 0);
}

static void macswap(struct worker *worker, struct rte_mbuf **frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t *data = rte_pktmbuf_mtod(frames[i], uint8_t *);
        uint8_t macs[12];

        if (i + 4 < count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + 4], void *));
        memcpy(macs, data, sizeof(macs));
        memcpy(data, macs + 6, 6);
        memcpy(data + 6, macs, 6);
        frames[i]->ol_flags = 0;
        frames[i]->tx_offload = 14;
        worker->tx.frames[worker->tx.count++] = frames[i];
    }
}

// A fixed amount of arithmetic: what the machine itself is slowed down by at the moment shows here.
static uint64_t calibrate(void)
{
    uint64_t start = rte_rdtsc_precise();
    uint64_t value = start | 1;

    for (unsigned i = 0; i < 2000; i++)
        value = value * 6364136223846793005u + (value >> 29);
    __asm__ volatile("" : : "r"(value));
    return rte_rdtsc_precise() - start;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

// The median over the samples that were not taken while something else slowed the machine down.
static double measure(struct bench *bench, enum direction direction, unsigned burst)
{
    static struct rte_mbuf *frames[FRAMES];
    static double samples[SAMPLES];
    unsigned count = 0, next = 0;
    uint64_t fastest = UINT64_MAX;

    for (unsigned i = 0; i < FRAMES; i++)
        frames[i] = rte_pktmbuf_alloc(bench->pool);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t cycles = calibrate();
        fastest = cycles < fastest ? cycles : fastest;
    }
    for (unsigned sample = 0; sample < SAMPLES; sample++) {
        struct rte_mbuf *batch[BURST];
        for (unsigned i = 0; i < burst; i++, next = (next + 1) % FRAMES) {
            batch[i] = frames[next];
            write_random(bench, direction, batch[i]);
        }
        uint64_t before = calibrate();
        uint64_t start = rte_rdtsc_precise();
        if (direction == MACSWAP)
            macswap(bench->worker, batch, burst);
        else
            burst_process(bench->worker, batch, burst, true);
        uint64_t cycles = rte_rdtsc_precise() - start;
        check(bench->worker->tx.count == burst, "a packet was not relayed");
        bench->worker->tx.count = 0;
        if (sample > SAMPLES / 10 && before < fastest + fastest / 8)
            samples[count++] = (double)cycles / burst;
    }
    for (unsigned i = 0; i < FRAMES; i++)
        rte_pktmbuf_free(frames[i]);
    check(count > 0, "the machine is never at rest");
    qsort(samples, count, sizeof(samples[0]), compare);
    return samples[count / 2];
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1, 10000, 100000, 1000000};
    int used = rte_eal_init(argc, argv);
    check(used >= 0, "EAL");
    struct bench bench = {.pool =
                              rte_pktmbuf_pool_create("bench", 2 * FRAMES - 1, 0, 8,
                                                      RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY)};
    check(bench.pool != NULL, "pool");
    printf("TSC %.2f GHz, hugepages %s, burst 32 / 64, cycles a packet\n",
           (double)rte_get_tsc_hz() / 1e9, rte_eal_has_hugepages() ? "yes" : "no");
    for (unsigned family = 0; family < 2; family++) {
        bench.family = family == 0 ? IP_FAMILY_V4 : IP_FAMILY_V6;
        for (unsigned size = 0; size < RTE_DIM(sizes); size++) {
            bench.flows = sizes[size];
            bench_start(&bench);
            for (enum direction direction = 0; direction < DIRECTIONS; direction++)
                printf("IPv%u %7u flows, %-15s %5.1f / %5.1f\n", bench.family, bench.flows,
                       direction_names[direction], measure(&bench, direction, 32),
                       measure(&bench, direction, 64));
            fflush(stdout);
            bench_stop(&bench);
        }
    }
    return 0;
}
