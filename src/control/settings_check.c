// SPDX-License-Identifier: BSD-3-Clause
// The checks that need more than one setting, or more than a setting's row can say.
#include "control/settings_check.h"

#include "control/tls_contexts.h"
#include "exchange/plane.h"
#include "platform/device.h"
#include "platform/eal.h"
#include "proto/opaque_string.h"
#include "proto/stateless.h"
#include "proto/stun.h"
#include "turn/credentials.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX 16
#define MTU_MIN     1280 // RFC 8200 section 5

// What is being checked, and where complaints go.
struct check {
    const struct settings *settings;
    const config_t *config;
    struct setting_report *report;
};

static const config_setting_t *find(const struct check *check, const char *path)
{
    return config_lookup(check->config, path);
}

// What RFC 8265 makes of a text may be longer than it. what: "the name " or "".
static void check_opaque_string(const struct check *check, const config_setting_t *where,
                                const char *name, const char *what, const char *text,
                                unsigned max_len)
{
    char prepared[STUN_STRING_MAX_LEN + 1];
    struct span span = {(const uint8_t *)text, strlen(text)};
    int error = opaque_string_prepare(span, prepared, max_len);

    OPENSSL_cleanse(prepared, sizeof(prepared));
    if (error == -ENOSPC)
        setting_error(check->report, where, name,
                      "%sis too long in its normal form (NFC); allowed: %u bytes", what, max_len);
    else if (error)
        setting_error(
            check->report, where, name,
            "%shas characters that RFC 8265 forbids; allowed: UTF-8 text without controls", what);
}

static void check_user(const struct check *check, uint32_t i)
{
    const struct settings_user *users = check->settings->users.items, *user = &users[i];
    bool has_key = user->key_md5.len > 0 || user->key_sha256.len > 0;
    char path[64], name[80];
    const config_setting_t *where;

    snprintf(path, sizeof(path), "users.[%u]", i);
    snprintf(name, sizeof(name), "users[%u]", i);
    where = find(check, path);
    if (!user->name || setting_report_has(check->report, name))
        return; // said already
    check_opaque_string(check, where, name, "the name ", user->name, USERNAME_MAX_LEN);
    if (!*user->password && !has_key)
        setting_error(check->report, where, name,
                      "has neither a password nor a key; allowed: either");
    else if (*user->password && has_key)
        setting_error(check->report, where, name, "has a password and a key; allowed: either");
    else if (*user->password)
        check_opaque_string(check, where, name, "the password ", user->password,
                            STUN_STRING_MAX_LEN);
}

struct user_reference {
    const char *name;
    uint32_t index;
};

static int compare_references(const void *a, const void *b)
{
    const struct user_reference *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : (left->index > right->index) - (left->index < right->index);
}

static void check_users_differ(const struct check *check)
{
    const struct settings_user *users = check->settings->users.items;
    uint32_t count = 0;
    struct user_reference *references =
        calloc(check->settings->users.count + 1, sizeof(*references));

    for (uint32_t i = 0; references && i < check->settings->users.count; i++) {
        if (users[i].name)
            references[count++] = (struct user_reference){users[i].name, i};
    }
    if (references)
        qsort(references, count, sizeof(*references), compare_references);
    for (uint32_t i = 1; i < count; i++) {
        char path[64];

        if (strcmp(references[i - 1].name, references[i].name) != 0)
            continue;
        snprintf(path, sizeof(path), "users.[%u]", references[i].index);
        setting_error(check->report, find(check, path), "users",
                      "\"%s\" is there twice; allowed: each name once", references[i].name);
    }
    free(references);
}

static void check_credentials(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (settings->realm)
        check_opaque_string(check, find(check, "realm"), "realm", "", settings->realm,
                            STATELESS_TEXT_MAX_LEN);
    if (settings->software && *settings->software)
        check_opaque_string(check, find(check, "software"), "software", "", settings->software,
                            STATELESS_TEXT_MAX_LEN);
    if (settings->users.count == 0 && settings->static_auth_secrets.count == 0 &&
        !setting_report_has(check->report, "users") &&
        !setting_report_has(check->report, "static_auth_secrets"))
        setting_error(
            check->report, find(check, "users"), "users",
            "nobody could use the relay; there must be users, static_auth_secrets, or both");
    // Whoever claims a time-limited name has it tried with each, before it is known who that is.
    if (settings->static_auth_secrets.count > SECRETS_MAX)
        setting_error(check->report, find(check, "static_auth_secrets"), "static_auth_secrets",
                      "there are %" PRIu32 "; allowed: at most %d",
                      settings->static_auth_secrets.count, SECRETS_MAX);
    if (settings->userhash && settings->static_auth_secrets.count > 0)
        setting_error(check->report, find(check, "userhash"), "userhash",
                      "cannot be true with static_auth_secrets, whose users are not known in "
                      "advance; allowed: false");
    for (uint32_t i = 0; i < settings->users.count; i++)
        check_user(check, i);
    check_users_differ(check);
}

bool settings_range_serves_workers(uint32_t min_port, uint32_t max_port, uint32_t workers)
{
    uint64_t served = 0;

    // Only pairs that are in the range whole count.
    for (uint32_t port = (min_port + 1) & ~1u; port + 1 <= max_port; port += 2)
        served |= UINT64_C(1) << port_slice_worker((uint16_t)port, (uint16_t)workers);
    return served == (workers == 64 ? UINT64_MAX : (UINT64_C(1) << workers) - 1);
}

// A listening port within the range, 0: there is none.
static uint32_t find_listening_port(const struct settings *settings, const struct ip_address *ip,
                                    uint32_t min_port, uint32_t max_port)
{
    const struct settings_listener *listeners = settings->listen.items;

    // The default is every address of the interface, and that is where relay addresses are.
    if (settings->listen.count == 0)
        return min_port <= SETTINGS_DEFAULT_PORT && max_port >= SETTINGS_DEFAULT_PORT
                   ? SETTINGS_DEFAULT_PORT
                   : 0;
    for (uint32_t i = 0; i < settings->listen.count; i++) {
        if (listeners[i].port >= min_port && listeners[i].port <= max_port &&
            (!ip || ip_address_equal(&listeners[i].address, ip)))
            return listeners[i].port;
    }
    return 0;
}

// ip NULL: not known before the interface is.
static void check_range(const struct check *check, const config_setting_t *where, const char *name,
                        const struct ip_address *ip, uint32_t min_port, uint32_t max_port)
{
    uint32_t listening = find_listening_port(check->settings, ip, min_port, max_port);

    if (min_port > max_port)
        setting_error(check->report, where, name,
                      "min_port %u is above max_port %u; allowed: up to it", min_port, max_port);
    else if (!settings_range_serves_workers(min_port, max_port, check->settings->workers))
        setting_error(
            check->report, where, name,
            "ports %u..%u have no pair of ports for each worker (workers is %u); allowed: "
            "any range of 130 ports or more",
            min_port, max_port, check->settings->workers);
    else if (listening)
        setting_error(check->report, where, name,
                      "ports %u..%u contain the listening port %u of the same address; allowed: "
                      "ranges without one",
                      min_port, max_port, listening);
}

static const struct ip_address *advertised(const struct settings_relay *relay)
{
    return relay->external_address.family == IP_FAMILY_NONE ? &relay->address
                                                            : &relay->external_address;
}

// What ranges are made of, or held against, has been complained about.
static bool ports_are_at_fault(const struct check *check)
{
    return setting_report_has(check->report, "min_port") ||
           setting_report_has(check->report, "max_port") ||
           setting_report_has(check->report, "workers") ||
           setting_report_has(check->report, "listen");
}

static void check_relay(const struct check *check, uint32_t i)
{
    const struct settings *settings = check->settings;
    const struct settings_relay *relays = settings->relay.items, *relay = &relays[i];
    char path[64], name[80];
    const config_setting_t *where;

    snprintf(path, sizeof(path), "relay.[%u]", i);
    snprintf(name, sizeof(name), "relay[%u]", i);
    where = find(check, path);
    if (setting_report_has(check->report, name) || ports_are_at_fault(check))
        return; // said already
    check_range(check, where, name, &relay->address,
                relay->min_port ? relay->min_port : settings->min_port,
                relay->max_port ? relay->max_port : settings->max_port);
    if (relay->external_address.family != IP_FAMILY_NONE &&
        relay->address.family != IP_FAMILY_NONE &&
        relay->external_address.family != relay->address.family)
        setting_error(check->report, where, name,
                      "address and external_address are of different families; allowed: both IPv4 "
                      "or both IPv6");
    for (uint32_t j = 0; j < i; j++) {
        if (ip_address_equal(&relays[j].address, &relay->address))
            setting_error(check->report, where, name,
                          "has the address of relay[%u]; allowed: each address once", j);
        else if (ip_address_equal(advertised(&relays[j]), advertised(relay)))
            setting_error(check->report, where, name,
                          "has the external address of relay[%u]; allowed: each address once", j);
    }
}

static void check_addresses(const struct check *check)
{
    const struct settings *settings = check->settings;
    const struct settings_listener *listeners = settings->listen.items;

    for (uint32_t i = 1; i < settings->listen.count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            char path[64];

            if (listeners[i].port != listeners[j].port ||
                !ip_address_equal(&listeners[i].address, &listeners[j].address))
                continue;
            snprintf(path, sizeof(path), "listen.[%u]", i);
            setting_error(check->report, find(check, path), "listen",
                          "has the same address and port twice; allowed: each once");
        }
    }
    for (uint32_t i = 0; i < settings->relay.count; i++)
        check_relay(check, i);
    if (settings->relay.count == 0 && !ports_are_at_fault(check))
        check_range(check,
                    find(check, config_lookup(check->config, "min_port") ? "min_port" : "max_port"),
                    "min_port", NULL, settings->min_port, settings->max_port);
    if (settings->relay.count > 0 && settings->external_address.family != IP_FAMILY_NONE)
        setting_error(check->report, find(check, "external_address"), "external_address",
                      "counts only while relay is empty; allowed: external_address within relay");
}

static void check_workers(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (setting_report_has(check->report, "workers"))
        return; // said already
    if (settings->cpus.count > 0 && settings->cpus.count != settings->workers)
        setting_error(check->report, find(check, "cpus"), "cpus",
                      "names %u CPUs, and workers is %u; allowed: one for each worker, or empty",
                      settings->cpus.count, settings->workers);
    if (settings->packet_buffers > 0 && settings->packet_buffers < settings->workers * 16384)
        setting_error(check->report, find(check, "packet_buffers"), "packet_buffers",
                      "%u are too few for %u workers; allowed: 16384 for each or more, or 0",
                      settings->packet_buffers, settings->workers);
}

static void check_mtu_len(const struct check *check, const char *setting, uint32_t mtu)
{
    if (mtu > 0 && mtu < MTU_MIN && !setting_report_has(check->report, setting))
        setting_error(check->report, find(check, setting), setting,
                      "%u is too little for IPv6; allowed: %u or more, or 0", mtu, MTU_MIN);
}

static void check_mtu(const struct check *check)
{
    uint32_t mtu = check->settings->mtu;

    if (mtu == 0 || setting_report_has(check->report, "mtu"))
        return;
    if (!settings_own_device(check->settings))
        setting_error(check->report, find(check, "mtu"), "mtu",
                      "is of a device, and there is none: an interface is set up by 'ip link'; "
                      "allowed: 0");
    else
        check_mtu_len(check, "mtu", mtu);
}

static void check_device_name(const struct check *check, const char *setting, const char *device)
{
    if (!device_is_valid(device))
        setting_error(check->report, find(check, setting), setting,
                      "\"%s\" is no device; allowed: a PCI address such as 0000:03:00.0, or a "
                      "virtual device and its arguments such as net_memif0,role=server",
                      device);
}

static void refuse_without_relay_device(const struct check *check, const char *setting,
                                        const char *allowed)
{
    setting_error(check->report, find(check, setting), setting,
                  "is of relay_device, and there is none; allowed: %s", allowed);
}

static void check_without_relay_device(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (settings->relay_interface && *settings->relay_interface)
        refuse_without_relay_device(check, "relay_interface", "\"\"");
    if (settings->relay_mtu > 0)
        refuse_without_relay_device(check, "relay_mtu", "0");
    if (settings->relay_vlan > 0)
        refuse_without_relay_device(check, "relay_vlan", "0");
}

static void check_relay_interface(const struct check *check)
{
    const struct settings *settings = check->settings;
    const char *name = settings->relay_interface;

    if (!name || setting_report_has(check->report, "relay_interface"))
        return;
    if (!*name)
        setting_error(check->report, find(check, "relay_device"), "relay_device",
                      "has no twin; allowed: a device together with relay_interface");
    else if (settings->interface && strcmp(name, settings->interface) == 0)
        setting_error(check->report, find(check, "relay_interface"), "relay_interface",
                      "\"%s\" is the interface of device; allowed: another name", name);
}

// Of two devices, what the second may be.
static void check_relay_device(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (!settings_own_relay_device(settings)) {
        check_without_relay_device(check);
        return;
    }
    check_device_name(check, "relay_device", settings->relay_device);
    check_mtu_len(check, "relay_mtu", settings->relay_mtu);
    check_relay_interface(check);
    if (!settings_own_device(settings))
        setting_error(check->report, find(check, "relay_device"), "relay_device",
                      "is a second device, and there is no first; allowed: one beside device, or "
                      "\"\"");
    else if (device_is_valid(settings->relay_device) && device_is_valid(settings->device) &&
             device_is_same(settings->relay_device, settings->device))
        setting_error(check->report, find(check, "relay_device"), "relay_device",
                      "\"%s\" is device; allowed: another one", settings->relay_device);
}

static void check_netns(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (!settings->netns || !*settings->netns || settings_have_twin(settings))
        return;
    setting_error(check->report, find(check, "interface_netns"), "interface_netns",
                  "is of a device's twin, and there is %s: an interface is shared where it "
                  "is; allowed: \"\"",
                  settings_own_device(settings) ? "none with flow_isolation" : "no device");
}

static void check_device(const struct check *check)
{
    const struct settings *settings = check->settings;

    check_mtu(check);
    if (settings->vlan > 0 && !settings_own_device(settings))
        setting_error(check->report, find(check, "vlan"), "vlan",
                      "is of a device, and there is none: for an interface 'ip link' makes one "
                      "of type vlan; allowed: 0");
    if (settings->flow_isolation && !settings_own_device(settings))
        setting_error(check->report, find(check, "flow_isolation"), "flow_isolation",
                      "is of a device, and there is none; allowed: flow_isolation together with "
                      "device");
    check_netns(check);
    check_relay_device(check);
    if (settings->flow_isolation && settings_own_relay_device(settings))
        setting_error(check->report, find(check, "flow_isolation"), "flow_isolation",
                      "is of one device, and there are two; allowed: without relay_device");
    if (!settings_own_device(settings))
        return;
    check_device_name(check, "device", settings->device);
    // The twin comes with the relay, and has no address before.
    if (!settings_have_twin(settings))
        return;
    if ((settings->listen.count == 0 && !setting_report_has(check->report, "listen")) ||
        (settings->relay.count == 0 && !setting_report_has(check->report, "relay")))
        setting_error(check->report, find(check, "device"), "device",
                      "leaves the addresses to listen on and to relay from open; allowed: a device "
                      "together with listen and relay");
}

static void check_capture(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (settings->capture && settings->hugepages == EAL_HUGEPAGES_OFF &&
        !setting_report_has(check->report, "hugepages"))
        setting_error(check->report, find(check, "capture"), "capture",
                      "tools can join only memory in hugepages; allowed: capture together with "
                      "hugepages = \"on\" or \"auto\"");
}

static void check_lifetimes(const struct check *check)
{
    const struct settings *settings = check->settings;
    const char *name = find(check, "max_lifetime") ? "max_lifetime" : "default_lifetime";

    if (settings->max_lifetime_s < settings->default_lifetime_s &&
        !setting_report_has(check->report, "max_lifetime") &&
        !setting_report_has(check->report, "default_lifetime"))
        setting_error(check->report, find(check, name), name,
                      "max_lifetime %u is below default_lifetime %u; allowed: from it on",
                      settings->max_lifetime_s, settings->default_lifetime_s);
}

// Each allocation takes so much of it, and one at least is to find a place.
static void check_capacity(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (settings->bps_capacity == 0 || setting_report_has(check->report, "bps_capacity") ||
        setting_report_has(check->report, "max_bps"))
        return;
    if (settings->max_bps == 0)
        setting_error(
            check->report, find(check, "bps_capacity"), "bps_capacity",
            "is made of what max_bps promises to each allocation, and that is 0; allowed: "
            "bps_capacity together with max_bps");
    else if (settings->bps_capacity < settings->max_bps)
        setting_error(check->report, find(check, "bps_capacity"), "bps_capacity",
                      "%" PRIu64 " is below max_bps %" PRIu32 "; allowed: from it on, or 0",
                      settings->bps_capacity, settings->max_bps);
}

static void check_tls(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (!setting_report_has(check->report, "tls_ciphers") &&
        !tls_contexts_know_ciphers(settings->tls_ciphers))
        setting_error(check->report, find(check, "tls_ciphers"), "tls_ciphers",
                      "\"%.100s\" has what OpenSSL does not know, or nothing for TLS 1.2; allowed: "
                      "names that 'openssl ciphers -tls1_2' knows, with colons between them",
                      settings->tls_ciphers);
}

static void check_metrics(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (settings->metrics_key && *settings->metrics_key && settings->metrics_certificate &&
        !*settings->metrics_certificate)
        setting_error(check->report, find(check, "metrics_key"), "metrics_key",
                      "is the key of nothing; allowed: with metrics_certificate");
}

static bool listens_at(const struct settings *settings, const struct settings_alternate *alternate)
{
    const struct settings_listener *listeners = settings->listen.items;

    for (uint32_t i = 0; i < settings->listen.count; i++) {
        if (ip_address_equal(&listeners[i].address, &alternate->address) &&
            (alternate->port == 0 || alternate->port == listeners[i].port))
            return true;
    }
    return false;
}

static void check_alternate(const struct check *check, uint32_t i)
{
    const struct settings_alternate *alternates = check->settings->drain_to.items;
    const struct settings_alternate *alternate = &alternates[i];
    char path[64];
    const config_setting_t *where;

    snprintf(path, sizeof(path), "drain_to.[%u]", i);
    where = find(check, path);
    if (i > 0 && alternates[0].address.family == alternate->address.family)
        setting_error(check->report, where, "drain_to",
                      "has two addresses of one family; allowed: one IPv4 and one IPv6 address");
    if (listens_at(check->settings, alternate))
        setting_error(check->report, where, "drain_to",
                      "names this relay itself; allowed: another one");
}

// RFC 1123 section 2.1; A-labels look no different.
static bool is_domain(const char *text)
{
    return *text == '\0' ||
           (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
                strlen(text) &&
            *text != '.' && *text != '-' && !strstr(text, ".."));
}

static void check_drain(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (!setting_report_has(check->report, "drain_to") &&
        !setting_report_has(check->report, "listen")) {
        for (uint32_t i = 0; i < settings->drain_to.count; i++)
            check_alternate(check, i);
    }
    if (settings->drain_domain && !is_domain(settings->drain_domain))
        setting_error(check->report, find(check, "drain_domain"), "drain_domain",
                      "\"%s\" is no DNS name; allowed: letters, digits, hyphens and dots, as in "
                      "turn.example.org",
                      settings->drain_domain);
}

static void check_session_log(const struct check *check)
{
    const struct settings_session_log *session_log = &check->settings->session_log;

    if (session_log->to == SESSION_LOG_TO_FILE && session_log->file && *session_log->file == '\0' &&
        !setting_report_has(check->report, "session_log"))
        setting_error(check->report, find(check, "session_log"), "session_log.file",
                      "is not given, and session_log.to is \"file\"; allowed: the path of a file");
}

void settings_check(const struct settings *settings, const config_t *config,
                    struct setting_report *report)
{
    const struct check what = {settings, config, report}, *check = &what;

    check_workers(check);
    check_device(check);
    check_capture(check);
    check_addresses(check);
    check_credentials(check);
    check_lifetimes(check);
    check_capacity(check);
    check_tls(check);
    check_metrics(check);
    check_drain(check);
    check_session_log(check);
}
