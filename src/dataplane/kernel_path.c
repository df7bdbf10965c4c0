// SPDX-License-Identifier: BSD-3-Clause
// Frames between a device that the relay owns and the kernel, by two rings: the system calls are
// the twin's, on a thread of its own, and a flood of what is not ours ends at a full ring.
#include "dataplane/kernel_path.h"

#include "dataplane/transmit.h"

void kernel_path_send(struct worker *worker, struct rte_mbuf *frame, enum drop otherwise)
{
    if (worker->plane->to_kernel[0][worker->id] == NULL) {
        worker_drop(worker, frame, otherwise);
        return;
    }
    if (worker->to_kernel.count == WORKER_BURST)
        kernel_path_flush(worker);
    worker->to_kernel.frames[worker->to_kernel.count++] = frame;
}

static bool is_kernels(const struct packet *packet)
{
    switch (packet->drop) {
    case DROP_NOT_IP:
        return rte_pktmbuf_data_len(packet->mbuf) >= PACKET_ETHERNET_LEN;
    case DROP_NOT_UDP:
    case DROP_NOT_OURS:
        return true;
    case DROP_IP_OPTIONS: // IPsec and the like; over IPv4 it is a source route, which ends here
        return packet->family == IP_FAMILY_V6;
    default:
        return false;
    }
}

void kernel_path_refuse(struct worker *worker, const struct packet *packet)
{
    if (is_kernels(packet))
        kernel_path_send(worker, packet->mbuf, (enum drop)packet->drop);
    else
        worker_drop(worker, packet->mbuf, (enum drop)packet->drop);
}

// frames: those that came by the port of this side.
static void send_to(struct worker *worker, unsigned side, struct rte_mbuf **frames, unsigned count)
{
    if (count == 0)
        return;
    unsigned sent = plane_to_kernel_send(worker->plane, side, worker->id, frames, count);
    worker_count_add(worker, COUNTER_TO_KERNEL, sent);
    for (unsigned i = sent; i < count; i++)
        worker_drop(worker, frames[i], DROP_KERNEL_FULL);
}

// Each to the twin of the port that it came by.
static void send_by_side(struct worker *worker, struct worker_queue *queue)
{
    struct rte_mbuf *relay[WORKER_BURST];
    unsigned relay_count = 0, count = 0;
    for (unsigned i = 0; i < queue->count; i++) {
        struct rte_mbuf *frame = queue->frames[i];
        if (frame->port == worker->relay_port)
            relay[relay_count++] = frame;
        else
            queue->frames[count++] = frame;
    }
    send_to(worker, 0, queue->frames, count);
    send_to(worker, 1, relay, relay_count);
}

void kernel_path_flush(struct worker *worker)
{
    struct worker_queue *queue = &worker->to_kernel;
    if (queue->count == 0)
        return;
    if (worker_has_two_ports(worker))
        send_by_side(worker, queue);
    else
        send_to(worker, 0, queue->frames, queue->count);
    queue->count = 0;
}

static unsigned receive(struct worker *worker, unsigned side, uint16_t port)
{
    struct rte_mbuf *frames[KERNEL_PATH_BURST];
    if (worker->plane->from_kernel[side] == NULL)
        return 0;
    unsigned count = plane_from_kernel_receive(worker->plane, side, frames, KERNEL_PATH_BURST);
    worker_count_add(worker, COUNTER_FROM_KERNEL, count);
    for (unsigned i = 0; i < count; i++) {
        frames[i]->port = port;
        transmit(worker, frames[i]);
    }
    return count;
}

unsigned kernel_path_receive(struct worker *worker)
{
    if (worker->id != 0)
        return 0;
    return receive(worker, 0, worker->port) + receive(worker, 1, worker->relay_port);
}
