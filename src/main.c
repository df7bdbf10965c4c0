// SPDX-License-Identifier: BSD-3-Clause
// Wiring only: what the relay is made of, in the order in which it comes to life, and back.
#include "base/clock.h"
#include "base/log.h"
#include "base/netns.h"
#include "control/address_watch.h"
#include "control/drain.h"
#include "control/dtls_server.h"
#include "control/endpoints.h"
#include "control/forwarder.h"
#include "control/http_access.h"
#include "control/link_watch.h"
#include "control/log_settings.h"
#include "control/loop.h"
#include "control/monitor.h"
#include "control/next_hop.h"
#include "control/options.h"
#include "control/questions.h"
#include "control/reload.h"
#include "control/service_manager.h"
#include "control/session_log.h"
#include "control/settings.h"
#include "control/sizing.h"
#include "control/statistics.h"
#include "control/status_line.h"
#include "control/stream_server.h"
#include "control/summary.h"
#include "control/tcp_relay.h"
#include "control/tls_contexts.h"
#include "control/turn_state.h"
#include "control/watchdog.h"
#include "dataplane/live_traffic.h"
#include "dataplane/worker.h"
#include "platform/capture.h"
#include "platform/control_socket.h"
#include "platform/eal.h"
#include "platform/interface.h"
#include "platform/port.h"
#include "platform/privileges.h"
#include "platform/reserved_ports.h"
#include "platform/twins.h"
#include "platform/xdp_filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    EXIT_STUCK = 70,
};

// For who reads the log, at the end.
#define LOG_WAIT_MS 500

struct relay {
    struct options options;
    struct settings settings;
    struct interface interface; // of several twins the first, with the addresses of all; as of now
    gid_t control_group;
    struct turn_limits limits;
    struct plane_config plane_config;
    struct turn_state turn;
    bool eal_is_up;
    bool hugepages;
    struct plane *plane;
    struct xdp_filter *filter;
    struct netns *netns; // of devices' twins; NULL: ours
    struct reserved_ports *reserved_ports;
    struct ports ports;
    struct twins twins;
    struct worker *workers[PLANE_WORKERS_MAX];
    bool workers_run;
    struct next_hops *hops;
    struct forwarder *forwarder;
    struct tcp_relay *tcp_relay;
    struct session_log *sessions;
    struct reload *reload;
    struct loop *loop;
    struct drain *drain;
    struct tls_contexts *tls;
    struct http_access *http_access;
    struct stream_server *streams;
    struct watchdog *watchdog;
    struct link_watch *link_watch;
    struct address_watch *address_watch;
    struct monitor *monitor;
    struct questions *questions;
    struct statistics statistics;
    struct status_line status;
};

// The twin of a device comes when the device is open, and is asked about then.
static int find_interface(const struct settings *settings, struct interface *ret_interface)
{
    int error;

    if (settings_have_twin(settings)) {
        *ret_interface = (struct interface){};
        return 0;
    }
    error = interface_query(settings->interface, ret_interface);
    // The queues of a device are its driver's.
    return error ? error
                 : interface_check(ret_interface, settings_own_device(settings)
                                                      ? ret_interface->queue_count
                                                      : settings->workers);
}

static int listen_for_peers(void *context, uint32_t allocation, struct turn_relayed_address address)
{
    struct relay *relay = context;

    return tcp_relay_listen(relay->tcp_relay, allocation, address);
}

static void on_session_end(void *context, const struct turn_allocation_view *view,
                           enum turn_end end)
{
    session_log_ended(context, view, end);
}

static int make_session_log(struct relay *relay)
{
    const struct session_log_config config = {&relay->settings, relay->limits.allocations};
    int error = session_log_create(&config, &relay->sessions);

    if (!error) {
        const struct turn_watcher watcher = {on_session_end, relay->sessions};

        turn_server_set_watcher(relay->turn.server, &watcher);
    }
    return error;
}

// Everything that can be known to fail before anything is touched.
static int prepare(struct relay *relay)
{
    const struct settings *settings = &relay->settings;
    const struct turn_tcp_listener tcp_listener = {listen_for_peers, relay};
    int error = privileges_check(settings_own_device(settings));

    if (!error)
        error = control_socket_find_group(settings->control_group, &relay->control_group);
    if (!error)
        error = find_interface(settings, &relay->interface);
    if (!error)
        error = endpoints_resolve(settings, &relay->interface, &relay->plane_config);
    if (error)
        return error;
    sizing_limits(settings, &relay->limits);
    sizing_plane(settings, &relay->limits, &relay->plane_config);
    error = turn_state_make_policy(settings, &relay->plane_config.stateless);
    if (!error)
        error = tls_contexts_create(settings, &dtls_server_cookies, &relay->tls);
    if (!error)
        error = http_access_create(settings, &relay->http_access);
    if (!error)
        error = turn_state_init(settings, &relay->interface, &relay->plane_config, &relay->limits,
                                &tcp_listener, &relay->turn);
    if (!error)
        error = make_session_log(relay);
    return error;
}

static struct port_config port_config_of(const struct relay *relay)
{
    const struct settings *settings = &relay->settings;

    return (struct port_config){
        .interface = settings->interface,
        .mtu = relay->interface.mtu,
        .queue_count = (uint16_t)settings->workers,
        .buffer_count = sizing_buffer_count(settings),
        .devices =
            {
                {
                    .name = settings->device,
                    .mtu = (uint16_t)settings->mtu,
                    .vlan = (uint16_t)settings->vlan,
                },
                {
                    .name = settings->relay_device,
                    .mtu = (uint16_t)settings->relay_mtu,
                    .vlan = (uint16_t)settings->relay_vlan,
                },
            },
        .device_count =
            (unsigned)settings_own_device(settings) + (unsigned)settings_own_relay_device(settings),
    };
}

static int start_eal(struct relay *relay)
{
    const struct settings *settings = &relay->settings;
    const struct port_config ports = port_config_of(relay);
    uint64_t buffers_len = ports_expect_memory_len(&ports);
    struct eal_config config = {
        .worker_count = (uint16_t)settings->workers,
        .cpu_count = settings->cpus.count,
        .node = ports_expect_node(&ports),
        .hugepages = (enum eal_hugepages)settings->hugepages,
        .memory_mb = sizing_memory_mb(settings, buffers_len),
        .capture = settings->capture,
        .control_group = relay->control_group,
    };
    unsigned cards = 0;
    int error = 0;

    memcpy(config.cpus, settings->cpus.cpus, sizeof(config.cpus));
    for (unsigned i = 0; i < ports.device_count; i++) {
        if (device_is_pci(ports.devices[i].name))
            config.cards[cards++] = ports.devices[i].name;
    }
    // Neither the kernel nor a card reaches into the buffers of a virtual device.
    if (cards > 0 || !settings_own_device(settings))
        error = privileges_lock_memory(buffers_len * settings->workers);
    if (!error)
        error = eal_start(&config, &relay->hugepages);
    relay->eal_is_up = !error;
    return error;
}

static int filter_interface(struct relay *relay)
{
    const struct settings *settings = &relay->settings;
    int error = xdp_filter_create(&relay->plane_config, &relay->filter);

    if (!error)
        error = xdp_filter_attach(relay->filter, settings->interface,
                                  (enum xdp_filter_mode)settings->xdp_mode);
    return error;
}

// What follows with a context is done in the network namespace of the interface.
static int make_twins(void *context)
{
    struct relay *relay = context;
    const struct twins_config config = {
        .plane = relay->plane,
        .ports = &relay->ports,
        .names = {relay->settings.interface, relay->settings.relay_interface},
    };
    int error = twins_create(&config, &relay->twins);

    if (error)
        return error;
    twins_get_interface(&relay->twins, &relay->interface);
    return turn_state_renew_peer_policy(&relay->settings, &relay->interface, &relay->plane_config,
                                        &relay->turn);
}

static void add_xdp(const struct xdp_filter *filter, struct port_facts *facts)
{
    snprintf(port_facts_add(facts, "xdp")->used, PORT_FACT_TEXT_LEN, "%s, %s",
             xdp_filter_mode(filter) == XDP_FILTER_NATIVE ? "native" : "generic",
             xdp_filter_is_zero_copy(filter) ? "without copies" : "with a copy");
}

static int reserve_ports(void *context)
{
    struct relay *relay = context;

    relay->reserved_ports = reserved_ports_add(&relay->plane_config, relay->settings.interface);
    return 0;
}

static void release_ports(struct relay *relay)
{
    if (relay->reserved_ports)
        reserved_ports_remove(relay->reserved_ports);
}

static int enter_netns(struct relay *relay)
{
    const char *name = relay->settings.netns;

    return *name ? netns_open(name, &relay->netns) : 0;
}

// From here on packets arrive.
static int open_ports(struct relay *relay)
{
    bool owns_device = settings_own_device(&relay->settings);
    struct port_config config = port_config_of(relay);
    int error = owns_device ? enter_netns(relay) : filter_interface(relay);

    if (error)
        return error;
    netns_call(relay->netns, reserve_ports, relay);
    config.counters = relay->plane->counters;
    config.plane = &relay->plane_config;
    config.flow_isolation = relay->settings.flow_isolation;
    error = ports_open(&config, &relay->ports);
    if (!error && relay->filter)
        add_xdp(relay->filter, &relay->ports.facts[0]);
    if (!error && settings_have_twin(&relay->settings))
        error = netns_call(relay->netns, make_twins, relay);
    relay->plane->steers = ports_steer(&relay->ports);
    return error;
}

static int make_plane(struct relay *relay)
{
    int error = plane_create(&relay->plane_config, &relay->plane);

    if (error)
        log_message(LOG_LEVEL_ERROR, "plane", "the rings of %u workers cannot be made: %s",
                    relay->plane_config.worker_count, strerror(-error));
    return error;
}

// With its tables on the node of its CPU, or where there is room.
static int create_worker(struct worker_config *config, struct worker **ret_worker)
{
    int error = worker_create(config, ret_worker);

    if (error == -ENOMEM) {
        config->socket = -1;
        error = worker_create(config, ret_worker);
    }
    return error;
}

static int start_workers(struct relay *relay)
{
    int error = 0;

    for (uint16_t i = 0; !error && i < relay->plane_config.worker_count; i++) {
        struct worker_config config = {
            .plane = relay->plane,
            .id = i,
            .port = relay->ports.ids[0][i],
            .relay_port = relay->ports.ids[1][i],
            .queue = relay->ports.queues[i],
            .socket = eal_worker_node(i),
            .pool = relay->ports.pool,
            .wait_fd = relay->filter ? xdp_filter_socket(relay->filter, i) : 0,
            .shares_cpu = eal_worker_shares_cpu(i),
        };

        error = create_worker(&config, &relay->workers[i]);
    }
    for (uint16_t i = 0; !error && i < relay->plane_config.worker_count; i++)
        error = eal_launch(i, worker_run, relay->workers[i]);
    relay->workers_run = true;
    if (error)
        log_message(LOG_LEVEL_ERROR, "workers",
                    "cannot be started: %s; their tables go by total_quota, "
                    "permissions_per_allocation and channels_per_allocation",
                    strerror(-error));
    return error;
}

static void tell_service_manager(struct relay *relay)
{
    struct drain_view view;
    char drain[DRAIN_TEXT_LEN], status[STATUS_LINE_LEN];

    drain_get_view(relay->drain, &view);
    status_line_write(&relay->status, clock_monotonic_ms(), status);
    service_manager_alive(view.is_draining ? drain_format(&view, drain) : status);
}

static void every_second(void *context)
{
    struct relay *relay = context;

    tell_service_manager(relay);
    session_log_report(relay->sessions);
    log_report();
    ports_look(&relay->ports, relay->plane);
    if (relay->options.stats)
        statistics_print_line(&relay->statistics, clock_monotonic_ms());
}

static int make_reload(struct relay *relay)
{
    const struct reload_config config = {
        .path = relay->options.config_path,
        .settings = &relay->settings,
        .interface = &relay->interface,
        .plane = relay->plane,
        .turn = &relay->turn,
        .tls = relay->tls,
        .http_access = relay->http_access,
    };

    return reload_create(&config, &relay->reload);
}

static int make_tcp_relay(struct relay *relay)
{
    const struct tcp_relay_config config = {
        .plane = relay->plane,
        .server = relay->turn.server,
        .forwarder = relay->forwarder,
        .connections = relay->limits.tcp_connections,
        .sessions = relay->sessions,
        .netns = relay->netns,
    };

    return relay->settings.tcp_relay ? tcp_relay_create(&config, &relay->tcp_relay) : 0;
}

static void end_allocations(void *context)
{
    struct relay *relay = context;

    loop_end_allocations(relay->loop);
}

static void stop_loop(void *context)
{
    struct relay *relay = context;

    loop_stop(relay->loop);
}

static int make_drain(struct relay *relay)
{
    const struct drain_config config = {
        .base = loop_base(relay->loop),
        .server = relay->turn.server,
        .settings = &relay->settings,
        .end_allocations = end_allocations,
        .stop = stop_loop,
        .context = relay,
    };

    return drain_create(&config, &relay->drain);
}

static void add_next_hops(const struct interface *interface, uint16_t mtu,
                          struct next_hops_config *config)
{
    struct next_hops_interface *added = &config->interfaces[config->interface_count++];

    added->index = interface->index;
    added->mtu = mtu;
    memcpy(added->mac, interface->mac, sizeof(added->mac));
}

static int make_next_hops(struct relay *relay)
{
    struct next_hops_config config = {
        .netns = relay->netns,
        .adjacencies = relay->plane_config.adjacencies,
        .destinations = sizing_destinations(&relay->plane_config),
    };

    if (relay->twins.count == 0)
        add_next_hops(&relay->interface, relay->ports.mtu, &config);
    for (unsigned i = 0; i < relay->twins.count; i++)
        add_next_hops(&relay->twins.interfaces[i], relay->ports.devices[i].mtu, &config);
    return next_hops_create(&config, &relay->hops);
}

static int start_control(struct relay *relay)
{
    int error = make_next_hops(relay);

    if (!error) {
        const struct forwarder_config config = {
            relay->plane, relay->hops, {relay->ports.ids[0], relay->ports.ids[1]}};

        error = forwarder_create(&config, &relay->forwarder);
        if (error)
            log_message(LOG_LEVEL_ERROR, "no_memory",
                        "no memory to forward for %u allocations; see total_quota",
                        relay->plane_config.allocations);
    }
    if (!error)
        error = make_tcp_relay(relay);
    if (!error)
        error = make_reload(relay);
    if (!error) {
        const struct loop_config config = {
            .plane = relay->plane,
            .server = relay->turn.server,
            .hops = relay->hops,
            .forwarder = relay->forwarder,
            .tcp_relay = relay->tcp_relay,
            .sessions = relay->sessions,
            .reload = relay->reload,
            .every_second = every_second,
            .context = relay,
        };

        error = loop_create(&config, &relay->loop);
    }
    if (!error)
        error = make_drain(relay);
    if (!error && relay->tcp_relay)
        error = tcp_relay_start(relay->tcp_relay, loop_base(relay->loop));
    return error;
}

// An allocation may live that long without a word of its client's.
static uint32_t idle_s(const struct settings *settings)
{
    return settings->max_lifetime_s + 60;
}

static uint32_t share_of(uint32_t total, uint16_t threads)
{
    return (total + threads - 1) / threads;
}

// A TCP allocation has a socket that listens beside its client's connection, and those to its
// peers.
static uint32_t socket_count(const struct settings *settings)
{
    return settings->tcp_relay ? 2 * settings->max_connections + settings->tcp_connections
                               : settings->max_connections;
}

static bool any_worker_shares_cpu(const struct relay *relay)
{
    bool shares = false;

    for (uint16_t i = 0; i < relay->plane_config.worker_count; i++)
        shares |= eal_worker_shares_cpu(i);
    return shares;
}

// Its threads live where they are made.
static int start_streams(void *context)
{
    struct relay *relay = context;
    const struct settings *settings = &relay->settings;
    uint16_t threads = relay->plane_config.stream_thread_count;
    struct stream_server_config config = {
        .plane = relay->plane,
        .tls = relay->tls,
        .base = loop_base(relay->loop),
        .threads = (uint16_t)settings->tls_threads,
        .mtu = relay->ports.mtu,
        .shares_cpu = any_worker_shares_cpu(relay),
        .limits = stream_limits_default,
        .proxy_sources = settings->proxy_protocol_from.items,
        .proxy_source_count = settings->proxy_protocol_from.count,
    };
    int error;

    if (threads == 0)
        return 0;
    privileges_open_files(socket_count(settings));
    if (settings->ktls && settings->certificates.count > 0)
        privileges_load_ktls();
    config.limits.connections = share_of(settings->max_connections, threads);
    config.limits.half_open = settings->max_handshakes;
    config.limits.per_source = settings->max_connections_per_ip;
    config.limits.idle_s = idle_s(settings);
    stream_set_pool(relay->plane, relay->ports.pool);
    error = stream_server_create(&config, &relay->streams);
    return error ? error : stream_server_start(relay->streams);
}

// A worker that is stuck cannot be waited for. What the process does not take with it is put back.
static void on_stuck(void *context)
{
    struct relay *relay = context;

    if (relay->settings.watchdog != WATCHDOG_EXIT)
        return;
    release_ports(relay);
    log_flush(LOG_WAIT_MS);
    _exit(EXIT_STUCK);
}

static int start_watchdog(struct relay *relay)
{
    const struct watchdog_config config = {loop_base(relay->loop), relay->plane, on_stuck, relay};

    return watchdog_create(&config, &relay->watchdog);
}

static int start_link_watch(struct relay *relay)
{
    const struct link_watch_config config = {loop_base(relay->loop), &relay->ports, &relay->twins};

    return relay->twins.count > 0 ? link_watch_create(&config, &relay->link_watch) : 0;
}

// What the workers were told to let through to an address that is ours now they are told not to.
static void on_addresses(void *context)
{
    struct relay *relay = context;

    if (relay->twins.count > 0)
        twins_get_interface(&relay->twins, &relay->interface);
    if (turn_state_renew_peer_policy(&relay->settings, &relay->interface, &relay->plane_config,
                                     &relay->turn) == 0)
        loop_revoke(relay->loop);
}

static int start_address_watch(struct relay *relay)
{
    bool has_twins = relay->twins.count > 0;
    const struct address_watch_config config = {
        .base = loop_base(relay->loop),
        .netns = relay->netns,
        .interfaces = has_twins ? relay->twins.interfaces : &relay->interface,
        .interface_count = has_twins ? relay->twins.count : 1,
        .changed = on_addresses,
        .context = relay,
    };

    return address_watch_create(&config, &relay->address_watch);
}

// Whoever asks, over HTTP or over the control socket, when all is there that is told of.
static struct metrics_sources sources_of(const struct relay *relay)
{
    return (struct metrics_sources){
        .plane = relay->plane,
        .server = relay->turn.server,
        .limits = &relay->limits,
        .hops = relay->hops,
        .ports = &relay->ports,
        .streams = relay->streams,
        .tcp_relay = relay->tcp_relay,
        .tls = relay->tls,
        .reload = relay->reload,
        .watchdog = relay->watchdog,
        .drain = relay->drain,
        .sessions = relay->sessions,
        .access = relay->http_access,
    };
}

static bool get_traffic(void *context, const struct turn_allocation_view *view,
                        struct allocation_traffic *ret_traffic)
{
    const struct relay *relay = context;

    if (view->is_tcp)
        return tcp_relay_get_traffic(relay->tcp_relay, view->id, ret_traffic);
    return worker_get_traffic(relay->workers[view->worker], view->id, ret_traffic);
}

static int start_questions(struct relay *relay)
{
    const struct questions_config config = {
        .base = loop_base(relay->loop),
        .sources = sources_of(relay),
        .settings = &relay->settings,
        .server = relay->turn.server,
        .forwarder = relay->forwarder,
        .tcp_relay = relay->tcp_relay,
        .drain = relay->drain,
        .loop = relay->loop,
        .traffic = get_traffic,
        .context = relay,
    };

    return questions_create(&config, &relay->questions);
}

static int start_monitor(struct relay *relay)
{
    const struct monitor_config config = {
        .base = loop_base(relay->loop),
        .addresses = &relay->settings.metrics_listen,
        .port = (uint16_t)relay->settings.metrics_port,
        .sources = sources_of(relay),
    };

    return config.addresses->count > 0 ? monitor_create(&config, &relay->monitor) : 0;
}

static int start(struct relay *relay)
{
    int error = prepare(relay);

    if (!error)
        error = start_eal(relay);
    // Their threads stay off the workers' CPUs.
    if (!error)
        error = log_start();
    if (!error)
        error = session_log_start(relay->sessions);
    if (!error)
        error = make_plane(relay);
    if (!error)
        error = open_ports(relay);
    if (!error)
        error = start_workers(relay);
    if (!error)
        error = start_control(relay);
    if (!error)
        error = netns_call(relay->netns, start_streams, relay);
    if (!error)
        error = start_watchdog(relay);
    if (!error)
        error = start_link_watch(relay);
    if (!error)
        error = start_address_watch(relay);
    if (!error)
        error = start_monitor(relay);
    if (!error)
        error = start_questions(relay);
    if (!error)
        error = privileges_drop();
    return error;
}

static void log_usage(struct relay *relay)
{
    struct turn_usage usage;
    struct summary_tables tables = {0};

    turn_server_usage(relay->turn.server, &usage);
    for (unsigned i = 0; i < PLANE_WORKERS_MAX && relay->workers[i]; i++) {
        struct worker_usage worker;

        worker_get_usage(relay->workers[i], &worker);
        tables.allocations += worker.allocations;
        tables.permissions += worker.permissions;
        tables.channels += worker.channels;
        tables.steerings += worker.steerings;
        tables.fragments += worker.fragments;
    }
    summary_log_usage(&usage, &tables, ports_buffers_in_use(&relay->ports));
}

static void stop_workers(struct relay *relay)
{
    if (!relay->workers_run)
        return;
    __atomic_store_n(&relay->plane->running, 0, __ATOMIC_RELEASE);
    eal_wait();
    log_usage(relay);
}

// In the opposite order; whatever there is of it.
static void stop(struct relay *relay)
{
    if (relay->eal_is_up)
        control_socket_close();
    if (relay->questions)
        questions_destroy(relay->questions);
    if (relay->monitor)
        monitor_destroy(relay->monitor);
    if (relay->address_watch)
        address_watch_destroy(relay->address_watch);
    if (relay->link_watch)
        link_watch_destroy(relay->link_watch);
    if (relay->watchdog)
        watchdog_destroy(relay->watchdog);
    if (relay->streams)
        stream_server_destroy(relay->streams);
    if (relay->tcp_relay)
        tcp_relay_destroy(relay->tcp_relay);
    if (relay->drain)
        drain_destroy(relay->drain);
    if (relay->loop)
        loop_destroy(relay->loop);
    if (relay->filter)
        xdp_filter_destroy(relay->filter);
    twins_destroy(&relay->twins);
    stop_workers(relay);
    capture_stop();
    if (relay->sessions)
        session_log_destroy(relay->sessions, LOG_WAIT_MS);
    if (relay->reload)
        reload_destroy(relay->reload);
    if (relay->forwarder)
        forwarder_destroy(relay->forwarder);
    if (relay->hops)
        next_hops_destroy(relay->hops);
    for (unsigned i = 0; i < PLANE_WORKERS_MAX && relay->workers[i]; i++)
        worker_destroy(relay->workers[i]);
    if (relay->ports.pool)
        ports_close(&relay->ports);
    release_ports(relay);
    if (relay->netns)
        netns_close(relay->netns);
    if (relay->plane)
        plane_destroy(relay->plane);
    turn_state_done(&relay->turn);
    if (relay->http_access)
        http_access_destroy(relay->http_access);
    if (relay->tls)
        tls_contexts_destroy(relay->tls);
    if (relay->eal_is_up)
        eal_stop();
}

static int run(struct relay *relay)
{
    int error;

    // Who stops us meanwhile stops us once all is there that has to be put back.
    loop_hold_signals();
    error = start(relay);
    if (!error) {
        for (unsigned i = 0; i < PORT_DEVICES_MAX; i++)
            summary_log_facts(&relay->ports.facts[i]);
        summary_log(&relay->plane_config, &relay->interface, relay->settings.device, relay->filter,
                    relay->hugepages);
        statistics_init(&relay->statistics, relay->plane, relay->turn.server, stdout,
                        clock_monotonic_ms());
        relay->statistics.streams = relay->streams;
        relay->statistics.tcp_relay = relay->tcp_relay;
        relay->status = (struct status_line){.plane = relay->plane,
                                             .server = relay->turn.server,
                                             .watchdog = relay->watchdog,
                                             .reload = relay->reload};
        status_line_init(&relay->status, clock_monotonic_ms());
        service_manager_ready();
        error = loop_run(relay->loop);
        service_manager_stopping();
        if (relay->options.stats)
            statistics_print_summary(&relay->statistics, clock_monotonic_ms());
    }
    stop(relay);
    if (!error)
        log_message(LOG_LEVEL_INFO, "stopped",
                    settings_have_twin(&relay->settings)
                        ? "the device is free again"
                        : "the interface and its ports are the kernel's again");
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

// Of what the configuration names, its certificates can be looked at without touching anything.
static int check(const struct relay *relay)
{
    struct tls_contexts *contexts;
    struct http_access *access;

    if (tls_contexts_create(&relay->settings, NULL, &contexts) < 0)
        return EXIT_FAILURE;
    tls_contexts_destroy(contexts);
    if (http_access_create(&relay->settings, &access) < 0)
        return EXIT_FAILURE;
    http_access_destroy(access);
    printf("%s: good\n", relay->options.config_path);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct relay relay;
    int result = EXIT_SUCCESS;

    switch (options_parse(argc, argv, stdout, stderr, &relay.options)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    if (privileges_limit() < 0 ||
        settings_load(relay.options.config_path, stderr, &relay.settings) < 0)
        return EXIT_FAILURE;
    if (relay.options.check_config) {
        result = check(&relay);
    } else {
        log_settings_open(&relay.settings.log);
        result = run(&relay);
        log_stop(LOG_WAIT_MS);
    }
    settings_done(&relay.settings);
    return result;
}
