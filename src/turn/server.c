// SPDX-License-Identifier: BSD-3-Clause
// See turn/server.h: the server's life, and the way of a message to the function of its method.
#include "turn/server.h"

#include "base/port_slice.h"
#include "turn/allocate.h"
#include "turn/authentication.h"
#include "turn/channel_bind.h"
#include "turn/connect.h"
#include "turn/connection_bind.h"
#include "turn/create_permission.h"
#include "turn/output.h"
#include "turn/refresh.h"
#include "turn/response.h"
#include "turn/teardown.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static bool relay_is_valid(const struct turn_config *config, uint16_t index)
{
    const struct turn_relay *relay = &config->relays[index];
    if (relay->min_port == 0 || relay->max_port < relay->min_port ||
        relay->local.family == IP_FAMILY_NONE || relay->local.family != relay->advertised.family)
        return false;
    for (uint16_t other = 0; other < index; other++) {
        if (ip_address_equal(&config->relays[other].local, &relay->local) ||
            ip_address_equal(&config->relays[other].advertised, &relay->advertised))
            return false;
    }
    return true;
}

static bool config_is_valid(const struct turn_config *config)
{
    const struct turn_limits *limits = &config->limits;
    if (config->worker_count == 0 || config->worker_count > PORT_SLICE_COUNT ||
        config->relay_count == 0 || config->relay_count > TURN_RELAYS_MAX ||
        limits->allocations == 0 || limits->default_lifetime_s == 0 ||
        limits->max_lifetime_s < limits->default_lifetime_s ||
        limits->permissions_per_allocation > UINT16_MAX ||
        limits->channels_per_allocation > UINT16_MAX ||
        limits->tcp_connections_per_allocation > UINT16_MAX ||
        (config->allow_tcp_relay && config->tcp_listener.listen == NULL))
        return false;
    for (uint16_t relay = 0; relay < config->relay_count; relay++) {
        if (!relay_is_valid(config, relay))
            return false;
    }
    return true;
}

static int init_expiry(struct turn_server *server)
{
    const struct turn_limits *limits = &server->config.limits;
    uint64_t workers = server->config.worker_count;
    const uint64_t counts[EXPIRY_KIND_COUNT] = {
        [EXPIRY_RELAYED_V4] = limits->allocations,
        [EXPIRY_RELAYED_V6] = limits->allocations,
        [EXPIRY_PERMISSION] = limits->permissions_per_worker * workers,
        [EXPIRY_CHANNEL] = limits->channels_per_worker * workers,
        [EXPIRY_RESERVATION] = limits->allocations,
        [EXPIRY_TCP_CONNECTION] = limits->tcp_connections,
    };
    return expiry_init(&server->expiry, counts, limits->max_lifetime_s);
}

// As many as there can be: two of each 5-tuple, one of each permission and channel.
static int init_addresses(struct turn_server *server, const struct siphash_key *key)
{
    const struct turn_limits *limits = &server->config.limits;
    uint32_t workers = server->config.worker_count;
    uint32_t count = 2 * limits->allocations +
                     (limits->permissions_per_worker + limits->channels_per_worker) * workers;
    return address_store_init(&server->addresses, count, key);
}

static struct quota_limits quota_limits(const struct turn_limits *limits)
{
    return (struct quota_limits){
        .per_user = limits->allocations_per_user,
        .total = limits->allocations,
        .max_bps = limits->max_bps,
        .bps_capacity = limits->bps_capacity,
    };
}

// The expiry first: it refuses numbers that are too much for a table too.
static int init_tables(struct turn_server *server)
{
    const struct turn_limits *limits = &server->config.limits;
    uint16_t workers = server->config.worker_count;
    const struct peer_entry_limits permission_limits = {
        .per_worker = limits->permissions_per_worker,
        .per_allocation = limits->permissions_per_allocation,
        .worker_count = workers,
    };
    const struct peer_entry_limits channel_limits = {
        .per_worker = limits->channels_per_worker,
        .per_allocation = limits->channels_per_allocation,
        .worker_count = workers,
    };
    const struct quota_limits quotas = quota_limits(limits);
    struct siphash_key key;
    random_fill(&server->config.random, &key, sizeof(key));

    int error = init_expiry(server);
    if (error == 0)
        error = init_addresses(server, &key);
    if (error == 0)
        error = relay_ports_init(&server->relay_ports, server->config.relays,
                                 server->config.relay_count, workers);
    if (error == 0)
        error = allocation_table_init(&server->allocations, limits->allocations,
                                      limits->allocations_per_worker, workers, &server->addresses,
                                      &key);
    if (error == 0)
        error = permission_table_init(&server->permissions, &permission_limits, &server->addresses,
                                      &key);
    if (error == 0)
        error = channel_table_init(&server->channels, &channel_limits, &server->addresses, &key);
    if (error == 0)
        error = reservation_table_init(&server->reservations, limits->allocations, &key);
    if (error == 0)
        error = tcp_connection_table_init(&server->tcp_connections, limits->tcp_connections,
                                          limits->tcp_connections_per_allocation, &key);
    if (error == 0)
        error =
            relay_ports_init(&server->tcp_ports, server->config.relays,
                             server->config.allow_tcp_relay ? server->config.relay_count : 0, 1);
    if (error == 0)
        error = identity_table_init(&server->identities,
                                    limits->allocations + limits->tcp_connections, &key);
    if (error == 0)
        error = quota_init(&server->quota, turn_limits_users(limits), &quotas, &key);
    return error;
}

int turn_server_create(const struct turn_config *config, struct turn_server **ret_server)
{
    if (!config_is_valid(config))
        return -EINVAL;
    struct turn_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    server->config = *config;
    stateless_answers_init(&server->stateless, &config->stateless);
    int error = init_tables(server);
    if (error != 0) {
        turn_server_destroy(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

void turn_server_destroy(struct turn_server *server)
{
    if (server == NULL)
        return;
    allocation_table_done(&server->allocations);
    permission_table_done(&server->permissions);
    channel_table_done(&server->channels);
    reservation_table_done(&server->reservations);
    relay_ports_done(&server->relay_ports);
    tcp_connection_table_done(&server->tcp_connections);
    relay_ports_done(&server->tcp_ports);
    identity_table_done(&server->identities);
    quota_done(&server->quota);
    expiry_done(&server->expiry);
    address_store_done(&server->addresses);
    OPENSSL_cleanse(server, sizeof(*server));
    free(server);
}

void turn_server_set_stateless(struct turn_server *server, const struct stateless_policy *policy)
{
    server->config.stateless = *policy;
    stateless_answers_init(&server->stateless, policy);
}

void turn_server_set_access(struct turn_server *server, const struct credentials *credentials,
                            const struct peer_policy *peer_policy)
{
    server->identities.generation++;
    server->config.credentials = credentials;
    server->config.peer_policy = peer_policy;
}

static void set_limit(uint32_t *limit, uint32_t wanted, uint32_t capacity)
{
    *limit = wanted < capacity ? wanted : capacity;
}

void turn_server_set_limits(struct turn_server *server, const struct turn_limits *limits)
{
    struct turn_limits *config = &server->config.limits;
    config->default_lifetime_s = limits->default_lifetime_s;
    config->max_lifetime_s = limits->max_lifetime_s;
    server->quota.limits = quota_limits(limits);
    server->permissions.entries.limit_per_allocation = limits->permissions_per_allocation;
    server->channels.entries.limit_per_allocation = limits->channels_per_allocation;
    server->tcp_connections.limit_per_allocation = limits->tcp_connections_per_allocation;
    set_limit(&server->quota.limits.total, limits->allocations, config->allocations);
    set_limit(&server->tcp_connections.limit, limits->tcp_connections, config->tcp_connections);
}

static void revoke_tcp_connection(struct turn_server *server, uint32_t connection,
                                  struct turn_output *output)
{
    if (server->tcp_connections.at[connection].state == TCP_CONNECTION_CONNECTING)
        turn_connect_answer(server, connection, STUN_ERROR_FORBIDDEN, output);
    teardown_tcp_connection(server, connection, output);
}

static void revoke_one(struct turn_server *server, const struct server_place *place,
                       struct turn_output *output)
{
    const struct peer_policy *policy = server->config.peer_policy;
    uint32_t index = place->index;

    if (place->table == SERVER_PERMISSIONS && permission_is_live(&server->permissions, index)) {
        struct ip_address peer = permission_peer(&server->permissions, index);
        if (!peer_verdict_allows(peer_policy_check_ip(policy, &peer)))
            teardown_permission(server, index, output);
    }
    if (place->table == SERVER_CHANNELS && channel_is_live(&server->channels, index)) {
        struct transport_address peer = channel_peer(&server->channels, index);
        if (!peer_verdict_allows(peer_policy_check(policy, &peer)))
            teardown_channel(server, index, output);
    }
    if (place->table == SERVER_TCP_CONNECTIONS &&
        tcp_connection_is_live(&server->tcp_connections, index) &&
        !peer_verdict_allows(peer_policy_check(policy, &server->tcp_connections.at[index].peer)))
        revoke_tcp_connection(server, index, output);
}

bool turn_server_revoke(struct turn_server *server, uint64_t *cursor, struct turn_output *output)
{
    struct server_place place;
    turn_output_reset(output);
    for (unsigned i = 0;
         i < TURN_WALK_STEPS_MAX && turn_output_has_room(output) && output->response_len == 0;
         i++) {
        if (!server_next_place(server, cursor, &place))
            return false;
        revoke_one(server, &place, output);
    }
    return true;
}

void turn_server_set_watcher(struct turn_server *server, const struct turn_watcher *watcher)
{
    server->config.watcher = *watcher;
}

static uint32_t now_s(const struct turn_time *now)
{
    return (uint32_t)(now->monotonic_ms / 1000);
}

static uint16_t random_salt(const struct turn_server *server)
{
    uint16_t salt;
    random_fill(&server->config.random, &salt, sizeof(salt));
    return salt;
}

static void challenge(const struct turn_request *request, enum credentials_verdict verdict)
{
    struct turn_output *output = request->output;
    output->response_len = stateless_write_challenge(
        &request->server->stateless, &request->message, &request->packet->five_tuple.client,
        STUN_ERROR_UNAUTHENTICATED, now_s(request->now), random_salt(request->server),
        output->response, sizeof(output->response));
    output->response_error = STUN_ERROR_UNAUTHENTICATED;
    output->login = verdict;
    (void)stun_message_string(&request->message, STUN_ATTRIBUTE_USERNAME, &output->login_user);
    request->server->counters.authentication_failures++;
    turn_counters_error(&request->server->counters, request->message.method,
                        STUN_ERROR_UNAUTHENTICATED);
}

static unsigned stateless_error(enum stateless_verdict verdict)
{
    switch (verdict) {
    case STATELESS_BAD_REQUEST:
        return STUN_ERROR_BAD_REQUEST;
    case STATELESS_UNAUTHENTICATED:
        return STUN_ERROR_UNAUTHENTICATED;
    case STATELESS_UNKNOWN_ATTRIBUTE:
        return STUN_ERROR_UNKNOWN_ATTRIBUTE;
    case STATELESS_STALE_NONCE:
        return STUN_ERROR_STALE_NONCE;
    default:
        return 0;
    }
}

// True when the message is for us: it carries credentials and a nonce of ours.
static bool passes_stateless(struct turn_request *request)
{
    struct turn_output *output = request->output;
    enum stateless_verdict verdict = stateless_process(
        &request->server->stateless, &request->message, &request->packet->five_tuple.client,
        now_s(request->now), random_salt(request->server), output->response,
        sizeof(output->response), &output->response_len);
    output->response_error = stateless_error(verdict);
    if (verdict == STATELESS_PASS || output->response_len > 0)
        turn_counters_request(&request->server->counters, request->message.method);
    if (output->response_error != 0)
        turn_counters_error(&request->server->counters, request->message.method,
                            output->response_error);
    return verdict == STATELESS_PASS;
}

// The client's packets have moved to another worker's queue: steering follows.
static void follow_client(struct turn_request *request)
{
    if (request->allocation->received_by == request->packet->worker)
        return;
    request->allocation->received_by = (uint8_t)request->packet->worker;
    turn_output_install_allocation(request->output, &request->server->allocations,
                                   &request->server->quota, request->allocation);
}

static bool is_owner(const struct turn_request *request)
{
    return request->allocation != NULL &&
           strcmp(request->username,
                  identity_name(&request->server->identities, request->allocation->identity)) == 0;
}

static unsigned process_connection_bind(struct turn_request *request)
{
    if (request->allocation != NULL && !request->is_owner)
        return STUN_ERROR_WRONG_CREDENTIALS;
    return turn_connection_bind(request);
}

// Whose it is: the client's, or of a ConnectionBind the one that it names.
static struct allocation *find_allocation(const struct turn_request *request)
{
    if (request->message.method == STUN_METHOD_CONNECTION_BIND)
        return turn_connection_bind_allocation(request);
    return allocation_find(&request->server->allocations, &request->packet->five_tuple);
}

// RFC 6062 section 4.3: no messages there, though some may have been on their way.
static bool is_data_connection(const struct turn_server *server,
                               const struct five_tuple *five_tuple)
{
    return five_tuple_is_stream(five_tuple) &&
           tcp_connection_find_client(&server->tcp_connections, five_tuple) != INDEX_NONE;
}

// RFC 8656 section 5: what holds for every method, then the method.
static unsigned process(struct turn_request *request)
{
    if (request->message.unknown_count > 0)
        return STUN_ERROR_UNKNOWN_ATTRIBUTE;
    request->is_owner = is_owner(request);
    if (request->message.method == STUN_METHOD_CONNECTION_BIND)
        return process_connection_bind(request);
    if (request->is_owner)
        follow_client(request);
    if (request->message.method == STUN_METHOD_ALLOCATE)
        return turn_allocate(request);
    if (request->allocation == NULL)
        return STUN_ERROR_ALLOCATION_MISMATCH;
    if (!request->is_owner)
        return STUN_ERROR_WRONG_CREDENTIALS;
    switch (request->message.method) {
    case STUN_METHOD_REFRESH:
        return turn_refresh(request);
    case STUN_METHOD_CREATE_PERMISSION:
        return turn_create_permission(request);
    case STUN_METHOD_CONNECT:
        return turn_connect(request);
    default:
        return turn_channel_bind(request);
    }
}

void turn_server_receive(struct turn_server *server, const struct turn_time *now,
                         const struct turn_packet *packet, struct turn_output *output)
{
    struct turn_request request = {
        .server = server, .now = now, .packet = packet, .output = output};

    assert(packet->worker < server->config.worker_count);
    turn_output_reset(output);
    if (stun_message_parse(packet->bytes, &request.message) != STUN_VALID ||
        is_data_connection(server, &packet->five_tuple))
        return;
    output->request_method = request.message.method;
    allocation_prefetch(&server->allocations, &packet->five_tuple);
    if (!passes_stateless(&request))
        return;
    request.allocation = find_allocation(&request);
    enum credentials_verdict verdict = authentication_check(&request);
    if (verdict != CREDENTIALS_OK) {
        challenge(&request, verdict);
        return;
    }
    unsigned error = process(&request);
    if (error != 0)
        response_error(&request, error);
    integrity_key_cleanse(&request.key);
}

static void expire_relayed(struct turn_server *server, const struct turn_time *now, uint32_t id,
                           enum relayed_slot slot, struct turn_output *output)
{
    struct allocation *allocation = &server->allocations.at[id];
    enum relayed_slot other = relayed_other(slot);
    // Two that are due together go in one command.
    if (allocation->relayed[other].state == RELAYED_LIVE &&
        expiry_due_ms(&server->expiry, expiry_relayed(other), allocation->id) <= now->monotonic_ms)
        teardown_allocation(server, allocation, TURN_END_EXPIRED, output);
    else
        teardown_relayed(server, allocation, slot, TURN_END_EXPIRED, output);
}

static void expire_tcp_connection(struct turn_server *server, uint32_t connection,
                                  struct turn_output *output)
{
    if (server->tcp_connections.at[connection].state == TCP_CONNECTION_CONNECTING)
        turn_connect_answer(server, connection, STUN_ERROR_CONNECTION_TIMEOUT_OR_FAILURE, output);
    teardown_tcp_connection(server, connection, output);
}

bool turn_server_expire(struct turn_server *server, const struct turn_time *now,
                        struct turn_output *output)
{
    enum expiry_kind kind;
    uint32_t index;

    turn_output_reset(output);
    for (unsigned i = 0; i < TURN_OUTPUT_COMMANDS_MAX && output->response_len == 0 &&
                         expiry_pop(&server->expiry, now, &kind, &index);
         i++) {
        switch (kind) {
        case EXPIRY_RELAYED_V4:
            expire_relayed(server, now, index, RELAYED_V4, output);
            break;
        case EXPIRY_RELAYED_V6:
            expire_relayed(server, now, index, RELAYED_V6, output);
            break;
        case EXPIRY_PERMISSION:
            teardown_permission(server, index, output);
            break;
        case EXPIRY_CHANNEL:
            teardown_channel(server, index, output);
            break;
        case EXPIRY_TCP_CONNECTION:
            expire_tcp_connection(server, index, output);
            break;
        default:
            teardown_reservation(server, index);
            break;
        }
    }
    return expiry_next_ms(&server->expiry) <= now->monotonic_ms;
}

uint64_t turn_server_next_expiry_ms(const struct turn_server *server)
{
    return expiry_next_ms(&server->expiry);
}

void turn_server_removed(struct turn_server *server, const struct turn_time *now, uint32_t id,
                         const struct turn_relayed_address *relay)
{
    (void)now;
    if (id >= server->allocations.ids.fresh)
        return;
    if (relay == NULL)
        teardown_allocation_acknowledged(server, &server->allocations.at[id]);
    else
        teardown_relay_acknowledged(server, &server->allocations.at[id], relay);
}

void turn_server_disconnected(struct turn_server *server, const struct turn_time *now,
                              const struct five_tuple *five_tuple, struct turn_output *output)
{
    (void)now;
    turn_output_reset(output);
    struct allocation *allocation = allocation_find(&server->allocations, five_tuple);
    if (allocation != NULL)
        teardown_allocation(server, allocation, TURN_END_DISCONNECTED, output);
    uint32_t connection = tcp_connection_find_client(&server->tcp_connections, five_tuple);
    if (connection != INDEX_NONE)
        teardown_tcp_connection(server, connection, output);
}

void turn_server_end(struct turn_server *server, uint32_t id, enum turn_end end,
                     struct turn_output *output)
{
    turn_output_reset(output);
    struct allocation *allocation = allocation_get(&server->allocations, id);
    if (allocation != NULL)
        teardown_allocation(server, allocation, end, output);
}
