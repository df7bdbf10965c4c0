// SPDX-License-Identifier: BSD-3-Clause
// Workers and the threads that have clients' connections (TCP, TLS, DTLS: RFC 8656 section 2.1, RFC 7350). A message of
// such a client travels as a frame of an inner wire: as a UDP datagram from the client's address to nobody's, marked in
// the mbuf with the listener. So a worker does for it whatever it does for a client over UDP. Datagrams of DTLS travel
// as they came off the wire. Rings between each worker and each thread, single producer, single consumer.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "exchange/command.h"

#include <stdbool.h>
#include <stdint.h>

struct plane;
struct rte_mbuf;
struct rte_mempool;

enum stream_transport {
    STREAM_TCP,
    STREAM_TLS,
    STREAM_DTLS,
};

// mbuf->port of a frame of the inner wire, less its listener; above any port of a device's.
#define STREAM_PORT_BASE 0x8000u

// The longest message: with the headers of the inner wire it fits into a worker's largest buffer.
#define STREAM_MESSAGE_MAX_LEN 65280

// What a record takes beside its message, with the ciphers that everybody has: header, explicit nonce, tag (RFC 6347
// section 4.1, RFC 5288 section 3). With CBC it is more.
#define STREAM_DTLS_RECORD_LEN (13 + 8 + 16)

// How datagrams to a client of DTLS leave.
struct stream_hop {
    uint8_t macs[12]; // destination and source
    uint16_t port;    // ethdev's; where workers have one, it is theirs that is meant
    uint16_t mtu;     // of IP packets, bytes; longer ones leave in fragments
};

// A frame from a worker, as a thread reads it. Borrowed from the frame.
struct stream_packet {
    struct transport_address client;
    struct transport_address server; // of a datagram: the listener's address that it was sent to
    struct span payload;             // a message for the client, unpadded; or a datagram of the client's
    uint16_t listener;               // of a message
    bool is_datagram;                // came off the wire, with DTLS in it
    // Of a datagram: back to where it came from, and no MTU. Of a message for a client of DTLS: where routes lead, or
    // all zero when it goes where the client's datagrams come from.
    struct stream_hop hop;
};

// The way to a client of DTLS.
struct stream_wire {
    struct transport_address client;
    struct transport_address server;
    struct stream_hop hop;
};

// A thread's word to the control plane.
struct stream_news {
    struct client_key client; // its connection is gone
} __attribute__((aligned(4))); // as an element of a ring has to be

enum stream_order_kind {
    STREAM_ORDER_CLOSE, // the client's connection
    STREAM_ORDER_JOIN,  // the client's connection with socket: from here on bytes go through, both ways (RFC 6062)
};

struct stream_account;

// The control plane's to a thread.
struct stream_order {
    uint32_t kind; // enum stream_order_kind
    int socket;    // JOIN: the thread's from here on
    struct client_key client;
    struct stream_account *account; // JOIN: of what it carries; the thread's share from here on. NULL: none
};

// Of the buffers that streams' frames are made of. Before any thread or worker runs.
void stream_set_pool(struct plane *plane, struct rte_mempool *pool);

// Thread only: number of frames taken, at most max.
unsigned stream_receive(struct plane *plane, uint16_t thread, uint16_t worker, struct rte_mbuf **ret_frames,
                        unsigned max);
// False: what is in it was damaged on its way to the relay (the sum of a message's bytes is wrong).
bool stream_packet_read(const struct rte_mbuf *frame, struct stream_packet *ret_frame);
void stream_packet_free(struct rte_mbuf *frame);

// Thread only: free slots towards that worker; -ENOBUFS comes of no others.
uint32_t stream_room(const struct plane *plane, uint16_t thread, uint16_t worker);
// A client's message, without padding. 0; -ENOBUFS: no room; -ENOMEM: no buffer; -EMSGSIZE: above
// STREAM_MESSAGE_MAX_LEN.
int stream_send_message(struct plane *plane, uint16_t thread, uint16_t worker, const struct client_key *client,
                        struct span message);
// A datagram to a client of DTLS, of at most STREAM_MESSAGE_MAX_LEN. The same errors.
int stream_send_datagram(struct plane *plane, uint16_t thread, uint16_t worker, const struct stream_wire *wire,
                         struct span payload);

// Thread only: behind what was sent in a turn, for the workers that wait. Whether any of them has something to do.
bool stream_ring_workers(struct plane *plane, uint16_t thread);

// Thread only: about to wait for stream_doorbell(). False: something is waiting already, do not wait.
bool stream_doorbell_arm(struct plane *plane, uint16_t thread);
int stream_doorbell(const struct plane *plane, uint16_t thread);

// Thread only. 0 or -ENOBUFS: try again.
int stream_news_send(struct plane *plane, uint16_t thread, const struct stream_news *news);
// Control plane only.
bool stream_news_receive(struct plane *plane, uint16_t thread, struct stream_news *ret_news);

// Control plane only: a message for a client, as a frame for COMMAND_TRANSMIT to any worker. Unpadded, no longer than
// STREAM_MESSAGE_MAX_LEN. NULL: no buffer.
struct rte_mbuf *stream_make_answer(struct plane *plane, const struct client_key *client, struct span message);

// Control plane only. 0 or -ENOBUFS. Rings when the thread waits.
int stream_order_send(struct plane *plane, uint16_t thread, const struct stream_order *order);
// Thread only.
bool stream_order_receive(struct plane *plane, uint16_t thread, struct stream_order *ret_order);

// Worker only: how many of the frames the thread takes; it owns those. Rings when it waits.
unsigned stream_to_thread(struct plane *plane, uint16_t worker, uint16_t thread, struct rte_mbuf **frames,
                          unsigned count);
// Free slots towards that thread.
uint32_t stream_thread_room(const struct plane *plane, uint16_t worker, uint16_t thread);
unsigned stream_from_thread(struct plane *plane, uint16_t worker, uint16_t thread, struct rte_mbuf **ret_frames,
                            unsigned max);

// The listener of a frame of the inner wire.
static inline bool stream_port_is_inner(uint16_t port)
{
    return port >= STREAM_PORT_BASE && port < UINT16_MAX;
}

// Which thread has a client's DTLS association. ip: as in struct ip_address.
uint16_t stream_dtls_thread(const uint8_t ip[16], uint16_t port, uint16_t thread_count);
