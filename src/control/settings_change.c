// SPDX-License-Identifier: BSD-3-Clause
// Of each setting when a change takes effect: the one table, which a test holds against that of the
// settings and against the documents.
#include "control/settings_change.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

struct reload_row {
    const char *name;
    enum settings_reload reload;
    const char *bound; // the setting whose value at the start bounds it; NULL: itself
};

static const struct reload_row rows[] = {
    {"interface", SETTINGS_AT_START, NULL},
    {"device", SETTINGS_AT_START, NULL},
    {"mtu", SETTINGS_AT_START, NULL},
    {"vlan", SETTINGS_AT_START, NULL},
    {"flow_isolation", SETTINGS_AT_START, NULL},
    {"relay_device", SETTINGS_AT_START, NULL},
    {"relay_interface", SETTINGS_AT_START, NULL},
    {"relay_mtu", SETTINGS_AT_START, NULL},
    {"relay_vlan", SETTINGS_AT_START, NULL},
    {"interface_netns", SETTINGS_AT_START, NULL},
    {"xdp_mode", SETTINGS_AT_START, NULL},
    {"workers", SETTINGS_AT_START, NULL},
    {"cpus", SETTINGS_AT_START, NULL},
    {"hugepages", SETTINGS_AT_START, NULL},
    {"capture", SETTINGS_AT_START, NULL},
    {"memory_mb", SETTINGS_AT_START, NULL},
    {"packet_buffers", SETTINGS_AT_START, NULL},
    {"idle", SETTINGS_AT_START, NULL},
    {"idle_sleep_us", SETTINGS_AT_START, NULL},
    {"listen", SETTINGS_AT_START, NULL},
    {"relay", SETTINGS_AT_START, NULL},
    {"external_address", SETTINGS_AT_START, NULL},
    {"min_port", SETTINGS_AT_START, NULL},
    {"max_port", SETTINGS_AT_START, NULL},
    {"realm", SETTINGS_LIVE, NULL},
    {"software", SETTINGS_LIVE, NULL},
    {"users", SETTINGS_LIVE, NULL},
    {"static_auth_secrets", SETTINGS_LIVE, NULL},
    {"userhash", SETTINGS_LIVE, NULL},
    {"nonce_lifetime", SETTINGS_LIVE, NULL},
    {"tcp", SETTINGS_AT_START, NULL},
    {"tls_port", SETTINGS_AT_START, NULL},
    {"dtls", SETTINGS_AT_START, NULL},
    {"tls_listen", SETTINGS_AT_START, NULL},
    {"tls_threads", SETTINGS_AT_START, NULL},
    {"proxy_protocol_from", SETTINGS_AT_START, NULL},
    {"max_connections", SETTINGS_AT_START, NULL},
    {"max_connections_per_ip", SETTINGS_AT_START, NULL},
    {"max_handshakes", SETTINGS_AT_START, NULL},
    {"certificates", SETTINGS_LIVE_IF_THERE, NULL},
    {"tls_min_version", SETTINGS_LIVE, NULL},
    {"tls_ciphers", SETTINGS_LIVE, NULL},
    {"ktls", SETTINGS_LIVE, NULL},
    {"allow_peer", SETTINGS_LIVE, NULL},
    {"deny_peer", SETTINGS_LIVE, NULL},
    {"total_quota", SETTINGS_LIVE_UP_TO_START, NULL},
    {"user_quota", SETTINGS_LIVE, NULL},
    {"max_bps", SETTINGS_LIVE_IF_THERE, NULL},
    {"user_max_bps", SETTINGS_LIVE_IF_THERE, NULL},
    {"total_max_bps", SETTINGS_LIVE, NULL},
    {"bps_capacity", SETTINGS_LIVE, NULL},
    {"permissions_per_allocation", SETTINGS_LIVE, NULL},
    {"channels_per_allocation", SETTINGS_LIVE, NULL},
    {"rfc5766_channels", SETTINGS_AT_START, NULL},
    {"tcp_relay", SETTINGS_AT_START, NULL},
    {"tcp_connections", SETTINGS_LIVE_UP_TO_START, NULL},
    {"tcp_connections_per_allocation", SETTINGS_LIVE, NULL},
    {"default_lifetime", SETTINGS_LIVE_UP_TO_START, "max_lifetime"},
    {"max_lifetime", SETTINGS_LIVE_UP_TO_START, NULL},
    {"unauthenticated_rate", SETTINGS_LIVE, NULL},
    {"unauthenticated_burst", SETTINGS_LIVE, NULL},
    {"drain_to", SETTINGS_LIVE, NULL},
    {"drain_domain", SETTINGS_LIVE, NULL},
    {"drain_deadline", SETTINGS_LIVE, NULL},
    {"metrics_listen", SETTINGS_AT_START, NULL},
    {"metrics_port", SETTINGS_AT_START, NULL},
    {"metrics_certificate", SETTINGS_LIVE, NULL},
    {"metrics_key", SETTINGS_LIVE, NULL},
    {"metrics_token_file", SETTINGS_LIVE, NULL},
    {"watchdog", SETTINGS_AT_START, NULL},
    {"control_group", SETTINGS_AT_START, NULL},
    {"log.to", SETTINGS_AT_START, NULL},
    {"log.format", SETTINGS_AT_START, NULL},
    {"log.level", SETTINGS_LIVE, NULL},
    {"log.relay", SETTINGS_LIVE, NULL},
    {"log.sessions", SETTINGS_LIVE, NULL},
    {"log.logins", SETTINGS_LIVE, NULL},
    {"log.clients", SETTINGS_LIVE, NULL},
    {"log.network", SETTINGS_LIVE, NULL},
    {"log.rate", SETTINGS_LIVE, NULL},
    {"session_log.to", SETTINGS_AT_START, NULL},
    {"session_log.file", SETTINGS_AT_START, NULL},
    {"session_log.format", SETTINGS_AT_START, NULL},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static_assert(ROW_COUNT <= SETTINGS_BOUNDS_MAX, "a bound for each");

// Of a list also what is within.
static const struct reload_row *find_row(const char *name)
{
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        size_t len = strlen(rows[i].name);

        if (strncmp(rows[i].name, name, len) == 0 && (name[len] == '\0' || name[len] == '.'))
            return &rows[i];
    }
    return NULL;
}

enum settings_reload settings_reload_of(const char *name)
{
    const struct reload_row *row = find_row(name);

    return row ? row->reload : SETTINGS_NAMELESS;
}

const char *settings_reload_text(enum settings_reload reload)
{
    static const char *const texts[] = {
        [SETTINGS_LIVE] = "yes",
        [SETTINGS_LIVE_UP_TO_START] = "up to the start's",
        [SETTINGS_LIVE_IF_THERE] = "if there at the start",
        [SETTINGS_AT_START] = "no",
    };

    return texts[reload];
}

const char *settings_reload_name(unsigned number)
{
    return number < ROW_COUNT ? rows[number].name : NULL;
}

// A setting with its place in two sets of them; row NULL: of a group, whose members come by
// themselves.
struct pair {
    const struct setting *setting;
    const struct reload_row *row;
    void *in_force;
    void *read;
};

// Every pair in turn; those within lists are not told apart.
static void walk(const struct setting *fields, const char *prefix, void *in_force, void *read,
                 void (*visit)(const struct pair *pair, void *context), void *context)
{
    for (; fields->name; fields++) {
        char name[64];
        struct pair pair = {fields, NULL, (char *)in_force + fields->offset,
                            (char *)read + fields->offset};

        snprintf(name, sizeof(name), "%s%s", prefix, fields->name);
        if (fields->type == SETTING_GROUP) {
            strncat(name, ".", sizeof(name) - strlen(name) - 1);
            walk(fields->fields, name, pair.in_force, pair.read, visit, context);
            continue;
        }
        pair.row = find_row(name);
        assert(pair.row);
        visit(&pair, context);
    }
}

static uint32_t amount_of(const struct setting *setting, const void *value)
{
    switch (setting->type) {
    case SETTING_NUMBER:
        return *(const uint32_t *)value;
    case SETTING_TEXTS:
    case SETTING_PREFIXES:
    case SETTING_ADDRESSES:
    case SETTING_GROUPS:
        return ((const struct setting_list *)value)->count;
    default:
        return 0; // bounds nothing
    }
}

static void take_bound(const struct pair *pair, void *context)
{
    struct settings_bounds *bounds = context;

    for (unsigned i = 0; i < ROW_COUNT; i++) {
        const char *bound = rows[i].bound ? rows[i].bound : rows[i].name;

        if (strcmp(bound, pair->row->name) == 0)
            bounds->amounts[i] = amount_of(pair->setting, pair->in_force);
    }
}

void settings_bounds_take(const struct settings *started, struct settings_bounds *ret_bounds)
{
    struct settings *settings = (struct settings *)started; // only looked at

    *ret_bounds = (struct settings_bounds){};
    walk(settings_table, "", settings, settings, take_bound, ret_bounds);
}

static size_t len_of(enum setting_type type)
{
    static const size_t lens[] = {
        [SETTING_NUMBER] = sizeof(uint32_t),
        [SETTING_LARGE_NUMBER] = sizeof(uint64_t),
        [SETTING_BOOLEAN] = sizeof(bool),
        [SETTING_CHOICE] = sizeof(uint32_t),
        [SETTING_TEXT] = sizeof(char *),
        [SETTING_ADDRESS] = sizeof(struct ip_address),
        [SETTING_HEX] = sizeof(struct setting_bytes),
        [SETTING_CPUS] = sizeof(struct setting_cpus),
        [SETTING_TEXTS] = sizeof(struct setting_list),
        [SETTING_PREFIXES] = sizeof(struct setting_list),
        [SETTING_ADDRESSES] = sizeof(struct setting_list),
        [SETTING_GROUPS] = sizeof(struct setting_list),
    };

    assert(lens[type] > 0);
    return lens[type];
}

static bool are_equal(const struct setting *setting, const void *left, const void *right);

static bool prefixes_are_equal(const struct ip_prefix *left, const struct ip_prefix *right)
{
    return left->length == right->length && ip_address_equal(&left->ip, &right->ip);
}

static bool groups_are_equal(const struct setting *fields, const char *left, const char *right)
{
    for (; fields->name; fields++) {
        if (!are_equal(fields, left + fields->offset, right + fields->offset))
            return false;
    }
    return true;
}

static bool items_are_equal(const struct setting *setting, const struct setting_list *left,
                            const struct setting_list *right, uint32_t i)
{
    if (setting->type == SETTING_TEXTS)
        return strcmp(((char **)left->items)[i], ((char **)right->items)[i]) == 0;
    if (setting->type == SETTING_PREFIXES)
        return prefixes_are_equal((struct ip_prefix *)left->items + i,
                                  (struct ip_prefix *)right->items + i);
    if (setting->type == SETTING_ADDRESSES)
        return ip_address_equal((struct ip_address *)left->items + i,
                                (struct ip_address *)right->items + i);
    return groups_are_equal(setting->fields, (char *)left->items + i * setting->item_len,
                            (char *)right->items + i * setting->item_len);
}

static bool lists_are_equal(const struct setting *setting, const struct setting_list *left,
                            const struct setting_list *right)
{
    bool equal = left->count == right->count;

    for (uint32_t i = 0; equal && i < left->count; i++)
        equal = items_are_equal(setting, left, right, i);
    return equal;
}

static bool bytes_are_equal(const struct setting_bytes *left, const struct setting_bytes *right)
{
    return left->len == right->len && CRYPTO_memcmp(left->bytes, right->bytes, left->len) == 0;
}

static bool cpus_are_equal(const struct setting_cpus *left, const struct setting_cpus *right)
{
    return left->count == right->count &&
           memcmp(left->cpus, right->cpus, left->count * sizeof(left->cpus[0])) == 0;
}

static bool are_equal(const struct setting *setting, const void *left, const void *right)
{
    switch (setting->type) {
    case SETTING_TEXT:
        return strcmp(*(char *const *)left, *(char *const *)right) == 0;
    case SETTING_ADDRESS:
        return ip_address_equal(left, right);
    case SETTING_HEX:
        return bytes_are_equal(left, right);
    case SETTING_CPUS:
        return cpus_are_equal(left, right);
    case SETTING_TEXTS:
    case SETTING_PREFIXES:
    case SETTING_ADDRESSES:
    case SETTING_GROUPS:
        return lists_are_equal(setting, left, right);
    default:
        return memcmp(left, right, len_of(setting->type)) == 0;
    }
}

struct change_walk {
    const struct settings_bounds *bounds;
    void (*visit)(const char *name, enum settings_effect effect, void *context);
    void *context;
};

static enum settings_effect effect_of(const struct pair *pair, uint32_t bound)
{
    switch (pair->row->reload) {
    case SETTINGS_LIVE:
        return SETTINGS_TAKEN;
    case SETTINGS_LIVE_UP_TO_START:
        return amount_of(pair->setting, pair->read) > bound ? SETTINGS_TAKEN_IN_PART
                                                            : SETTINGS_TAKEN;
    case SETTINGS_LIVE_IF_THERE:
        return bound > 0 ? SETTINGS_TAKEN : SETTINGS_LEFT;
    default:
        return SETTINGS_LEFT;
    }
}

static uint32_t bound_of(const struct settings_bounds *bounds, const struct pair *pair)
{
    return bounds->amounts[pair->row - rows];
}

static void tell_change(const struct pair *pair, void *context)
{
    const struct change_walk *change = context;

    if (!are_equal(pair->setting, pair->in_force, pair->read))
        change->visit(pair->row->name, effect_of(pair, bound_of(change->bounds, pair)),
                      change->context);
}

void settings_change_walk(const struct settings_bounds *bounds, const struct settings *in_force,
                          const struct settings *read,
                          void (*visit)(const char *name, enum settings_effect effect,
                                        void *context),
                          void *context)
{
    struct change_walk change = {bounds, visit, context};

    walk(settings_table, "", (struct settings *)in_force, (struct settings *)read, tell_change,
         &change);
}

static void apply(const struct pair *pair, void *context)
{
    uint32_t bound = bound_of(context, pair);
    enum settings_effect effect = effect_of(pair, bound);
    char kept[sizeof(struct setting_cpus)]; // the longest
    size_t len = len_of(pair->setting->type);

    if (effect == SETTINGS_LEFT)
        return;
    if (effect == SETTINGS_TAKEN_IN_PART)
        *(uint32_t *)pair->read = bound;
    memcpy(kept, pair->in_force, len);
    memcpy(pair->in_force, pair->read, len);
    memcpy(pair->read, kept, len);
    OPENSSL_cleanse(kept, len);
}

void settings_change_apply(const struct settings_bounds *bounds, struct settings *in_force,
                           struct settings *read)
{
    walk(settings_table, "", in_force, read, apply, (void *)bounds);
}
