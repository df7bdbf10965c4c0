// SPDX-License-Identifier: BSD-3-Clause
// See turn_fixture.h.
#include "turn_fixture.h"

#include "proto/integrity.h"
#include "turn/server_state.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define REALM    "example.org"
#define SOFTWARE "turnpike test"

struct ip_address ip(const char *text)
{
    struct ip_address parsed;
    assert_int_equal(ip_address_parse(text, &parsed), 0);
    return parsed;
}

struct transport_address address(const char *text)
{
    struct transport_address parsed;
    assert_int_equal(transport_address_parse(text, &parsed), 0);
    return parsed;
}

struct ip_prefix prefix(const char *text)
{
    struct ip_prefix parsed;
    assert_int_equal(ip_prefix_parse(text, &parsed), 0);
    return parsed;
}

struct span text_span(const char *text)
{
    return (struct span){.data = (const uint8_t *)text, .len = strlen(text)};
}

// splitmix64: the same ports and tokens in every run.
static void fill_seeded(void *context, void *bytes, size_t len)
{
    uint64_t *state = context;
    uint8_t *next = bytes;
    while (len > 0) {
        uint64_t z = (*state += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        size_t part = len < sizeof(z) ? len : sizeof(z);
        memcpy(next, &z, part);
        next += part;
        len -= part;
    }
}

static void init_stateless(struct stateless_policy *policy)
{
    *policy = (struct stateless_policy){
        .nonce =
            {
                .current = {.mac = {{1, 2}}, .id = 1},
                .previous = {.mac = {{1, 2}}, .id = 1},
                .lifetime_s = 3600,
                .features = NONCE_FEATURE_PASSWORD_ALGORITHMS | NONCE_FEATURE_USERNAME_ANONYMITY,
            },
        .realm = REALM,
        .software = SOFTWARE,
    };
}

void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->random_state = 42;
    fixture->now = (struct turn_time){.monotonic_ms = 5000000, .wall_s = FIXTURE_WALL_S};
    assert_int_equal(credentials_create(REALM, &fixture->credentials), 0);
    assert_int_equal(credentials_add_user(fixture->credentials, "alice", "wonder"), 0);
    assert_int_equal(credentials_add_user(fixture->credentials, "bob", "builder"), 0);
    assert_int_equal(credentials_add_rest_secret(fixture->credentials, text_span("new")), 0);
    assert_int_equal(credentials_add_rest_secret(fixture->credentials, text_span("old")), 0);
    assert_int_equal(peer_policy_create(NULL, 0, NULL, 0, &fixture->policy), 0);
    fixture->config = (struct turn_config){
        .limits =
            {
                .allocations = 100,
                .allocations_per_worker = 100,
                .permissions_per_worker = 1000,
                .channels_per_worker = 1000,
                .allocations_per_user = 0,
                .permissions_per_allocation = 200,
                .channels_per_allocation = 100,
                .default_lifetime_s = 600,
                .max_lifetime_s = 3600,
            },
        .relays =
            {
                {.local = ip("203.0.113.1"),
                 .advertised = ip("203.0.113.1"),
                 .min_port = 49152,
                 .max_port = 65535},
                {.local = ip("2001:db8::1"),
                 .advertised = ip("2001:db8::1"),
                 .min_port = 49152,
                 .max_port = 65535},
            },
        .relay_count = 2,
        .worker_count = 2,
        .credentials = fixture->credentials,
        .peer_policy = fixture->policy,
        .random = {.fill = fill_seeded, .context = &fixture->random_state},
    };
    init_stateless(&fixture->config.stateless);
}

static int listen_anywhere(void *context, uint32_t allocation, struct turn_relayed_address address)
{
    struct fixture_listener *listener = context;
    unsigned call = listener->calls++;
    listener->allocation = allocation;
    listener->address = address;
    return call < listener->refusal_count ? listener->refusals[call] : 0;
}

void fixture_allow_tcp(struct fixture *fixture)
{
    fixture->config.allow_tcp_relay = true;
    fixture->config.tcp_listener =
        (struct turn_tcp_listener){.listen = listen_anywhere, .context = &fixture->listener};
    fixture->config.limits.tcp_connections = 8;
    fixture->config.limits.tcp_connections_per_allocation = 4;
}

void fixture_start(struct fixture *fixture)
{
    assert_int_equal(turn_server_create(&fixture->config, &fixture->server), 0);
}

void fixture_done(struct fixture *fixture)
{
    turn_server_destroy(fixture->server);
    peer_policy_destroy(fixture->policy);
    credentials_destroy(fixture->credentials);
}

int fixture_setup(void **state)
{
    struct fixture *fixture = test_malloc(sizeof(*fixture));
    fixture_init(fixture);
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

int fixture_setup_tcp(void **state)
{
    struct fixture *fixture = test_malloc(sizeof(*fixture));
    fixture_init(fixture);
    fixture_allow_tcp(fixture);
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_done(*state);
    test_free(*state);
    return 0;
}

struct client client_make(uint16_t port)
{
    struct client client = {
        .username = "alice",
        .password = "wonder",
        .realm = REALM,
        .five_tuple = {.client = {.ip = ip("192.0.2.1"), .port = port},
                       .server = address("203.0.113.1:3478"),
                       .transport = FIVE_TUPLE_UDP},
    };
    return client;
}

struct client client_make_tcp(uint16_t port)
{
    struct client client = client_make(port);
    client.five_tuple.transport = FIVE_TUPLE_TCP;
    return client;
}

void client_use_rest(struct client *client, const char *username, const char *secret,
                     char password[29])
{
    uint8_t mac[20];
    assert_non_null(HMAC(EVP_sha1(), secret, (int)strlen(secret), (const uint8_t *)username,
                         strlen(username), mac, NULL));
    EVP_EncodeBlock((uint8_t *)password, mac, sizeof(mac));
    client->username = username;
    client->password = password;
}

void request_begin(struct fixture *fixture, struct request *request, uint16_t method)
{
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = "fixture";
    store_be32(transaction_id + 8, fixture->transaction++);
    stun_builder_init(&request->builder, request->buffer, sizeof(request->buffer),
                      STUN_CLASS_REQUEST, method, transaction_id);
}

static bool names_algorithm(const struct client *client)
{
    return client->style != CLIENT_MD5_SHA1 && client->style != CLIENT_MD5_SHA256;
}

static uint16_t algorithm_of(const struct client *client)
{
    return client->style == CLIENT_SHA256 || client->style == CLIENT_SHA256_SHA1
               ? STUN_PASSWORD_ALGORITHM_SHA256
               : STUN_PASSWORD_ALGORITHM_MD5;
}

static struct integrity_key key_of(const struct client *client)
{
    struct integrity_key key;
    assert_int_equal(integrity_key_derive((enum stun_password_algorithm)algorithm_of(client),
                                          text_span(client->username), text_span(client->realm),
                                          text_span(client->password), &key),
                     0);
    return key;
}

struct span client_sign(struct fixture *fixture, const struct client *client,
                        struct request *request)
{
    static const uint16_t offered[] = {STUN_PASSWORD_ALGORITHM_SHA256, STUN_PASSWORD_ALGORITHM_MD5};
    struct stun_builder *builder = &request->builder;
    struct integrity_key key = key_of(client);
    uint8_t nonce[NONCE_LEN];
    uint8_t userhash[USERHASH_LEN];

    nonce_mint(&fixture->config.stateless.nonce, &client->five_tuple.client,
               (uint32_t)(fixture->now.monotonic_ms / 1000), 7, nonce);
    if (client->use_userhash) {
        integrity_userhash(text_span(client->username), text_span(client->realm), userhash);
        stun_add_bytes(builder, STUN_ATTRIBUTE_USERHASH, userhash, sizeof(userhash));
    } else {
        stun_add_string(builder, STUN_ATTRIBUTE_USERNAME, client->username);
    }
    stun_add_string(builder, STUN_ATTRIBUTE_REALM, client->realm);
    stun_add_bytes(builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    if (names_algorithm(client)) {
        stun_add_password_algorithms(builder, offered, 2);
        stun_add_password_algorithm(builder, algorithm_of(client));
    }
    if (client->style == CLIENT_MD5_SHA1 || client->style == CLIENT_SHA256_SHA1)
        stun_add_message_integrity(builder, &key);
    else
        stun_add_message_integrity_sha256(builder, &key);
    if (client->use_fingerprint)
        stun_add_fingerprint(builder);
    size_t len = stun_builder_finish(builder);
    assert_int_not_equal(len, 0);
    return (struct span){.data = request->buffer, .len = len};
}

// RFC 8489 section 9.2.4: a challenge carries no integrity, everything else the one that the
// request calls for.
static void check_integrity(const struct fixture *fixture, const struct client *client,
                            unsigned error)
{
    const struct stun_message *response = &fixture->response;
    if (error == 401 || error == 438 ||
        (response->integrity_offset == 0 && response->integrity_sha256_offset == 0 &&
         error == 400)) {
        assert_int_equal(response->integrity_offset, 0);
        assert_int_equal(response->integrity_sha256_offset, 0);
        return;
    }
    struct integrity_key key = key_of(client);
    if (names_algorithm(client)) {
        assert_true(integrity_check_sha256(response, &key));
        assert_int_equal(response->integrity_offset, 0);
    } else {
        assert_true(integrity_check_sha1(response, &key));
        assert_int_equal(response->integrity_sha256_offset, 0);
    }
    assert_false(stun_message_has(response, STUN_ATTRIBUTE_USERNAME));
    assert_false(stun_message_has(response, STUN_ATTRIBUTE_NONCE));
}

static void check_response(struct fixture *fixture, const struct client *client, struct span bytes)
{
    struct span answer = {.data = fixture->output.response, .len = fixture->output.response_len};
    struct stun_message *response = &fixture->response;
    struct stun_message request;
    unsigned error = 0;
    struct span reason;

    assert_int_equal(stun_message_parse(bytes, &request), STUN_VALID);
    assert_int_equal(stun_message_parse(answer, response), STUN_VALID);
    assert_memory_equal(response->transaction_id, request.transaction_id, STUN_TRANSACTION_ID_LEN);
    assert_int_equal(response->method, request.method);
    assert_int_equal(response->has_fingerprint, request.has_fingerprint);
    if (response->message_class == STUN_CLASS_ERROR)
        assert_int_equal(stun_message_error_code(response, &error, &reason), STUN_VALUE_OK);
    else
        assert_int_equal(response->message_class, STUN_CLASS_SUCCESS);
    assert_int_equal(error, fixture->output.response_error);
    if (request.method == STUN_METHOD_ALLOCATE || request.method == STUN_METHOD_REFRESH)
        assert_true(stun_message_has(response, STUN_ATTRIBUTE_SOFTWARE));
    check_integrity(fixture, client, error);
}

unsigned client_send_bytes(struct fixture *fixture, const struct client *client, struct span bytes)
{
    struct turn_packet packet = {
        .five_tuple = client->five_tuple, .bytes = bytes, .worker = client->worker};
    turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
    check_response(fixture, client, bytes);
    return fixture->output.response_error;
}

unsigned client_send(struct fixture *fixture, const struct client *client, struct request *request)
{
    return client_send_bytes(fixture, client, client_sign(fixture, client, request));
}

static void allocate_begin(struct fixture *fixture, struct request *request)
{
    request_begin(fixture, request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request->builder, 17);
}

unsigned client_allocate(struct fixture *fixture, const struct client *client)
{
    struct request request;
    allocate_begin(fixture, &request);
    return client_send(fixture, client, &request);
}

unsigned client_allocate_family(struct fixture *fixture, const struct client *client,
                                enum ip_family family)
{
    struct request request;
    allocate_begin(fixture, &request);
    stun_add_address_family(&request.builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, family);
    return client_send(fixture, client, &request);
}

unsigned client_allocate_dual(struct fixture *fixture, const struct client *client)
{
    struct request request;
    allocate_begin(fixture, &request);
    stun_add_address_family(&request.builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY,
                            IP_FAMILY_V6);
    return client_send(fixture, client, &request);
}

unsigned client_allocate_pair(struct fixture *fixture, const struct client *client,
                              uint8_t ret_token[8])
{
    struct request request;
    allocate_begin(fixture, &request);
    stun_add_even_port(&request.builder, true);
    unsigned error = client_send(fixture, client, &request);
    if (error == 0)
        assert_int_equal(stun_message_reservation_token(&fixture->response, ret_token),
                         STUN_VALUE_OK);
    return error;
}

unsigned client_allocate_token(struct fixture *fixture, const struct client *client,
                               const uint8_t token[8])
{
    struct request request;
    allocate_begin(fixture, &request);
    stun_add_bytes(&request.builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, token, 8);
    return client_send(fixture, client, &request);
}

unsigned client_refresh(struct fixture *fixture, const struct client *client, uint32_t lifetime_s)
{
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_LIFETIME, lifetime_s);
    return client_send(fixture, client, &request);
}

unsigned client_refresh_family(struct fixture *fixture, const struct client *client,
                               enum ip_family family, uint32_t lifetime_s)
{
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_REFRESH);
    stun_add_address_family(&request.builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, family);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_LIFETIME, lifetime_s);
    return client_send(fixture, client, &request);
}

unsigned client_permit(struct fixture *fixture, const struct client *client, const char *peer_ip)
{
    struct transport_address peer = {.ip = ip(peer_ip)};
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_CREATE_PERMISSION);
    stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    return client_send(fixture, client, &request);
}

unsigned client_bind(struct fixture *fixture, const struct client *client, uint16_t channel,
                     const char *peer)
{
    struct transport_address to = address(peer);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_CHANNEL_BIND);
    stun_add_channel_number(&request.builder, channel);
    stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &to);
    return client_send(fixture, client, &request);
}

unsigned client_allocate_tcp(struct fixture *fixture, const struct client *client)
{
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 6);
    return client_send(fixture, client, &request);
}

unsigned client_connect(struct fixture *fixture, const struct client *client, const char *peer,
                        uint32_t *ret_connection)
{
    struct transport_address to = address(peer);
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_CONNECT);
    stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &to);
    struct turn_packet packet = {.five_tuple = client->five_tuple,
                                 .bytes = client_sign(fixture, client, &request),
                                 .worker = client->worker};
    turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
    if (fixture->output.response_len != 0) {
        check_response(fixture, client, packet.bytes);
        return fixture->output.response_error;
    }
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_TCP_CONNECT);
    *ret_connection = fixture->output.commands[0].tcp_connect.connection;
    return 0;
}

unsigned client_connection_bind(struct fixture *fixture, const struct client *client,
                                uint32_t connection)
{
    struct request request;
    request_begin(fixture, &request, STUN_METHOD_CONNECTION_BIND);
    stun_add_u32(&request.builder, STUN_ATTRIBUTE_CONNECTION_ID, connection);
    return client_send(fixture, client, &request);
}

uint32_t client_attempted(struct fixture *fixture, const struct client *client, uint16_t port)
{
    struct transport_address peer = {.ip = ip("8.8.8.8"), .port = port};
    uint32_t connection;
    assert_int_equal(client_allocate_tcp(fixture, client), 0);
    assert_int_equal(client_permit(fixture, client, "8.8.8.8"), 0);
    assert_true(turn_server_tcp_accepted(fixture->server, &fixture->now,
                                         fixture->listener.allocation, fixture->listener.address,
                                         &peer, &fixture->output, &connection));
    return connection;
}

uint32_t response_lifetime_s(const struct fixture *fixture)
{
    uint32_t lifetime_s;
    assert_int_equal(stun_message_u32(&fixture->response, STUN_ATTRIBUTE_LIFETIME, &lifetime_s),
                     STUN_VALUE_OK);
    return lifetime_s;
}

bool response_relayed(const struct fixture *fixture, unsigned index,
                      struct transport_address *ret_address)
{
    uint32_t cursor = 0;
    struct stun_attribute_view attribute;
    while (stun_message_next(&fixture->response, &cursor, &attribute)) {
        if (attribute.type == STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS && index-- == 0)
            return stun_decode_xor_address(attribute.value, fixture->response.transaction_id,
                                           ret_address);
    }
    return false;
}

void fixture_acknowledge(struct fixture *fixture)
{
    for (unsigned i = 0; i < fixture->output.command_count; i++) {
        const struct turn_command *command = &fixture->output.commands[i];
        if (command->kind == TURN_COMMAND_REMOVE_ALLOCATION)
            turn_server_removed(fixture->server, &fixture->now, command->allocation, NULL);
        if (command->kind == TURN_COMMAND_REMOVE_RELAY)
            turn_server_removed(fixture->server, &fixture->now, command->allocation,
                                &command->removed_relay);
    }
}

void fixture_advance_ms(struct fixture *fixture, uint64_t ms)
{
    bool more = true;
    fixture->now.monotonic_ms += ms;
    fixture->now.wall_s += ms / 1000;
    while (more) {
        more = turn_server_expire(fixture->server, &fixture->now, &fixture->output);
        fixture_acknowledge(fixture);
    }
}

unsigned fixture_count_commands(const struct fixture *fixture, enum turn_command_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fixture->output.command_count; i++)
        count += fixture->output.commands[i].kind == kind;
    return count;
}

struct turn_usage fixture_usage(const struct fixture *fixture)
{
    struct turn_usage usage;
    turn_server_usage(fixture->server, &usage);
    return usage;
}

void assert_all_released(const struct fixture *fixture)
{
    static const struct turn_usage nothing;
    struct turn_usage usage = fixture_usage(fixture);
    assert_memory_equal(&usage, &nothing, sizeof(usage));
    assert_true(turn_server_next_expiry_ms(fixture->server) == UINT64_MAX);
    // What is shared has nobody left who shares it.
    assert_int_equal(index_pool_used(&fixture->server->identities.pool), 0);
    assert_int_equal(index_pool_used(&fixture->server->addresses.pool), 0);
    assert_int_equal(index_pool_used(&fixture->server->quota.users.pool), 0);
}
