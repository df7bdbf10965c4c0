// SPDX-License-Identifier: BSD-3-Clause
// The table of all metrics, and the two forms that Prometheus reads: its text format 0.0.4 and OpenMetrics 1.0.
#pragma once

#include <stdint.h>

struct evbuffer;

enum metric_type {
    METRIC_COUNTER, // its samples are called NAME_total
    METRIC_GAUGE,
    METRIC_INFO, // its sample is called NAME_info, and is 1
    METRIC_HISTOGRAM, // its samples are called NAME_bucket, NAME_sum and NAME_count
    METRIC_UNKNOWN,
};

// id, name, type, unit (which ends the name), labels, help
#define METRIC_LIST(X)                                                                                                 \
    X(BUILD, "turnpike_build", INFO, "", "version", "what runs")                                                       \
    X(RELAYED_PACKETS, "turnpike_relayed_packets", COUNTER, "", "worker, direction, form",                             \
      "datagrams relayed, as ChannelData (channel) or in indications")                                                 \
    X(RELAYED_BYTES, "turnpike_relayed_bytes", COUNTER, "bytes", "worker, direction", "payload relayed")               \
    X(RECEIVED_PACKETS, "turnpike_received_packets", COUNTER, "", "worker", "frames received")                         \
    X(RECEIVED_BYTES, "turnpike_received_bytes", COUNTER, "bytes", "worker", "frames received")                        \
    X(TRANSMITTED_PACKETS, "turnpike_transmitted_packets", COUNTER, "", "worker", "frames transmitted")                \
    X(TRANSMITTED_BYTES, "turnpike_transmitted_bytes", COUNTER, "bytes", "worker", "frames transmitted")               \
    X(DROPPED_PACKETS, "turnpike_dropped_packets", COUNTER, "", "worker, reason",                                      \
      "packets dropped, by the reasons of docs/counters.md")                                                           \
    X(ICMP_RELAYED_PACKETS, "turnpike_icmp_relayed_packets", COUNTER, "", "worker",                                    \
      "ICMP errors relayed to clients as Data indications")                                                            \
    X(HAIRPIN_PACKETS, "turnpike_hairpin_packets", COUNTER, "", "worker",                                              \
      "datagrams turned round between two relayed addresses of this server")                                           \
    X(HANDOFF_PACKETS, "turnpike_handoff_packets", COUNTER, "", "worker, direction",                                   \
      "frames handed to the worker that owns them (out), and taken over (in)")                                         \
    X(FOREIGN_PEER_PACKETS, "turnpike_foreign_peer_packets", COUNTER, "", "worker",                                    \
      "peer datagrams that came to another worker than their relay port's")                                            \
    X(KERNEL_PACKETS, "turnpike_kernel_packets", COUNTER, "", "worker, direction",                                     \
      "frames passed to the kernel's twin of the device (out), and taken from it (in)")                                \
    X(STREAM_PACKETS, "turnpike_stream_packets", COUNTER, "", "worker, direction",                                     \
      "frames passed to the threads of TCP, TLS and DTLS (out), and taken from them (in)")                             \
    X(PUNTED_PACKETS, "turnpike_punted_packets", COUNTER, "", "worker", "requests passed to the control plane")        \
    X(REASSEMBLED_PACKETS, "turnpike_reassembled_packets", COUNTER, "", "worker",                                      \
      "datagrams put together from fragments")                                                                         \
    X(MERGED_FRAGMENTS, "turnpike_merged_fragments", COUNTER, "", "worker",                                            \
      "fragments that went into a datagram, the last of each apart")                                                   \
    X(FRAGMENTED_PACKETS, "turnpike_fragmented_packets", COUNTER, "", "worker", "datagrams sent as fragments")         \
    X(MADE_FRAGMENTS, "turnpike_made_fragments", COUNTER, "", "worker",                                                \
      "fragments, the first of each apart, that a datagram was sent as")                                               \
    X(ICMP_ANSWERS, "turnpike_icmp_answers", COUNTER, "", "worker, reason", "datagrams answered with an ICMP error")   \
    X(PATH_MTUS_LEARNED, "turnpike_path_mtus_learned", COUNTER, "", "worker",                                          \
      "ICMP errors by which the path to a peer or client has a smaller MTU than known")                                \
    X(COMMANDS, "turnpike_commands", COUNTER, "", "worker", "commands of the control plane applied")                   \
    X(COMMAND_FAILURES, "turnpike_command_failures", COUNTER, "", "worker", "commands that could not be applied")      \
    X(POLLS, "turnpike_polls", COUNTER, "", "worker, result", "rounds of a worker that found work (busy), or none")    \
    X(SLEEPS, "turnpike_sleeps", COUNTER, "", "worker", "times that an idle worker slept")                             \
    X(WORKER_BUSY, "turnpike_worker_busy_seconds", COUNTER, "seconds", "worker", "time in rounds that found work")     \
    X(WORKER_IDLE, "turnpike_worker_idle_seconds", COUNTER, "seconds", "worker",                                       \
      "time in rounds that found none, and asleep")                                                                    \
    X(WORKER_BUSY_CYCLES, "turnpike_worker_busy_cycles", COUNTER, "", "worker",                                        \
      "cycles of the time stamp counter in rounds that found work")                                                    \
    X(BURST, "turnpike_burst_packets", HISTOGRAM, "", "worker", "frames that the port delivered at once, if any")      \
    X(FORWARDING, "turnpike_forwarding_seconds", HISTOGRAM, "seconds", "worker, way",                                  \
      "how long frames were here: from the round that received them to the end of the one that sent them")             \
    X(WORKER_STUCK, "turnpike_worker_stuck", GAUGE, "", "worker",                                                      \
      "1 for a worker that has not gone round for some 400 ms, 0 for others")                                          \
    X(WORKER_ALLOCATIONS, "turnpike_worker_allocations", GAUGE, "", "worker",                                          \
      "places taken in the worker's table of allocations")                                                             \
    X(WORKER_ALLOCATIONS_CAPACITY, "turnpike_worker_allocations_capacity", GAUGE, "", "",                              \
      "places in each worker's table of allocations")                                                                  \
    X(TABLE_ENTRIES, "turnpike_table_entries", GAUGE, "", "worker, table",                                             \
      "entries in use in a table of the worker, as it says four times a second")                                       \
    X(TABLE_CAPACITY, "turnpike_table_capacity", GAUGE, "", "table", "entries that each worker's table has")           \
    X(CONTROL_DELAY, "turnpike_control_delay_seconds", HISTOGRAM, "seconds", "",                                       \
      "how much later than due a timer of the control thread is served, as requests are")                              \
    X(RING_ENTRIES, "turnpike_ring_entries", GAUGE, "", "ring, worker", "what waits in the rings between threads")     \
    X(RING_CAPACITY, "turnpike_ring_capacity", GAUGE, "", "ring, worker", "what may wait there")                       \
    X(PACKET_BUFFERS_USED, "turnpike_packet_buffers_used", GAUGE, "", "",                                              \
      "packet buffers in use, those that wait for packets included")                                                   \
    X(PACKET_BUFFERS_CAPACITY, "turnpike_packet_buffers_capacity", GAUGE, "", "", "packet buffers")                    \
    X(PORT_RECEIVED_PACKETS, "turnpike_port_received_packets", COUNTER, "", "port", "frames that the port delivered")  \
    X(PORT_RECEIVED_BYTES, "turnpike_port_received_bytes", COUNTER, "bytes", "port", "frames that the port delivered") \
    X(PORT_TRANSMITTED_PACKETS, "turnpike_port_transmitted_packets", COUNTER, "", "port", "frames that the port sent") \
    X(PORT_TRANSMITTED_BYTES, "turnpike_port_transmitted_bytes", COUNTER, "bytes", "port",                             \
      "frames that the port sent")                                                                                     \
    X(PORT_MISSED_PACKETS, "turnpike_port_missed_packets", COUNTER, "", "port",                                        \
      "frames lost before they were received: the receive ring was full")                                              \
    X(PORT_ERRORS, "turnpike_port_errors", COUNTER, "", "port, direction", "frames that the port could not handle")    \
    X(PORT_NO_BUFFER_PACKETS, "turnpike_port_no_buffer_packets", COUNTER, "", "port",                                  \
      "frames not received for want of a packet buffer")                                                               \
    X(PORT_UP, "turnpike_port_up", GAUGE, "", "port", "1 while the port has a link, 0 otherwise")                      \
    X(PORT_STATISTIC, "turnpike_port_statistic", UNKNOWN, "", "port, name",                                            \
      "what the driver of the port counts besides, by its own names")                                                  \
    X(REQUESTS, "turnpike_requests", COUNTER, "", "method",                                                            \
      "requests answered; any: on a worker, 400, 401 or 438, whatever the method")                                     \
    X(REQUEST_ERRORS, "turnpike_request_errors", COUNTER, "", "method, code", "of them, with an error")                \
    X(QUOTA_REFUSALS, "turnpike_quota_refusals", COUNTER, "", "quota",                                                 \
      "Allocates answered 486, by what there was no room in: user, total, bandwidth")                                  \
    X(AUTHENTICATION_FAILURES, "turnpike_authentication_failures", COUNTER, "", "",                                    \
      "requests with an unknown user, a wrong password, or credentials that have run out")                             \
    X(ALLOCATIONS, "turnpike_allocations", COUNTER, "", "family, transport",                                           \
      "allocations made, by family of the relayed addresses and transport of the client")                              \
    X(ALLOCATIONS_ACTIVE, "turnpike_allocations_active", GAUGE, "", "family, transport", "allocations that live")      \
    X(ALLOCATIONS_CAPACITY, "turnpike_allocations_capacity", GAUGE, "", "", "allocations that may live at once")       \
    X(PERMISSIONS_ACTIVE, "turnpike_permissions_active", GAUGE, "", "", "permissions that live")                       \
    X(PERMISSIONS_CAPACITY, "turnpike_permissions_capacity", GAUGE, "", "", "permissions that may live at once")       \
    X(CHANNELS_ACTIVE, "turnpike_channels_active", GAUGE, "", "", "channels that live")                                \
    X(CHANNELS_CAPACITY, "turnpike_channels_capacity", GAUGE, "", "", "channels that may live at once")                \
    X(RESERVATIONS_ACTIVE, "turnpike_reservations_active", GAUGE, "", "", "reserved ports that nobody has claimed")    \
    X(USERS_ACTIVE, "turnpike_users_active", GAUGE, "", "", "users with an allocation")                                \
    X(PENDING_REMOVALS, "turnpike_pending_removals", GAUGE, "", "",                                                    \
      "removals that a worker has yet to report")                                                                      \
    X(RELAY_PORTS_USED, "turnpike_relay_ports_used", GAUGE, "", "family, worker",                                      \
      "relay ports of UDP in use, reserved, or waiting for a removal")                                                 \
    X(RELAY_PORTS_CAPACITY, "turnpike_relay_ports_capacity", GAUGE, "", "family, worker",                              \
      "relay ports of all relayed addresses of the family")                                                            \
    X(DRAINING, "turnpike_draining", GAUGE, "", "", "1 while new clients are sent elsewhere, 0 otherwise")             \
    X(DRAIN_DEADLINE, "turnpike_drain_deadline_timestamp_seconds", GAUGE, "seconds", "",                               \
      "when a drain ends the allocations that are left; 0: there is no drain, or no deadline")                         \
    X(NEXT_HOPS, "turnpike_next_hops", GAUGE, "", "state", "neighbours that packets go to")                            \
    X(NEXT_HOPS_CAPACITY, "turnpike_next_hops_capacity", GAUGE, "", "", "neighbours that there may be")                \
    X(DESTINATIONS, "turnpike_destinations", GAUGE, "", "", "destinations whose next hop is kept")                     \
    X(STREAM_CONNECTIONS, "turnpike_stream_connections", GAUGE, "", "", "connections over TCP and TLS")                \
    X(STREAM_ACCEPTED_CONNECTIONS, "turnpike_stream_accepted_connections", COUNTER, "", "",                            \
      "connections over TCP and TLS accepted")                                                                         \
    X(STREAM_REFUSED_CONNECTIONS, "turnpike_stream_refused_connections", COUNTER, "", "reason",                        \
      "connections refused: too many, or no proper PROXY header")                                                      \
    X(STREAM_CLOSED_CONNECTIONS, "turnpike_stream_closed_connections", COUNTER, "", "reason",                          \
      "connections that the relay closed before their client did")                                                     \
    X(STREAM_JOINED_CONNECTIONS, "turnpike_stream_joined_connections", COUNTER, "", "",                                \
      "connections joined with a peer's (RFC 6062)")                                                                   \
    X(STREAM_JOINED_BYTES, "turnpike_stream_joined_bytes", COUNTER, "bytes", "direction",                              \
      "carried between joined connections (to_peer, to_client)")                                                       \
    X(STREAM_JOINED_PAUSES, "turnpike_stream_joined_pauses", COUNTER, "", "",                                          \
      "times that a joined connection waited for bandwidth")                                                           \
    X(STREAM_MESSAGES, "turnpike_stream_messages", COUNTER, "", "direction",                                           \
      "messages of clients over TCP and TLS (in), and for them (out)")                                                 \
    X(STREAM_MESSAGE_BYTES, "turnpike_stream_message_bytes", COUNTER, "bytes", "direction", "of these messages")       \
    X(STREAM_DROPPED_MESSAGES, "turnpike_stream_dropped_messages", COUNTER, "", "reason", "messages dropped")          \
    X(STREAM_SOCKET_CALLS, "turnpike_stream_socket_calls", COUNTER, "", "call", "reads of sockets and writes to them") \
    X(STREAM_WAKEUPS, "turnpike_stream_wakeups", COUNTER, "", "", "times that a thread of connections woke up")        \
    X(STREAM_ACCEPT_PAUSES, "turnpike_stream_accept_pauses", COUNTER, "", "",                                          \
      "times that accepting was put off for want of file descriptors or memory")                                       \
    X(TLS_HANDSHAKES, "turnpike_tls_handshakes", COUNTER, "", "result",                                                \
      "TLS handshakes, and PROXY headers that took too long")                                                          \
    X(DTLS_ASSOCIATIONS, "turnpike_dtls_associations", GAUGE, "", "",                                                  \
      "DTLS associations, those in a handshake included")                                                              \
    X(DTLS_HALF_OPEN, "turnpike_dtls_half_open", GAUGE, "", "", "of them, in a handshake")                             \
    X(DTLS_HELLOS, "turnpike_dtls_hellos", COUNTER, "", "", "ClientHellos")                                            \
    X(DTLS_VERIFY_REQUESTS, "turnpike_dtls_verify_requests", COUNTER, "", "",                                          \
      "of them, answered with a cookie and forgotten")                                                                 \
    X(DTLS_HANDSHAKES, "turnpike_dtls_handshakes", COUNTER, "", "result", "DTLS handshakes")                           \
    X(DTLS_CLOSED_ASSOCIATIONS, "turnpike_dtls_closed_associations", COUNTER, "", "reason",                            \
      "associations that the relay closed: a newer one of the client, or nothing came")                                \
    X(DTLS_MESSAGES, "turnpike_dtls_messages", COUNTER, "", "direction",                                               \
      "messages of clients over DTLS (in), and for them (out)")                                                        \
    X(DTLS_DROPPED_MESSAGES, "turnpike_dtls_dropped_messages", COUNTER, "", "reason",                                  \
      "datagrams and messages dropped, by the reasons of docs/counters.md")                                            \
    X(TCP_RELAY_LISTENERS, "turnpike_tcp_relay_listeners", GAUGE, "", "", "addresses that TCP allocations listen at")  \
    X(TCP_RELAY_PORTS_USED, "turnpike_tcp_relay_ports_used", GAUGE, "", "family", "relay ports of TCP in use")         \
    X(TCP_RELAY_PORTS_CAPACITY, "turnpike_tcp_relay_ports_capacity", GAUGE, "", "family",                              \
      "relay ports of TCP of all relayed addresses of the family")                                                     \
    X(TCP_RELAY_CONNECTIONS, "turnpike_tcp_relay_connections", GAUGE, "", "",                                          \
      "connections to peers over TCP, those under way included")                                                       \
    X(TCP_RELAY_LISTEN_FAILURES, "turnpike_tcp_relay_listen_failures", COUNTER, "", "",                                \
      "times that nobody could listen, for another reason than that the port is taken")                                \
    X(TCP_RELAY_CONNECTS, "turnpike_tcp_relay_connects", COUNTER, "", "", "connections to peers tried")                \
    X(TCP_RELAY_CONNECT_RESULTS, "turnpike_tcp_relay_connect_results", COUNTER, "", "result", "what became of them")   \
    X(TCP_RELAY_ACCEPTED_CONNECTIONS, "turnpike_tcp_relay_accepted_connections", COUNTER, "", "",                      \
      "connections of peers accepted")                                                                                 \
    X(TCP_RELAY_REFUSED_CONNECTIONS, "turnpike_tcp_relay_refused_connections", COUNTER, "", "",                        \
      "connections of peers closed at once: no permission, or there are too many")                                     \
    X(TCP_RELAY_ACCEPT_PAUSES, "turnpike_tcp_relay_accept_pauses", COUNTER, "", "",                                    \
      "times that accepting was put off for want of file descriptors or memory")                                       \
    X(TCP_RELAY_BINDS, "turnpike_tcp_relay_binds", COUNTER, "", "result",                                              \
      "connections bound by their client, too late, or never")                                                         \
    X(CERTIFICATE_EXPIRY, "turnpike_certificate_expiry_timestamp_seconds", GAUGE, "seconds", "",                       \
      "when the first of the certificates in use expires")                                                             \
    X(RELOADS, "turnpike_reloads", COUNTER, "", "result",                                                              \
      "times that the configuration was read anew: taken, or refused for what is wrong with it")                       \
    X(CONFIG_TAKEN, "turnpike_config_last_taken_timestamp_seconds", GAUGE, "seconds", "",                              \
      "when the configuration in force was read: at the start, or by the last reload that was taken")                  \
    X(LOST_LINES, "turnpike_log_lost_lines", COUNTER, "", "", "lines not written, for the log was slow, or stuck")     \
    X(LOST_SESSION_LINES, "turnpike_session_log_lost_lines", COUNTER, "", "",                                          \
      "lines not written, for the session log was slow, or stuck")                                                     \
    X(SUPPRESSED_LINES, "turnpike_log_suppressed_lines", COUNTER, "", "", "lines left out by log.rate")                \
    X(PAGES, "turnpike_pages", COUNTER, "", "result",                                                                  \
      "metrics pages asked for: served, or refused for want of a token or because they were too many")                 \
    X(PAGE_TIME, "turnpike_page_seconds", COUNTER, "seconds", "", "what they took of the control thread")              \
    X(PROCESS_CPU, "process_cpu_seconds", COUNTER, "seconds", "", "CPU time of all threads, user and system")          \
    X(PROCESS_RESIDENT, "process_resident_memory_bytes", GAUGE, "bytes", "", "resident memory")                        \
    X(PROCESS_VIRTUAL, "process_virtual_memory_bytes", GAUGE, "bytes", "", "virtual memory")                           \
    X(PROCESS_START, "process_start_time_seconds", GAUGE, "seconds", "", "when the process started")                   \
    X(PROCESS_OPEN_FDS, "process_open_fds", GAUGE, "", "", "open file descriptors; from Linux 6.2 on")                 \
    X(PROCESS_MAX_FDS, "process_max_fds", GAUGE, "", "", "file descriptors that may be open")

enum metric {
#define X(id, name, type, unit, labels, help) METRIC_##id,
    METRIC_LIST(X)
#undef X
    METRIC_COUNT,
};

// Static storage. The name is that of its samples in the text format, "turnpike_requests_total", but for histograms.
const char *metric_name(enum metric metric);
const char *metric_labels(enum metric metric); // "worker, direction", or ""
const char *metric_help(enum metric metric);
enum metric_type metric_type(enum metric metric);

enum metric_format {
    METRIC_FORMAT_TEXT,
    METRIC_FORMAT_OPENMETRICS,
};

// What a scraper's Accept header (RFC 9110 section 12.5.1) would rather have; NULL: it has none.
enum metric_format metric_format_choose(const char *accept);
// Of the Content-Type header.
const char *metric_format_type(enum metric_format format);

struct metric_page {
    struct evbuffer *text; // the caller's
    enum metric_format format;
};

// Samples of a metric follow its head, all together. labels: as they stand between braces, or "".
void metric_head(const struct metric_page *page, enum metric metric);
void metric_sample(const struct metric_page *page, enum metric metric, const char *labels, uint64_t value);
void metric_sample_real(const struct metric_page *page, enum metric metric, const char *labels, double value);
// The whole of a metric that has one sample.
void metric_add(const struct metric_page *page, enum metric metric, uint64_t value);

struct metric_histogram {
    const char *const *bounds; // of the buckets, as text, but for the last one, which has none
    unsigned bound_count;
    const uint64_t *counts; // of each bucket alone, one more than there are bounds
    double sum;
};
// Samples, as metric_sample()'s.
void metric_histogram(const struct metric_page *page, enum metric metric, const char *labels,
                      const struct metric_histogram *histogram);
// After the last.
void metric_page_end(const struct metric_page *page);
