// SPDX-License-Identifier: BSD-3-Clause
// Workers without threads between ring ports: a test puts whole frames in, polls, and looks at
// whole frames that come out. Everything here is written from the RFCs alone and shares no code
// with the dataplane.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "dataplane/worker.h"
#include "exchange/plane.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RIG_WORKERS_MAX 4
#define RIG_FRAME_MAX   65600
// Where workers have two ports, the second of each, for whom a worker's first has its number: of
// two workers at most. Peers are behind it.
#define RIG_RELAY_PORT(worker) ((worker) + RIG_WORKERS_MAX / 2)

#define LISTENER_V4 "203.0.113.1:3478"
#define LISTENER_V6 "[2001:db8::1]:3478"
// Relay 0 stands behind a 1:1 NAT, relay 1 does not.
#define RELAY_V4_LOCAL      "10.0.0.5"
#define RELAY_V4_ADVERTISED "198.51.100.5"
#define RELAY_V6            "2001:db8:5::5"
#define RELAY_MIN_PORT      49152

#define CLIENT_V4 "192.0.2.7:40000"
#define CLIENT_V6 "[2001:db8:c::7]:40000"
#define PEER_V4   "192.0.2.200:50000"
#define PEER_V6   "[2001:db8:e::9]:50000"

enum {
    RIG_LISTENER_V4,
    RIG_LISTENER_V6,
    RIG_RELAY_V4 = 0,
    RIG_RELAY_V6,
    RIG_TO_CLIENTS = 1, // adjacencies
    RIG_TO_PEERS,
    RIG_UNRESOLVED,
};

struct rig {
    struct plane *plane;
    struct worker *workers[RIG_WORKERS_MAX];
    uint64_t transmit_commands;
    unsigned frames_free; // in the pool when nothing is in flight
    uint8_t port;         // worker 0's
};

// Process-wide: the EAL, the pool, the ports. For cmocka_run_group_tests.
int rig_group_set_up(void **state);
extern struct rte_mempool *rig_pool;

// A configuration of moderate sizes, no rate limit.
void rig_config(struct plane_config *ret_config, uint16_t worker_count);
struct rig *rig_create(const struct plane_config *config);
// Takes out what is left in the rings, then asserts that every frame ended in exactly one place.
void rig_destroy(struct rig *rig);

// cmocka set-up and tear-down: one worker; two; one with allocation 1 of CLIENT_V4, relay ports
// 50001 (IPv4) and 50002 (IPv6), and allocation 2 of CLIENT_V6, 50003 and 50004; the same, and
// channels 0x4000 to PEER_V4 and 0x4001 to PEER_V6 of each.
int rig_set_up(void **state);
int rig_set_up_two(void **state);
// One worker with two ports and twins; the same of two workers.
int rig_set_up_sides(void **state);
int rig_set_up_two_with_sides(void **state);
int rig_set_up_clients(void **state);
int rig_set_up_channels(void **state);
// The same with a limit to bandwidth.
int rig_set_up_limited(void **state);
int rig_tear_down(void **state);

// A UDP datagram as it stands on the wire.
struct wire {
    const char *source; // "address:port"
    const char *destination;
    const void *payload;
    size_t len;
    uint8_t ttl; // 0: 64
    uint8_t traffic_class;
    bool dont_fragment;
    bool no_checksum;
    const uint8_t *options; // IPv4 options, or IPv6 extension headers that follow a next-header
                            // value in options[0]
    size_t options_len;
};

// Write the frame; returns its length.
size_t wire_write(const struct wire *wire, uint8_t *ret_frame);
// IP header checksum of an IPv4 frame without options, after a change.
void wire_fix_ipv4(uint8_t *frame);

// What a frame says, all lengths and checksums having been asserted right.
struct wire_seen {
    char source[TRANSPORT_ADDRESS_TEXT_LEN];
    char destination[TRANSPORT_ADDRESS_TEXT_LEN];
    uint8_t source_mac[6];
    uint8_t destination_mac[6];
    const uint8_t *payload; // into the frame
    size_t len;
    uint16_t ip_id;
    uint16_t checksum;
    uint32_t flow_label;
    uint8_t ttl;
    uint8_t traffic_class;
    bool dont_fragment;
};
void wire_read(const uint8_t *frame, size_t len, struct wire_seen *ret_seen);

// Put a frame into a worker's port; take one that it sent. 0: none.
void rig_receive(struct rig *rig, unsigned worker, const uint8_t *frame, size_t len);
void rig_receive_wire(struct rig *rig, unsigned worker, const struct wire *wire);
// A frame that comes from no port. in_two: its last bytes are in a second buffer, so that it goes
// the long way.
struct rte_mbuf *rig_frame(const struct wire *wire, bool in_two);
// As rig_receive_wire(), and poll.
void rig_process_wire(struct rig *rig, unsigned worker, const struct wire *wire);
size_t rig_sent(struct rig *rig, unsigned worker, uint8_t ret_frame[RIG_FRAME_MAX]);
// The one frame that this worker sent, understood. The frame lives until the next call.
void rig_sent_wire(struct rig *rig, unsigned worker, struct wire_seen *ret_seen);
void rig_sent_nothing(struct rig *rig);
// Take a frame that this worker passed to the kernel. 0: none, or no twin.
size_t rig_to_kernel(struct rig *rig, unsigned worker, uint8_t ret_frame[RIG_FRAME_MAX]);
// The kernel sends a frame; false when the ring is full.
bool rig_from_kernel(struct rig *rig, const uint8_t *frame, size_t len);
// The same of one of two sides.
size_t rig_to_kernel_of(struct rig *rig, unsigned side, unsigned worker,
                        uint8_t ret_frame[RIG_FRAME_MAX]);
bool rig_from_kernel_of(struct rig *rig, unsigned side, const uint8_t *frame, size_t len);
// Poll all workers until none has anything to do.
void rig_poll(struct rig *rig);

uint64_t rig_counter(const struct rig *rig, enum counter counter); // of all workers
uint64_t rig_drops(const struct rig *rig, enum drop drop);
// Exactly one frame has been dropped so far, for that reason.
void rig_dropped_once(const struct rig *rig, enum drop drop);

// Commands, applied at the next poll.
void rig_command(struct rig *rig, unsigned worker, const struct command *command);
void rig_allocation(struct rig *rig, unsigned worker, uint32_t id, const char *client,
                    uint16_t relay_v4_port, uint16_t relay_v6_port);
// Of that user, where users have a limit.
void rig_allocation_of(struct rig *rig, unsigned worker, uint32_t id, uint32_t user,
                       const char *client, uint16_t relay_v4_port, uint16_t relay_v6_port);
void rig_permission(struct rig *rig, unsigned worker, uint32_t id, const char *peer_ip);
void rig_channel(struct rig *rig, unsigned worker, uint32_t id, uint16_t number, const char *peer);
// The same through the hairpin, to that relay.
void rig_permission_hairpin(struct rig *rig, unsigned worker, uint32_t id, const char *peer_ip,
                            uint16_t relay);
void rig_channel_hairpin(struct rig *rig, unsigned worker, uint32_t id, uint16_t number,
                         const char *peer, uint16_t relay);
struct client_key rig_client(const char *client);
void rig_remove(struct rig *rig, unsigned worker, uint32_t id);

// What clients and peers say to each other.
extern const uint8_t rig_data[44];

// Messages.
size_t message_channel_data(uint8_t *ret_message, uint16_t number, const void *data, size_t len);
size_t message_send(uint8_t *ret_message, const char *peer, const void *data, size_t len,
                    bool dont_fragment);
struct data_seen {
    char peer[TRANSPORT_ADDRESS_TEXT_LEN];
    const uint8_t *data;
    size_t len;
    bool has_icmp;
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint32_t icmp_data;
    uint8_t transaction_id[12];
};
void message_read_data(const uint8_t *message, size_t len, struct data_seen *ret_seen);

uint16_t wire_checksum(const uint8_t *bytes, size_t len, uint32_t sum);
