// SPDX-License-Identifier: BSD-3-Clause
// See base/log_subsystem.h.
#include "base/log_subsystem.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [LOG_RELAY] = "relay",     [LOG_SESSIONS] = "sessions", [LOG_LOGINS] = "logins",
    [LOG_CLIENTS] = "clients", [LOG_NETWORK] = "network",
};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level thresholds[LOG_SUBSYSTEM_COUNT] = {[0 ... LOG_SUBSYSTEM_COUNT - 1] =
                                                             LOG_LEVEL_INFO};

struct row {
    const char *event;
    enum log_subsystem subsystem;
};

// In the order of strcmp. What is not here is the relay's own.
static const struct row rows[] = {
    {"accept", LOG_CLIENTS},
    {"address_elsewhere", LOG_NETWORK},
    {"certificate", LOG_CLIENTS},
    {"certificate_expired", LOG_CLIENTS},
    {"certificate_expires", LOG_CLIENTS},
    {"certificate_unused", LOG_CLIENTS},
    {"certificates_kept", LOG_CLIENTS},
    {"device", LOG_NETWORK},
    {"dpdk", LOG_NETWORK},
    {"interface", LOG_NETWORK},
    {"interface_busy", LOG_NETWORK},
    {"interface_down", LOG_NETWORK},
    {"interface_gone", LOG_NETWORK},
    {"large_mtu", LOG_NETWORK},
    {"link_down", LOG_NETWORK},
    {"link_up", LOG_NETWORK},
    {"login_refused", LOG_LOGINS},
    {"neighbour", LOG_NETWORK},
    {"netlink", LOG_NETWORK},
    {"netns", LOG_NETWORK},
    {"next_hops_full", LOG_NETWORK},
    {"no_address", LOG_NETWORK},
    {"no_ethernet", LOG_NETWORK},
    {"no_interface", LOG_NETWORK},
    {"no_route", LOG_NETWORK},
    {"other_node", LOG_NETWORK},
    {"port", LOG_NETWORK},
    {"port_conflict", LOG_NETWORK},
    {"port_uses", LOG_NETWORK},
    {"ports_not_reserved", LOG_NETWORK},
    {"ports_still_reserved", LOG_NETWORK},
    {"queues", LOG_NETWORK},
    {"quota_reached", LOG_SESSIONS},
    {"session_ended", LOG_SESSIONS},
    {"session_started", LOG_SESSIONS},
    {"stream_listener", LOG_CLIENTS},
    {"streams", LOG_CLIENTS},
    {"tcp_relay", LOG_CLIENTS},
    {"tls", LOG_CLIENTS},
    {"too_many_addresses", LOG_NETWORK},
    {"twin", LOG_NETWORK},
    {"xdp_generic", LOG_NETWORK},
    {"xdp_load", LOG_NETWORK},
    {"xdp_refused", LOG_NETWORK},
};

static int compare(const void *event, const void *row)
{
    return strcmp(event, ((const struct row *)row)->event);
}

enum log_subsystem log_subsystem_of(const char *event)
{
    const struct row *row =
        bsearch(event, rows, sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]), compare);

    return row ? row->subsystem : LOG_RELAY;
}

const char *log_subsystem_name(enum log_subsystem subsystem)
{
    return names[subsystem];
}

bool log_subsystem_parse(const char *name, enum log_subsystem *ret_subsystem)
{
    for (enum log_subsystem i = 0; i < LOG_SUBSYSTEM_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_subsystem = i;
            return true;
        }
    }
    return false;
}

void log_set_level(enum log_level level)
{
    for (enum log_subsystem i = 0; i < LOG_SUBSYSTEM_COUNT; i++)
        log_set_subsystem_level(i, level);
}

void log_set_subsystem_level(enum log_subsystem subsystem, enum log_level level)
{
    __atomic_store_n(&thresholds[subsystem], level, __ATOMIC_RELAXED);
}

enum log_level log_subsystem_level(enum log_subsystem subsystem)
{
    return __atomic_load_n(&thresholds[subsystem], __ATOMIC_RELAXED);
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (enum log_level i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(level_names[i], name) == 0) {
            *ret_level = i;
            return true;
        }
    }
    return false;
}

bool log_is_wanted(enum log_level level, const char *event)
{
    return level <= log_subsystem_level(log_subsystem_of(event));
}
