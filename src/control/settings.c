// SPDX-License-Identifier: BSD-3-Clause
// The table of settings, and how it is filled.
#include "control/settings.h"

#include "control/http_server.h"
#include "control/settings_check.h"
#include "control/source.h"
#include "exchange/plane.h"
#include "platform/device.h"
#include "proto/stateless.h"
#include "proto/stun.h"
#include "turn/credentials.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define CERTIFICATES_MAX 64
// 8 Tbit/s: more than any link, and no product of it overflows.
#define BYTES_PER_SECOND_MAX 1000000000000

static const char *const xdp_modes[] = {"auto", "native", "generic", NULL};
static const char *const hugepages[] = {"auto", "on", "off", NULL};
static const char *const idles[] = {"adaptive", "spin", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const watchdog_policies[] = {"alarm", "exit", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const subsystem_levels[] = {"default", "error", "warning",
                                               "info",    "debug", NULL};
static const char *const log_destinations[] = {"stderr", "syslog", "journal", NULL};
static const char *const session_log_destinations[] = {"none", "log", "file", NULL};

#define AT(member) .offset = offsetof(struct settings_listener, member)
static const struct setting listen_fields[] = {
    {.name = "address", .type = SETTING_ADDRESS, AT(address), .help = "local address to listen on"},
    {.name = "port",
     .type = SETTING_NUMBER,
     AT(port),
     .default_value = "3478",
     .min = 1,
     .max = 65535,
     .help = "UDP port to listen on, and TCP port with tcp"},
    {},
};
static const struct setting tls_listen_fields[] = {
    {.name = "address", .type = SETTING_ADDRESS, AT(address), .help = "local address to listen on"},
    {.name = "port",
     .type = SETTING_NUMBER,
     AT(port),
     .default_value = "443",
     .min = 1,
     .max = 65535,
     .help = "TCP port to listen on"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings_relay, member)
static const struct setting relay_fields[] = {
    {.name = "address",
     .type = SETTING_ADDRESS,
     AT(address),
     .help = "local address that peers are reached from"},
    {.name = "external_address",
     .type = SETTING_ADDRESS,
     AT(external_address),
     .default_value = "\"\"",
     .help = "what clients and peers know it as, behind a 1:1 NAT; empty: the same"},
    {.name = "min_port",
     .type = SETTING_NUMBER,
     AT(min_port),
     .default_value = "",
     .min = 1024,
     .max = 65535,
     .help = "first relay port of this address, instead of the common one"},
    {.name = "max_port",
     .type = SETTING_NUMBER,
     AT(max_port),
     .default_value = "",
     .min = 1024,
     .max = 65535,
     .help = "last relay port of this address, instead of the common one"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings_alternate, member)
static const struct setting drain_to_fields[] = {
    {.name = "address", .type = SETTING_ADDRESS, AT(address), .help = "address of the other relay"},
    {.name = "port",
     .type = SETTING_NUMBER,
     AT(port),
     .default_value = "0",
     .min = 0,
     .max = 65535,
     .help = "its port; 0: the one that the client came to"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings_user, member)
static const struct setting user_fields[] = {
    {.name = "name",
     .type = SETTING_TEXT,
     AT(name),
     .min = 1,
     .max = USERNAME_MAX_LEN,
     .help = "username"},
    {.name = "password",
     .type = SETTING_TEXT,
     AT(password),
     .default_value = "\"\"",
     .min = 0,
     .max = STUN_STRING_MAX_LEN,
     .secret = true,
     .help = "password; or else one or both of the keys"},
    {.name = "key_md5",
     .type = SETTING_HEX,
     AT(key_md5),
     .default_value = "\"\"",
     .max = 16,
     .secret = true,
     .help = "MD5 of `name:realm:password`, for clients of RFC 5389 and 5766"},
    {.name = "key_sha256",
     .type = SETTING_HEX,
     AT(key_sha256),
     .default_value = "\"\"",
     .max = 32,
     .secret = true,
     .help = "SHA-256 of `name:realm:password`, for clients of RFC 8489"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings_certificate, member)
static const struct setting certificate_fields[] = {
    {.name = "certificate",
     .type = SETTING_TEXT,
     AT(certificate),
     .min = 1,
     .max = PATH_MAX - 1,
     .help = "file in PEM form with the server's certificate, and behind it those that sign it"},
    {.name = "private_key",
     .type = SETTING_TEXT,
     AT(private_key),
     .default_value = "\"\"",
     .min = 0,
     .max = PATH_MAX - 1,
     .help = "file in PEM form with its key, not encrypted; empty: it is in the file of the "
             "certificate"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings_log, member)
static const struct setting log_fields[] = {
    {.name = "to",
     .type = SETTING_CHOICE,
     AT(to),
     .default_value = "\"stderr\"",
     .choices = log_destinations,
     .help =
         "where log lines go: stderr, syslog (/dev/log), or the journal of systemd, with fields to "
         "search by"},
    {.name = "format",
     .type = SETTING_CHOICE,
     AT(format),
     .default_value = "\"text\"",
     .choices = log_formats,
     .help = "form of the log lines; in syslog and in the journal, of their messages"},
    {.name = "level",
     .type = SETTING_CHOICE,
     AT(level),
     .default_value = "\"info\"",
     .choices = log_levels,
     .help = "least important lines that are written"},
    {.name = "relay",
     .type = SETTING_CHOICE,
     AT(levels[LOG_RELAY]),
     .default_value = "\"default\"",
     .choices = subsystem_levels,
     .help = "the same of lines about start and stop, configuration, health; `default`: as `level` "
             "says"},
    {.name = "sessions",
     .type = SETTING_CHOICE,
     AT(levels[LOG_SESSIONS]),
     .default_value = "\"default\"",
     .choices = subsystem_levels,
     .help = "the same of lines about allocations; `debug` has a line when one begins, and one "
             "when it ends; `default`: as `level` says"},
    {.name = "logins",
     .type = SETTING_CHOICE,
     AT(levels[LOG_LOGINS]),
     .default_value = "\"default\"",
     .choices = subsystem_levels,
     .help = "the same of lines about requests whose credentials are refused; `default`: as "
             "`level` says"},
    {.name = "clients",
     .type = SETTING_CHOICE,
     AT(levels[LOG_CLIENTS]),
     .default_value = "\"default\"",
     .choices = subsystem_levels,
     .help = "the same of lines about connections over TCP, TLS and DTLS, certificates; `default`: "
             "as `level` says"},
    {.name = "network",
     .type = SETTING_CHOICE,
     AT(levels[LOG_NETWORK]),
     .default_value = "\"default\"",
     .choices = subsystem_levels,
     .help = "the same of lines about interface, devices, routes, neighbours; `default`: as "
             "`level` says"},
    {.name = "rate",
     .type = SETTING_NUMBER,
     AT(rate),
     .default_value = "100",
     .min = 0,
     .max = 1000000,
     .unit = "lines/s",
     .help = "most lines of each event; what is left out is counted, and said every second; 0: no "
             "limit"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings_session_log, member)
static const struct setting session_log_fields[] = {
    {.name = "to",
     .type = SETTING_CHOICE,
     AT(to),
     .default_value = "\"none\"",
     .choices = session_log_destinations,
     .help =
         "where the line goes that each allocation leaves at its end: nowhere, to the log, or to a "
         "file of its own"},
    {.name = "file",
     .type = SETTING_TEXT,
     AT(file),
     .default_value = "\"\"",
     .min = 0,
     .max = PATH_MAX - 1,
     .help = "that file; it is opened anew on SIGHUP"},
    {.name = "format",
     .type = SETTING_CHOICE,
     AT(format),
     .default_value = "\"json\"",
     .choices = log_formats,
     .help = "form of the lines in the file; those in the log have that of the log"},
    {},
};
#undef AT

#define AT(member) .offset = offsetof(struct settings, member)
const struct setting settings_table[] = {
    {.name = "interface",
     .type = SETTING_TEXT,
     AT(interface),
     .min = 1,
     .max = IF_NAMESIZE - 1,
     .help = "network interface that clients and peers are reached through"},
    {.name = "device",
     .type = SETTING_TEXT,
     AT(device),
     .default_value = "\"\"",
     .min = 0,
     .max = 255,
     .help = "DPDK device to own whole instead: a PCI address, or a virtual device and its "
             "arguments; `interface` then names the TAP that the relay makes of it"},
    {.name = "mtu",
     .type = SETTING_NUMBER,
     AT(mtu),
     .default_value = "0",
     .min = 0,
     .max = DEVICE_MTU_MAX,
     .unit = "bytes",
     .help = "MTU of the device, if it takes that much; 0: the one that it has"},
    {.name = "vlan",
     .type = SETTING_NUMBER,
     AT(vlan),
     .default_value = "0",
     .min = 0,
     .max = VLAN_ID_MAX,
     .help = "802.1Q VLAN that the device is on, whose tag frames come and go with; 0: none"},
    {.name = "flow_isolation",
     .type = SETTING_BOOLEAN,
     AT(flow_isolation),
     .default_value = "false",
     .help = "the driver of the device leaves to the kernel what no rule (rte_flow) takes, as mlx5 "
             "does; `interface` then names the kernel's interface of the device, and there is no "
             "twin"},
    {.name = "relay_device",
     .type = SETTING_TEXT,
     AT(relay_device),
     .default_value = "\"\"",
     .min = 0,
     .max = 255,
     .help = "a second device to own, beside `device`: peers, or whatever routes lead to through "
             "it, are reached by this one; empty: none"},
    {.name = "relay_interface",
     .type = SETTING_TEXT,
     AT(relay_interface),
     .default_value = "\"\"",
     .min = 0,
     .max = IF_NAMESIZE - 1,
     .help = "the TAP that the relay makes of `relay_device`"},
    {.name = "relay_mtu",
     .type = SETTING_NUMBER,
     AT(relay_mtu),
     .default_value = "0",
     .min = 0,
     .max = DEVICE_MTU_MAX,
     .unit = "bytes",
     .help = "as `mtu`, of `relay_device`"},
    {.name = "relay_vlan",
     .type = SETTING_NUMBER,
     AT(relay_vlan),
     .default_value = "0",
     .min = 0,
     .max = VLAN_ID_MAX,
     .help = "as `vlan`, of `relay_device`"},
    {.name = "interface_netns",
     .type = SETTING_TEXT,
     AT(netns),
     .default_value = "\"\"",
     .min = 0,
     .max = 255,
     .help = "network namespace that the twins of devices are in: one of `ip netns`, or an "
             "absolute path; empty: the relay's own"},
    {.name = "xdp_mode",
     .type = SETTING_CHOICE,
     AT(xdp_mode),
     .default_value = "\"auto\"",
     .choices = xdp_modes,
     .help = "where packets are taken off the interface: in the driver (native) or behind it "
             "(generic); auto: in the "
             "driver if it can"},
    {.name = "workers",
     .type = SETTING_NUMBER,
     AT(workers),
     .default_value = "1",
     .min = 1,
     .max = PLANE_WORKERS_MAX,
     .unit = "threads",
     .help = "threads that forward packets, one for each queue of the interface"},
    {.name = "cpus",
     .type = SETTING_CPUS,
     AT(cpus),
     .default_value = "\"\"",
     .help = "CPU of each worker, in order; empty: the last ones that the process may use, of the "
             "device's NUMA node first"},
    {.name = "hugepages",
     .type = SETTING_CHOICE,
     AT(hugepages),
     .default_value = "\"auto\"",
     .choices = hugepages,
     .help = "whether memory is in hugepages; auto: when enough are free"},
    {.name = "capture",
     .type = SETTING_BOOLEAN,
     AT(capture),
     .default_value = "false",
     .help = "let DPDK's own tools join, dpdk-dumpcap and dpdk-proc-info; memory is in hugepages "
             "then, and in files while the relay runs"},
    {.name = "memory_mb",
     .type = SETTING_NUMBER,
     AT(memory_mb),
     .default_value = "0",
     .min = 0,
     .max = 1048576,
     .unit = "MB",
     .help = "memory for tables and packet buffers; 0: what the other settings need"},
    {.name = "packet_buffers",
     .type = SETTING_NUMBER,
     AT(packet_buffers),
     .default_value = "0",
     .min = 0,
     .max = 16777216,
     .unit = "buffers",
     .help = "packet buffers of all workers; 0: 16384 for each, which is also the least"},
    {.name = "idle",
     .type = SETTING_CHOICE,
     AT(idle),
     .default_value = "\"adaptive\"",
     .choices = idles,
     .help = "what a worker without packets does: sleep for ever longer, or spin for the lowest "
             "latency"},
    {.name = "idle_sleep_us",
     .type = SETTING_NUMBER,
     AT(idle_sleep_us),
     .default_value = "100",
     .min = 1,
     .max = 10000,
     .unit = "us",
     .help = "longest sleep of an idle worker; one that shares its CPU and is woken for whatever "
             "it gets sleeps longer"},
    {.name = "listen",
     .type = SETTING_GROUPS,
     AT(listen),
     .default_value = "()",
     .max = PLANE_LISTENERS_MAX,
     .fields = listen_fields,
     .item_len = sizeof(struct settings_listener),
     .help = "where clients reach the relay; empty: port 3478 of every global address of the "
             "interface"},
    {.name = "relay",
     .type = SETTING_GROUPS,
     AT(relay),
     .default_value = "()",
     .max = PLANE_RELAYS_MAX,
     .fields = relay_fields,
     .item_len = sizeof(struct settings_relay),
     .help = "addresses that relayed addresses are made of; empty: the first global one of each "
             "family of the "
             "interface"},
    {.name = "external_address",
     .type = SETTING_ADDRESS,
     AT(external_address),
     .default_value = "\"\"",
     .help =
         "behind a 1:1 NAT, what the interface's address is known as; only while `relay` is empty"},
    {.name = "min_port",
     .type = SETTING_NUMBER,
     AT(min_port),
     .default_value = "49152",
     .min = 1024,
     .max = 65535,
     .help = "first relay port"},
    {.name = "max_port",
     .type = SETTING_NUMBER,
     AT(max_port),
     .default_value = "65535",
     .min = 1024,
     .max = 65535,
     .help = "last relay port"},
    {.name = "realm",
     .type = SETTING_TEXT,
     AT(realm),
     .min = 1,
     .max = STATELESS_TEXT_MAX_LEN,
     .help = "realm of the long-term credentials"},
    {.name = "software",
     .type = SETTING_TEXT,
     AT(software),
     .default_value = "\"turnpike\"",
     .min = 0,
     .max = STATELESS_TEXT_MAX_LEN,
     .help = "SOFTWARE attribute of responses; empty: none"},
    {.name = "users",
     .type = SETTING_GROUPS,
     AT(users),
     .default_value = "()",
     .max = UINT32_MAX,
     .fields = user_fields,
     .item_len = sizeof(struct settings_user),
     .help = "long-term users"},
    {.name = "static_auth_secrets",
     .type = SETTING_TEXTS,
     AT(static_auth_secrets),
     .default_value = "[]",
     .min = 1,
     .max = 1024,
     .secret = true,
     .help = "secrets of time-limited credentials (TURN REST API), at most 16; all are valid at "
             "once, for rotation"},
    {.name = "userhash",
     .type = SETTING_BOOLEAN,
     AT(userhash),
     .default_value = "false",
     .help = "let clients send USERHASH instead of their names; not with `static_auth_secrets`"},
    {.name = "nonce_lifetime",
     .type = SETTING_NUMBER,
     AT(nonce_lifetime_s),
     .default_value = "600",
     .min = 1,
     .max = 3600,
     .unit = "s",
     .help = "how long a nonce is valid"},
    {.name = "tcp",
     .type = SETTING_BOOLEAN,
     AT(tcp),
     .default_value = "true",
     .help = "take clients over TCP as well, where those over UDP are taken"},
    {.name = "tls_port",
     .type = SETTING_NUMBER,
     AT(tls_port),
     .default_value = "5349",
     .min = 0,
     .max = 65535,
     .help =
         "port of TLS and DTLS on every address that is listened on; 0: none; there has to be a "
         "certificate"},
    {.name = "dtls",
     .type = SETTING_BOOLEAN,
     AT(dtls),
     .default_value = "true",
     .help =
         "take clients over DTLS: on tls_port, and on the other ports beside plain UDP; there has "
         "to be a certificate"},
    {.name = "tls_listen",
     .type = SETTING_GROUPS,
     AT(tls_listen),
     .default_value = "()",
     .max = PLANE_LISTENERS_MAX,
     .fields = tls_listen_fields,
     .item_len = sizeof(struct settings_listener),
     .help = "further addresses and ports to take TLS on, such as port 443"},
    {.name = "tls_threads",
     .type = SETTING_NUMBER,
     AT(tls_threads),
     .default_value = "0",
     .min = 0,
     .max = PLANE_STREAM_THREADS_MAX,
     .unit = "threads",
     .help = "threads of their own for TCP, TLS and DTLS; 0: the control thread serves them"},
    {.name = "proxy_protocol_from",
     .type = SETTING_PREFIXES,
     AT(proxy_protocol_from),
     .default_value = "[]",
     .help = "where connections over TCP and TLS come from that begin with a header of the PROXY "
             "protocol, version 2: the load balancers"},
    {.name = "max_connections",
     .type = SETTING_NUMBER,
     AT(max_connections),
     .default_value = "65536",
     .min = 1,
     .max = 4000000,
     .unit = "connections",
     .help = "most connections over TCP, TLS and DTLS in all"},
    {.name = "max_connections_per_ip",
     .type = SETTING_NUMBER,
     AT(max_connections_per_ip),
     .default_value = "1024",
     .min = 0,
     .max = 4000000,
     .unit = "connections",
     .help = "most connections of one IPv4 address or one /64 that a thread has, those over DTLS "
             "counted apart; 0: no limit"},
    {.name = "max_handshakes",
     .type = SETTING_NUMBER,
     AT(max_handshakes),
     .default_value = "1024",
     .min = 1,
     .max = 65536,
     .unit = "connections",
     .help =
         "most handshakes of TLS, and of DTLS, that one thread has under way; a new one takes the "
         "place of the oldest"},
    {.name = "certificates",
     .type = SETTING_GROUPS,
     AT(certificates),
     .default_value = "()",
     .max = CERTIFICATES_MAX,
     .fields = certificate_fields,
     .item_len = sizeof(struct settings_certificate),
     .help = "what TLS and DTLS are served with, chosen by the name that a client asks for; the "
             "first serves where none has that name"},
    {.name = "tls_min_version",
     .type = SETTING_CHOICE,
     AT(tls_min_version),
     .default_value = "\"1.2\"",
     .choices = tls_versions,
     .help = "oldest version of TLS that is spoken; DTLS is always 1.2"},
    {.name = "tls_ciphers",
     .type = SETTING_TEXT,
     AT(tls_ciphers),
     .default_value = "\"ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20\"",
     .min = 1,
     .max = 1024,
     .help = "ciphers of TLS 1.2 and DTLS 1.2, the best first, in OpenSSL's form; those of TLS 1.3 "
             "are all good"},
    {.name = "ktls",
     .type = SETTING_BOOLEAN,
     AT(ktls),
     .default_value = "true",
     .help = "let the kernel encrypt TLS, where it can"},
    {.name = "allow_peer",
     .type = SETTING_PREFIXES,
     AT(allow_peer),
     .default_value = "[]",
     .help = "prefixes of peers to allow that are denied otherwise, such as private ones; the "
             "longer prefix wins"},
    {.name = "deny_peer",
     .type = SETTING_PREFIXES,
     AT(deny_peer),
     .default_value = "[]",
     .help = "prefixes of peers to deny beside the special-purpose blocks"},
    {.name = "total_quota",
     .type = SETTING_NUMBER,
     AT(total_quota),
     .default_value = "16384",
     .min = 1,
     .max = 4194304,
     .unit = "allocations",
     .help = "what there may be at once"},
    {.name = "user_quota",
     .type = SETTING_NUMBER,
     AT(user_quota),
     .default_value = "0",
     .min = 0,
     .max = 4194304,
     .unit = "allocations",
     .help = "what one user may have at once; 0: no limit"},
    {.name = "max_bps",
     .type = SETTING_NUMBER,
     AT(max_bps),
     .default_value = "0",
     .min = 0,
     .max = 4000000000,
     .unit = "bytes/s",
     .help = "what one allocation may carry, each direction apart; what is above is "
             "dropped, and waits between TCP connections; 0: no limit"},
    {.name = "user_max_bps",
     .type = SETTING_NUMBER,
     AT(user_max_bps),
     .default_value = "0",
     .min = 0,
     .max = 4000000000,
     .unit = "bytes/s",
     .help = "what all allocations of one user may carry, each direction apart; 0: no limit"},
    {.name = "total_max_bps",
     .type = SETTING_LARGE_NUMBER,
     AT(total_max_bps),
     .default_value = "0",
     .min = 0,
     .max = BYTES_PER_SECOND_MAX,
     .unit = "bytes/s",
     .help = "what all allocations may carry, each direction apart; 0: no limit"},
    {.name = "bps_capacity",
     .type = SETTING_LARGE_NUMBER,
     AT(bps_capacity),
     .default_value = "0",
     .min = 0,
     .max = BYTES_PER_SECOND_MAX,
     .unit = "bytes/s",
     .help = "what there is to promise: each allocation takes max_bps of it, and who finds less "
             "left gets none; 0: no limit"},
    {.name = "permissions_per_allocation",
     .type = SETTING_NUMBER,
     AT(permissions_per_allocation),
     .default_value = "64",
     .min = 1,
     .max = 65535,
     .unit = "permissions",
     .help = "peer addresses that one allocation may permit at once"},
    {.name = "channels_per_allocation",
     .type = SETTING_NUMBER,
     AT(channels_per_allocation),
     .default_value = "64",
     .min = 1,
     .max = 4096,
     .unit = "channels",
     .help = "what one allocation may bind at once"},
    {.name = "rfc5766_channels",
     .type = SETTING_BOOLEAN,
     AT(rfc5766_channels),
     .default_value = "false",
     .help = "let clients bind channel numbers up to 0x7FFF, as RFC 5766 did; RFC 8656 ends at "
             "0x4FFF"},
    {.name = "tcp_relay",
     .type = SETTING_BOOLEAN,
     AT(tcp_relay),
     .default_value = "false",
     .help =
         "let clients over TCP and TLS connect to peers over TCP, and peers to them (RFC 6062); "
         "off by default, as it opens a way to every TCP service that peers may have, to whoever "
         "has credentials"},
    {.name = "tcp_connections",
     .type = SETTING_NUMBER,
     AT(tcp_connections),
     .default_value = "4096",
     .min = 1,
     .max = 1000000,
     .unit = "connections",
     .help = "most connections to peers over TCP in all"},
    {.name = "tcp_connections_per_allocation",
     .type = SETTING_NUMBER,
     AT(tcp_connections_per_allocation),
     .default_value = "16",
     .min = 1,
     .max = 65535,
     .unit = "connections",
     .help = "most connections to peers over TCP of one allocation"},
    {.name = "default_lifetime",
     .type = SETTING_NUMBER,
     AT(default_lifetime_s),
     .default_value = "600",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "lifetime of an allocation whose client asks for none, or for less"},
    {.name = "max_lifetime",
     .type = SETTING_NUMBER,
     AT(max_lifetime_s),
     .default_value = "3600",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "longest lifetime that a client gets"},
    {.name = "unauthenticated_rate",
     .type = SETTING_NUMBER,
     AT(unauthenticated_rate),
     .default_value = "500",
     .min = 0,
     .max = 10000000,
     .unit = "answers/s",
     .help = "answers to requests without credentials from one /24 (IPv6: /56); 0: no limit"},
    {.name = "unauthenticated_burst",
     .type = SETTING_NUMBER,
     AT(unauthenticated_burst),
     .default_value = "2000",
     .min = 1,
     .max = 10000000,
     .unit = "answers",
     .help = "how many of them may come at once"},
    {.name = "drain_to",
     .type = SETTING_GROUPS,
     AT(drain_to),
     .default_value = "()",
     .max = 2,
     .fields = drain_to_fields,
     .item_len = sizeof(struct settings_alternate),
     .help = "where new clients are sent while the relay drains, one relay of each family; clients "
             "of a family without one are refused (508)"},
    {.name = "drain_domain",
     .type = SETTING_TEXT,
     AT(drain_domain),
     .default_value = "\"\"",
     .min = 0,
     .max = STUN_DOMAIN_MAX_LEN,
     .help = "DNS name that the certificate of `drain_to` is for, which clients over TLS and DTLS "
             "are told; empty: the same as here"},
    {.name = "drain_deadline",
     .type = SETTING_NUMBER,
     AT(drain_deadline_s),
     .default_value = "0",
     .min = 0,
     .max = 604800,
     .unit = "s",
     .help = "how long a drain may take, before allocations that are left are ended; 0: no limit"},
    {.name = "metrics_listen",
     .type = SETTING_ADDRESSES,
     AT(metrics_listen),
     .default_value = "[\"127.0.0.1\", \"::1\"]",
     .max = HTTP_SERVER_LISTENERS_MAX,
     .help = "local addresses to serve metrics on, over HTTP, to whoever can reach them; empty: "
             "none"},
    {.name = "metrics_port",
     .type = SETTING_NUMBER,
     AT(metrics_port),
     .default_value = "9641",
     .min = 1,
     .max = 65535,
     .help = "TCP port of the metrics"},
    {.name = "metrics_certificate",
     .type = SETTING_TEXT,
     AT(metrics_certificate),
     .default_value = "\"\"",
     .min = 0,
     .max = PATH_MAX - 1,
     .help = "file in PEM form with a certificate to serve metrics over HTTPS with, and behind it "
             "those that sign it; empty: HTTP"},
    {.name = "metrics_key",
     .type = SETTING_TEXT,
     AT(metrics_key),
     .default_value = "\"\"",
     .min = 0,
     .max = PATH_MAX - 1,
     .help = "file in PEM form with its key, not encrypted; empty: it is in the file of the "
             "certificate"},
    {.name = "metrics_token_file",
     .type = SETTING_TEXT,
     AT(metrics_token_file),
     .default_value = "\"\"",
     .min = 0,
     .max = PATH_MAX - 1,
     .help = "file with bearer tokens, one a line, of which /metrics asks for one; empty: it asks "
             "for none"},
    {.name = "watchdog",
     .type = SETTING_CHOICE,
     AT(watchdog),
     .default_value = "\"alarm\"",
     .choices = watchdog_policies,
     .help = "what becomes of a worker that is stuck: it is logged, or the process ends too, with "
             "70, to be started anew"},
    {.name = "control_group",
     .type = SETTING_TEXT,
     AT(control_group),
     .default_value = "\"\"",
     .min = 0,
     .max = 64,
     .help = "group whose members may ask and command the relay over its control socket; empty: "
             "the one that it runs as"},
    {.name = "log",
     .type = SETTING_GROUP,
     AT(log),
     .default_value = "{}",
     .fields = log_fields,
     .help = "logging"},
    {.name = "session_log",
     .type = SETTING_GROUP,
     AT(session_log),
     .default_value = "{}",
     .fields = session_log_fields,
     .help = "who has relayed how much, and how it ended"},
    {},
};
#undef AT

// What a relative path begins from is the directory of the main file, as with what is included.
static void complete_path(char **path, const char *directory)
{
    char *whole;

    if (!*path || **path == '\0' || **path == '/' ||
        asprintf(&whole, "%s/%s", directory, *path) < 0)
        return;
    free(*path);
    *path = whole;
}

static void complete_paths(struct settings *settings, const char *directory)
{
    struct settings_certificate *certificates = settings->certificates.items;

    for (uint32_t i = 0; i < settings->certificates.count; i++) {
        complete_path(&certificates[i].certificate, directory);
        complete_path(&certificates[i].private_key, directory);
    }
    complete_path(&settings->session_log.file, directory);
    complete_path(&settings->metrics_certificate, directory);
    complete_path(&settings->metrics_key, directory);
    complete_path(&settings->metrics_token_file, directory);
}

static void report_syntax(const config_t *config, struct setting_report *report)
{
    const char *path = config_error_file(config);
    const char *text = config_error_text(config);
    const char *rule = "";

    if (strcmp(text, "syntax error") == 0)
        rule = " here or before; allowed: name = value; with text in \"quotes\"";
    else if (strcmp(text, "cannot open include file") == 0)
        rule = "; allowed: one that is there, named from the directory of the main file";
    report->error_count++;
    fprintf(report->stream, "%s:%d: %s%s\n", path ? path : report->path, config_error_line(config),
            text, rule);
}

static void report_unreadable(const char *path, int error, FILE *errors)
{
    if (error == -EILSEQ)
        fprintf(errors, "%s: has a zero byte; allowed: text\n", path);
    else
        fprintf(errors, "%s: %s%s\n", path, strerror(-error),
                error == -ENOENT ? "; -c FILE names the configuration" : "");
}

int settings_load(const char *path, FILE *errors, struct settings *ret_settings)
{
    struct setting_report report = {.stream = errors, .path = path};
    struct settings settings = {};
    char directory[PATH_MAX];
    config_t config;
    char *text;
    // Not by libconfig, which ends the process when it cannot read on, as from a directory.
    int error = source_read(path, &text);

    if (error) {
        report_unreadable(path, error, errors);
        return -ENOENT;
    }
    report.text = text;
    config_init(&config);
    // What is included is named from the directory of the main file.
    snprintf(directory, sizeof(directory), "%.*s",
             strrchr(path, '/') ? (int)(strrchr(path, '/') - path) : 1,
             strrchr(path, '/') ? path : ".");
    report.directory = *directory ? directory : "/";
    config_set_include_dir(&config, report.directory);
    if (config_read_string(&config, text)) {
        setting_read_group(settings_table, config_root_setting(&config), "", &settings, &report);
        settings_check(&settings, &config, &report);
        complete_paths(&settings, report.directory);
    } else {
        report_syntax(&config, &report);
    }
    source_free(text);
    config_destroy(&config);
    setting_report_done(&report);
    if (report.error_count > 0) {
        settings_done(&settings);
        return -EINVAL;
    }
    *ret_settings = settings;
    return 0;
}

void settings_done(struct settings *settings)
{
    setting_done_group(settings_table, settings);
}
