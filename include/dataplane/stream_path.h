// SPDX-License-Identifier: BSD-3-Clause
// Frames between a worker and the threads that have clients' connections (exchange/stream.h).
#pragma once

#include "dataplane/packet.h"
#include "dataplane/worker_state.h"

#include <rte_mbuf.h>

// The frame is gone for the caller, in each of these.

// A message for a client of a stream listener: a UDP datagram without options, in one buffer.
void stream_path_send(struct worker *worker, struct rte_mbuf *frame, uint8_t listener);
// DTLS of a client's, as it came off the wire.
void stream_path_send_datagram(struct worker *worker, const struct packet *packet);
// An answer, made in the frame that its request came in: to the wire, or where the request came from.
void stream_path_answer(struct worker *worker, struct rte_mbuf *frame);

// What has been gathered for the threads.
void stream_path_flush(struct worker *worker);

// Whether a thread has so much waiting for it that it should be let run.
bool stream_path_is_crowded(const struct worker *worker);

// What a thread has for this worker, at most WORKER_BURST: number of frames of the inner wire taken. Frames for the
// wire are transmitted, and counted in *work.
unsigned stream_path_receive(struct worker *worker, uint16_t thread, struct rte_mbuf **ret_frames, unsigned *work);
