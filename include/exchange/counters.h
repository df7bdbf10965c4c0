// SPDX-License-Identifier: BSD-3-Clause
// Everything a worker counts. One writer a block; readers sum the blocks. The lists below are the metric list: name,
// help.
#pragma once

#include <stdint.h>

// What was done. Every frame ends in exactly one place. When nothing is under reassembly:
//   RX_PACKETS + HANDOFF_IN + FROM_KERNEL + FROM_STREAMS + FRAGMENTS_MADE + transmit commands =
//   TX_PACKETS + HANDOFF_OUT + TO_KERNEL + TO_STREAMS + PUNTED + FRAGMENTS_MERGED + the sum of all drops.
#define COUNTER_LIST(X)                                                                                                \
    X(RX_PACKETS, rx_packets, "frames received")                                                                       \
    X(RX_BYTES, rx_bytes, "bytes of frames received")                                                                  \
    X(TX_PACKETS, tx_packets, "frames transmitted")                                                                    \
    X(TX_BYTES, tx_bytes, "bytes of frames transmitted")                                                               \
    X(CHANNEL_TO_PEER, channel_to_peer_packets, "ChannelData messages relayed to peers")                               \
    X(SEND_TO_PEER, send_to_peer_packets, "Send indications relayed to peers")                                         \
    X(PEER_TO_CHANNEL, peer_to_channel_packets, "peer datagrams relayed as ChannelData")                               \
    X(PEER_TO_DATA, peer_to_data_packets, "peer datagrams relayed as Data indications")                                \
    X(ICMP_TO_DATA, icmp_to_data_packets, "ICMP errors relayed as Data indications")                                   \
    X(TO_PEER_BYTES, to_peer_bytes, "payload bytes relayed to peers")                                                  \
    X(TO_CLIENT_BYTES, to_client_bytes, "payload bytes relayed to clients")                                            \
    X(HAIRPIN, hairpin_packets, "datagrams turned round between two relayed addresses of this server")                 \
    X(HANDOFF_OUT, handoff_out_packets, "frames handed to the worker that owns them")                                  \
    X(HANDOFF_IN, handoff_in_packets, "frames taken over from another worker")                                         \
    X(FOREIGN_PEERS, foreign_peer_packets, "peer datagrams that came to another worker than their relay port's")       \
    X(TO_KERNEL, to_kernel_packets, "frames passed to the kernel's twin of the device")                                \
    X(FROM_KERNEL, from_kernel_packets, "frames of the kernel taken over to be transmitted")                           \
    X(TO_STREAMS, to_streams_packets, "frames passed to the threads of TCP, TLS and DTLS")                             \
    X(FROM_STREAMS, from_streams_packets, "frames taken over from the threads of TCP, TLS and DTLS")                   \
    X(BINDING, binding_answers, "Binding requests answered")                                                           \
    X(BAD_REQUEST, bad_request_answers, "requests answered 400 on the worker")                                         \
    X(UNAUTHENTICATED, unauthenticated_answers, "requests answered 401 on the worker")                                 \
    X(UNKNOWN_ATTRIBUTE, unknown_attribute_answers, "Binding requests answered 420")                                   \
    X(STALE_NONCE, stale_nonce_answers, "requests answered 438 on the worker")                                         \
    X(PUNTED, punted_packets, "requests passed to the control plane")                                                  \
    X(REASSEMBLED, reassembled_packets, "datagrams put together from fragments")                                       \
    X(FRAGMENTS_MERGED, fragments_merged, "fragments that went into a datagram, the last of each apart")               \
    X(FRAGMENTED, fragmented_packets, "datagrams sent as fragments")                                                   \
    X(FRAGMENTS_MADE, fragments_made, "fragments, the first of each apart, that a datagram was sent as")               \
    X(PACKET_TOO_BIG, packet_too_big_answers, "datagrams too big for their path, answered with an ICMP error")         \
    X(TIME_EXCEEDED, time_exceeded_answers, "datagrams with their TTL used up, answered with an ICMP error")           \
    X(PATH_MTU, path_mtus_learned, "ICMP errors by which the path to a peer or client has a smaller MTU than known")   \
    X(COMMANDS, commands, "commands applied")                                                                          \
    X(COMMAND_FAILURES, command_failures, "commands that could not be applied: a full table, an unknown id")

// Why a packet was dropped.
#define DROP_LIST(X)                                                                                                   \
    X(OTHER_VLAN, other_vlan, "frame of another VLAN, or of none")                                                     \
    X(NOT_IP, not_ip, "frame is neither IPv4 nor IPv6")                                                                \
    X(BAD_IP_HEADER, bad_ip_header, "IP header truncated, of wrong version, length or checksum")                       \
    X(IP_OPTIONS, ip_options, "IPv6 extension header that is not walked, or a source route")                           \
    X(NOT_UDP, not_udp, "neither UDP nor an ICMP error")                                                               \
    X(BAD_UDP, bad_udp, "UDP header truncated or of wrong length")                                                     \
    X(BAD_CHECKSUM, bad_checksum, "UDP checksum wrong, or absent over IPv6")                                           \
    X(NOT_OURS, not_ours, "neither a listening address nor a relay port")                                              \
    X(FRAGMENT, fragment, "fragment that was refused: overlapping, too many, timed out")                               \
    X(TTL_EXPIRED, ttl_expired, "TTL or hop limit used up, and no ICMP error due")                                     \
    X(TOO_BIG, too_big, "larger than the path allows, and no ICMP error due")                                          \
    X(NO_BUFFER, no_buffer, "no packet buffer free")                                                                   \
    X(UNKNOWN_PROTOCOL, unknown_protocol, "first byte is neither STUN nor ChannelData")                                \
    X(BAD_STUN, bad_stun, "not a well-formed STUN message")                                                            \
    X(IGNORED_STUN, ignored_stun, "STUN response, indication or method that a server never answers")                   \
    X(RATE_LIMITED, rate_limited, "unauthenticated request above its prefix's rate")                                   \
    X(PUNT_FULL, punt_full, "punt ring full")                                                                          \
    X(HANDOFF_FULL, handoff_full, "hand-off ring full")                                                                \
    X(KERNEL_FULL, kernel_full, "queue to the kernel full")                                                            \
    X(STREAM_FULL, stream_full, "queue to a thread of TCP, TLS and DTLS full")                                         \
    X(BAD_CHANNEL_DATA, bad_channel_data, "ChannelData too short or of a reserved channel number")                     \
    X(UNBOUND_CHANNEL, unbound_channel, "ChannelData for a channel that is not bound")                                 \
    X(NO_ALLOCATION, no_allocation, "Send indication without an allocation")                                           \
    X(BAD_SEND, bad_send, "Send indication without its attributes, or with unknown ones")                              \
    X(NO_PERMISSION, no_permission, "no permission for this peer")                                                     \
    X(BANDWIDTH, bandwidth, "allocation above its bandwidth")                                                          \
    X(USER_BANDWIDTH, user_bandwidth, "user above the bandwidth of all its allocations")                               \
    X(TOTAL_BANDWIDTH, total_bandwidth, "all allocations above what they may carry together")                          \
    X(NO_RELAYED_ADDRESS, no_relayed_address, "relay port that no allocation has")                                     \
    X(NO_NEIGHBOUR, no_neighbour, "next hop not resolved")                                                             \
    X(BAD_ICMP, bad_icmp, "ICMP that is not relayed, or about no live relayed address")                                \
    X(ICMP_RATE, icmp_rate, "ICMP error above the rate that an allocation is told of them at")                         \
    X(ICMP_OF_CLIENT, icmp_of_client, "ICMP error about what a client was sent: the path is learned, and nobody told") \
    X(TX_FULL, tx_full, "transmit queue full")

enum counter {
#define X(id, name, help) COUNTER_##id,
    COUNTER_LIST(X)
#undef X
    COUNTER_COUNT,
};

enum drop {
#define X(id, name, help) DROP_##id,
    DROP_LIST(X)
#undef X
    DROP_COUNT,
};

// Frames that a worker takes from its port at once, at most.
#define COUNTERS_BURST_MAX 64

// Of times: bucket i is of those below COUNTERS_TIME_UNIT_NS << i that are in none before it, the last of all others.
#define COUNTERS_TIME_BUCKETS 17
#define COUNTERS_TIME_UNIT_NS 250

struct worker_times {
    uint64_t buckets[COUNTERS_TIME_BUCKETS];
    uint64_t sum_tsc;
};

// Datagrams that a worker puts together at once.
#define WORKER_DATAGRAMS_MAX 128

// What there is at the moment, as a worker says a few times a second. FRAGMENTS: datagrams that are put together.
#define WORKER_TABLE_LIST(X)                                                                                           \
    X(ALLOCATIONS, allocations)                                                                                        \
    X(PERMISSIONS, permissions)                                                                                        \
    X(CHANNELS, channels)                                                                                              \
    X(STEERINGS, steerings)                                                                                            \
    X(FRAGMENTS, fragments)

enum worker_table {
#define X(id, name) WORKER_TABLE_##id,
    WORKER_TABLE_LIST(X)
#undef X
    WORKER_TABLE_COUNT,
};

// Written by its worker with plain stores, read by the control plane; on cache lines of its own. All fields are of 64
// bits. Times are in cycles of the TSC, of which plane->tsc_hz are a second.
struct worker_counters {
    uint64_t counters[COUNTER_COUNT];
    uint64_t drops[DROP_COUNT];
    uint64_t busy_polls; // polls that found work
    uint64_t idle_polls;
    uint64_t sleeps;
    uint64_t busy_tsc; // each from the beginning of a poll to that of the next
    uint64_t idle_tsc; // asleep too
    // How long frames were here: from the poll that received them until everything of a poll was sent.
    struct worker_times direct; // that of the same poll
    struct worker_times handed; // of another worker
    uint64_t bursts[COUNTERS_BURST_MAX + 1]; // by the frames that the port delivered at once
    uint64_t tables[WORKER_TABLE_COUNT];     // entries in use
} __attribute__((aligned(128)));

// snake_case names and one-line helps, static storage.
const char *counter_name(enum counter counter);
const char *counter_help(enum counter counter);
const char *drop_name(enum drop drop);
const char *drop_help(enum drop drop);
const char *worker_table_name(enum worker_table table);

// What counters have grown by since they were *before.
void worker_counters_subtract(struct worker_counters *counters, const struct worker_counters *before);
// *ret_sum = the sum of all blocks.
void worker_counters_sum(const struct worker_counters *blocks, unsigned count, struct worker_counters *ret_sum);
