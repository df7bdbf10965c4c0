// SPDX-License-Identifier: BSD-3-Clause
// Frames of the inner wire, and what goes between workers, the control plane and the threads that
// have clients' connections.
#include "exchange/stream.h"

#include "base/checksum.h"
#include "exchange/client_home.h"
#include "exchange/plane.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_udp.h>
#include <string.h>

// RFC 8656 section 15: what a datagram of a stream's gets when nobody says otherwise.
#define STREAM_TTL 64

// Ethernet's addresses on the inner wire.
static const uint8_t nobody[2 * RTE_ETHER_ADDR_LEN];

void stream_set_pool(struct plane *plane, struct rte_mempool *pool)
{
    plane->stream_pool = pool;
}

// Reading.

unsigned stream_receive(struct plane *plane, uint16_t thread, uint16_t worker,
                        struct rte_mbuf **ret_frames, unsigned max)
{
    return rte_ring_sc_dequeue_burst(plane->to_streams[worker][thread], (void **)ret_frames, max,
                                     NULL);
}

static bool is_ipv4(const uint8_t *ethernet)
{
    return load_be16(ethernet + offsetof(struct rte_ether_hdr, ether_type)) == RTE_ETHER_TYPE_IPV4;
}

static size_t ip_len_of(bool is_v4)
{
    return is_v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
}

static void read_addresses(const uint8_t *ip, bool is_v4, struct ip_address *ret_source,
                           struct ip_address *ret_destination)
{
    size_t offset =
        is_v4 ? offsetof(struct rte_ipv4_hdr, src_addr) : offsetof(struct rte_ipv6_hdr, src_addr);
    size_t len = is_v4 ? 4 : 16;
    *ret_source = (struct ip_address){.family = is_v4 ? IP_FAMILY_V4 : IP_FAMILY_V6};
    *ret_destination = *ret_source;
    memcpy(ret_source->bytes, ip + offset, len);
    memcpy(ret_destination->bytes, ip + offset + len, len);
}

// Over the addresses of an IP header, which stand in a row.
static uint64_t pseudo_header_sum(const uint8_t *ip, bool is_v4, uint16_t udp_len)
{
    uint64_t sum = htons(IPPROTO_UDP) + (uint64_t)htons(udp_len);
    if (is_v4)
        return checksum_add_8_bytes(sum, ip + offsetof(struct rte_ipv4_hdr, src_addr));
    sum = checksum_add_16_bytes(sum, ip + offsetof(struct rte_ipv6_hdr, src_addr));
    return checksum_add_16_bytes(sum, ip + offsetof(struct rte_ipv6_hdr, dst_addr));
}

// The frame's hash is what a worker and a thread say beside it. Without addresses there is nothing
// in it.
static void read_hop(const struct rte_mbuf *frame, struct stream_hop *ret_hop)
{
    const uint8_t *ethernet = rte_pktmbuf_mtod(frame, const uint8_t *);
    if (memcmp(ethernet, nobody, sizeof(nobody)) == 0)
        return;
    memcpy(ret_hop->macs, ethernet, sizeof(ret_hop->macs));
    ret_hop->port = (uint16_t)(frame->hash.usr >> 16);
    ret_hop->mtu = (uint16_t)frame->hash.usr;
}

// A worker's message for a client: headers without options, as workers write them, in one buffer.
static bool read_message(const struct rte_mbuf *frame, struct stream_packet *ret_frame)
{
    const uint8_t *ethernet = rte_pktmbuf_mtod(frame, const uint8_t *);
    const uint8_t *ip = ethernet + sizeof(struct rte_ether_hdr);
    bool is_v4 = is_ipv4(ethernet);
    const uint8_t *udp = ip + ip_len_of(is_v4);
    uint16_t udp_len = load_be16(udp + offsetof(struct rte_udp_hdr, dgram_len));
    bool has_sum = load_be16(udp + offsetof(struct rte_udp_hdr, dgram_cksum)) != 0;
    uint64_t sum = pseudo_header_sum(ip, is_v4, udp_len);
    *ret_frame = (struct stream_packet){
        .listener = (uint16_t)(frame->port - STREAM_PORT_BASE),
        .payload = {udp + sizeof(struct rte_udp_hdr), udp_len - sizeof(struct rte_udp_hdr)},
    };
    read_addresses(ip, is_v4, &ret_frame->server.ip, &ret_frame->client.ip);
    ret_frame->client.port = load_be16(udp + offsetof(struct rte_udp_hdr, dst_port));
    read_hop(frame, &ret_frame->hop);
    return !has_sum || checksum_is_right(checksum_add_bytes(sum, udp, udp_len));
}

// A client's datagram, with whatever options: the worker says where its payload is.
static void read_datagram(const struct rte_mbuf *frame, struct stream_packet *ret_frame)
{
    const uint8_t *ethernet = rte_pktmbuf_mtod(frame, const uint8_t *);
    const uint8_t *payload = ethernet + (frame->hash.usr >> 16);
    const uint8_t *udp = payload - sizeof(struct rte_udp_hdr);
    *ret_frame = (struct stream_packet){
        .payload = {payload, frame->hash.usr & UINT16_MAX},
        .is_datagram = true,
    };
    read_addresses(ethernet + sizeof(struct rte_ether_hdr), is_ipv4(ethernet),
                   &ret_frame->client.ip, &ret_frame->server.ip);
    ret_frame->client.port = load_be16(udp + offsetof(struct rte_udp_hdr, src_port));
    ret_frame->server.port = load_be16(udp + offsetof(struct rte_udp_hdr, dst_port));
    memcpy(ret_frame->hop.macs, ethernet + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
    memcpy(ret_frame->hop.macs + RTE_ETHER_ADDR_LEN, ethernet, RTE_ETHER_ADDR_LEN);
    ret_frame->hop.port = frame->port;
}

bool stream_packet_read(const struct rte_mbuf *frame, struct stream_packet *ret_frame)
{
    if (stream_port_is_inner(frame->port))
        return read_message(frame, ret_frame);
    read_datagram(frame, ret_frame);
    return true;
}

void stream_packet_free(struct rte_mbuf *frame)
{
    rte_pktmbuf_free(frame);
}

// Writing.

// Where a datagram that a thread makes comes from and goes to.
struct way {
    const struct ip_address *source;
    const struct ip_address *destination;
    uint16_t source_port;
    uint16_t destination_port;
};

static void write_ipv4(uint8_t *at, const struct way *way, size_t udp_len)
{
    struct rte_ipv4_hdr ip = {
        .version_ihl = RTE_IPV4_VHL_DEF,
        .total_length = htons((uint16_t)(sizeof(ip) + udp_len)),
        .time_to_live = STREAM_TTL,
        .next_proto_id = IPPROTO_UDP,
    };
    memcpy(&ip.src_addr, way->source->bytes, sizeof(ip.src_addr));
    memcpy(&ip.dst_addr, way->destination->bytes, sizeof(ip.dst_addr));
    ip.hdr_checksum = rte_ipv4_cksum(&ip);
    memcpy(at, &ip, sizeof(ip));
}

static void write_ipv6(uint8_t *at, const struct way *way, size_t udp_len)
{
    struct rte_ipv6_hdr ip = {
        .vtc_flow = htonl(6u << 28),
        .payload_len = htons((uint16_t)udp_len),
        .proto = IPPROTO_UDP,
        .hop_limits = STREAM_TTL,
    };
    memcpy(ip.src_addr, way->source->bytes, sizeof(ip.src_addr));
    memcpy(ip.dst_addr, way->destination->bytes, sizeof(ip.dst_addr));
    memcpy(at, &ip, sizeof(ip));
}

// Ethernet's addresses are left to the caller. Returns the length of all headers.
static size_t write_headers(uint8_t *ethernet, const struct way *way, struct span payload)
{
    bool is_v4 = way->source->family == IP_FAMILY_V4;
    uint8_t *ip = ethernet + sizeof(struct rte_ether_hdr);
    size_t udp_len = sizeof(struct rte_udp_hdr) + payload.len;
    struct rte_udp_hdr udp = {
        .src_port = htons(way->source_port),
        .dst_port = htons(way->destination_port),
        .dgram_len = htons((uint16_t)udp_len),
    };
    store_be16(ethernet + offsetof(struct rte_ether_hdr, ether_type),
               is_v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
    if (is_v4)
        write_ipv4(ip, way, udp_len);
    else
        write_ipv6(ip, way, udp_len);
    uint64_t sum = pseudo_header_sum(ip, is_v4, (uint16_t)udp_len);
    sum = checksum_add_8_bytes(sum, &udp);
    udp.dgram_cksum = checksum_udp_field(checksum_add_bytes(sum, payload.data, payload.len));
    memcpy(ip + ip_len_of(is_v4), &udp, sizeof(udp));
    return sizeof(struct rte_ether_hdr) + ip_len_of(is_v4) + sizeof(udp);
}

static bool append(struct rte_mbuf *frame, struct rte_mempool *pool, struct span bytes)
{
    struct rte_mbuf *last = frame;
    while (bytes.len > 0) {
        size_t room = rte_pktmbuf_tailroom(last);
        size_t len = bytes.len < room ? bytes.len : room;
        if (room == 0) {
            struct rte_mbuf *next = rte_pktmbuf_alloc(pool);
            if (next == NULL)
                return false;
            last->next = next;
            frame->nb_segs++;
            last = next;
            continue;
        }
        memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), bytes.data, len);
        last->data_len += (uint16_t)len;
        frame->pkt_len += (uint32_t)len;
        bytes = (struct span){bytes.data + len, bytes.len - len};
    }
    return true;
}

// NULL: no buffer.
static struct rte_mbuf *make_frame(struct rte_mempool *pool, const struct way *way,
                                   struct span payload, uint16_t port,
                                   const uint8_t *ethernet_addresses)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
    if (frame == NULL)
        return NULL;
    uint8_t *start = rte_pktmbuf_mtod(frame, uint8_t *);
    memcpy(start, ethernet_addresses, 2 * RTE_ETHER_ADDR_LEN);
    frame->data_len = (uint16_t)write_headers(start, way, payload);
    frame->pkt_len = frame->data_len;
    frame->port = port;
    if (!append(frame, pool, payload)) {
        rte_pktmbuf_free(frame);
        return NULL;
    }
    return frame;
}

static int send_frame(struct plane *plane, uint16_t thread, uint16_t worker, const struct way *way,
                      struct span payload, uint16_t port, const struct stream_hop *hop)
{
    struct rte_ring *ring = plane->from_streams[thread][worker];
    if (payload.len > STREAM_MESSAGE_MAX_LEN)
        return -EMSGSIZE;
    if (rte_ring_free_count(ring) == 0)
        return -ENOBUFS;
    struct rte_mbuf *frame = make_frame(plane->stream_pool, way, payload, port, hop->macs);
    if (frame == NULL)
        return -ENOMEM;
    frame->hash.usr = hop->mtu;
    rte_ring_sp_enqueue(ring, frame); // there is room
    return 0;
}

uint32_t stream_room(const struct plane *plane, uint16_t thread, uint16_t worker)
{
    return rte_ring_free_count(plane->from_streams[thread][worker]);
}

static uint16_t port_of(const struct client_key *client)
{
    return (uint16_t)(STREAM_PORT_BASE + client->listener);
}

int stream_send_message(struct plane *plane, uint16_t thread, uint16_t worker,
                        const struct client_key *client, struct span message)
{
    const struct ip_address unspecified = {.family = client->address.ip.family};
    const struct way way = {&client->address.ip, &unspecified, client->address.port, 0};
    const struct stream_hop none = {};
    return send_frame(plane, thread, worker, &way, message, port_of(client), &none);
}

// As a worker's answer to a message of the client's.
struct rte_mbuf *stream_make_answer(struct plane *plane, const struct client_key *client,
                                    struct span message)
{
    const struct ip_address unspecified = {.family = client->address.ip.family};
    const struct way way = {&unspecified, &client->address.ip, 0, client->address.port};
    return make_frame(plane->stream_pool, &way, message, port_of(client), nobody);
}

int stream_send_datagram(struct plane *plane, uint16_t thread, uint16_t worker,
                         const struct stream_wire *wire, struct span payload)
{
    const struct way way = {&wire->server.ip, &wire->client.ip, wire->server.port,
                            wire->client.port};
    return send_frame(plane, thread, worker, &way, payload, wire->hop.port, &wire->hop);
}

// Waking up.

bool stream_ring_workers(struct plane *plane, uint16_t thread)
{
    bool have_work = false;

    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        if (rte_ring_empty(plane->from_streams[thread][worker]))
            continue;
        doorbell_ring(&plane->worker_doorbells[worker]);
        have_work = true;
    }
    return have_work;
}

bool stream_doorbell_arm(struct plane *plane, uint16_t thread)
{
    struct rte_ring *rings[PLANE_WORKERS_MAX + 1] = {plane->stream_orders[thread]};
    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++)
        rings[worker + 1] = plane->to_streams[worker][thread];
    return doorbell_arm(&plane->stream_doorbells[thread], rings, plane->config.worker_count + 1u);
}

int stream_doorbell(const struct plane *plane, uint16_t thread)
{
    return plane->stream_doorbells[thread].fd;
}

int stream_news_send(struct plane *plane, uint16_t thread, const struct stream_news *news)
{
    int error = rte_ring_sp_enqueue_elem(plane->stream_news[thread], (void *)(uintptr_t)news,
                                         sizeof(*news));
    if (error == 0)
        doorbell_ring(&plane->doorbell);
    return error;
}

bool stream_news_receive(struct plane *plane, uint16_t thread, struct stream_news *ret_news)
{
    return rte_ring_sc_dequeue_elem(plane->stream_news[thread], ret_news, sizeof(*ret_news)) == 0;
}

int stream_order_send(struct plane *plane, uint16_t thread, const struct stream_order *order)
{
    int error = rte_ring_sp_enqueue_elem(plane->stream_orders[thread], (void *)(uintptr_t)order,
                                         sizeof(*order));
    if (error == 0)
        doorbell_ring(&plane->stream_doorbells[thread]);
    return error;
}

bool stream_order_receive(struct plane *plane, uint16_t thread, struct stream_order *ret_order)
{
    return rte_ring_sc_dequeue_elem(plane->stream_orders[thread], ret_order, sizeof(*ret_order)) ==
           0;
}

// The workers' side.

unsigned stream_to_thread(struct plane *plane, uint16_t worker, uint16_t thread,
                          struct rte_mbuf **frames, unsigned count)
{
    unsigned sent =
        rte_ring_sp_enqueue_burst(plane->to_streams[worker][thread], (void **)frames, count, NULL);
    if (sent > 0)
        doorbell_ring(&plane->stream_doorbells[thread]);
    return sent;
}

uint32_t stream_thread_room(const struct plane *plane, uint16_t worker, uint16_t thread)
{
    return rte_ring_free_count(plane->to_streams[worker][thread]);
}

unsigned stream_from_thread(struct plane *plane, uint16_t worker, uint16_t thread,
                            struct rte_mbuf **ret_frames, unsigned max)
{
    return rte_ring_sc_dequeue_burst(plane->from_streams[thread][worker], (void **)ret_frames, max,
                                     NULL);
}

uint16_t stream_dtls_thread(const uint8_t ip[16], uint16_t port, uint16_t thread_count)
{
    return client_home(ip, port, thread_count);
}
