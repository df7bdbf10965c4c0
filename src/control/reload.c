// SPDX-License-Identifier: BSD-3-Clause
// A reload: first everything that can fail, apart from what runs; then what cannot.
#include "control/reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/http_access.h"
#include "control/log_settings.h"
#include "control/service_manager.h"
#include "control/settings_change.h"
#include "control/sizing.h"
#include "platform/privileges.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct reload {
    struct reload_config config;
    struct settings_bounds bounds;
    struct stateless_policy policy; // the workers read it
    uint32_t policies_sent;
    uint64_t key_since_ms; // of the nonce key
    bool serves_tls;       // there are listeners for it
    struct reload_history history;
};

// What a reload is made of, before anything is touched.
struct draft {
    struct settings settings;
    struct turn_state access;
    struct stateless_policy policy;
    bool has_new_key;
    struct http_access *http_access;
};

// What one walk over the changes has found.
struct outcome {
    unsigned taken_count;
    unsigned left_count;
    bool peers_changed;
    bool rates_changed;
    bool ktls_changed;
};

int reload_create(const struct reload_config *config, struct reload **ret_reload)
{
    struct reload *reload = calloc(1, sizeof(*reload));

    if (!reload)
        return -ENOMEM;
    reload->config = *config;
    reload->policy = config->plane->config.stateless;
    reload->key_since_ms = clock_monotonic_ms();
    reload->serves_tls = config->settings->certificates.count > 0;
    reload->history.taken_s = clock_wall_s();
    settings_bounds_take(config->settings, &reload->bounds);
    *ret_reload = reload;
    return 0;
}

void reload_destroy(struct reload *reload)
{
    OPENSSL_cleanse(reload, sizeof(*reload));
    free(reload);
}

const struct reload_history *reload_get_history(const struct reload *reload)
{
    return &reload->history;
}

bool reload_is_ready(const struct reload *reload)
{
    return plane_policies_are_applied(reload->config.plane, reload->policies_sent);
}

static void log_errors(char *errors)
{
    char *rest = errors;

    for (char *line; (line = strsep(&rest, "\n"));) {
        if (*line)
            log_message(LOG_LEVEL_ERROR, "configuration", "%s", line);
    }
}

static int read_settings(const struct reload *reload, struct settings *ret_settings)
{
    char *errors = NULL;
    size_t len;
    FILE *stream = open_memstream(&errors, &len);
    int error;

    if (!stream)
        return -ENOMEM;
    error = settings_load(reload->config.path, stream, ret_settings);
    fclose(stream);
    log_errors(errors);
    free(errors);
    return error;
}

// All or none of them. Where there are no listeners for them they are looked at all the same.
static int take_certificates(const struct reload *reload, const struct settings *settings)
{
    struct tls_contexts *contexts;
    int error;

    if (reload->serves_tls)
        return tls_contexts_reread(reload->config.tls, settings);
    error = tls_contexts_create(settings, NULL, &contexts);
    if (!error)
        tls_contexts_destroy(contexts);
    return error;
}

// A key goes only when all nonces that were made with the one before it have run out.
static bool key_is_old(const struct reload *reload)
{
    return clock_monotonic_ms() - reload->key_since_ms >=
           (uint64_t)reload->policy.nonce.lifetime_s * 1000;
}

static int make_draft(const struct reload *reload, struct draft *draft)
{
    const struct reload_config *config = &reload->config;
    int error = turn_state_make_access(&draft->settings, config->interface, &config->plane->config,
                                       &draft->access);

    draft->has_new_key = key_is_old(reload);
    if (!error)
        error = turn_state_renew_policy(&draft->settings, &reload->policy, draft->has_new_key,
                                        &draft->policy);
    if (!error)
        error = http_access_create(&draft->settings, &draft->http_access);
    return error;
}

static void draft_done(struct draft *draft)
{
    if (draft->http_access)
        http_access_destroy(draft->http_access);
    turn_state_done(&draft->access);
    settings_done(&draft->settings);
    OPENSSL_cleanse(draft, sizeof(*draft));
}

static void log_change(const char *name, enum settings_effect effect, void *context)
{
    struct outcome *outcome = context;

    switch (effect) {
    case SETTINGS_TAKEN:
        outcome->taken_count++;
        log_message(LOG_LEVEL_INFO, "setting_changed", "%s: changed, and in force", name);
        break;
    case SETTINGS_TAKEN_IN_PART:
        outcome->taken_count++;
        outcome->left_count++;
        log_message(LOG_LEVEL_WARNING, "setting_waits",
                    "%s: changed, and in force up to what a start made room for; the rest takes "
                    "effect at the next start",
                    name);
        break;
    case SETTINGS_LEFT:
        outcome->left_count++;
        log_message(LOG_LEVEL_WARNING, "setting_waits",
                    "%s: changed; takes effect at the next start", name);
        break;
    }
    if (strcmp(name, "allow_peer") == 0 || strcmp(name, "deny_peer") == 0)
        outcome->peers_changed = true;
    if (strncmp(name, "unauthenticated_", 16) == 0 || strcmp(name, "max_bps") == 0 ||
        strcmp(name, "user_max_bps") == 0 || strcmp(name, "total_max_bps") == 0)
        outcome->rates_changed = true;
    if (strcmp(name, "ktls") == 0)
        outcome->ktls_changed = true;
}

static void tell_workers(const struct reload *reload, const struct command *command)
{
    struct plane *plane = reload->config.plane;

    for (uint16_t worker = 0; worker < plane->config.worker_count; worker++) {
        int error = plane_command_send(plane, worker, command);

        assert(error == 0); // there was room before
        (void)error;
    }
}

static void send_policy(struct reload *reload, const struct stateless_policy *policy)
{
    const struct command command = {.kind = COMMAND_SET_STATELESS,
                                    .set_stateless.policy = &reload->policy};

    reload->policy = *policy;
    reload->policies_sent++;
    tell_workers(reload, &command);
}

static void send_rates(const struct reload *reload)
{
    const struct settings *settings = reload->config.settings;
    const struct bandwidth_limits limits = {settings->max_bps, settings->user_max_bps,
                                            settings->total_max_bps};
    const struct command command = {
        .kind = COMMAND_SET_RATES,
        .set_rates = {.answers_per_second = settings->unauthenticated_rate,
                      .burst = settings->unauthenticated_burst,
                      .max_bps = settings->max_bps,
                      .user_max_bps = settings->user_max_bps,
                      .total_max_bps = settings->total_max_bps},
    };

    tell_workers(reload, &command);
    bandwidth_limits_publish(&reload->config.plane->stream_limits, &limits);
}

static void put_into_force(struct reload *reload, struct draft *draft,
                           const struct outcome *outcome)
{
    const struct reload_config *config = &reload->config;
    struct turn_limits limits;

    settings_change_apply(&reload->bounds, config->settings, &draft->settings);
    sizing_limits(config->settings, &limits);
    turn_server_set_limits(config->turn->server, &limits);
    turn_state_take_access(config->turn, &draft->access);
    http_access_take(config->http_access, draft->http_access);
    draft->http_access = NULL;
    turn_server_set_stateless(config->turn->server, &draft->policy);
    send_policy(reload, &draft->policy);
    // Whoever has had all answers of a second has them anew.
    if (outcome->rates_changed)
        send_rates(reload);
    // Threads of TLS cannot. Only now: the kernel starts a process for it.
    if (outcome->ktls_changed && config->settings->ktls && reload->serves_tls)
        privileges_load_ktls();
    if (draft->has_new_key)
        reload->key_since_ms = clock_monotonic_ms();
    log_settings_apply(&config->settings->log);
}

static void log_outcome(const struct outcome *outcome)
{
    if (outcome->taken_count + outcome->left_count == 0)
        log_message(LOG_LEVEL_INFO, "reloaded",
                    "the configuration is as it was; its certificates are those of the files now");
    else
        log_message(LOG_LEVEL_INFO, "reloaded",
                    "the configuration is that of the file now; settings that have changed: %u, "
                    "that wait for the next start: %u",
                    outcome->taken_count, outcome->left_count);
}

static void refuse(struct reload *reload)
{
    reload->history.refused_count++;
    reload->history.last_was_refused = true;
    log_message(LOG_LEVEL_ERROR, "reload_refused",
                "%s is not good: nothing has changed, and the configuration in force stays so",
                reload->config.path);
}

static void take(struct reload *reload, struct draft *draft, struct outcome *outcome)
{
    settings_change_walk(&reload->bounds, reload->config.settings, &draft->settings, log_change,
                         outcome);
    put_into_force(reload, draft, outcome);
    reload->history.taken_count++;
    reload->history.taken_s = clock_wall_s();
    reload->history.last_was_refused = false;
    log_outcome(outcome);
}

bool reload_run(struct reload *reload)
{
    struct outcome outcome = {};
    struct draft draft = {};
    int error;

    service_manager_reloading();
    error = read_settings(reload, &draft.settings);
    if (!error)
        error = make_draft(reload, &draft);
    // The last that can fail, and what it takes it keeps.
    if (!error)
        error = take_certificates(reload, &draft.settings);
    if (error)
        refuse(reload);
    else
        take(reload, &draft, &outcome);
    draft_done(&draft);
    service_manager_ready();
    return outcome.peers_changed;
}
