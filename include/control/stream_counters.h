// SPDX-License-Identifier: BSD-3-Clause
// What a thread of clients' connections counts. One writer, the thread; others may read each word at any time. The list
// is the metric list: name, help.
#pragma once

#include <stdint.h>

#define STREAM_COUNTER_LIST(X)                                                                                         \
    X(connections, "connections now")                                                                                  \
    X(accepted, "connections accepted")                                                                                \
    X(refused_full, "connections refused: there are as many as may be, in all or of one source")                       \
    X(refused_proxy, "connections refused: no proper PROXY header, or a client that is connected already")             \
    X(handshakes, "TLS handshakes completed")                                                                          \
    X(handshake_failures, "TLS handshakes failed")                                                                     \
    X(handshake_timeouts, "connections closed within a TLS handshake or a PROXY header that took too long")            \
    X(gave_way, "connections without an allocation closed in favour of new ones")                                      \
    X(idle_timeouts, "connections closed because nothing came")                                                        \
    X(frame_timeouts, "connections closed within a message that took too long")                                        \
    X(stuck, "connections closed because the client did not read")                                                     \
    X(bad_framing, "connections closed because of what is neither STUN nor ChannelData")                               \
    X(messages_in, "messages of clients passed to workers")                                                            \
    X(messages_out, "messages of workers taken for clients")                                                           \
    X(bytes_in, "bytes of messages passed to workers")                                                                 \
    X(bytes_out, "bytes of messages taken for clients, with padding")                                                  \
    X(too_long, "messages of clients dropped: longer than a datagram can be")                                          \
    X(slow_reader, "messages for clients dropped: the client reads too slowly")                                        \
    X(damaged, "messages for clients dropped: damaged on their way to the relay")                                      \
    X(no_connection, "messages for clients dropped: the connection is gone")                                           \
    X(no_memory, "messages for clients, or connections, dropped for want of memory")                                   \
    X(joined, "connections joined with a peer's (RFC 6062)")                                                           \
    X(joined_to_peer_bytes, "bytes of clients taken for peers' connections")                                           \
    X(joined_to_client_bytes, "bytes of peers' connections taken for clients")                                         \
    X(joined_pauses, "times that a joined connection waited for bandwidth")                                            \
    X(reads, "reads of sockets")                                                                                       \
    X(writes, "writes to sockets")                                                                                     \
    X(wakeups, "times that the thread woke up")                                                                        \
    X(accept_pauses, "times that accepting was put off for want of file descriptors or memory")

struct stream_counters {
#define X(name, help) uint64_t name;
    STREAM_COUNTER_LIST(X)
#undef X
} __attribute__((aligned(64)));

static inline void stream_count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}
