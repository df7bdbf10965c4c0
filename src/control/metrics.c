// SPDX-License-Identifier: BSD-3-Clause
// See control/metrics.h. Of what threads count by themselves tables say which count is a sample of
// which metric.
#include "control/metrics.h"

#include "base/log.h"
#include "control/drain.h"
#include "control/http_access.h"
#include "control/next_hop.h"
#include "control/process_usage.h"
#include "control/reload.h"
#include "control/session_log.h"
#include "control/stream_server.h"
#include "control/tcp_relay.h"
#include "control/tls_contexts.h"
#include "control/watchdog.h"
#include "control/worker_metrics.h"
#include "exchange/ring_usage.h"
#include "platform/port_counters.h"
#include "turn/counters.h"

#include <stdio.h>

#define LABELS_LEN 160

// A count of 64 bits in some struct. Those of one metric stand together.
struct metrics_row {
    enum metric metric;
    const char *labels; // of its own; "": none
    size_t offset;
};

#define COUNT(id)   offsetof(struct worker_counters, counters[COUNTER_##id])
#define FIELD(name) offsetof(struct worker_counters, name)
static const struct metrics_row worker_rows[] = {
    {METRIC_RELAYED_PACKETS, "direction=\"to_peer\",form=\"channel\"", COUNT(CHANNEL_TO_PEER)},
    {METRIC_RELAYED_PACKETS, "direction=\"to_peer\",form=\"indication\"", COUNT(SEND_TO_PEER)},
    {METRIC_RELAYED_PACKETS, "direction=\"to_client\",form=\"channel\"", COUNT(PEER_TO_CHANNEL)},
    {METRIC_RELAYED_PACKETS, "direction=\"to_client\",form=\"indication\"", COUNT(PEER_TO_DATA)},
    {METRIC_RELAYED_BYTES, "direction=\"to_peer\"", COUNT(TO_PEER_BYTES)},
    {METRIC_RELAYED_BYTES, "direction=\"to_client\"", COUNT(TO_CLIENT_BYTES)},
    {METRIC_RECEIVED_PACKETS, "", COUNT(RX_PACKETS)},
    {METRIC_RECEIVED_BYTES, "", COUNT(RX_BYTES)},
    {METRIC_TRANSMITTED_PACKETS, "", COUNT(TX_PACKETS)},
    {METRIC_TRANSMITTED_BYTES, "", COUNT(TX_BYTES)},
    {METRIC_ICMP_RELAYED_PACKETS, "", COUNT(ICMP_TO_DATA)},
    {METRIC_HAIRPIN_PACKETS, "", COUNT(HAIRPIN)},
    {METRIC_HANDOFF_PACKETS, "direction=\"out\"", COUNT(HANDOFF_OUT)},
    {METRIC_HANDOFF_PACKETS, "direction=\"in\"", COUNT(HANDOFF_IN)},
    {METRIC_FOREIGN_PEER_PACKETS, "", COUNT(FOREIGN_PEERS)},
    {METRIC_KERNEL_PACKETS, "direction=\"out\"", COUNT(TO_KERNEL)},
    {METRIC_KERNEL_PACKETS, "direction=\"in\"", COUNT(FROM_KERNEL)},
    {METRIC_STREAM_PACKETS, "direction=\"out\"", COUNT(TO_STREAMS)},
    {METRIC_STREAM_PACKETS, "direction=\"in\"", COUNT(FROM_STREAMS)},
    {METRIC_PUNTED_PACKETS, "", COUNT(PUNTED)},
    {METRIC_REASSEMBLED_PACKETS, "", COUNT(REASSEMBLED)},
    {METRIC_MERGED_FRAGMENTS, "", COUNT(FRAGMENTS_MERGED)},
    {METRIC_FRAGMENTED_PACKETS, "", COUNT(FRAGMENTED)},
    {METRIC_MADE_FRAGMENTS, "", COUNT(FRAGMENTS_MADE)},
    {METRIC_ICMP_ANSWERS, "reason=\"packet_too_big\"", COUNT(PACKET_TOO_BIG)},
    {METRIC_ICMP_ANSWERS, "reason=\"time_exceeded\"", COUNT(TIME_EXCEEDED)},
    {METRIC_PATH_MTUS_LEARNED, "", COUNT(PATH_MTU)},
    {METRIC_COMMANDS, "", COUNT(COMMANDS)},
    {METRIC_COMMAND_FAILURES, "", COUNT(COMMAND_FAILURES)},
    {METRIC_POLLS, "result=\"busy\"", FIELD(busy_polls)},
    {METRIC_POLLS, "result=\"idle\"", FIELD(idle_polls)},
    {METRIC_SLEEPS, "", FIELD(sleeps)},
};
#undef COUNT
#undef FIELD

#define FIELD(name) offsetof(struct stream_counters, name)
static const struct metrics_row stream_rows[] = {
    {METRIC_STREAM_CONNECTIONS, "", FIELD(connections)},
    {METRIC_STREAM_ACCEPTED_CONNECTIONS, "", FIELD(accepted)},
    {METRIC_STREAM_REFUSED_CONNECTIONS, "reason=\"full\"", FIELD(refused_full)},
    {METRIC_STREAM_REFUSED_CONNECTIONS, "reason=\"proxy\"", FIELD(refused_proxy)},
    {METRIC_STREAM_CLOSED_CONNECTIONS, "reason=\"gave_way\"", FIELD(gave_way)},
    {METRIC_STREAM_CLOSED_CONNECTIONS, "reason=\"idle\"", FIELD(idle_timeouts)},
    {METRIC_STREAM_CLOSED_CONNECTIONS, "reason=\"slow_message\"", FIELD(frame_timeouts)},
    {METRIC_STREAM_CLOSED_CONNECTIONS, "reason=\"stuck\"", FIELD(stuck)},
    {METRIC_STREAM_CLOSED_CONNECTIONS, "reason=\"bad_framing\"", FIELD(bad_framing)},
    {METRIC_STREAM_JOINED_CONNECTIONS, "", FIELD(joined)},
    {METRIC_STREAM_JOINED_BYTES, "direction=\"to_peer\"", FIELD(joined_to_peer_bytes)},
    {METRIC_STREAM_JOINED_BYTES, "direction=\"to_client\"", FIELD(joined_to_client_bytes)},
    {METRIC_STREAM_JOINED_PAUSES, "", FIELD(joined_pauses)},
    {METRIC_STREAM_MESSAGES, "direction=\"in\"", FIELD(messages_in)},
    {METRIC_STREAM_MESSAGES, "direction=\"out\"", FIELD(messages_out)},
    {METRIC_STREAM_MESSAGE_BYTES, "direction=\"in\"", FIELD(bytes_in)},
    {METRIC_STREAM_MESSAGE_BYTES, "direction=\"out\"", FIELD(bytes_out)},
    {METRIC_STREAM_DROPPED_MESSAGES, "reason=\"too_long\"", FIELD(too_long)},
    {METRIC_STREAM_DROPPED_MESSAGES, "reason=\"slow_reader\"", FIELD(slow_reader)},
    {METRIC_STREAM_DROPPED_MESSAGES, "reason=\"damaged\"", FIELD(damaged)},
    {METRIC_STREAM_DROPPED_MESSAGES, "reason=\"no_connection\"", FIELD(no_connection)},
    {METRIC_STREAM_DROPPED_MESSAGES, "reason=\"no_memory\"", FIELD(no_memory)},
    {METRIC_STREAM_SOCKET_CALLS, "call=\"read\"", FIELD(reads)},
    {METRIC_STREAM_SOCKET_CALLS, "call=\"write\"", FIELD(writes)},
    {METRIC_STREAM_WAKEUPS, "", FIELD(wakeups)},
    {METRIC_STREAM_ACCEPT_PAUSES, "", FIELD(accept_pauses)},
    {METRIC_TLS_HANDSHAKES, "result=\"completed\"", FIELD(handshakes)},
    {METRIC_TLS_HANDSHAKES, "result=\"failed\"", FIELD(handshake_failures)},
    {METRIC_TLS_HANDSHAKES, "result=\"timeout\"", FIELD(handshake_timeouts)},
};
#undef FIELD

#define FIELD(name) offsetof(struct dtls_counters, name)
static const struct metrics_row dtls_rows[] = {
    {METRIC_DTLS_ASSOCIATIONS, "", FIELD(associations)},
    {METRIC_DTLS_HALF_OPEN, "", FIELD(half_open)},
    {METRIC_DTLS_HELLOS, "", FIELD(hellos)},
    {METRIC_DTLS_VERIFY_REQUESTS, "", FIELD(verify_requests)},
    {METRIC_DTLS_HANDSHAKES, "result=\"completed\"", FIELD(handshakes)},
    {METRIC_DTLS_HANDSHAKES, "result=\"failed\"", FIELD(failures)},
    {METRIC_DTLS_HANDSHAKES, "result=\"timeout\"", FIELD(timeouts)},
    {METRIC_DTLS_CLOSED_ASSOCIATIONS, "reason=\"replaced\"", FIELD(replacements)},
    {METRIC_DTLS_CLOSED_ASSOCIATIONS, "reason=\"idle\"", FIELD(idle)},
    {METRIC_DTLS_MESSAGES, "direction=\"in\"", FIELD(records_in)},
    {METRIC_DTLS_MESSAGES, "direction=\"out\"", FIELD(records_out)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"unknown\"", FIELD(dropped_unknown)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"refused\"", FIELD(dropped_refused)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"full\"", FIELD(dropped_full)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"early\"", FIELD(dropped_early)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"no_listener\"", FIELD(dropped_no_listener)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"no_room\"", FIELD(dropped_no_room)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"too_long\"", FIELD(dropped_too_long)},
    {METRIC_DTLS_DROPPED_MESSAGES, "reason=\"no_client\"", FIELD(dropped_no_client)},
};
#undef FIELD

#define FIELD(name) offsetof(struct tcp_relay_counters, name)
static const struct metrics_row tcp_relay_rows[] = {
    {METRIC_TCP_RELAY_LISTENERS, "", FIELD(listeners)},
    {METRIC_TCP_RELAY_CONNECTIONS, "", FIELD(connections)},
    {METRIC_TCP_RELAY_LISTEN_FAILURES, "", FIELD(listen_failures)},
    {METRIC_TCP_RELAY_CONNECTS, "", FIELD(connects)},
    {METRIC_TCP_RELAY_CONNECT_RESULTS, "result=\"made\"", FIELD(connects_made)},
    {METRIC_TCP_RELAY_CONNECT_RESULTS, "result=\"refused\"", FIELD(connects_refused)},
    {METRIC_TCP_RELAY_CONNECT_RESULTS, "result=\"unreachable\"", FIELD(connects_unreachable)},
    {METRIC_TCP_RELAY_CONNECT_RESULTS, "result=\"timeout\"", FIELD(connects_timed_out)},
    {METRIC_TCP_RELAY_CONNECT_RESULTS, "result=\"failed\"", FIELD(connects_failed)},
    {METRIC_TCP_RELAY_CONNECT_RESULTS, "result=\"given_up\"", FIELD(connects_given_up)},
    {METRIC_TCP_RELAY_ACCEPTED_CONNECTIONS, "", FIELD(accepted)},
    {METRIC_TCP_RELAY_REFUSED_CONNECTIONS, "", FIELD(refused)},
    {METRIC_TCP_RELAY_ACCEPT_PAUSES, "", FIELD(accept_pauses)},
    {METRIC_TCP_RELAY_BINDS, "result=\"bound\"", FIELD(bound)},
    {METRIC_TCP_RELAY_BINDS, "result=\"late\"", FIELD(bound_late)},
    {METRIC_TCP_RELAY_BINDS, "result=\"never\"", FIELD(unbound)},
};
#undef FIELD

#define ROW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static uint64_t count_at(const void *counters, const struct metrics_row *row)
{
    return *(const uint64_t *)((const char *)counters + row->offset);
}

static void write_workers(const struct metric_page *page, const struct metric_workers *workers)
{
    for (unsigned i = 0; i < ROW_COUNT(worker_rows); i++) {
        const struct metrics_row *row = &worker_rows[i];
        char labels[LABELS_LEN];

        if (i == 0 || row->metric != row[-1].metric)
            metric_head(page, row->metric);
        for (unsigned worker = 0; worker < workers->count; worker++) {
            snprintf(labels, sizeof(labels), "worker=\"%u\"%s%s", worker, *row->labels ? "," : "",
                     row->labels);
            metric_sample(page, row->metric, labels, count_at(&workers->each[worker], row));
        }
    }
}

// All reasons are always there, so that a rate is known from the first drop on.
static void write_drops(const struct metric_page *page, const struct metric_workers *workers)
{
    metric_head(page, METRIC_DROPPED_PACKETS);
    for (unsigned worker = 0; worker < workers->count; worker++) {
        for (unsigned drop = 0; drop < DROP_COUNT; drop++) {
            char labels[LABELS_LEN];

            snprintf(labels, sizeof(labels), "worker=\"%u\",reason=\"%s\"", worker,
                     drop_name((enum drop)drop));
            metric_sample(page, METRIC_DROPPED_PACKETS, labels, workers->each[worker].drops[drop]);
        }
    }
}

static void write_rows(const struct metric_page *page, const struct metrics_row *rows,
                       unsigned count, const void *counters)
{
    for (unsigned i = 0; i < count; i++) {
        if (i == 0 || rows[i].metric != rows[i - 1].metric)
            metric_head(page, rows[i].metric);
        metric_sample(page, rows[i].metric, rows[i].labels, count_at(counters, &rows[i]));
    }
}

static void write_streams(const struct metric_page *page, const struct stream_server *streams)
{
    struct stream_counters counters;
    struct dtls_counters dtls;

    if (!streams)
        return;
    stream_server_sum(streams, &counters);
    stream_server_sum_dtls(streams, &dtls);
    write_rows(page, stream_rows, ROW_COUNT(stream_rows), &counters);
    write_rows(page, dtls_rows, ROW_COUNT(dtls_rows), &dtls);
}

// Workers answer most requests before the TURN server sees them. Of these the method is known of
// Binding alone.
static void write_requests(const struct metric_page *page, const struct turn_counters *counters,
                           const struct worker_counters *workers)
{
    const uint64_t *answers = workers->counters;
    char labels[LABELS_LEN];

    metric_head(page, METRIC_REQUESTS);
    for (unsigned method = 0; method < TURN_METHOD_COUNT; method++) {
        uint64_t count = counters->requests[method];

        if (method == TURN_METHOD_INDEX_BINDING)
            count += answers[COUNTER_BINDING] + answers[COUNTER_UNKNOWN_ATTRIBUTE];
        snprintf(labels, sizeof(labels), "method=\"%s\"",
                 turn_method_name((enum turn_method_index)method));
        metric_sample(page, METRIC_REQUESTS, labels, count);
    }
    metric_sample(page, METRIC_REQUESTS, "method=\"any\"",
                  answers[COUNTER_BAD_REQUEST] + answers[COUNTER_UNAUTHENTICATED] +
                      answers[COUNTER_STALE_NONCE]);
}

static void write_errors(const struct metric_page *page, const struct turn_counters *counters,
                         const struct worker_counters *workers)
{
    const uint64_t *answers = workers->counters;
    char labels[LABELS_LEN];

    metric_head(page, METRIC_REQUEST_ERRORS);
    for (unsigned method = 0; method < TURN_METHOD_COUNT; method++) {
        for (unsigned error = 0; error < TURN_ERROR_COUNT; error++) {
            uint64_t count = counters->errors[method][error];

            if (method == TURN_METHOD_INDEX_BINDING && error == TURN_ERROR_INDEX_UNKNOWN_ATTRIBUTE)
                count += answers[COUNTER_UNKNOWN_ATTRIBUTE];
            snprintf(labels, sizeof(labels), "method=\"%s\",code=\"%u\"",
                     turn_method_name((enum turn_method_index)method),
                     turn_error_code((enum turn_error_index)error));
            metric_sample(page, METRIC_REQUEST_ERRORS, labels, count);
        }
    }
    metric_sample(page, METRIC_REQUEST_ERRORS, "method=\"any\",code=\"400\"",
                  answers[COUNTER_BAD_REQUEST]);
    metric_sample(page, METRIC_REQUEST_ERRORS, "method=\"any\",code=\"401\"",
                  answers[COUNTER_UNAUTHENTICATED]);
    metric_sample(page, METRIC_REQUEST_ERRORS, "method=\"any\",code=\"438\"",
                  answers[COUNTER_STALE_NONCE]);
}

static void write_refusals(const struct metric_page *page, const struct turn_counters *counters)
{
    char labels[LABELS_LEN];

    metric_head(page, METRIC_QUOTA_REFUSALS);
    for (unsigned i = QUOTA_NOT_REFUSED + 1; i < QUOTA_REFUSAL_COUNT; i++) {
        snprintf(labels, sizeof(labels), "quota=\"%s\"", quota_refusal_name((enum quota_refusal)i));
        metric_sample(page, METRIC_QUOTA_REFUSALS, labels, counters->quota_refusals[i]);
    }
}

static const char *kind_labels(unsigned family, unsigned transport, char labels[LABELS_LEN])
{
    snprintf(labels, LABELS_LEN, "family=\"%s\",transport=\"%s\"",
             turn_family_name((enum turn_family_index)family),
             turn_transport_name((enum turn_transport_index)transport));
    return labels;
}

static void write_allocations(const struct metric_page *page, const struct turn_counters *counters)
{
    char labels[LABELS_LEN];

    metric_head(page, METRIC_ALLOCATIONS);
    for (unsigned family = 0; family < TURN_FAMILY_COUNT; family++) {
        for (unsigned transport = 0; transport < TURN_TRANSPORT_COUNT; transport++)
            metric_sample(page, METRIC_ALLOCATIONS, kind_labels(family, transport, labels),
                          counters->allocations[family][transport]);
    }
    metric_head(page, METRIC_ALLOCATIONS_ACTIVE);
    for (unsigned family = 0; family < TURN_FAMILY_COUNT; family++) {
        for (unsigned transport = 0; transport < TURN_TRANSPORT_COUNT; transport++)
            metric_sample(page, METRIC_ALLOCATIONS_ACTIVE, kind_labels(family, transport, labels),
                          counters->live[family][transport]);
    }
}

static const struct {
    enum ip_family family;
    const char *name;
} families[] = {{IP_FAMILY_V4, "ipv4"}, {IP_FAMILY_V6, "ipv6"}};

static void write_relay_ports(const struct metrics_sources *sources, const struct metric_page *page,
                              enum metric metric)
{
    metric_head(page, metric);
    for (unsigned i = 0; i < ROW_COUNT(families); i++) {
        for (uint16_t worker = 0; worker < sources->plane->config.worker_count; worker++) {
            struct turn_port_usage usage;
            char labels[LABELS_LEN];

            turn_server_relay_ports(sources->server, families[i].family, worker, &usage);
            snprintf(labels, sizeof(labels), "family=\"%s\",worker=\"%u\"", families[i].name,
                     worker);
            metric_sample(page, metric, labels,
                          metric == METRIC_RELAY_PORTS_USED ? usage.taken : usage.capacity);
        }
    }
}

static void write_tcp_ports(const struct metrics_sources *sources, const struct metric_page *page,
                            enum metric metric)
{
    metric_head(page, metric);
    for (unsigned i = 0; i < ROW_COUNT(families); i++) {
        struct turn_port_usage usage;
        char labels[LABELS_LEN];

        turn_server_tcp_ports(sources->server, families[i].family, &usage);
        snprintf(labels, sizeof(labels), "family=\"%s\"", families[i].name);
        metric_sample(page, metric, labels,
                      metric == METRIC_TCP_RELAY_PORTS_USED ? usage.taken : usage.capacity);
    }
}

static void write_turn(const struct metrics_sources *sources, const struct metric_page *page,
                       const struct worker_counters *workers)
{
    const struct turn_counters *counters = turn_server_counters(sources->server);
    const struct turn_limits *limits = sources->limits;
    uint64_t worker_count = sources->plane->config.worker_count;
    struct turn_usage usage;

    turn_server_usage(sources->server, &usage);
    write_requests(page, counters, workers);
    write_errors(page, counters, workers);
    write_refusals(page, counters);
    metric_add(page, METRIC_AUTHENTICATION_FAILURES, counters->authentication_failures);
    write_allocations(page, counters);
    metric_add(page, METRIC_ALLOCATIONS_CAPACITY, turn_server_allocations_max(sources->server));
    metric_add(page, METRIC_PERMISSIONS_ACTIVE, usage.permissions);
    metric_add(page, METRIC_PERMISSIONS_CAPACITY, limits->permissions_per_worker * worker_count);
    metric_add(page, METRIC_CHANNELS_ACTIVE, usage.channels);
    metric_add(page, METRIC_CHANNELS_CAPACITY, limits->channels_per_worker * worker_count);
    metric_add(page, METRIC_RESERVATIONS_ACTIVE, usage.reservations);
    metric_add(page, METRIC_USERS_ACTIVE, usage.users);
    metric_add(page, METRIC_PENDING_REMOVALS, usage.pending_removals);
    write_relay_ports(sources, page, METRIC_RELAY_PORTS_USED);
    write_relay_ports(sources, page, METRIC_RELAY_PORTS_CAPACITY);
}

static void write_drain(const struct drain *drain, const struct metric_page *page)
{
    struct drain_view view;

    drain_get_view(drain, &view);
    metric_add(page, METRIC_DRAINING, view.is_draining);
    metric_add(page, METRIC_DRAIN_DEADLINE, view.deadline_wall_s);
}

static void write_delays(const struct watchdog *watchdog, const struct metric_page *page)
{
    const struct watchdog_delays *delays = watchdog_get_delays(watchdog);

    metric_head(page, METRIC_CONTROL_DELAY);
    metric_histogram(page, METRIC_CONTROL_DELAY, "",
                     &(struct metric_histogram){watchdog_delay_bounds, WATCHDOG_DELAY_BOUNDS,
                                                delays->counts, (double)delays->sum_ms / 1000});
}

static void write_tables(const struct metrics_sources *sources, const struct metric_page *page)
{
    const struct plane_config *config = &sources->plane->config;

    metric_head(page, METRIC_WORKER_STUCK);
    for (uint16_t worker = 0; worker < config->worker_count; worker++) {
        char labels[LABELS_LEN];

        snprintf(labels, sizeof(labels), "worker=\"%u\"", worker);
        metric_sample(page, METRIC_WORKER_STUCK, labels,
                      watchdog_worker_is_stuck(sources->watchdog, worker));
    }
    metric_head(page, METRIC_WORKER_ALLOCATIONS);
    for (uint16_t worker = 0; worker < config->worker_count; worker++) {
        char labels[LABELS_LEN];

        snprintf(labels, sizeof(labels), "worker=\"%u\"", worker);
        metric_sample(page, METRIC_WORKER_ALLOCATIONS, labels,
                      turn_server_worker_allocations(sources->server, worker));
    }
    metric_add(page, METRIC_WORKER_ALLOCATIONS_CAPACITY, config->allocations_per_worker);
}

static void write_rings(const struct plane *plane, const struct metric_page *page,
                        enum metric metric)
{
    metric_head(page, metric);
    for (unsigned ring = 0; ring < PLANE_RING_COUNT; ring++) {
        for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
            struct ring_usage usage;
            char labels[LABELS_LEN];

            if (!ring_usage_get(plane, (enum plane_ring)ring, worker, &usage))
                continue;
            snprintf(labels, sizeof(labels), "ring=\"%s\",worker=\"%u\"",
                     plane_ring_name((enum plane_ring)ring), worker);
            metric_sample(page, metric, labels,
                          metric == METRIC_RING_ENTRIES ? usage.entries : usage.capacity);
        }
    }
}

static void write_port(const struct metric_page *page, enum metric metric,
                       const struct port_counters *counters, const char *direction, uint64_t value)
{
    char labels[LABELS_LEN];

    snprintf(labels, sizeof(labels), "port=\"%.63s\"%s%s%s", counters->name,
             *direction ? ",direction=\"" : "", direction, *direction ? "\"" : "");
    metric_sample(page, metric, labels, value);
}

#define PORT_METRIC(metric, field)                                                                 \
    metric_head(page, metric);                                                                     \
    for (unsigned i = 0; i < count; i++)                                                           \
    write_port(page, metric, &counters[i], "", counters[i].field)

static void write_links(const struct ports *ports, const struct metric_page *page)
{
    metric_head(page, METRIC_PORT_UP);
    for (unsigned i = 0; i < ports_device_count(ports); i++) {
        struct port_counters counters;
        struct port_link link;

        if (ports_get_counters(ports, i, &counters) && ports_get_link(ports, i, &link))
            write_port(page, METRIC_PORT_UP, &counters, "", link.is_up);
    }
}

static void write_ports(const struct ports *ports, const struct metric_page *page)
{
    struct port_counters counters[PORT_SLICE_COUNT];
    struct port_buffers buffers;
    unsigned count = 0;

    for (unsigned i = 0; i < ports_device_count(ports); i++)
        count += ports_get_counters(ports, i, &counters[count]);
    PORT_METRIC(METRIC_PORT_RECEIVED_PACKETS, received_packets);
    PORT_METRIC(METRIC_PORT_RECEIVED_BYTES, received_bytes);
    PORT_METRIC(METRIC_PORT_TRANSMITTED_PACKETS, transmitted_packets);
    PORT_METRIC(METRIC_PORT_TRANSMITTED_BYTES, transmitted_bytes);
    PORT_METRIC(METRIC_PORT_MISSED_PACKETS, missed);
    PORT_METRIC(METRIC_PORT_NO_BUFFER_PACKETS, no_buffer);
    metric_head(page, METRIC_PORT_ERRORS);
    for (unsigned i = 0; i < count; i++) {
        write_port(page, METRIC_PORT_ERRORS, &counters[i], "in", counters[i].receive_errors);
        write_port(page, METRIC_PORT_ERRORS, &counters[i], "out", counters[i].transmit_errors);
    }
    ports_get_buffers(ports, &buffers);
    metric_add(page, METRIC_PACKET_BUFFERS_USED, buffers.used);
    metric_add(page, METRIC_PACKET_BUFFERS_CAPACITY, buffers.capacity);
}

// As many as the driver has; the same from page to page.
static void write_statistics(const struct ports *ports, const struct metric_page *page)
{
    static struct port_statistic statistics[PORT_STATISTICS_MAX];

    metric_head(page, METRIC_PORT_STATISTIC);
    for (unsigned i = 0; i < ports_device_count(ports); i++) {
        struct port_counters port;
        unsigned count =
            ports_get_counters(ports, i, &port) ? ports_get_statistics(ports, i, statistics) : 0;

        for (unsigned j = 0; j < count; j++) {
            char labels[LABELS_LEN];

            snprintf(labels, sizeof(labels), "port=\"%.63s\",name=\"%.63s\"", port.name,
                     statistics[j].name);
            metric_sample(page, METRIC_PORT_STATISTIC, labels, statistics[j].value);
        }
    }
}

static void write_next_hops(const struct metrics_sources *sources, const struct metric_page *page)
{
    struct next_hops_usage usage;

    next_hops_get_usage(sources->hops, &usage);
    metric_head(page, METRIC_NEXT_HOPS);
    metric_sample(page, METRIC_NEXT_HOPS, "state=\"resolved\"", usage.resolved);
    metric_sample(page, METRIC_NEXT_HOPS, "state=\"unresolved\"",
                  usage.adjacencies - usage.resolved);
    metric_add(page, METRIC_NEXT_HOPS_CAPACITY, sources->plane->config.adjacencies);
    metric_add(page, METRIC_DESTINATIONS, usage.destinations);
}

static void write_tcp_relay(const struct metrics_sources *sources, const struct metric_page *page)
{
    if (!sources->tcp_relay)
        return;
    write_rows(page, tcp_relay_rows, ROW_COUNT(tcp_relay_rows),
               tcp_relay_counters(sources->tcp_relay));
    write_tcp_ports(sources, page, METRIC_TCP_RELAY_PORTS_USED);
    write_tcp_ports(sources, page, METRIC_TCP_RELAY_PORTS_CAPACITY);
}

static void write_certificates(const struct metrics_sources *sources,
                               const struct metric_page *page)
{
    uint64_t expires_s = sources->tls ? tls_contexts_expires_s(sources->tls) : 0;
    uint64_t ours_s = http_access_expires_s(sources->access);

    if (expires_s == 0 || (ours_s > 0 && ours_s < expires_s))
        expires_s = ours_s;
    if (expires_s > 0)
        metric_add(page, METRIC_CERTIFICATE_EXPIRY, expires_s);
}

static void write_real(const struct metric_page *page, enum metric metric, double value)
{
    metric_head(page, metric);
    metric_sample_real(page, metric, "", value);
}

static void write_reloads(const struct reload *reload, const struct metric_page *page)
{
    const struct reload_history *history = reload_get_history(reload);

    metric_head(page, METRIC_RELOADS);
    metric_sample(page, METRIC_RELOADS, "result=\"taken\"", history->taken_count);
    metric_sample(page, METRIC_RELOADS, "result=\"refused\"", history->refused_count);
    metric_add(page, METRIC_CONFIG_TAKEN, history->taken_s);
}

static void write_logs(const struct session_log *sessions, const struct metric_page *page)
{
    metric_add(page, METRIC_LOST_LINES, log_lost_count());
    metric_add(page, METRIC_LOST_SESSION_LINES, session_log_lost_count(sessions));
    metric_add(page, METRIC_SUPPRESSED_LINES, log_suppressed_count());
}

static void write_pages(const struct metrics_pages *pages, const struct metric_page *page)
{
    metric_head(page, METRIC_PAGES);
    metric_sample(page, METRIC_PAGES, "result=\"served\"", pages->served);
    metric_sample(page, METRIC_PAGES, "result=\"no_token\"", pages->refused_token);
    metric_sample(page, METRIC_PAGES, "result=\"too_many\"", pages->refused_pace);
    metric_head(page, METRIC_PAGE_TIME);
    metric_sample_real(page, METRIC_PAGE_TIME, "", (double)pages->time_us / 1e6);
}

static void write_process(const struct metric_page *page)
{
    struct process_usage usage;

    if (process_usage_get(&usage) < 0)
        return;
    write_real(page, METRIC_PROCESS_CPU, usage.cpu_s);
    metric_add(page, METRIC_PROCESS_RESIDENT, usage.resident_bytes);
    metric_add(page, METRIC_PROCESS_VIRTUAL, usage.virtual_bytes);
    write_real(page, METRIC_PROCESS_START, usage.start_s);
    if (usage.open_files > 0)
        metric_add(page, METRIC_PROCESS_OPEN_FDS, usage.open_files);
    metric_add(page, METRIC_PROCESS_MAX_FDS, usage.max_files);
}

void metrics_write(const struct metrics_sources *sources, const struct metric_page *page)
{
    // Too large for a stack, and one thread writes pages.
    static struct metric_workers workers;

    metric_workers_read(sources->plane, &workers);
    metric_head(page, METRIC_BUILD);
    metric_sample(page, METRIC_BUILD, "version=\"" TURNPIKE_VERSION "\"", 1);
    write_workers(page, &workers);
    worker_metrics_write(page, sources->plane, &workers);
    write_drops(page, &workers);
    write_turn(sources, page, &workers.sum);
    write_drain(sources->drain, page);
    write_tables(sources, page);
    write_delays(sources->watchdog, page);
    write_rings(sources->plane, page, METRIC_RING_ENTRIES);
    write_rings(sources->plane, page, METRIC_RING_CAPACITY);
    write_ports(sources->ports, page);
    write_links(sources->ports, page);
    write_statistics(sources->ports, page);
    write_next_hops(sources, page);
    write_streams(page, sources->streams);
    write_tcp_relay(sources, page);
    write_certificates(sources, page);
    write_reloads(sources->reload, page);
    write_logs(sources->sessions, page);
    write_pages(sources->pages, page);
    write_process(page);
    metric_page_end(page);
}
