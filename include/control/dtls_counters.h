// SPDX-License-Identifier: BSD-3-Clause
// What the DTLS associations of a thread count. One writer, the thread; others may read each word at any time. The list
// is the metric list: name, help.
#pragma once

#include <stdint.h>

#define DTLS_COUNTER_LIST(X)                                                                                           \
    X(associations, "associations now, those in a handshake included")                                                 \
    X(half_open, "of them, in a handshake")                                                                            \
    X(hellos, "ClientHellos")                                                                                          \
    X(verify_requests, "of them, answered with a cookie and forgotten")                                                \
    X(handshakes, "handshakes completed")                                                                              \
    X(failures, "handshakes that ended otherwise: refused, given up for a newer one")                                  \
    X(timeouts, "handshakes that took too long")                                                                       \
    X(replacements, "associations that gave way to a new one of the same client")                                      \
    X(idle, "associations closed because nothing came")                                                                \
    X(records_in, "messages of clients")                                                                               \
    X(records_out, "messages for clients")                                                                             \
    X(dropped_unknown, "datagrams dropped: neither of an association nor a ClientHello that can be read")              \
    X(dropped_refused, "datagrams dropped: damaged, old, or come twice")                                               \
    X(dropped_full, "ClientHellos dropped: there is no place, no certificate, or too many of the source")              \
    X(dropped_early, "datagrams dropped: too much, or too long a message, while the handshake lasts")                  \
    X(dropped_no_listener, "datagrams dropped: sent to an address that has no DTLS")                                   \
    X(dropped_no_room, "messages and datagrams dropped: the ring to the worker is full, or there is no buffer")        \
    X(dropped_too_long, "messages for clients dropped: longer than a record may be")                                   \
    X(dropped_no_client, "messages for clients dropped: the association is gone")

struct dtls_counters {
#define X(name, help) uint64_t name;
    DTLS_COUNTER_LIST(X)
#undef X
};
