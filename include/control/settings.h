// SPDX-License-Identifier: BSD-3-Clause
// The configuration of the relay, as its file says it: read, checked and free of contradictions,
// before anything is touched.
#pragma once

#include "base/address.h"
#include "base/log.h"
#include "control/setting.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// The UDP and TCP port of STUN and TURN (RFC 8489 section 8).
#define SETTINGS_DEFAULT_PORT 3478

struct settings_listener {
    struct ip_address address;
    uint32_t port;
};

struct settings_relay {
    struct ip_address address;
    struct ip_address external_address; // family NONE: the same
    uint32_t min_port;                  // 0: settings.min_port
    uint32_t max_port;                  // 0: settings.max_port
};

// Where clients are sent while the relay drains.
struct settings_alternate {
    struct ip_address address;
    uint32_t port; // 0: the one that the client came to
};

struct settings_user {
    char *name;
    char *password; // empty: keys instead
    struct setting_bytes key_md5;
    struct setting_bytes key_sha256;
};

struct settings_certificate {
    char *certificate; // path, as all of them absolute or from the working directory
    char *private_key; // empty: in the file of the certificate
};

struct settings_log {
    uint32_t to;                          // enum log_destination
    uint32_t format;                      // enum log_format
    uint32_t level;                       // enum log_level
    uint32_t levels[LOG_SUBSYSTEM_COUNT]; // enum log_level and 1; 0: level
    uint32_t rate;                        // lines a second of each event, 0: no limit
};

enum settings_session_log_to {
    SESSION_LOG_TO_NONE,
    SESSION_LOG_TO_LOG,
    SESSION_LOG_TO_FILE,
};

struct settings_session_log {
    uint32_t to; // enum settings_session_log_to
    char *file;
    uint32_t format; // enum log_format
};

struct settings {
    char *interface;
    char *device;       // empty: none
    uint32_t mtu;       // of the device; 0: its own
    uint32_t vlan;      // that the device is on; 0: none
    char *relay_device; // a second one; empty: none
    char *relay_interface;
    uint32_t relay_mtu;
    uint32_t relay_vlan;
    char *netns;       // of the twins; empty: the relay's own
    bool flow_isolation; // the kernel keeps the device, too
    uint32_t xdp_mode; // enum xdp_filter_mode
    uint32_t workers;
    struct setting_cpus cpus;
    uint32_t hugepages;      // enum eal_hugepages
    uint32_t memory_mb;      // 0: choose
    uint32_t packet_buffers; // 0: choose
    uint32_t idle;           // enum plane_idle
    bool capture;
    uint32_t idle_sleep_us;
    struct setting_list listen; // struct settings_listener; empty: every address of the interface
    struct setting_list
        relay; // struct settings_relay; empty: an address of each family of the interface
    struct ip_address external_address;
    uint32_t min_port;
    uint32_t max_port;
    char *realm;
    char *software;
    struct setting_list users;               // struct settings_user
    struct setting_list static_auth_secrets; // char *
    bool userhash;
    uint32_t nonce_lifetime_s;
    struct setting_list certificates; // struct settings_certificate
    bool tcp;
    uint32_t tls_port; // 0: none
    bool dtls;
    struct setting_list tls_listen;          // struct settings_listener: where TLS is taken besides
    uint32_t tls_threads;                    // 0: the control thread has the connections
    struct setting_list proxy_protocol_from; // struct ip_prefix
    uint32_t max_connections;
    uint32_t max_connections_per_ip; // 0: no limit
    uint32_t max_handshakes;
    uint32_t tls_min_version; // enum tls_version
    char *tls_ciphers;
    bool ktls;
    struct setting_list allow_peer; // struct ip_prefix
    struct setting_list deny_peer;
    uint32_t total_quota;
    uint32_t user_quota;    // 0: none
    uint32_t max_bps;       // bytes a second of an allocation and direction, 0: no limit
    uint32_t user_max_bps;  // of a user
    uint64_t total_max_bps; // of all
    uint64_t bps_capacity;  // of which each allocation takes max_bps, 0: no limit
    uint32_t permissions_per_allocation;
    uint32_t channels_per_allocation;
    bool rfc5766_channels;
    bool tcp_relay;
    uint32_t tcp_connections;
    uint32_t tcp_connections_per_allocation;
    uint32_t default_lifetime_s;
    uint32_t max_lifetime_s;
    uint32_t unauthenticated_rate; // 0: no limit
    uint32_t unauthenticated_burst;
    struct setting_list drain_to;       // struct settings_alternate, one of a family at most
    char *drain_domain;                 // empty: none
    uint32_t drain_deadline_s;          // 0: none
    struct setting_list metrics_listen; // struct ip_address; empty: no metrics
    uint32_t metrics_port;
    char *metrics_certificate; // paths; empty: no TLS
    char *metrics_key;         // empty: in the file of the certificate
    char *metrics_token_file;  // empty: no tokens
    uint32_t watchdog;         // enum watchdog_policy
    char *control_group;       // empty: the one that the relay runs as
    struct settings_log log;
    struct settings_session_log session_log;
};

// The table that all of the above comes from.
extern const struct setting settings_table[];

// Every error goes to errors, a line each. 0; -ENOENT: cannot be read; -EINVAL.
int settings_load(const char *path, FILE *errors, struct settings *ret_settings);
void settings_done(struct settings *settings);

// The relay receives from a DPDK device.
static inline bool settings_own_device(const struct settings *settings)
{
    return settings->device && *settings->device;
}

// It has the device to itself; interface is the kernel's twin of it.
static inline bool settings_have_twin(const struct settings *settings)
{
    return settings_own_device(settings) && !settings->flow_isolation;
}

// And a second one; relay_interface is that one's.
static inline bool settings_own_relay_device(const struct settings *settings)
{
    return settings->relay_device && *settings->relay_device;
}
