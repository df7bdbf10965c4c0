// SPDX-License-Identifier: BSD-3-Clause
// Frames between a worker and the threads that have clients' connections, gathered so that a ring
// is touched, and a thread woken, once a poll.
#include "dataplane/stream_path.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "dataplane/fragmentation.h"
#include "dataplane/transmit.h"

#include <netinet/in.h>

static void flush_to(struct worker *worker, uint16_t thread)
{
    struct worker_queue *queue = &worker->to_streams[thread];
    if (queue->count == 0)
        return;
    unsigned sent =
        stream_to_thread(worker->plane, worker->id, thread, queue->frames, queue->count);
    worker_count_add(worker, COUNTER_TO_STREAMS, sent);
    for (unsigned i = sent; i < queue->count; i++)
        worker_drop(worker, queue->frames[i], DROP_STREAM_FULL);
    queue->count = 0;
}

static void send_to(struct worker *worker, uint16_t thread, struct rte_mbuf *frame)
{
    struct worker_queue *queue = &worker->to_streams[thread];
    if (queue->count == WORKER_BURST)
        flush_to(worker, thread);
    queue->frames[queue->count++] = frame;
}

void stream_path_send(struct worker *worker, struct rte_mbuf *frame, uint8_t listener)
{
    frame->port = (uint16_t)(STREAM_PORT_BASE + listener);
    send_to(worker, plane_stream_listener(worker->config, listener)->thread, frame);
}

void stream_path_send_datagram(struct worker *worker, const struct packet *packet)
{
    struct rte_mbuf *frame = packet->mbuf;
    uint8_t ip[16] = {0};
    size_t offset = (size_t)(packet_payload(packet) - rte_pktmbuf_mtod(frame, uint8_t *));
    memcpy(ip, packet->source_ip, packet->family == IP_FAMILY_V4 ? 4 : sizeof(ip));
    frame->hash.usr = (uint32_t)offset << 16 | packet_payload_len(packet);
    send_to(
        worker,
        stream_dtls_thread(ip, ntohs(packet->source_port_be), worker->config->stream_thread_count),
        frame);
}

void stream_path_answer(struct worker *worker, struct rte_mbuf *frame)
{
    if (stream_port_is_inner(frame->port))
        stream_path_send(worker, frame, (uint8_t)(frame->port - STREAM_PORT_BASE));
    else
        transmit(worker, frame);
}

void stream_path_flush(struct worker *worker)
{
    for (uint16_t i = 0; i < worker->config->stream_thread_count; i++)
        flush_to(worker, i);
}

bool stream_path_is_crowded(const struct worker *worker)
{
    for (uint16_t i = 0; i < worker->config->stream_thread_count; i++) {
        if (stream_thread_room(worker->plane, worker->id, i) <
            worker->config->stream_ring_len / 4 * 3)
            return true;
    }
    return false;
}

// What may be cut up on its way needs an identification (RFC 6864 section 4.1).
static void identify(struct worker *worker, struct rte_mbuf *frame)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(frame, uint8_t *, PACKET_ETHERNET_LEN);
    uint16_t sum;
    if (ip[0] >> 4 != 4)
        return;
    store_be16(ip + 4, worker->ipv4_id++);
    memset(ip + 10, 0, sizeof(sum));
    sum = checksum_field(checksum_add_bytes(0, ip, PACKET_IPV4_LEN));
    memcpy(ip + 10, &sum, sizeof(sum));
}

// A thread's record: as long as the message in it, so it may have to be cut up.
static void to_wire(struct worker *worker, struct rte_mbuf *frame)
{
    uint16_t mtu = (uint16_t)frame->hash.usr;
    identify(worker, frame);
    if (likely(rte_pktmbuf_pkt_len(frame) <= PACKET_ETHERNET_LEN + (uint32_t)mtu))
        transmit(worker, frame);
    else
        fragment_and_transmit(worker, frame, mtu);
}

unsigned stream_path_receive(struct worker *worker, uint16_t thread, struct rte_mbuf **ret_frames,
                             unsigned *work)
{
    unsigned count =
        stream_from_thread(worker->plane, worker->id, thread, ret_frames, WORKER_BURST);
    unsigned inner = 0;
    worker_count_add(worker, COUNTER_FROM_STREAMS, count);
    *work += count;
    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *frame = ret_frames[i];
        if (stream_port_is_inner(frame->port))
            ret_frames[inner++] = frame;
        else
            to_wire(worker, frame);
    }
    return inner;
}
