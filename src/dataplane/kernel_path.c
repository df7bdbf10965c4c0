// SPDX-License-Identifier: BSD-3-Clause
// Frames between a device that the relay owns and the kernel, by two rings: the system calls are
// the twin's, on a thread of its own, and a flood of what is not ours ends at a full ring.
#include "dataplane/kernel_path.h"

#include "dataplane/transmit.h"

void kernel_path_send(struct worker *worker, struct rte_mbuf *frame, enum drop otherwise)
{
    if (worker->plane->to_kernel[worker->id] == NULL) {
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

void kernel_path_flush(struct worker *worker)
{
    struct worker_queue *queue = &worker->to_kernel;
    if (queue->count == 0)
        return;
    unsigned sent = plane_to_kernel_send(worker->plane, worker->id, queue->frames, queue->count);
    worker_count_add(worker, COUNTER_TO_KERNEL, sent);
    for (unsigned i = sent; i < queue->count; i++)
        worker_drop(worker, queue->frames[i], DROP_KERNEL_FULL);
    queue->count = 0;
}

unsigned kernel_path_receive(struct worker *worker)
{
    struct rte_mbuf *frames[KERNEL_PATH_BURST];
    if (worker->id != 0 || worker->plane->from_kernel == NULL)
        return 0;
    unsigned count = plane_from_kernel_receive(worker->plane, frames, KERNEL_PATH_BURST);
    worker_count_add(worker, COUNTER_FROM_KERNEL, count);
    for (unsigned i = 0; i < count; i++)
        transmit(worker, frames[i]);
    return count;
}
