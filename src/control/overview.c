// SPDX-License-Identifier: BSD-3-Clause
// See control/overview.h.
#include "control/overview.h"

#include "base/clock.h"
#include "control/drain.h"
#include "control/settings.h"
#include "control/stream_server.h"
#include "control/tls_contexts.h"
#include "control/watchdog.h"
#include "platform/eal.h"
#include "platform/port_counters.h"
#include "turn/counters.h"

#include <stdio.h>
#include <unistd.h>

#define INDEX_TEXT_LEN 12

// Of allocations whose peers are reached over TCP (RFC 6062) no worker counts bytes.
static void add_tcp_bytes(struct telemetry_answer *answer, const struct metrics_sources *sources)
{
    struct stream_counters carried;

    stream_server_sum(sources->streams, &carried);
    telemetry_answer_number(answer, "tcp_bytes_to_peer", carried.joined_to_peer_bytes);
    telemetry_answer_number(answer, "tcp_bytes_to_client", carried.joined_to_client_bytes);
}

static void add_usage(struct telemetry_answer *answer, const struct metrics_sources *sources)
{
    struct turn_usage usage;

    turn_server_usage(sources->server, &usage);
    telemetry_answer_number(answer, "allocations", usage.allocations);
    telemetry_answer_number(answer, "allocations_max",
                            turn_server_allocations_max(sources->server));
    telemetry_answer_number(answer, "permissions", usage.permissions);
    telemetry_answer_number(answer, "channels", usage.channels);
    telemetry_answer_number(answer, "users", usage.users);
    telemetry_answer_number(answer, "relay_ports", usage.relay_ports);
    telemetry_answer_number(answer, "tcp_connections", usage.tcp_connections);
    if (!sources->tcp_relay || !sources->streams)
        return;
    telemetry_answer_number(answer, "tcp_allocations", usage.tcp_allocations);
    add_tcp_bytes(answer, sources);
}

static void add_certificates(struct telemetry_answer *answer, struct tls_contexts *tls)
{
    uint64_t expires_s = tls ? tls_contexts_expires_s(tls) : 0;

    if (expires_s > 0)
        telemetry_answer_number(answer, "certificate_expiry", expires_s);
}

static void add_state(struct telemetry_answer *answer, const struct drain *drain)
{
    struct drain_view view;

    drain_get_view(drain, &view);
    telemetry_answer_text(answer, "state", view.is_draining ? "draining" : "running");
    if (view.is_draining && view.has_deadline)
        telemetry_answer_number(answer, "drain_deadline_seconds", view.left_s);
}

static const char *device_of(const struct settings *settings)
{
    return settings_own_device(settings) ? settings->device : settings->interface;
}

bool overview_status(struct question *question)
{
    const struct metrics_sources *sources = &question->config->sources;
    struct telemetry_answer *answer = &question->answer;
    uint64_t uptime_s = (question->now_ms - question->created_ms) / 1000;

    telemetry_answer_text(answer, "version", TURNPIKE_VERSION);
    telemetry_answer_number(answer, "pid", (uint64_t)getpid());
    telemetry_answer_number(answer, "start_time", clock_wall_s() - uptime_s);
    telemetry_answer_number(answer, "uptime_seconds", uptime_s);
    add_state(answer, sources->drain);
    telemetry_answer_text(answer, "device", device_of(question->config->settings));
    telemetry_answer_number(answer, "workers", sources->plane->config.worker_count);
    telemetry_answer_number(answer, "workers_stuck", watchdog_stuck_count(sources->watchdog));
    add_usage(answer, sources);
    add_certificates(answer, sources->tls);
    return false;
}

static uint64_t sum_of_drops(const struct worker_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned drop = 0; drop < DROP_COUNT; drop++)
        sum += counters->drops[drop];
    return sum;
}

static void add_worker(struct telemetry_answer *answer, const struct metrics_sources *sources,
                       uint16_t worker)
{
    struct worker_counters counters;

    worker_counters_sum(&sources->plane->counters[worker], 1, &counters);
    telemetry_answer_number(answer, "cpu", eal_worker_cpu(worker));
    telemetry_answer_number(answer, "stuck", watchdog_worker_is_stuck(sources->watchdog, worker));
    telemetry_answer_number(answer, "allocations",
                            turn_server_worker_allocations(sources->server, worker));
    telemetry_answer_number(answer, "packets_received", counters.counters[COUNTER_RX_PACKETS]);
    telemetry_answer_number(answer, "bytes_received", counters.counters[COUNTER_RX_BYTES]);
    telemetry_answer_number(answer, "packets_transmitted", counters.counters[COUNTER_TX_PACKETS]);
    telemetry_answer_number(answer, "bytes_transmitted", counters.counters[COUNTER_TX_BYTES]);
    telemetry_answer_number(answer, "dropped", sum_of_drops(&counters));
    telemetry_answer_number(answer, "busy_cycles", counters.busy_tsc);
    telemetry_answer_number(answer, "idle_cycles", counters.idle_tsc);
}

// One of several of a kind: DPDK has no arrays of objects.
static void open_numbered(struct telemetry_answer *answer, unsigned number)
{
    char name[INDEX_TEXT_LEN];

    snprintf(name, sizeof(name), "%u", number);
    telemetry_answer_open(answer, name);
}

bool overview_workers(struct question *question)
{
    const struct metrics_sources *sources = &question->config->sources;
    struct telemetry_answer *answer = &question->answer;

    telemetry_answer_open(answer, "workers");
    for (uint16_t i = 0; i < sources->plane->config.worker_count; i++) {
        open_numbered(answer, i);
        add_worker(answer, sources, i);
        telemetry_answer_close(answer);
    }
    telemetry_answer_close(answer);
    return false;
}

static void add_link(struct telemetry_answer *answer, const struct ports *ports, unsigned index)
{
    struct port_link link;

    if (!ports_get_link(ports, index, &link))
        return;
    telemetry_answer_text(answer, "driver", link.driver);
    telemetry_answer_text(answer, "link", link.is_up ? "up" : "down");
    if (link.speed_mbps > 0)
        telemetry_answer_number(answer, "speed_mbps", link.speed_mbps);
}

static void add_port(struct telemetry_answer *answer, const struct ports *ports, unsigned index)
{
    struct port_counters counters;

    if (ports_get_counters(ports, index, &counters)) {
        telemetry_answer_text(answer, "name", counters.name);
        add_link(answer, ports, index);
        telemetry_answer_number(answer, "rx_packets", counters.received_packets);
        telemetry_answer_number(answer, "rx_bytes", counters.received_bytes);
        telemetry_answer_number(answer, "tx_packets", counters.transmitted_packets);
        telemetry_answer_number(answer, "tx_bytes", counters.transmitted_bytes);
        telemetry_answer_number(answer, "missed", counters.missed);
        telemetry_answer_number(answer, "rx_errors", counters.receive_errors);
        telemetry_answer_number(answer, "tx_errors", counters.transmit_errors);
        telemetry_answer_number(answer, "no_buffer", counters.no_buffer);
    }
}

static void add_text(struct telemetry_answer *answer, const char *name, const char *value)
{
    if (*value)
        telemetry_answer_text(answer, name, value);
}

// Behind what ports have counted, where many leave room for it.
static void add_facts(struct telemetry_answer *answer, const char *name,
                      const struct port_facts *facts)
{
    struct telemetry_answer_state mark = telemetry_answer_mark(answer);

    telemetry_answer_open(answer, name);
    for (unsigned i = 0; i < facts->count; i++) {
        telemetry_answer_open(answer, facts->at[i].item);
        add_text(answer, "found", facts->at[i].found);
        add_text(answer, "used", facts->at[i].used);
        add_text(answer, "why", facts->at[i].why);
        telemetry_answer_close(answer);
    }
    telemetry_answer_close(answer);
    if (!telemetry_answer_has_room(answer, 0))
        telemetry_answer_take_back(answer, &mark);
}

bool overview_ports(struct question *question)
{
    const struct ports *ports = question->config->sources.ports;
    struct telemetry_answer *answer = &question->answer;

    telemetry_answer_open(answer, "ports");
    for (unsigned i = 0; i < ports_device_count(ports); i++) {
        open_numbered(answer, i);
        add_port(answer, ports, i);
        telemetry_answer_close(answer);
    }
    telemetry_answer_close(answer);
    add_facts(answer, "uses", &ports->facts[0]);
    if (ports->device_count > 1)
        add_facts(answer, "relay_uses", &ports->facts[1]);
    return false;
}

bool overview_drops(struct question *question)
{
    const struct plane *plane = question->config->sources.plane;
    struct telemetry_answer *answer = &question->answer;
    struct worker_counters sum;

    worker_counters_sum(plane->counters, plane->config.worker_count, &sum);
    telemetry_answer_open(answer, "drops");
    for (unsigned drop = 0; drop < DROP_COUNT; drop++) {
        if (sum.drops[drop] > 0)
            telemetry_answer_number(answer, drop_name((enum drop)drop), sum.drops[drop]);
    }
    telemetry_answer_close(answer);
    return false;
}

// Bits, as operators count bandwidth; 0: no limit.
static void add_bandwidth(struct telemetry_answer *answer, const struct settings *settings)
{
    telemetry_answer_number(answer, "allocation_bits_per_second_max",
                            (uint64_t)settings->max_bps * 8);
    telemetry_answer_number(answer, "user_bits_per_second_max",
                            (uint64_t)settings->user_max_bps * 8);
    telemetry_answer_number(answer, "total_bits_per_second_max", settings->total_max_bps * 8);
    telemetry_answer_number(answer, "capacity_bits_per_second", settings->bps_capacity * 8);
}

bool overview_quotas(struct question *question)
{
    const struct settings *settings = question->config->settings;
    const struct turn_server *server = question->config->sources.server;
    const struct turn_counters *counters = turn_server_counters(server);
    struct telemetry_answer *answer = &question->answer;
    struct turn_usage usage;

    turn_server_usage(server, &usage);
    telemetry_answer_number(answer, "allocations", usage.allocations);
    telemetry_answer_number(answer, "allocations_max", turn_server_allocations_max(server));
    telemetry_answer_number(answer, "users", usage.users);
    telemetry_answer_number(answer, "user_allocations_max", settings->user_quota);
    add_bandwidth(answer, settings);
    telemetry_answer_open(answer, "refused");
    for (unsigned i = QUOTA_NOT_REFUSED + 1; i < QUOTA_REFUSAL_COUNT; i++)
        telemetry_answer_number(answer, quota_refusal_name((enum quota_refusal)i),
                                counters->quota_refusals[i]);
    telemetry_answer_close(answer);
    return false;
}
