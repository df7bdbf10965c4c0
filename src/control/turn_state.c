// SPDX-License-Identifier: BSD-3-Clause
// Puts users, peer policy and relays together into a TURN server.
#include "control/turn_state.h"

#include "base/log.h"
#include "base/random.h"
#include "proto/opaque_string.h"

#include <errno.h>
#include <string.h>

int turn_state_make_policy(const struct settings *settings, struct stateless_policy *ret_policy)
{
    struct stateless_policy policy = {};
    struct span realm = {(const uint8_t *)settings->realm, strlen(settings->realm)};
    int error = opaque_string_prepare(realm, policy.realm, sizeof(policy.realm) - 1);

    if (error) {
        log_message(LOG_LEVEL_ERROR, "realm", "the realm cannot be used: %s", strerror(-error));
        return error;
    }
    strncpy(policy.software, settings->software, sizeof(policy.software) - 1);
    random_fill(&random_system, &policy.nonce.current.mac, sizeof(policy.nonce.current.mac));
    random_fill(&random_system, &policy.nonce.current.id, sizeof(policy.nonce.current.id));
    policy.nonce.previous = policy.nonce.current;
    policy.nonce.lifetime_s = settings->nonce_lifetime_s;
    policy.nonce.features = NONCE_FEATURE_PASSWORD_ALGORITHMS |
                            (settings->userhash ? NONCE_FEATURE_USERNAME_ANONYMITY : 0);
    *ret_policy = policy;
    return 0;
}

int turn_state_renew_policy(const struct settings *settings, const struct stateless_policy *before,
                            bool new_key, struct stateless_policy *ret_policy)
{
    struct stateless_policy policy;
    int error = turn_state_make_policy(settings, &policy);

    if (error)
        return error;
    if (new_key) {
        policy.nonce.previous = before->nonce.current;
        policy.nonce.current.id = (uint8_t)(before->nonce.current.id + 1);
    } else {
        policy.nonce.previous = before->nonce.previous;
        policy.nonce.current = before->nonce.current;
    }
    *ret_policy = policy;
    return 0;
}

static int add_user(struct credentials *credentials, const struct settings_user *user)
{
    if (*user->password)
        return credentials_add_user(credentials, user->name, user->password);
    return credentials_add_user_keys(credentials, user->name,
                                     user->key_md5.len > 0 ? user->key_md5.bytes : NULL,
                                     user->key_sha256.len > 0 ? user->key_sha256.bytes : NULL);
}

static int add_users(const struct settings *settings, struct credentials *credentials)
{
    const struct settings_user *users = settings->users.items;
    char *const *secrets = settings->static_auth_secrets.items;

    for (uint32_t i = 0; i < settings->users.count; i++) {
        int error = add_user(credentials, &users[i]);

        if (error) {
            log_message(LOG_LEVEL_ERROR, "user", "user \"%s\" cannot be used: %s", users[i].name,
                        strerror(-error));
            return error;
        }
    }
    for (uint32_t i = 0; i < settings->static_auth_secrets.count; i++) {
        struct span secret = {(const uint8_t *)secrets[i], strlen(secrets[i])};
        int error = credentials_add_rest_secret(credentials, secret);

        if (error)
            return error;
    }
    return 0;
}

static int make_credentials(const struct settings *settings, struct turn_state *state)
{
    int error = credentials_create(settings->realm, &state->credentials);

    return error ? error : add_users(settings, state->credentials);
}

// Relay addresses are of both kinds: only their relay ports can be reached.
static int add_own_addresses(const struct interface *interface, const struct plane_config *plane,
                             struct peer_policy *policy)
{
    int error = 0;

    for (unsigned i = 0; !error && i < plane->relay_count; i++)
        error = peer_policy_add_relay(policy, &plane->relays[i].advertised,
                                      plane->relays[i].min_port, plane->relays[i].max_port);
    for (unsigned i = 0; !error && i < plane->relay_count; i++)
        error = peer_policy_add_own(policy, &plane->relays[i].local);
    for (unsigned i = 0; !error && i < plane->listener_count; i++)
        error = peer_policy_add_own(policy, &plane->listeners[i].ip);
    for (unsigned i = 0; !error && i < interface->address_count; i++)
        error = peer_policy_add_own(policy, &interface->addresses[i]);
    return error;
}

static int make_peer_policy(const struct settings *settings, const struct interface *interface,
                            const struct plane_config *plane, struct peer_policy **ret_policy)
{
    struct peer_policy *policy;
    int error = peer_policy_create(settings->allow_peer.items, settings->allow_peer.count,
                                   settings->deny_peer.items, settings->deny_peer.count, &policy);

    if (error)
        return error;
    error = add_own_addresses(interface, plane, policy);
    if (error)
        peer_policy_destroy(policy);
    else
        *ret_policy = policy;
    return error;
}

static int make_server(const struct settings *settings, const struct plane_config *plane,
                       const struct turn_limits *limits,
                       const struct turn_tcp_listener *tcp_listener, struct turn_state *state)
{
    struct turn_config config = {
        .stateless = plane->stateless,
        .limits = *limits,
        .relay_count = plane->relay_count,
        .worker_count = plane->worker_count,
        .rfc5766_channels = plane->rfc5766_channels,
        .allow_tcp_relay = settings->tcp_relay,
        .tcp_listener = *tcp_listener,
        .credentials = state->credentials,
        .peer_policy = state->peer_policy,
        .random = random_system,
    };

    for (unsigned i = 0; i < plane->relay_count; i++)
        config.relays[i] = (struct turn_relay){
            .local = plane->relays[i].local,
            .advertised = plane->relays[i].advertised,
            .min_port = plane->relays[i].min_port,
            .max_port = plane->relays[i].max_port,
        };
    return turn_server_create(&config, &state->server);
}

int turn_state_make_access(const struct settings *settings, const struct interface *interface,
                           const struct plane_config *plane, struct turn_state *ret_state)
{
    struct turn_state state = {};
    int error = make_credentials(settings, &state);

    if (!error)
        error = make_peer_policy(settings, interface, plane, &state.peer_policy);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "access", "users and peer policy cannot be set up: %s",
                    strerror(-error));
        turn_state_done(&state);
        return error;
    }
    *ret_state = state;
    return 0;
}

void turn_state_take_access(struct turn_state *state, struct turn_state *access)
{
    turn_server_set_access(state->server, access->credentials, access->peer_policy);
    credentials_destroy(state->credentials);
    peer_policy_destroy(state->peer_policy);
    state->credentials = access->credentials;
    state->peer_policy = access->peer_policy;
    *access = (struct turn_state){};
}

int turn_state_renew_peer_policy(const struct settings *settings, const struct interface *interface,
                                 const struct plane_config *plane, struct turn_state *state)
{
    struct peer_policy *policy;
    int error = make_peer_policy(settings, interface, plane, &policy);

    if (error) {
        log_message(LOG_LEVEL_ERROR, "access",
                    "peers are denied by the addresses that there were: %s", strerror(-error));
        return error;
    }
    turn_server_set_access(state->server, state->credentials, policy);
    peer_policy_destroy(state->peer_policy);
    state->peer_policy = policy;
    return 0;
}

int turn_state_init(const struct settings *settings, const struct interface *interface,
                    const struct plane_config *plane, const struct turn_limits *limits,
                    const struct turn_tcp_listener *tcp_listener, struct turn_state *ret_state)
{
    struct turn_state state;
    int error = turn_state_make_access(settings, interface, plane, &state);

    if (error)
        return error;
    error = make_server(settings, plane, limits, tcp_listener, &state);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "turn_server", "the TURN server cannot be set up: %s",
                    strerror(-error));
        turn_state_done(&state);
        return error;
    }
    *ret_state = state;
    return 0;
}

void turn_state_done(struct turn_state *state)
{
    if (state->server)
        turn_server_destroy(state->server);
    if (state->peer_policy)
        peer_policy_destroy(state->peer_policy);
    if (state->credentials)
        credentials_destroy(state->credentials);
    *state = (struct turn_state){};
}
