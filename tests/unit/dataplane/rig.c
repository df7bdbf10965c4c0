// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include "../exchange/eal_fixture.h"
#include "proto/stun.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_RING_LEN 1024

struct rte_mempool *rig_pool;
const uint8_t rig_data[44] = "the quick brown fox jumps over the lazy dog";
static struct rte_ring *port_rx[RIG_WORKERS_MAX];
static struct rte_ring *port_tx[RIG_WORKERS_MAX];
static uint16_t ports[RIG_WORKERS_MAX];

static int port_set_up(unsigned worker)
{
    char name[32];
    snprintf(name, sizeof(name), "rx%u", worker);
    port_rx[worker] = rte_ring_create(name, PORT_RING_LEN, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "tx%u", worker);
    port_tx[worker] = rte_ring_create(name, PORT_RING_LEN, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "port%u", worker);
    int port = rte_eth_from_rings(name, &port_rx[worker], 1, &port_tx[worker], 1, 0);
    if (port < 0)
        return -1;
    ports[worker] = (uint16_t)port;
    struct rte_eth_conf conf;
    memset(&conf, 0, sizeof(conf));
    if (rte_eth_dev_configure(ports[worker], 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(ports[worker], 0, 512, 0, NULL, rig_pool) != 0 ||
        rte_eth_tx_queue_setup(ports[worker], 0, 512, 0, NULL) != 0)
        return -1;
    return rte_eth_dev_start(ports[worker]);
}

int rig_group_set_up(void **state)
{
    (void)state;
    if (eal_start() != 0)
        return -1;
    rig_pool = rte_pktmbuf_pool_create("rig", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (rig_pool == NULL)
        return -1;
    for (unsigned worker = 0; worker < RIG_WORKERS_MAX; worker++) {
        if (port_set_up(worker) != 0)
            return -1;
    }
    return 0;
}

static struct transport_address address(const char *text)
{
    struct transport_address result;
    assert_int_equal(transport_address_parse(text, &result), 0);
    return result;
}

static struct ip_address ip(const char *text)
{
    struct ip_address result;
    assert_int_equal(ip_address_parse(text, &result), 0);
    return result;
}

void rig_config(struct plane_config *ret_config, uint16_t worker_count)
{
    struct plane_config config;
    memset(&config, 0, sizeof(config));
    config.listeners[RIG_LISTENER_V4] = address(LISTENER_V4);
    config.listeners[RIG_LISTENER_V6] = address(LISTENER_V6);
    config.listener_count = 2;
    config.relays[RIG_RELAY_V4] =
        (struct plane_relay){ip(RELAY_V4_LOCAL), ip(RELAY_V4_ADVERTISED), RELAY_MIN_PORT, 65535};
    config.relays[RIG_RELAY_V6] =
        (struct plane_relay){ip(RELAY_V6), ip(RELAY_V6), RELAY_MIN_PORT, 65535};
    config.relay_count = 2;
    config.worker_count = worker_count;
    config.allocations = 64;
    config.allocations_per_worker = 16;
    config.permissions_per_worker = 256;
    config.channels_per_worker = 256;
    config.steerings_per_worker = 4;
    config.adjacencies = 8;
    config.command_ring_len = 1024;
    config.punt_ring_len = 16;
    config.handoff_ring_len = 64;
    memset(&config.stateless.nonce.current.mac, 0x42, sizeof(config.stateless.nonce.current.mac));
    config.stateless.nonce.previous = config.stateless.nonce.current;
    config.stateless.nonce.lifetime_s = 3600;
    strcpy(config.stateless.realm, "example.org");
    *ret_config = config;
}

static void set_adjacency(struct rig *rig, unsigned worker, unsigned port, uint32_t index,
                          uint8_t mac)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_ADJACENCY;
    command.set_adjacency.index = index;
    command.set_adjacency.adjacency = (struct adjacency){
        {2, 0, 0, 0, 0, mac}, {2, 0, 0, 0, 0xFF, (uint8_t)worker}, 1500, (uint8_t)ports[port], 1};
    rig_command(rig, worker, &command);
}

struct rig *rig_create(const struct plane_config *config)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig->frames_free = rte_mempool_avail_count(rig_pool);
    rig->port = (uint8_t)ports[0];
    assert_int_equal(plane_create(config, &rig->plane), 0);
    stream_set_pool(rig->plane, rig_pool);
    for (unsigned worker = 0; worker < config->worker_count; worker++) {
        struct worker_config worker_config = {
            .plane = rig->plane,
            .id = (uint16_t)worker,
            .port = ports[worker],
            .relay_port = config->has_relay_side ? ports[RIG_RELAY_PORT(worker)] : 0,
            .queue = 0,
            .socket = SOCKET_ID_ANY,
            .pool = rig_pool,
        };
        assert_int_equal(worker_create(&worker_config, &rig->workers[worker]), 0);
        set_adjacency(rig, worker, worker, RIG_TO_CLIENTS, 0xC1);
        set_adjacency(rig, worker, config->has_relay_side ? RIG_RELAY_PORT(worker) : worker,
                      RIG_TO_PEERS, 0xEE);
    }
    rig_poll(rig);
    return rig;
}

static uint64_t frames_in(const struct rig *rig)
{
    return rig_counter(rig, COUNTER_RX_PACKETS) + rig_counter(rig, COUNTER_HANDOFF_IN) +
           rig_counter(rig, COUNTER_FROM_KERNEL) + rig_counter(rig, COUNTER_FROM_STREAMS) +
           rig_counter(rig, COUNTER_FRAGMENTS_MADE) + rig->transmit_commands;
}

static uint64_t frames_out(const struct rig *rig)
{
    uint64_t sum = rig_counter(rig, COUNTER_TX_PACKETS) + rig_counter(rig, COUNTER_HANDOFF_OUT) +
                   rig_counter(rig, COUNTER_TO_KERNEL) + rig_counter(rig, COUNTER_TO_STREAMS) +
                   rig_counter(rig, COUNTER_PUNTED) + rig_counter(rig, COUNTER_FRAGMENTS_MERGED);
    for (unsigned drop = 0; drop < DROP_COUNT; drop++)
        sum += rig_drops(rig, (enum drop)drop);
    return sum;
}

static void take_all(struct rig *rig, unsigned worker)
{
    static uint8_t frame[RIG_FRAME_MAX];
    while (rig_sent(rig, worker, frame) > 0)
        ;
    while (rig->plane->config.has_relay_side && rig_sent(rig, RIG_RELAY_PORT(worker), frame) > 0)
        ;
    for (unsigned side = 0; side < PLANE_SIDES_MAX; side++) {
        while (rig_to_kernel_of(rig, side, worker, frame) > 0)
            ;
    }
    struct rte_mbuf *message;
    for (uint16_t thread = 0; thread < rig->plane->config.stream_thread_count; thread++) {
        while (stream_receive(rig->plane, thread, (uint16_t)worker, &message, 1) == 1)
            stream_packet_free(message);
    }
    struct punt punt;
    while (plane_punt_receive(rig->plane, (uint16_t)worker, &punt, 1) == 1) {
        if (punt.kind == PUNT_MESSAGE)
            rte_pktmbuf_free(punt.message.frame);
    }
}

void rig_destroy(struct rig *rig)
{
    uint16_t worker_count = rig->plane->config.worker_count;
    rig_poll(rig);
    bool in_reassembly = false;
    for (unsigned worker = 0; worker < worker_count; worker++) {
        struct worker_usage usage;
        worker_get_usage(rig->workers[worker], &usage);
        in_reassembly |= usage.fragments > 0;
        take_all(rig, worker);
    }
    if (!in_reassembly)
        assert_int_equal(frames_in(rig), frames_out(rig));
    else
        assert_true(frames_in(rig) > frames_out(rig));
    for (unsigned worker = 0; worker < worker_count; worker++)
        worker_destroy(rig->workers[worker]);
    plane_destroy(rig->plane);
    assert_int_equal(rte_mempool_avail_count(rig_pool), rig->frames_free);
    free(rig);
}

static int set_up(void **state, uint16_t worker_count)
{
    struct plane_config config;
    rig_config(&config, worker_count);
    *state = rig_create(&config);
    return 0;
}

int rig_set_up(void **state)
{
    return set_up(state, 1);
}

int rig_set_up_two(void **state)
{
    return set_up(state, 2);
}

static int set_up_sides(void **state, uint16_t worker_count)
{
    struct plane_config config;
    rig_config(&config, worker_count);
    config.kernel_ring_len = 64;
    config.has_relay_side = true;
    *state = rig_create(&config);
    return 0;
}

int rig_set_up_sides(void **state)
{
    return set_up_sides(state, 1);
}

int rig_set_up_two_with_sides(void **state)
{
    return set_up_sides(state, 2);
}

static void install_clients(struct rig *rig)
{
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 50002);
    rig_allocation(rig, 0, 2, CLIENT_V6, 50003, 50004);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void install_channels(struct rig *rig)
{
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_channel(rig, 0, 1, 0x4001, PEER_V6);
    rig_channel(rig, 0, 2, 0x4000, PEER_V4);
    rig_channel(rig, 0, 2, 0x4001, PEER_V6);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

int rig_set_up_clients(void **state)
{
    rig_set_up(state);
    install_clients(*state);
    return 0;
}

int rig_set_up_channels(void **state)
{
    rig_set_up_clients(state);
    install_channels(*state);
    return 0;
}

int rig_set_up_limited(void **state)
{
    struct plane_config config;
    rig_config(&config, 1);
    config.max_bps = 100000000;
    *state = rig_create(&config);
    install_clients(*state);
    install_channels(*state);
    return 0;
}

int rig_tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

// The plain definition of RFC 1071, byte by byte.
uint16_t wire_checksum(const uint8_t *bytes, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

// What wire_checksum starts from: the pseudo-header's sum.
static uint32_t pseudo_sum(const uint8_t *source, const uint8_t *destination, size_t ip_len,
                           uint32_t protocol, uint32_t len)
{
    uint32_t sum = protocol + len;
    for (size_t i = 0; i < ip_len; i += 2)
        sum += (uint32_t)load_be16(source + i) + load_be16(destination + i);
    return sum;
}

static void write_udp(uint8_t *udp, const struct wire *wire, const struct transport_address *source,
                      const struct transport_address *destination)
{
    size_t udp_len = 8 + wire->len;
    size_t ip_len = ip_address_len(&source->ip);
    store_be16(udp, source->port);
    store_be16(udp + 2, destination->port);
    store_be16(udp + 4, (uint16_t)udp_len);
    store_be16(udp + 6, 0);
    memcpy(udp + 8, wire->payload, wire->len);
    if (wire->no_checksum)
        return;
    uint32_t pseudo =
        pseudo_sum(source->ip.bytes, destination->ip.bytes, ip_len, 17, (uint32_t)udp_len);
    uint16_t sum = wire_checksum(udp, udp_len, pseudo);
    store_be16(udp + 6, sum != 0 ? sum : 0xFFFF);
}

void wire_fix_ipv4(uint8_t *frame)
{
    store_be16(frame + 24, 0);
    store_be16(frame + 24, wire_checksum(frame + 14, (size_t)(frame[14] & 0xF) * 4, 0));
}

static size_t write_v4(const struct wire *wire, uint8_t *frame,
                       const struct transport_address *source,
                       const struct transport_address *destination)
{
    uint8_t *header = frame + 14;
    size_t header_len = 20 + wire->options_len;
    store_be16(frame + 12, 0x0800);
    header[0] = (uint8_t)(0x40 | header_len / 4);
    header[1] = wire->traffic_class;
    store_be16(header + 2, (uint16_t)(header_len + 8 + wire->len));
    store_be16(header + 4, 0x7777);
    store_be16(header + 6, wire->dont_fragment ? 0x4000 : 0);
    header[8] = wire->ttl != 0 ? wire->ttl : 64;
    header[9] = 17;
    memcpy(header + 12, source->ip.bytes, 4);
    memcpy(header + 16, destination->ip.bytes, 4);
    if (wire->options_len > 0)
        memcpy(header + 20, wire->options, wire->options_len);
    wire_fix_ipv4(frame);
    write_udp(header + header_len, wire, source, destination);
    return 14 + header_len + 8 + wire->len;
}

static size_t write_v6(const struct wire *wire, uint8_t *frame,
                       const struct transport_address *source,
                       const struct transport_address *destination)
{
    uint8_t *header = frame + 14;
    size_t extension_len = wire->options_len > 0 ? wire->options_len - 1 : 0;
    store_be16(frame + 12, 0x86DD);
    store_be32(header, 6u << 28 | (uint32_t)wire->traffic_class << 20 | 0x54321);
    store_be16(header + 4, (uint16_t)(extension_len + 8 + wire->len));
    header[6] = wire->options_len > 0 ? wire->options[0] : 17;
    header[7] = wire->ttl != 0 ? wire->ttl : 64;
    memcpy(header + 8, source->ip.bytes, 16);
    memcpy(header + 24, destination->ip.bytes, 16);
    if (extension_len > 0)
        memcpy(header + 40, wire->options + 1, extension_len);
    write_udp(header + 40 + extension_len, wire, source, destination);
    return 14 + 40 + extension_len + 8 + wire->len;
}

size_t wire_write(const struct wire *wire, uint8_t *ret_frame)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0xFF, 0, 2, 0, 0, 0, 0xAA, 0xAA};
    struct transport_address source = address(wire->source);
    struct transport_address destination = address(wire->destination);
    assert_int_equal(source.ip.family, destination.ip.family);
    memcpy(ret_frame, macs, sizeof(macs));
    return source.ip.family == IP_FAMILY_V4 ? write_v4(wire, ret_frame, &source, &destination)
                                            : write_v6(wire, ret_frame, &source, &destination);
}

static void read_udp(const uint8_t *udp, size_t len, const uint8_t *source_ip,
                     const uint8_t *destination_ip, enum ip_family family, struct wire_seen *seen)
{
    assert_true(len >= 8);
    assert_int_equal(load_be16(udp + 4), len);
    seen->checksum = load_be16(udp + 6);
    if (seen->checksum != 0) {
        uint32_t pseudo = pseudo_sum(source_ip, destination_ip, family == IP_FAMILY_V4 ? 4 : 16, 17,
                                     (uint32_t)len);
        assert_int_equal(wire_checksum(udp, len, pseudo), 0);
    } else {
        assert_int_equal(family, IP_FAMILY_V4);
    }
    struct transport_address source = {ip_address_from_bytes(family, source_ip), load_be16(udp)};
    struct transport_address destination = {ip_address_from_bytes(family, destination_ip),
                                            load_be16(udp + 2)};
    transport_address_format(&source, seen->source);
    transport_address_format(&destination, seen->destination);
    seen->payload = udp + 8;
    seen->len = len - 8;
}

void wire_read(const uint8_t *frame, size_t len, struct wire_seen *ret_seen)
{
    memset(ret_seen, 0, sizeof(*ret_seen));
    assert_true(len >= 14 + 20);
    memcpy(ret_seen->destination_mac, frame, 6);
    memcpy(ret_seen->source_mac, frame + 6, 6);
    const uint8_t *header = frame + 14;
    if (load_be16(frame + 12) == 0x0800) {
        assert_int_equal(header[0], 0x45);
        assert_int_equal(load_be16(header + 2), len - 14);
        assert_int_equal(load_be16(header + 6) & 0xBFFF, 0); // no fragment, no reserved bit
        assert_int_equal(header[9], 17);
        assert_int_equal(wire_checksum(header, 20, 0), 0);
        ret_seen->traffic_class = header[1];
        ret_seen->ip_id = load_be16(header + 4);
        ret_seen->dont_fragment = (header[6] & 0x40) != 0;
        ret_seen->ttl = header[8];
        read_udp(header + 20, len - 34, header + 12, header + 16, IP_FAMILY_V4, ret_seen);
    } else {
        assert_int_equal(load_be16(frame + 12), 0x86DD);
        assert_true(len >= 14 + 40);
        assert_int_equal(header[0] >> 4, 6);
        assert_int_equal(load_be16(header + 4), len - 54);
        assert_int_equal(header[6], 17);
        ret_seen->traffic_class = (uint8_t)(load_be16(header) >> 4);
        ret_seen->flow_label = load_be32(header) & 0xFFFFF;
        ret_seen->ttl = header[7];
        read_udp(header + 40, len - 54, header + 8, header + 24, IP_FAMILY_V6, ret_seen);
    }
}

// Frames longer than a buffer come in a chain, as ports deliver them.
static struct rte_mbuf *frame_make(const uint8_t *bytes, size_t len)
{
    struct rte_mbuf *head = NULL;
    do {
        struct rte_mbuf *segment = rte_pktmbuf_alloc(rig_pool);
        assert_non_null(segment);
        uint16_t room = rte_pktmbuf_tailroom(segment);
        uint16_t part = len < room ? (uint16_t)len : room;
        memcpy(rte_pktmbuf_append(segment, part), bytes, part);
        bytes += part;
        len -= part;
        if (head == NULL)
            head = segment;
        else
            assert_int_equal(rte_pktmbuf_chain(head, segment), 0);
    } while (len > 0);
    return head;
}

void rig_receive(struct rig *rig, unsigned worker, const uint8_t *frame, size_t len)
{
    (void)rig;
    assert_int_equal(rte_ring_enqueue(port_rx[worker], frame_make(frame, len)), 0);
}

void rig_receive_wire(struct rig *rig, unsigned worker, const struct wire *wire)
{
    static uint8_t frame[RIG_FRAME_MAX];
    rig_receive(rig, worker, frame, wire_write(wire, frame));
}

struct rte_mbuf *rig_frame(const struct wire *wire, bool in_two)
{
    uint8_t bytes[RIG_FRAME_MAX];
    size_t len = wire_write(wire, bytes);
    size_t second_len = in_two ? 2 : 0;
    struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
    memcpy(rte_pktmbuf_append(frame, (uint16_t)(len - second_len)), bytes, len - second_len);
    frame->port = 0;
    if (in_two) {
        struct rte_mbuf *second = rte_pktmbuf_alloc(rig_pool);
        memcpy(rte_pktmbuf_append(second, 2), bytes + len - 2, 2);
        assert_int_equal(rte_pktmbuf_chain(frame, second), 0);
    }
    return frame;
}

void rig_process_wire(struct rig *rig, unsigned worker, const struct wire *wire)
{
    rig_receive_wire(rig, worker, wire);
    rig_poll(rig);
}

// The bytes of a frame that left, in one buffer and with nothing left to a port.
static size_t frame_take(struct rte_mbuf *frame, uint8_t ret_frame[RIG_FRAME_MAX])
{
    assert_int_equal(frame->nb_segs, 1);
    assert_int_equal(frame->data_len, frame->pkt_len);
    assert_int_equal(frame->ol_flags, 0);
    size_t len = frame->pkt_len;
    memcpy(ret_frame, rte_pktmbuf_mtod(frame, void *), len);
    rte_pktmbuf_free(frame);
    return len;
}

size_t rig_sent(struct rig *rig, unsigned worker, uint8_t ret_frame[RIG_FRAME_MAX])
{
    (void)rig;
    void *taken;
    if (rte_ring_dequeue(port_tx[worker], &taken) != 0)
        return 0;
    return frame_take(taken, ret_frame);
}

size_t rig_to_kernel_of(struct rig *rig, unsigned side, unsigned worker,
                        uint8_t ret_frame[RIG_FRAME_MAX])
{
    struct rte_mbuf *frame;
    if (rig->plane->to_kernel[side][worker] == NULL ||
        plane_to_kernel_receive(rig->plane, side, (uint16_t)worker, &frame, 1) == 0)
        return 0;
    return frame_take(frame, ret_frame);
}

size_t rig_to_kernel(struct rig *rig, unsigned worker, uint8_t ret_frame[RIG_FRAME_MAX])
{
    return rig_to_kernel_of(rig, 0, worker, ret_frame);
}

bool rig_from_kernel_of(struct rig *rig, unsigned side, const uint8_t *frame, size_t len)
{
    struct rte_mbuf *sent = frame_make(frame, len);
    if (plane_from_kernel_send(rig->plane, side, sent) == 0)
        return true;
    rte_pktmbuf_free(sent);
    return false;
}

bool rig_from_kernel(struct rig *rig, const uint8_t *frame, size_t len)
{
    return rig_from_kernel_of(rig, 0, frame, len);
}

void rig_sent_wire(struct rig *rig, unsigned worker, struct wire_seen *ret_seen)
{
    static uint8_t frame[RIG_FRAME_MAX], other[RIG_FRAME_MAX];
    size_t len = rig_sent(rig, worker, frame);
    assert_int_not_equal(len, 0);
    assert_int_equal(rig_sent(rig, worker, other), 0);
    wire_read(frame, len, ret_seen);
}

void rig_sent_nothing(struct rig *rig)
{
    for (unsigned worker = 0; worker < rig->plane->config.worker_count; worker++)
        assert_int_equal(rte_ring_count(port_tx[worker]), 0);
}

void rig_poll(struct rig *rig)
{
    unsigned work;
    unsigned rounds = 0;
    do {
        work = 0;
        for (unsigned worker = 0; worker < rig->plane->config.worker_count; worker++)
            work += worker_poll(rig->workers[worker]);
        assert_true(rounds++ < 10000);
    } while (work > 0);
}

uint64_t rig_counter(const struct rig *rig, enum counter counter)
{
    struct worker_counters sum;
    worker_counters_sum(rig->plane->counters, rig->plane->config.worker_count, &sum);
    return sum.counters[counter];
}

uint64_t rig_drops(const struct rig *rig, enum drop drop)
{
    struct worker_counters sum;
    worker_counters_sum(rig->plane->counters, rig->plane->config.worker_count, &sum);
    return sum.drops[drop];
}

void rig_dropped_once(const struct rig *rig, enum drop wanted)
{
    for (unsigned drop = 0; drop < DROP_COUNT; drop++) {
        uint64_t count = rig_drops(rig, (enum drop)drop);
        if (count != (drop == wanted))
            fail_msg("%s: %u", drop_name((enum drop)drop), (unsigned)count);
    }
}

void rig_command(struct rig *rig, unsigned worker, const struct command *command)
{
    if (command->kind == COMMAND_TRANSMIT)
        rig->transmit_commands++;
    while (plane_command_send(rig->plane, (uint16_t)worker, command) != 0)
        worker_poll(rig->workers[worker]);
}

struct client_key rig_client(const char *client)
{
    struct client_key key = {address(client), 0};
    key.listener = key.address.ip.family == IP_FAMILY_V4 ? RIG_LISTENER_V4 : RIG_LISTENER_V6;
    return key;
}

void rig_allocation(struct rig *rig, unsigned worker, uint32_t id, const char *client,
                    uint16_t relay_v4_port, uint16_t relay_v6_port)
{
    rig_allocation_of(rig, worker, id, 0, client, relay_v4_port, relay_v6_port);
}

void rig_allocation_of(struct rig *rig, unsigned worker, uint32_t id, uint32_t user,
                       const char *client, uint16_t relay_v4_port, uint16_t relay_v6_port)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_INSTALL_ALLOCATION;
    command.allocation = id;
    command.install_allocation.client = rig_client(client);
    command.install_allocation.adjacency = RIG_TO_CLIENTS;
    command.install_allocation.relay_v4 = relay_v4_port != 0 ? RIG_RELAY_V4 : RELAY_NONE;
    command.install_allocation.relay_v4_port = relay_v4_port;
    command.install_allocation.relay_v6 = relay_v6_port != 0 ? RIG_RELAY_V6 : RELAY_NONE;
    command.install_allocation.relay_v6_port = relay_v6_port;
    command.install_allocation.user = user;
    command.install_allocation.user_tag = 1000 + user;
    rig_command(rig, worker, &command);
}

void rig_permission_hairpin(struct rig *rig, unsigned worker, uint32_t id, const char *peer_ip,
                            uint16_t relay)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_INSTALL_PERMISSION;
    command.allocation = id;
    command.permission.peer = ip(peer_ip);
    command.permission.path =
        (struct peer_path){relay == RELAY_NONE ? RIG_TO_PEERS : ADJACENCY_NONE, relay};
    rig_command(rig, worker, &command);
}

void rig_permission(struct rig *rig, unsigned worker, uint32_t id, const char *peer_ip)
{
    rig_permission_hairpin(rig, worker, id, peer_ip, RELAY_NONE);
}

void rig_channel_hairpin(struct rig *rig, unsigned worker, uint32_t id, uint16_t number,
                         const char *peer, uint16_t relay)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_INSTALL_CHANNEL;
    command.allocation = id;
    command.channel.peer = address(peer);
    command.channel.number = number;
    command.channel.path =
        (struct peer_path){relay == RELAY_NONE ? RIG_TO_PEERS : ADJACENCY_NONE, relay};
    char text[IP_ADDRESS_TEXT_LEN];
    rig_permission_hairpin(rig, worker, id, ip_address_format(&command.channel.peer.ip, text),
                           relay);
    rig_command(rig, worker, &command);
}

void rig_channel(struct rig *rig, unsigned worker, uint32_t id, uint16_t number, const char *peer)
{
    rig_channel_hairpin(rig, worker, id, number, peer, RELAY_NONE);
}

void rig_remove(struct rig *rig, unsigned worker, uint32_t id)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_REMOVE_ALLOCATION;
    command.allocation = id;
    rig_command(rig, worker, &command);
}

size_t message_channel_data(uint8_t *ret_message, uint16_t number, const void *data, size_t len)
{
    store_be16(ret_message, number);
    store_be16(ret_message + 2, (uint16_t)len);
    if (len > 0)
        memcpy(ret_message + 4, data, len);
    return 4 + len;
}

// XOR-PEER-ADDRESS's value, its own inverse but for the family (RFC 8489 section 14.2).
static void xor_ip(const uint8_t *message, const uint8_t *in, uint8_t *out, size_t ip_len)
{
    for (size_t i = 0; i < ip_len; i++)
        out[i] = in[i] ^ message[4 + i];
}

size_t message_send(uint8_t *ret_message, const char *peer, const void *data, size_t len,
                    bool dont_fragment)
{
    uint8_t *message = ret_message;
    struct transport_address to = address(peer);
    size_t ip_len = ip_address_len(&to.ip);
    memset(message, 0, 20 + 8 + ip_len + 4 + 4 + len + 4);
    store_be16(message, 0x0016);
    store_be32(message + 4, 0x2112A442);
    memcpy(message + 8, "transactions", 12);
    size_t at = 20;
    store_be16(message + at, 0x0012);
    store_be16(message + at + 2, (uint16_t)(4 + ip_len));
    message[at + 5] = to.ip.family == IP_FAMILY_V4 ? 1 : 2;
    store_be16(message + at + 6, to.port ^ 0x2112);
    xor_ip(message, to.ip.bytes, message + at + 8, ip_len);
    at += 8 + ip_len;
    if (dont_fragment) {
        store_be16(message + at, 0x001A);
        at += 4;
    }
    store_be16(message + at, 0x0013);
    store_be16(message + at + 2, (uint16_t)len);
    if (len > 0)
        memcpy(message + at + 4, data, len);
    at += 4 + (len + 3) / 4 * 4;
    store_be16(message + 2, (uint16_t)(at - 20));
    return at;
}

static void read_peer(const uint8_t *message, const uint8_t *value, size_t len,
                      struct data_seen *seen)
{
    struct transport_address peer;
    uint8_t bytes[16];
    enum ip_family family = value[1] == 1 ? IP_FAMILY_V4 : IP_FAMILY_V6;
    assert_int_equal(value[0], 0);
    assert_int_equal(len, family == IP_FAMILY_V4 ? 8 : 20);
    xor_ip(message, value + 4, bytes, len - 4);
    peer.ip = ip_address_from_bytes(family, bytes);
    peer.port = load_be16(value + 2) ^ 0x2112;
    transport_address_format(&peer, seen->peer);
}

void message_read_data(const uint8_t *message, size_t len, struct data_seen *ret_seen)
{
    memset(ret_seen, 0, sizeof(*ret_seen));
    assert_true(len >= 20);
    assert_int_equal(load_be16(message), 0x0017);
    assert_int_equal(load_be16(message + 2), len - 20);
    assert_int_equal(load_be32(message + 4), 0x2112A442);
    memcpy(ret_seen->transaction_id, message + 8, 12);
    for (size_t at = 20; at < len;) {
        assert_true(len - at >= 4);
        uint16_t type = load_be16(message + at);
        size_t value_len = load_be16(message + at + 2);
        size_t padded_len = (value_len + 3) / 4 * 4;
        const uint8_t *value = message + at + 4;
        assert_true(padded_len <= len - at - 4);
        for (size_t i = value_len; i < padded_len; i++)
            assert_int_equal(value[i], 0);
        if (type == STUN_ATTRIBUTE_XOR_PEER_ADDRESS) {
            read_peer(message, value, value_len, ret_seen);
        } else if (type == STUN_ATTRIBUTE_DATA) {
            ret_seen->data = value;
            ret_seen->len = value_len;
        } else {
            assert_int_equal(type, STUN_ATTRIBUTE_ICMP);
            assert_int_equal(value_len, 8);
            ret_seen->has_icmp = true;
            ret_seen->icmp_type = value[2];
            ret_seen->icmp_code = value[3];
            ret_seen->icmp_data = load_be32(value + 4);
            assert_int_equal(load_be16(value), 0);
        }
        at += 4 + padded_len;
    }
}
