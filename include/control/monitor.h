// SPDX-License-Identifier: BSD-3-Clause
// Who watches the relay asks here, over HTTP: /metrics for Prometheus; /healthz and /readyz for whoever starts it anew,
// or sends it clients.
#pragma once

#include "control/metrics.h"
#include "control/setting.h"

#include <stdint.h>

struct event_base;
struct monitor;

struct monitor_config { // borrowed
    struct event_base *base;
    const struct setting_list *addresses; // struct ip_address, of metrics_listen; not empty
    uint16_t port;                        // metrics_port
    struct metrics_sources sources;
};

// Listens. ::1 is left out where there is no IPv6. Logs what went wrong. 0 or -errno.
int monitor_create(const struct monitor_config *config, struct monitor **ret_monitor);
void monitor_destroy(struct monitor *monitor);
