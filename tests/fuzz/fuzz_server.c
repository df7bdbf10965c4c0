// SPDX-License-Identifier: BSD-3-Clause
// The TURN server against a model of it (server_model.h): any sequence of requests, time,
// acknowledgements, connections to peers and noise. Input: a byte that chooses the configuration,
// then operations, each a byte and its arguments.
#include "fuzz.h"
#include "proto/builder.h"
#include "proto/integrity.h"
#include "proto/message.h"
#include "server_model.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define REALM            "example.org"
#define WALL_S           1700000000u
#define START_MS         5000000u
#define CLIENTS          8
#define DATA_CLIENTS     4 // behind the others: for data connections
#define PLANE_PLACES     16
#define TOKENS           4 // remembered, live or not
#define NONCE_LIFETIME_S UINT32_MAX

enum operation {
    OPERATION_ALLOCATE,
    OPERATION_REFRESH,
    OPERATION_CREATE_PERMISSION,
    OPERATION_CHANNEL_BIND,
    OPERATION_RETRANSMIT,
    OPERATION_PASS_MILLISECONDS,
    OPERATION_PASS_SECONDS,
    OPERATION_EXPIRE,
    OPERATION_ACKNOWLEDGE_ONE,
    OPERATION_ACKNOWLEDGE_ALL,
    OPERATION_DISCONNECT,
    OPERATION_NOISE,
    OPERATION_TAMPER,
    OPERATION_WALK,
    OPERATION_RELOAD,
    // Of a server with TCP allocations only.
    OPERATION_CONNECT,
    OPERATION_CONNECTION_BIND,
    OPERATION_CONNECTED,
    OPERATION_ACCEPT,
    OPERATION_CLOSED,
    OPERATION_DISCONNECT_DATA,
    OPERATION_KERNEL,
};

// What a user is, to the server and to the model.
struct user {
    const char *username;
    const char *password; // of a REST user: the secret
    const char *quota_name;
    uint64_t expires_s; // of a REST user; 0: configured, or nobody
    bool unknown;       // no password helps
    bool is_stable;     // known after every reload
};

static const struct user users[] = {
    {"alice", "wonder", "alice", 0, false, true},
    {"bob", "builder", "bob", 0, false, false},
    {"4000000000:carol", "new", "carol", 4000000000, false, true},
    {"1700000500:carol", "old", "carol", 1700000500, false, false}, // runs out while we look
    {"1699999999:dave", "new", "dave", 1699999999, false, true},    // has run out
    {"4000000000", "old", "4000000000", 4000000000, false, false},
    {"alice", "wrong", "alice", 0, true, false},
    {"mallory", "wonder", "mallory", 0, true, false},
};
#define USERS (sizeof(users) / sizeof(users[0]))

enum style {
    STYLE_MD5_SHA1,
    STYLE_MD5_SHA256,
    STYLE_SHA256,
    STYLE_NAMED_MD5,
    STYLE_SHA256_SHA1,
    STYLE_COUNT,
};

// How a request is signed and sent.
struct sender {
    unsigned client;
    unsigned user;
    enum style style;
    uint16_t worker;
    bool userhash;
    bool fingerprint;
    bool foreign_realm;
    bool foreign_nonce;
};

// A request that was sent, for its retransmission.
struct sent {
    bool valid;
    struct sender sender;
    struct model_request request;
};

// A Connect that waits for its response.
struct waiting {
    bool valid;
    uint32_t connection;
    struct sender sender;
    struct model_request request;
};

// What the host holds for TCP allocations, from the commands alone.
struct socket {
    bool open;
    bool bound;
    uint32_t connection;
    uint32_t allocation;
    uint16_t family;
    struct five_tuple client;
};

struct listener {
    bool open;
    uint32_t allocation;
    struct turn_relayed_address address;
};

struct host {
    struct socket sockets[MODEL_CONNECTIONS];
    struct listener listeners[2 * MODEL_ALLOCATIONS];
};

struct pending {
    uint32_t id;
    unsigned slot; // 2: the allocation
    struct turn_relayed_address address;
};

// What the workers hold, from the commands alone.
struct plane_allocation {
    bool installed;
    bool pending_removal; // of the id: REMOVE_ALLOCATION or REMOVE_RELAY not acknowledged yet
    struct turn_command
        info; // the last INSTALL_ALLOCATION, without relayed addresses that were removed
    struct ip_address permissions[MODEL_PERMISSIONS];
    unsigned permission_count;
    struct model_channel channels[MODEL_CHANNELS];
    unsigned channel_count;
};

struct plane {
    struct plane_allocation allocations[PLANE_PLACES];
    struct pending pending[2 * PLANE_PLACES];
    unsigned pending_count;
};

struct input {
    const uint8_t *data;
    size_t size;
};

struct run {
    struct input input;
    struct turn_config config;
    struct turn_server *server;
    struct peer_policy *policies[2]; // the second denies more
    bool has_few_users;
    bool denies_more;
    struct turn_time now;
    struct turn_output output;
    struct plane plane;
    struct host host;
    struct model model;
    struct sent last;
    struct waiting waiting[MODEL_CONNECTIONS];
    uint8_t tokens[TOKENS][8];
    unsigned token_count;
    uint32_t transaction;
    uint64_t random_state;
    unsigned client_count;
    uint64_t expired_s; // the last expiry, to know how late the next is
    bool was_late;
};

static uint8_t take(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

static struct span span_of(const char *text)
{
    return (struct span){.data = (const uint8_t *)text, .len = strlen(text)};
}

static struct ip_address ip(const char *text)
{
    struct ip_address parsed;
    REQUIRE(ip_address_parse(text, &parsed) == 0);
    return parsed;
}

static void fill_seeded(void *context, void *bytes, size_t len)
{
    uint64_t *state = context;
    for (size_t i = 0; i < len; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)bytes)[i] = (uint8_t)(*state >> 56);
    }
}

static struct credentials *make_credentials(bool few)
{
    struct credentials *credentials;
    REQUIRE(credentials_create(REALM, &credentials) == 0);
    REQUIRE(credentials_add_user(credentials, "alice", "wonder") == 0);
    REQUIRE(few || credentials_add_user(credentials, "bob", "builder") == 0);
    REQUIRE(credentials_add_rest_secret(credentials, span_of("new")) == 0);
    REQUIRE(few || credentials_add_rest_secret(credentials, span_of("old")) == 0);
    return credentials;
}

static const struct credentials *shared_credentials(bool few)
{
    static struct credentials *credentials[2];
    if (credentials[few] == NULL)
        credentials[few] = make_credentials(few);
    return credentials[few];
}

// Ports on both sides of the border between two workers' slices, pairs cut at a range's ends.
static void choose_relays(struct turn_config *config, uint8_t choice)
{
    const struct turn_relay all[] = {
        {.local = ip("203.0.113.1"), .min_port = 49976, .max_port = 49991},
        {.local = ip("2001:db8::1"), .min_port = 49980, .max_port = 49987},
        {.local = ip("203.0.113.2"), .min_port = 49983, .max_port = 49986},
    };
    config->relay_count = 0;
    for (unsigned i = 0; i < 3; i++) {
        bool v6 = i == 1;
        if (((choice & 1) && !v6) || ((choice & 2) && !(choice & 1) && v6))
            continue;
        struct turn_relay *relay = &config->relays[config->relay_count++];
        *relay = all[i];
        relay->advertised = relay->local;
        if ((choice & 4) && i == 0)
            relay->local = ip("10.0.0.5");
    }
}

static void host_listen(struct host *host, uint32_t allocation, struct turn_relayed_address address)
{
    for (unsigned i = 0; i < 2 * MODEL_ALLOCATIONS; i++) {
        if (host->listeners[i].open)
            continue;
        host->listeners[i] =
            (struct listener){.open = true, .allocation = allocation, .address = address};
        return;
    }
    REQUIRE(!"more listeners than allocations can have");
}

static int kernel_listen(void *context, uint32_t allocation, struct turn_relayed_address address)
{
    struct run *run = context;
    int error = model_listen(&run->model, allocation, address);
    if (error == 0)
        host_listen(&run->host, allocation, address);
    return error;
}

static void choose_config(struct run *run, uint8_t choice)
{
    struct turn_config *config = &run->config;
    *config = (struct turn_config){
        .stateless = {.nonce = {.current = {.mac = {{1, 2}}, .id = 1},
                                .previous = {.mac = {{1, 2}}, .id = 1},
                                .lifetime_s = NONCE_LIFETIME_S,
                                .features = NONCE_FEATURE_PASSWORD_ALGORITHMS |
                                            NONCE_FEATURE_USERNAME_ANONYMITY},
                      .realm = REALM,
                      .software = "turnpike"},
        .limits = {.allocations = (choice & 8) ? 3 : 7,
                   .allocations_per_worker = (choice & 8) ? 2 : 5,
                   .permissions_per_worker = 7,
                   .channels_per_worker = 5,
                   .allocations_per_user = (choice & 16) ? 2 : 0,
                   .permissions_per_allocation = (choice & 8) ? 3 : 5,
                   .channels_per_allocation = (choice & 8) ? 2 : 3,
                   .default_lifetime_s = 600,
                   .max_lifetime_s = 3600,
                   .tcp_connections = 5,
                   .tcp_connections_per_allocation = (choice & 8) ? 2 : 3},
        .worker_count = (choice & 32) ? 1 : 2,
        .allow_tcp_relay = choice & 128,
        .tcp_listener = {.listen = kernel_listen, .context = run},
        .credentials = shared_credentials(false),
        .random = {.fill = fill_seeded, .context = &run->random_state},
    };
    choose_relays(config, choice);
    run->client_count = (choice & 64) ? 2 : CLIENTS; // few get deep, many get wide
}

// Whom only the second policy denies.
static const char *const denied_later[] = {"8.8.8.8", "2600::2"};

static bool is_denied_later(const struct ip_address *peer)
{
    struct ip_address first = ip(denied_later[0]), second = ip(denied_later[1]);
    return ip_address_equal(peer, &first) || ip_address_equal(peer, &second);
}

static struct peer_policy *make_policy(const struct run *run, bool denies_more)
{
    const struct ip_prefix denied[] = {{ip(denied_later[0]), 32}, {ip(denied_later[1]), 128}};
    struct ip_address own = ip("9.9.9.9");
    struct peer_policy *policy;
    REQUIRE(peer_policy_create(NULL, 0, denied, denies_more ? 2 : 0, &policy) == 0);
    REQUIRE(peer_policy_add_own(policy, &own) == 0);
    for (uint16_t i = 0; i < run->config.relay_count; i++) {
        const struct turn_relay *relay = &run->config.relays[i];
        REQUIRE(peer_policy_add_own(policy, &relay->local) == 0);
        REQUIRE(peer_policy_add_relay(policy, &relay->advertised, relay->min_port,
                                      relay->max_port) == 0);
    }
    return policy;
}

static void start(struct run *run)
{
    choose_config(run, take(&run->input));
    for (unsigned i = 0; i < 2; i++)
        run->policies[i] = make_policy(run, i == 1);
    run->config.peer_policy = run->policies[0];
    run->now = (struct turn_time){.monotonic_ms = START_MS, .wall_s = WALL_S};
    model_init(&run->model, &run->config);
    run->model.now_ms = START_MS;
    run->expired_s = START_MS / 1000;
    REQUIRE(turn_server_create(&run->config, &run->server) == 0);
}

// Where TCP is relayed, most come over a stream.
static enum five_tuple_transport transport_of(const struct run *run, unsigned client)
{
    static const enum five_tuple_transport transports[CLIENTS + DATA_CLIENTS] = {
        FIVE_TUPLE_TCP,  FIVE_TUPLE_TLS, FIVE_TUPLE_UDP, FIVE_TUPLE_TCP,
        FIVE_TUPLE_DTLS, FIVE_TUPLE_TCP, FIVE_TUPLE_TCP, FIVE_TUPLE_TLS,
        FIVE_TUPLE_TCP,  FIVE_TUPLE_TLS, FIVE_TUPLE_TCP, FIVE_TUPLE_DTLS};
    if (run->config.allow_tcp_relay)
        return transports[client];
    return client % 3 == 2 ? FIVE_TUPLE_TCP : FIVE_TUPLE_UDP;
}

static struct five_tuple client_tuple(const struct run *run, unsigned client)
{
    const struct turn_config *config = &run->config;
    return (struct five_tuple){
        .client = {.ip = ip(client % 4 == 3 ? "2600::99" : "192.0.2.1"),
                   .port = (uint16_t)(1000 + client)},
        .server = {.ip = config->relays[client % config->relay_count].local, .port = 3478},
        .transport = transport_of(run, client),
    };
}

// Peers, and what the policy says: by the tables of RFC 8656's security considerations and the IANA
// registries.
static struct model_peer choose_peer(const struct run *run, uint8_t choice)
{
    static const struct {
        const char *text;
        bool ip_allowed;
        bool address_allowed;
    } peers[] = {
        {"8.8.8.8:5000", true, true},        {"8.8.8.8:5001", true, true},
        {"8.8.4.4:5000", true, true},        {"8.8.8.9:5000", true, true},
        {"8.8.8.10:5000", true, true},       {"8.8.8.11:5000", true, true},
        {"1.1.1.1:0", true, false},          {"10.0.0.1:5000", false, false},
        {"9.9.9.9:5000", false, false},      {"[2600::1]:5000", true, true},
        {"[2600::1]:5001", true, true},      {"[2600::2]:5000", true, true},
        {"[fe80::1]:5000", false, false},    {"[64:ff9b::808:808]:5000", false, false},
        {"203.0.113.1:49980", false, false}, {"[2001:db8::1]:49979", false, false},
    };
    unsigned index = choice % 16;
    struct model_peer peer = {
        .malformed = choice / 16 == 15,
        .ip_allowed = peers[index].ip_allowed,
        .address_allowed = peers[index].address_allowed,
    };
    REQUIRE(transport_address_parse(peers[index].text, &peer.address) == 0);
    for (uint16_t i = 0; i < run->config.relay_count; i++) {
        const struct turn_relay *relay = &run->config.relays[i];
        if (!ip_address_equal(&relay->advertised, &peer.address.ip))
            continue;
        peer.ip_allowed = true;
        peer.address_allowed =
            peer.address.port >= relay->min_port && peer.address.port <= relay->max_port;
    }
    return peer;
}

static struct sender choose_sender(struct run *run)
{
    uint8_t who = take(&run->input);
    uint8_t how = take(&run->input);
    return (struct sender){
        .client = who % run->client_count,
        .user = who % run->client_count % 4, // who may, as a rule
        .worker = (uint16_t)((who >> 5) % run->config.worker_count),
        .style = (enum style)(how % STYLE_COUNT),
        .fingerprint = how & 0x40,
        .userhash = how >= 0xE0,
    };
}

// Now and then somebody else.
static void choose_flaw(struct run *run, struct sender *sender)
{
    uint8_t flaw = take(&run->input);
    if (flaw < 0xC0)
        return;
    if (flaw < 0xE0)
        sender->user = flaw % USERS;
    else if (flaw < 0xF0)
        sender->foreign_realm = true;
    else if (flaw < 0xF8)
        sender->foreign_nonce = true;
}

static uint16_t algorithm_of(enum style style)
{
    return style == STYLE_SHA256 || style == STYLE_SHA256_SHA1 ? STUN_PASSWORD_ALGORITHM_SHA256
                                                               : STUN_PASSWORD_ALGORITHM_MD5;
}

static bool names_algorithm(enum style style)
{
    return style != STYLE_MD5_SHA1 && style != STYLE_MD5_SHA256;
}

static struct integrity_key key_of(const struct sender *sender)
{
    const struct user *user = &users[sender->user];
    struct integrity_key key;
    uint8_t mac[20];
    char rest_password[29];
    const char *password = user->password;
    if (user->expires_s != 0) {
        REQUIRE(HMAC(EVP_sha1(), user->password, (int)strlen(user->password),
                     (const uint8_t *)user->username, strlen(user->username), mac, NULL) != NULL);
        EVP_EncodeBlock((uint8_t *)rest_password, mac, sizeof(mac));
        password = rest_password;
    }
    REQUIRE(integrity_key_derive((enum stun_password_algorithm)algorithm_of(sender->style),
                                 span_of(user->username),
                                 span_of(sender->foreign_realm ? "example.net" : REALM),
                                 span_of(password), &key) == 0);
    return key;
}

static void add_attribute(struct stun_builder *builder, uint16_t type,
                          const struct model_attribute *attribute, uint32_t good_value,
                          size_t good_len)
{
    uint8_t bytes[4];
    store_be32(bytes, good_value);
    if (attribute->form == MODEL_GOOD)
        stun_add_bytes(builder, type, bytes, good_len);
    if (attribute->form == MODEL_MALFORMED)
        stun_add_bytes(builder, type, bytes, 3);
}

static void add_peer(struct stun_builder *builder, const struct model_peer *peer)
{
    if (peer->malformed)
        stun_add_bytes(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, "\0\1\0\0\1\2\3", 7);
    else
        stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer->address);
}

static void add_content(struct stun_builder *builder, const struct model_request *request)
{
    add_attribute(builder, STUN_ATTRIBUTE_REQUESTED_TRANSPORT, &request->transport,
                  request->transport.value << 24, 4);
    add_attribute(builder, STUN_ATTRIBUTE_LIFETIME, &request->lifetime, request->lifetime.value, 4);
    add_attribute(builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, &request->requested_family,
                  request->requested_family.value << 24, 4);
    add_attribute(builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, &request->additional_family,
                  request->additional_family.value << 24, 4);
    add_attribute(builder, STUN_ATTRIBUTE_EVEN_PORT, &request->even_port,
                  request->even_port.value << 31, 1);
    add_attribute(builder, STUN_ATTRIBUTE_CHANNEL_NUMBER, &request->channel,
                  request->channel.value << 16, 4);
    if (request->token.form == MODEL_GOOD)
        stun_add_bytes(builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, request->token_bytes, 8);
    if (request->token.form == MODEL_MALFORMED)
        stun_add_bytes(builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, request->token_bytes, 7);
    for (unsigned i = 0; i < request->peer_count; i++)
        add_peer(builder, &request->peers[i]);
    add_attribute(builder, STUN_ATTRIBUTE_CONNECTION_ID, &request->connection,
                  request->connection.value, 4);
    if (request->dont_fragment)
        stun_add_flag(builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    if (request->unknown_attribute)
        stun_add_flag(builder, 0x7FFE);
}

static void add_credentials(const struct run *run, const struct sender *sender,
                            const struct model_request *request, struct stun_builder *builder)
{
    static const uint16_t offered[] = {STUN_PASSWORD_ALGORITHM_SHA256, STUN_PASSWORD_ALGORITHM_MD5};
    const char *username = users[sender->user].username;
    const char *realm = sender->foreign_realm ? "example.net" : REALM;
    struct nonce_policy policy = run->config.stateless.nonce;
    struct integrity_key key = key_of(sender);
    uint8_t nonce[NONCE_LEN];
    uint8_t userhash[USERHASH_LEN];

    if (sender->foreign_nonce)
        policy.current.mac.k[0] ^= 1;
    nonce_mint(&policy, &request->five_tuple.client, (uint32_t)(run->now.monotonic_ms / 1000), 7,
               nonce);
    integrity_userhash(span_of(username), span_of(realm), userhash);
    if (sender->userhash)
        stun_add_bytes(builder, STUN_ATTRIBUTE_USERHASH, userhash, sizeof(userhash));
    else
        stun_add_string(builder, STUN_ATTRIBUTE_USERNAME, username);
    stun_add_string(builder, STUN_ATTRIBUTE_REALM, realm);
    stun_add_bytes(builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    if (names_algorithm(sender->style)) {
        stun_add_password_algorithms(builder, offered, 2);
        stun_add_password_algorithm(builder, algorithm_of(sender->style));
    }
    if (sender->style == STYLE_MD5_SHA1 || sender->style == STYLE_SHA256_SHA1)
        stun_add_message_integrity(builder, &key);
    else
        stun_add_message_integrity_sha256(builder, &key);
    if (sender->fingerprint)
        stun_add_fingerprint(builder);
}

static struct span build(const struct run *run, const struct sender *sender,
                         const struct model_request *request, uint8_t *buffer, size_t capacity)
{
    struct stun_builder builder;
    stun_builder_init(&builder, buffer, capacity, STUN_CLASS_REQUEST, request->method,
                      request->transaction_id);
    add_content(&builder, request);
    add_credentials(run, sender, request, &builder);
    size_t len = stun_builder_finish(&builder);
    REQUIRE(len != 0);
    return (struct span){.data = buffer, .len = len};
}

// The allocation that a request is about.
static const struct model_allocation *allocation_meant(struct run *run,
                                                       const struct model_request *request)
{
    const struct model_connection *connection = NULL;
    if (request->method != STUN_METHOD_CONNECTION_BIND)
        return model_find(&run->model, &request->five_tuple);
    if (request->connection.form == MODEL_GOOD)
        connection = model_find_connection(&run->model, request->connection.value);
    return connection == NULL ? NULL : model_allocation_of(&run->model, connection);
}

// RFC 8489 section 9.2.4, and draft-uberti-behave-turn-rest: 0, or the challenge's code.
static unsigned judge_sender(struct run *run, const struct sender *sender,
                             const struct model_request *request)
{
    const struct user *user = &users[sender->user];
    const struct model_allocation *allocation = allocation_meant(run, request);
    bool is_own = allocation != NULL && strcmp(allocation->username, user->username) == 0;
    if (sender->foreign_nonce)
        return 438;
    if (sender->foreign_realm || user->unknown || (run->has_few_users && !user->is_stable))
        return 401;
    if (user->expires_s == 0)
        return 0;
    // The name behind the hash of a REST user stands in the allocation only, and so does that one
    // key.
    if (sender->userhash)
        return is_own && allocation->algorithm == algorithm_of(sender->style) ? 0 : 401;
    return user->expires_s >= run->now.wall_s || is_own ? 0 : 401;
}

static struct plane_allocation *plane_at(struct plane *plane, uint32_t id)
{
    REQUIRE(id < PLANE_PLACES);
    return &plane->allocations[id];
}

static void plane_expect_acknowledgement(struct plane *plane, uint32_t id, unsigned slot,
                                         struct turn_relayed_address address)
{
    REQUIRE(plane->pending_count < 2 * PLANE_PLACES);
    plane->pending[plane->pending_count++] =
        (struct pending){.id = id, .slot = slot, .address = address};
    plane->allocations[id].pending_removal = true;
}

static void plane_install_allocation(const struct run *run, struct plane *plane,
                                     const struct turn_command *command)
{
    struct plane_allocation *at = plane_at(plane, command->allocation);
    unsigned on_worker = 1;
    if (!at->installed) {
        REQUIRE(!at->pending_removal); // an id is used again after the acknowledgement only
        for (unsigned i = 0; i < PLANE_PLACES; i++)
            on_worker += plane->allocations[i].installed &&
                         plane->allocations[i].info.worker == command->worker;
        REQUIRE(on_worker <= run->config.limits.allocations_per_worker);
        *at = (struct plane_allocation){.installed = true};
    } else {
        REQUIRE(at->info.worker == command->worker);
        REQUIRE(five_tuple_equal(&at->info.allocation_info.five_tuple,
                                 &command->allocation_info.five_tuple));
    }
    at->info = *command;
}

static void plane_remove_relay(struct plane *plane, const struct turn_command *command)
{
    struct plane_allocation *at = plane_at(plane, command->allocation);
    struct turn_relayed_address gone = command->removed_relay;
    struct turn_relayed_address *v4 = &at->info.allocation_info.relayed_v4;
    struct turn_relayed_address *v6 = &at->info.allocation_info.relayed_v6;
    bool is_v4 = v4->port != 0 && v4->port == gone.port && v4->relay == gone.relay;
    bool is_v6 = v6->port != 0 && v6->port == gone.port && v6->relay == gone.relay;
    REQUIRE(at->installed && is_v4 != is_v6);
    uint16_t family = is_v4 ? IP_FAMILY_V4 : IP_FAMILY_V6;
    *(is_v4 ? v4 : v6) = (struct turn_relayed_address){0};
    for (unsigned i = at->permission_count; i-- > 0;) {
        if (at->permissions[i].family == family)
            at->permissions[i] = at->permissions[--at->permission_count];
    }
    for (unsigned i = at->channel_count; i-- > 0;) {
        if (at->channels[i].peer.ip.family == family)
            at->channels[i] = at->channels[--at->channel_count];
    }
    plane_expect_acknowledgement(plane, command->allocation, is_v4 ? 0 : 1, gone);
}

static int plane_find_permission(const struct plane_allocation *at, const struct ip_address *peer)
{
    for (unsigned i = 0; i < at->permission_count; i++) {
        if (ip_address_equal(&at->permissions[i], peer))
            return (int)i;
    }
    return -1;
}

static int plane_find_channel(const struct plane_allocation *at, uint16_t number)
{
    for (unsigned i = 0; i < at->channel_count; i++) {
        if (at->channels[i].number == number)
            return (int)i;
    }
    return -1;
}

static void plane_apply(const struct run *run, struct plane *plane,
                        const struct turn_command *command)
{
    struct plane_allocation *at = plane_at(plane, command->allocation);
    int index;
    REQUIRE(command->worker < run->config.worker_count);
    if (command->kind == TURN_COMMAND_INSTALL_ALLOCATION) {
        plane_install_allocation(run, plane, command);
        return;
    }
    REQUIRE(at->installed && at->info.worker == command->worker);
    switch (command->kind) {
    case TURN_COMMAND_REMOVE_ALLOCATION:
        at->info.allocation_info.user = at->info.allocation_info.user_tag = 0; // nobody's any more
        REQUIRE(memcmp(&at->info.allocation_info, &command->allocation_info,
                       sizeof(command->allocation_info)) == 0);
        at->installed = false;
        plane_expect_acknowledgement(plane, command->allocation, 2,
                                     (struct turn_relayed_address){0});
        break;
    case TURN_COMMAND_REMOVE_RELAY:
        plane_remove_relay(plane, command);
        break;
    case TURN_COMMAND_INSTALL_PERMISSION:
        REQUIRE(plane_find_permission(at, &command->permission) < 0);
        REQUIRE(at->permission_count < MODEL_PERMISSIONS);
        at->permissions[at->permission_count++] = command->permission;
        break;
    case TURN_COMMAND_REMOVE_PERMISSION:
        index = plane_find_permission(at, &command->permission);
        REQUIRE(index >= 0);
        at->permissions[index] = at->permissions[--at->permission_count];
        break;
    case TURN_COMMAND_INSTALL_CHANNEL:
        REQUIRE(plane_find_channel(at, command->channel.number) < 0);
        REQUIRE(at->channel_count < MODEL_CHANNELS);
        at->channels[at->channel_count++] = (struct model_channel){
            .number = command->channel.number, .peer = command->channel.peer};
        break;
    case TURN_COMMAND_REMOVE_CHANNEL:
        index = plane_find_channel(at, command->channel.number);
        REQUIRE(index >= 0 &&
                transport_address_equal(&at->channels[index].peer, &command->channel.peer));
        at->channels[index] = at->channels[--at->channel_count];
        break;
    default:
        REQUIRE(!"a command of no kind");
    }
}

static struct socket *host_find(struct host *host, uint32_t connection)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (host->sockets[i].open && host->sockets[i].connection == connection)
            return &host->sockets[i];
    }
    return NULL;
}

static void host_open(struct host *host, uint32_t connection, uint32_t allocation, uint16_t family)
{
    REQUIRE(host_find(host, connection) == NULL);
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (host->sockets[i].open)
            continue;
        host->sockets[i] = (struct socket){
            .open = true, .connection = connection, .allocation = allocation, .family = family};
        return;
    }
    REQUIRE(!"more sockets than the limit");
}

static void host_unlisten(const struct run *run, struct host *host, uint32_t allocation,
                          struct turn_relayed_address address)
{
    bool found = false;
    for (unsigned i = 0; i < 2 * MODEL_ALLOCATIONS; i++) {
        struct listener *listener = &host->listeners[i];
        if (!listener->open || listener->allocation != allocation ||
            listener->address.relay != address.relay || listener->address.port != address.port)
            continue;
        listener->open = false;
        found = true;
    }
    REQUIRE(found);
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        if (host->sockets[i].allocation == allocation &&
            host->sockets[i].family == run->config.relays[address.relay].local.family)
            host->sockets[i].open = false;
    }
}

static void host_apply(const struct run *run, struct host *host, const struct turn_command *command)
{
    struct socket *socket;
    switch (command->kind) {
    case TURN_COMMAND_TCP_CONNECT:
        host_open(host, command->tcp_connect.connection, command->allocation,
                  command->tcp_connect.peer.ip.family);
        break;
    case TURN_COMMAND_TCP_BIND:
        socket = host_find(host, command->tcp_bind.connection);
        REQUIRE(socket != NULL && !socket->bound);
        socket->bound = true;
        socket->client = command->tcp_bind.client;
        break;
    case TURN_COMMAND_TCP_CLOSE:
        socket = host_find(host, command->tcp_close);
        REQUIRE(socket != NULL && socket->allocation == command->allocation);
        socket->open = false;
        break;
    default:
        REQUIRE(command->kind == TURN_COMMAND_TCP_UNLISTEN);
        REQUIRE(command->tcp_unlisten.relayed_v4.port != 0 ||
                command->tcp_unlisten.relayed_v6.port != 0);
        if (command->tcp_unlisten.relayed_v4.port != 0)
            host_unlisten(run, host, command->allocation, command->tcp_unlisten.relayed_v4);
        if (command->tcp_unlisten.relayed_v6.port != 0)
            host_unlisten(run, host, command->allocation, command->tcp_unlisten.relayed_v6);
        break;
    }
}

static void plane_apply_output(struct run *run, struct plane *plane)
{
    REQUIRE(run->output.command_count <= TURN_OUTPUT_COMMANDS_MAX);
    for (unsigned i = 0; i < run->output.command_count; i++) {
        if (turn_command_is_tcp(&run->output.commands[i]))
            host_apply(run, &run->host, &run->output.commands[i]);
        else
            plane_apply(run, plane, &run->output.commands[i]);
    }
}

// Sockets and listeners are the model's connections and relayed addresses.
static void require_same_host(struct run *run)
{
    unsigned open = 0;
    unsigned listening = 0;
    unsigned connections = 0;
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        const struct model_connection *expected = &run->model.connections[i];
        open += run->host.sockets[i].open;
        if (expected->state == MODEL_NO_CONNECTION)
            continue;
        connections++;
        const struct socket *socket = host_find(&run->host, expected->id);
        REQUIRE(socket != NULL && socket->allocation == expected->allocation);
        REQUIRE(socket->bound == (expected->state == MODEL_BOUND));
        REQUIRE(!socket->bound || five_tuple_equal(&socket->client, &expected->client));
    }
    REQUIRE(open == connections);
    for (unsigned i = 0; i < 2 * MODEL_ALLOCATIONS; i++)
        listening += run->host.listeners[i].open;
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        const struct model_allocation *allocation = &run->model.allocations[i];
        for (unsigned slot = 0; slot < 2 && allocation->live && allocation->is_tcp; slot++)
            listening -= allocation->relayed[slot].live;
    }
    REQUIRE(listening == 0);
}

static bool same_address(struct turn_relayed_address address, const struct model_relayed *relayed)
{
    if (!relayed->live)
        return address.port == 0;
    return address.port == relayed->port && address.relay == relayed->relay;
}

static void require_same_allocation(const struct plane_allocation *at,
                                    const struct model_allocation *expected)
{
    unsigned permission_count = 0;
    unsigned channel_count = 0;
    REQUIRE(at->installed);
    REQUIRE(at->info.worker == expected->worker);
    REQUIRE(at->info.allocation_info.received_by == expected->received_by);
    REQUIRE(five_tuple_equal(&at->info.allocation_info.five_tuple, &expected->five_tuple));
    REQUIRE(same_address(at->info.allocation_info.relayed_v4, &expected->relayed[0]));
    REQUIRE(same_address(at->info.allocation_info.relayed_v6, &expected->relayed[1]));
    for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
        if (!expected->permissions[i].used)
            continue;
        REQUIRE(plane_find_permission(at, &expected->permissions[i].peer) >= 0);
        permission_count++;
    }
    for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
        if (!expected->channels[i].used)
            continue;
        int index = plane_find_channel(at, expected->channels[i].number);
        REQUIRE(index >= 0 &&
                transport_address_equal(&at->channels[index].peer, &expected->channels[i].peer));
        channel_count++;
    }
    REQUIRE(at->permission_count == permission_count);
    REQUIRE(at->channel_count == channel_count);
}

// Workers know users by numbers alone: those of one user are the same, and of no other.
static void require_same_users(const struct run *run, struct plane *plane)
{
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        for (unsigned j = 0; j < i; j++) {
            const struct model_allocation *one = &run->model.allocations[i];
            const struct model_allocation *other = &run->model.allocations[j];
            if (!one->live || one->is_tcp || !other->live || other->is_tcp)
                continue;
            const struct turn_command *first = &plane_at(plane, one->id)->info;
            const struct turn_command *second = &plane_at(plane, other->id)->info;
            bool same = first->allocation_info.user == second->allocation_info.user &&
                        first->allocation_info.user_tag == second->allocation_info.user_tag;
            REQUIRE(same == (strcmp(one->quota_name, other->quota_name) == 0));
        }
    }
}

static void require_same_installed(const struct run *run, struct plane *plane)
{
    unsigned live = 0;
    unsigned installed = 0;
    unsigned permissions[2] = {0};
    unsigned channels[2] = {0};
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        const struct model_allocation *expected = &run->model.allocations[i];
        if (!expected->live || expected->is_tcp)
            continue;
        require_same_allocation(plane_at(plane, expected->id), expected);
        live++;
    }
    for (unsigned i = 0; i < PLANE_PLACES; i++) {
        const struct plane_allocation *at = &plane->allocations[i];
        if (!at->installed)
            continue;
        installed++;
        permissions[at->info.worker] += at->permission_count;
        channels[at->info.worker] += at->channel_count;
    }
    REQUIRE(installed == live);
    require_same_users(run, plane);
    for (unsigned worker = 0; worker < 2; worker++) {
        REQUIRE(permissions[worker] <= run->config.limits.permissions_per_worker);
        REQUIRE(channels[worker] <= run->config.limits.channels_per_worker);
    }
}

// After every operation: what the workers hold, what is counted and when the next thing is due.
static void require_same(struct run *run)
{
    struct turn_usage usage;
    struct turn_usage expected = model_usage(&run->model);
    uint64_t next_ms = turn_server_next_expiry_ms(run->server);
    uint64_t expected_ms = model_next_expiry_ms(&run->model);
    require_same_installed(run, &run->plane);
    require_same_host(run);
    turn_server_usage(run->server, &usage);
    REQUIRE(memcmp(&usage, &expected, sizeof(usage)) == 0);
    REQUIRE(next_ms <= expected_ms);
    REQUIRE(next_ms == expected_ms || run->was_late);
    REQUIRE((next_ms == UINT64_MAX) == (expected_ms == UINT64_MAX));
}

static void remember_token(struct run *run, const struct stun_message *response)
{
    uint8_t token[8];
    if (stun_message_reservation_token(response, token) == STUN_VALUE_OK)
        memcpy(run->tokens[run->token_count++ % TOKENS], token, sizeof(token));
}

static void require_integrity(const struct sender *sender, const struct stun_message *response,
                              unsigned error)
{
    struct integrity_key key = key_of(sender);
    bool sha1 = !names_algorithm(sender->style) && error != 401 && error != 438;
    bool sha256 = names_algorithm(sender->style) && error != 401 && error != 438;
    REQUIRE(sha1 == (response->integrity_offset != 0));
    REQUIRE(sha256 == (response->integrity_sha256_offset != 0));
    REQUIRE(!sha1 || integrity_check_sha1(response, &key));
    REQUIRE(!sha256 || integrity_check_sha256(response, &key));
}

static struct stun_message require_response(const struct run *run, const struct sender *sender,
                                            const struct model_request *request, unsigned error)
{
    struct span bytes = {.data = run->output.response, .len = run->output.response_len};
    struct stun_message response;
    unsigned told = 0;
    struct span reason;
    REQUIRE(stun_message_parse(bytes, &response) == STUN_VALID);
    REQUIRE(memcmp(response.transaction_id, request->transaction_id, 12) == 0);
    REQUIRE(response.method == request->method && run->output.request_method == request->method);
    REQUIRE(response.message_class == (error == 0 ? STUN_CLASS_SUCCESS : STUN_CLASS_ERROR));
    REQUIRE(error == 0 || stun_message_error_code(&response, &told, &reason) == STUN_VALUE_OK);
    REQUIRE(told == error && run->output.response_error == error);
    REQUIRE(response.has_fingerprint == sender->fingerprint);
    require_integrity(sender, &response, error);
    return response;
}

static void remember_waiting(struct run *run, const struct sender *sender,
                             const struct model_request *request)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        struct waiting *waiting = &run->waiting[i];
        const struct model_connection *connection =
            model_find_connection(&run->model, waiting->connection);
        if (waiting->valid && connection != NULL && connection->state == MODEL_CONNECTING)
            continue;
        *waiting = (struct waiting){.valid = true,
                                    .connection = run->output.commands[0].tcp_connect.connection,
                                    .sender = *sender,
                                    .request = *request};
        return;
    }
    REQUIRE(!"more Connects than connections");
}

// The late response in the output: whose it is, once it is checked.
static struct waiting *require_late_response(struct run *run, unsigned error)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        struct waiting *waiting = &run->waiting[i];
        uint32_t told;
        if (!waiting->valid ||
            memcmp(run->output.response + 8, waiting->request.transaction_id, 12) != 0 ||
            !five_tuple_equal(&run->output.response_to, &waiting->request.five_tuple))
            continue;
        struct stun_message response =
            require_response(run, &waiting->sender, &waiting->request, error);
        REQUIRE(error != 0 || (stun_message_u32(&response, STUN_ATTRIBUTE_CONNECTION_ID, &told) ==
                                   STUN_VALUE_OK &&
                               told == waiting->connection));
        waiting->valid = false;
        return waiting;
    }
    REQUIRE(!"a response to no Connect");
    return NULL;
}

static bool is_owner(struct run *run, const struct model_request *request)
{
    const struct model_allocation *allocation = model_find(&run->model, &request->five_tuple);
    return allocation != NULL && strcmp(allocation->username, request->username) == 0;
}

// By the policy of this moment, also when it is sent again.
static void judge_peers(const struct run *run, struct model_request *request)
{
    for (unsigned i = 0; i < request->peer_count; i++) {
        struct model_peer *peer = &request->peers[i];
        if (is_denied_later(&peer->address.ip))
            peer->ip_allowed = peer->address_allowed = !run->denies_more;
    }
}

static void send_request(struct run *run, const struct sender *sender,
                         const struct model_request *request)
{
    static uint8_t buffer[4096];
    bool is_silent = model_find_data(&run->model, &request->five_tuple) != NULL;
    unsigned error = judge_sender(run, sender, request);
    bool authenticated = error == 0 && !is_silent;
    run->model.kernel.count = 0;
    if (authenticated)
        error = model_judge(&run->model, request);
    if (authenticated && !request->unknown_attribute &&
        request->method != STUN_METHOD_CONNECTION_BIND && is_owner(run, request))
        model_move(&run->model, &request->five_tuple, request->worker);

    struct turn_packet packet = {.five_tuple = request->five_tuple,
                                 .bytes = build(run, sender, request, buffer, sizeof(buffer)),
                                 .worker = request->worker};
    turn_server_receive(run->server, &run->now, &packet, &run->output);
    REQUIRE(run->output.response_to.transport == 0);
    if (is_silent || (error == 0 && request->method == STUN_METHOD_CONNECT)) {
        REQUIRE(run->output.response_len == 0);
        REQUIRE(!is_silent || run->output.command_count == 0);
        if (!is_silent) {
            remember_waiting(run, sender, request);
            model_follow(&run->model, request, &run->output, NULL);
        }
        plane_apply_output(run, &run->plane);
        return;
    }
    struct stun_message response = require_response(run, sender, request, error);
    if (error == 0) {
        model_follow(&run->model, request, &run->output, &response);
        remember_token(run, &response);
    }
    plane_apply_output(run, &run->plane);
}

static struct model_attribute choose_attribute(uint8_t choice, uint32_t value)
{
    struct model_attribute attribute = {.form = MODEL_ABSENT};
    if (choice >= 0xF8)
        attribute.form = MODEL_MALFORMED;
    else if (choice & 1)
        attribute = (struct model_attribute){.form = MODEL_GOOD, .value = value};
    return attribute;
}

static struct model_attribute choose_family(uint8_t choice)
{
    static const uint32_t families[] = {MODEL_FAMILY_V4, MODEL_FAMILY_V6, MODEL_FAMILY_V6,
                                        MODEL_FAMILY_OTHER};
    return choose_attribute(choice, families[(choice >> 1) % 4]);
}

static struct model_attribute choose_lifetime(uint8_t choice, bool often_zero)
{
    static const uint32_t lifetimes_s[] = {0, 1, 600, 601, 1800, 3600, 3601, UINT32_MAX};
    unsigned index = (choice >> 1) % 8;
    return choose_attribute(choice, often_zero && (choice & 0x30) == 0 ? 0 : lifetimes_s[index]);
}

static void choose_allocate(struct run *run, struct model_request *request)
{
    uint8_t kind = take(&run->input);
    uint8_t detail = take(&run->input);
    request->transport = (struct model_attribute){.form = MODEL_GOOD, .value = 17};
    switch (kind % 8) {
    case 0:
    case 1:
        break;
    case 2:
        request->requested_family = choose_family(detail | 1);
        break;
    case 3:
        request->additional_family = choose_family(detail | 1);
        break;
    case 4:
        request->even_port = choose_attribute(detail | 1, (detail >> 1) & 1);
        break;
    case 5:
        request->token = choose_attribute(detail | 1, 0);
        break;
    case 6: // anything with anything
        request->transport = choose_attribute(detail, detail & 2 ? 17 : 6);
        request->dont_fragment = detail & 4;
        break;
    default:
        request->requested_family = choose_family(detail);
        request->additional_family = choose_family(take(&run->input));
        request->even_port = choose_attribute(take(&run->input), detail >> 7);
        request->token = choose_attribute(take(&run->input), 0);
        break;
    }
    // Where TCP is relayed, most want that, and then few what UDP alone has.
    if (run->config.allow_tcp_relay && (kind & 0x30) != 0 && kind % 8 != 6) {
        request->transport.value = 6;
        if (kind % 8 == 4 || kind % 8 == 5)
            request->even_port = request->token = (struct model_attribute){.form = MODEL_ABSENT};
    }
    if (kind & 0x40)
        request->lifetime = choose_lifetime(detail, false);
    request->unknown_attribute = kind >= 0xF8;
    memcpy(request->token_bytes, run->tokens[detail % TOKENS], 8);
}

static void choose_refresh(struct run *run, struct model_request *request)
{
    uint8_t kind = take(&run->input);
    request->lifetime = choose_lifetime(take(&run->input), true);
    if (kind & 1)
        request->requested_family = choose_family(take(&run->input));
    request->unknown_attribute = kind >= 0xF8;
}

static void choose_create_permission(struct run *run, struct model_request *request)
{
    uint8_t kind = take(&run->input);
    request->peer_count = kind % 5;
    for (unsigned i = 0; i < request->peer_count; i++)
        request->peers[i] = choose_peer(run, take(&run->input));
    if (kind >= 0xF0 && request->peer_count > 0) {
        for (; request->peer_count < TURN_PEERS_PER_REQUEST_MAX + kind % 3u; request->peer_count++)
            request->peers[request->peer_count] = request->peers[0];
    }
}

static void choose_channel_bind(struct run *run, struct model_request *request)
{
    static const uint16_t numbers[] = {0x4000, 0x4001, 0x4002, 0x4FFF, 0x3FFF, 0x5000, 0, 0xFFFF};
    uint8_t kind = take(&run->input);
    request->channel = choose_attribute(kind | (kind & 0x70 ? 1 : 0),
                                        numbers[(kind >> 1) % (kind & 0x80 ? 8 : 4)]);
    if ((kind & 0x0F) != 0x0F) {
        request->peers[0] = choose_peer(run, take(&run->input));
        request->peer_count = 1;
    }
}

static void choose_connect(struct run *run, struct model_request *request)
{
    uint8_t kind = take(&run->input);
    request->peers[0] = choose_peer(run, take(&run->input));
    request->peer_count = kind < 0xF0;
    // One of our own, if there is any.
    const struct listener *listener = &run->host.listeners[kind % (2 * MODEL_ALLOCATIONS)];
    if (kind >= 0x80 && listener->open) {
        request->peers[0] = (struct model_peer){
            .address = {.ip = run->config.relays[listener->address.relay].advertised,
                        .port = listener->address.port},
            .ip_allowed = true,
            .address_allowed = true,
        };
    }
}

// Of the connections that there are, or one that there is not.
static uint32_t choose_connection(struct run *run)
{
    uint8_t choice = take(&run->input);
    const struct socket *socket = &run->host.sockets[choice % MODEL_CONNECTIONS];
    return socket->connection ^ (choice >= 0xF0);
}

// From a data connection most often, and its user is the allocation's.
static void choose_connection_bind(struct run *run, struct sent *sent)
{
    uint8_t kind = take(&run->input);
    uint32_t id = choose_connection(run);
    struct model_connection *connection = model_find_connection(&run->model, id);
    sent->request.connection = choose_attribute(kind | (kind & 0x70 ? 1 : 0), id);
    if (kind & 0x0E) {
        sent->sender.client = CLIENTS + (kind >> 4) % DATA_CLIENTS;
        sent->request.five_tuple = client_tuple(run, sent->sender.client);
    }
    if (connection == NULL || kind % 4 == 3)
        return;
    for (unsigned i = 0; i < USERS; i++) {
        if (!users[i].unknown &&
            strcmp(users[i].username, model_allocation_of(&run->model, connection)->username) == 0)
            sent->sender.user = i;
    }
}

static void operate_request(struct run *run, enum operation operation)
{
    static const uint16_t methods[] = {
        [OPERATION_ALLOCATE] = STUN_METHOD_ALLOCATE,
        [OPERATION_REFRESH] = STUN_METHOD_REFRESH,
        [OPERATION_CREATE_PERMISSION] = STUN_METHOD_CREATE_PERMISSION,
        [OPERATION_CHANNEL_BIND] = STUN_METHOD_CHANNEL_BIND,
        [OPERATION_CONNECT] = STUN_METHOD_CONNECT,
        [OPERATION_CONNECTION_BIND] = STUN_METHOD_CONNECTION_BIND,
    };
    struct sent *sent = &run->last;
    sent->sender = choose_sender(run);
    sent->request = (struct model_request){
        .method = methods[operation],
        .five_tuple = client_tuple(run, sent->sender.client),
        .worker = sent->sender.worker,
        .transaction_id = "transaction",
    };
    store_be32(sent->request.transaction_id + 8, run->transaction++);
    if (operation == OPERATION_ALLOCATE)
        choose_allocate(run, &sent->request);
    else if (operation == OPERATION_REFRESH)
        choose_refresh(run, &sent->request);
    else if (operation == OPERATION_CREATE_PERMISSION)
        choose_create_permission(run, &sent->request);
    else if (operation == OPERATION_CONNECT)
        choose_connect(run, &sent->request);
    else if (operation == OPERATION_CONNECTION_BIND)
        choose_connection_bind(run, sent);
    else
        choose_channel_bind(run, &sent->request);
    choose_flaw(run, &sent->sender);
    sent->request.username = users[sent->sender.user].username;
    sent->request.quota_name = users[sent->sender.user].quota_name;
    sent->request.algorithm = algorithm_of(sent->sender.style);
    sent->valid = true;
    judge_peers(run, &sent->request);
    send_request(run, &sent->sender, &sent->request);
}

// The same request, perhaps through another worker.
static void operate_retransmit(struct run *run)
{
    if (!run->last.valid)
        return;
    run->last.sender.worker = run->last.request.worker =
        (uint16_t)(take(&run->input) % run->config.worker_count);
    judge_peers(run, &run->last.request);
    send_request(run, &run->last.sender, &run->last.request);
}

static void pass(struct run *run, uint64_t ms)
{
    uint64_t second = run->now.monotonic_ms / 1000;
    run->now.monotonic_ms += ms;
    run->now.wall_s += run->now.monotonic_ms / 1000 - second;
    run->model.now_ms = run->now.monotonic_ms;
    // A wheel that nobody turned for so long may ask to be turned early.
    if (run->now.monotonic_ms / 1000 - run->expired_s > 400)
        run->was_late = true;
}

// Connects that are due: of an allocation that stays, each is answered, one a call.
static void require_timeouts(struct run *run, const struct model *before)
{
    for (unsigned i = 0; i < MODEL_CONNECTIONS; i++) {
        const struct waiting *waiting = &run->waiting[i];
        const struct model_connection *connection =
            model_find_connection((struct model *)before, waiting->connection);
        if (!waiting->valid || connection == NULL || connection->state != MODEL_CONNECTING ||
            model_find_connection(&run->model, waiting->connection) != NULL)
            continue;
        const struct model_allocation *allocation = model_allocation_of(&run->model, connection);
        unsigned slot = connection->peer.ip.family == IP_FAMILY_V6 ? 1 : 0;
        REQUIRE(allocation == NULL || !allocation->relayed[slot].live);
    }
}

static void require_timeout(struct run *run)
{
    const struct waiting *waiting = require_late_response(run, 447);
    const struct model_connection *connection =
        model_find_connection(&run->model, waiting->connection);
    REQUIRE(connection != NULL && connection->state == MODEL_CONNECTING);
    REQUIRE(connection->deadline_s <= run->now.monotonic_ms / 1000);
}

static void operate_expire(struct run *run)
{
    static struct model before;
    bool more = true;
    before = run->model;
    while (more) {
        more = turn_server_expire(run->server, &run->now, &run->output);
        REQUIRE(!more || run->output.response_len != 0);
        if (run->output.response_len != 0)
            require_timeout(run);
        plane_apply_output(run, &run->plane);
    }
    run->expired_s = run->now.monotonic_ms / 1000;
    model_expire(&run->model);
    require_timeouts(run, &before);
    REQUIRE(turn_server_next_expiry_ms(run->server) > run->now.monotonic_ms);
}

static void acknowledge(struct run *run, unsigned index)
{
    struct plane *plane = &run->plane;
    struct pending pending = plane->pending[index];
    memmove(&plane->pending[index], &plane->pending[index + 1],
            (--plane->pending_count - index) * sizeof(plane->pending[0]));
    turn_server_removed(run->server, &run->now, pending.id,
                        pending.slot == 2 ? NULL : &pending.address);
    model_acknowledge(&run->model, pending.id, pending.slot);
    plane->allocations[pending.id].pending_removal = false;
    for (unsigned i = 0; i < plane->pending_count; i++)
        plane->allocations[pending.id].pending_removal |= plane->pending[i].id == pending.id;
}

static void operate_acknowledge_one(struct run *run)
{
    uint8_t choice = take(&run->input);
    if (run->plane.pending_count > 0)
        acknowledge(run, choice % run->plane.pending_count);
}

static void acknowledge_all(struct run *run)
{
    while (run->plane.pending_count > 0)
        acknowledge(run, 0);
}

static void disconnect(struct run *run, unsigned client)
{
    struct five_tuple five_tuple = client_tuple(run, client);
    turn_server_disconnected(run->server, &run->now, &five_tuple, &run->output);
    model_disconnect(&run->model, &five_tuple);
    plane_apply_output(run, &run->plane);
}

static void operate_connected(struct run *run)
{
    uint32_t id = choose_connection(run);
    struct model_connection *connection = model_find_connection(&run->model, id);
    turn_server_tcp_connected(run->server, &run->now, id, &run->output);
    REQUIRE(run->output.command_count == 0);
    if (connection == NULL || connection->state != MODEL_CONNECTING) {
        REQUIRE(run->output.response_len == 0);
        return;
    }
    REQUIRE(require_late_response(run, 0)->connection == id);
    model_connected(&run->model, connection);
}

static void operate_closed(struct run *run)
{
    uint32_t id = choose_connection(run);
    struct model_connection *connection = model_find_connection(&run->model, id);
    struct socket *socket = host_find(&run->host, id);
    turn_server_tcp_closed(run->server, &run->now, id, &run->output);
    REQUIRE(run->output.command_count == 0);
    if (connection != NULL && connection->state == MODEL_CONNECTING)
        REQUIRE(require_late_response(run, 447)->connection == id);
    else
        REQUIRE(run->output.response_len == 0);
    if (connection == NULL)
        return;
    connection->state = MODEL_NO_CONNECTION;
    socket->open = false;
}

static void require_attempt(const struct run *run, uint32_t allocation, uint32_t connection,
                            const struct transport_address *peer)
{
    struct span bytes = {.data = run->output.response, .len = run->output.response_len};
    struct stun_message indication;
    struct transport_address told;
    uint32_t id;
    REQUIRE(stun_message_parse(bytes, &indication) == STUN_VALID);
    REQUIRE(indication.message_class == STUN_CLASS_INDICATION);
    REQUIRE(indication.method == STUN_METHOD_CONNECTION_ATTEMPT);
    REQUIRE(stun_message_u32(&indication, STUN_ATTRIBUTE_CONNECTION_ID, &id) == STUN_VALUE_OK);
    REQUIRE(id == connection);
    REQUIRE(stun_message_xor_address(&indication, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &told) ==
            STUN_VALUE_OK);
    REQUIRE(transport_address_equal(&told, peer));
    for (unsigned i = 0; i < MODEL_ALLOCATIONS; i++) {
        const struct model_allocation *at = &run->model.allocations[i];
        REQUIRE(!at->live || at->id != allocation ||
                five_tuple_equal(&run->output.response_to, &at->five_tuple));
    }
}

// At a listener that is open, or was.
static void operate_accept(struct run *run)
{
    uint8_t choice = take(&run->input);
    struct listener listener = run->host.listeners[choice % 8];
    struct transport_address seen = choose_peer(run, take(&run->input)).address;
    const struct listener *from = &run->host.listeners[(choice >> 3) % 8];
    struct transport_address peer;
    uint32_t connection = 0;
    listener.allocation ^= choice >= 0xF8;
    if (choice >= 0xC0 && from->open)
        seen = (struct transport_address){.ip = run->config.relays[from->address.relay].local,
                                          .port = from->address.port};
    bool expected =
        model_judge_accept(&run->model, listener.allocation, listener.address, &seen, &peer);
    REQUIRE(turn_server_tcp_accepted(run->server, &run->now, listener.allocation, listener.address,
                                     &seen, &run->output, &connection) == expected);
    REQUIRE(run->output.command_count == 0);
    if (!expected) {
        REQUIRE(run->output.response_len == 0 && connection == 0);
        return;
    }
    require_attempt(run, listener.allocation, connection, &peer);
    model_accept(&run->model, listener.allocation, connection, &peer);
    host_open(&run->host, connection, listener.allocation, peer.ip.family);
}

static void operate_kernel(struct run *run)
{
    uint8_t choice = take(&run->input);
    run->model.kernel.refusals = choice & 0x80 ? choice % 16 : 0;
    run->model.kernel.is_exhausted = choice & 0x40;
}

// Bytes of no request that was signed: whatever the answer, nothing changes.
static void receive_unsigned(struct run *run, const struct five_tuple *five_tuple,
                             struct span bytes)
{
    struct turn_packet packet = {.five_tuple = *five_tuple, .bytes = bytes};
    turn_server_receive(run->server, &run->now, &packet, &run->output);
    REQUIRE(run->output.command_count == 0);
    REQUIRE(run->output.response_len <= TURN_RESPONSE_MAX_LEN);
}

static void operate_noise(struct run *run)
{
    struct five_tuple five_tuple = client_tuple(run, take(&run->input) % CLIENTS);
    size_t len = take(&run->input);
    if (len > run->input.size)
        len = run->input.size;
    receive_unsigned(run, &five_tuple, (struct span){.data = run->input.data, .len = len});
    run->input.data += len;
    run->input.size -= len;
}

// The last request with one bit wrong, before its integrity ends (what FINGERPRINT adds is not
// protected).
static void operate_tamper(struct run *run)
{
    static uint8_t buffer[4096];
    uint16_t place = (uint16_t)(take(&run->input) << 8 | take(&run->input));
    if (!run->last.valid)
        return;
    run->last.sender.fingerprint = false;
    struct span bytes = build(run, &run->last.sender, &run->last.request, buffer, sizeof(buffer));
    buffer[(place / 8) % bytes.len] ^= (uint8_t)(1 << place % 8);
    receive_unsigned(run, &run->last.request.five_tuple, bytes);
}

// A worker that starts anew is told all.
static void operate_walk(struct run *run)
{
    static struct plane told;
    uint64_t cursor = 0;
    memset(&told, 0, sizeof(told));
    while (turn_server_walk(run->server, &cursor, &run->output))
        plane_apply_output(run, &told);
    plane_apply_output(run, &told);
    require_same_installed(run, &told);
}

// Other limits, below and above what is in use; those that tables are sized by stay.
static void reload_limits(struct run *run, uint8_t choice)
{
    const struct turn_limits *room = &run->model.room;
    struct turn_limits *limits = &run->config.limits;
    limits->allocations = room->allocations - (choice & 1);
    limits->allocations_per_user = (choice >> 1) % 4;
    limits->permissions_per_allocation = 1 + (choice >> 3) % 5;
    limits->channels_per_allocation = 1 + (choice >> 5) % 3;
    limits->default_lifetime_s = choice & 0x40 ? 600 : 900;
    limits->max_lifetime_s = choice & 0x80 ? 3600 : 1800;
    limits->tcp_connections = room->tcp_connections - (choice & 1) * 2;
    limits->tcp_connections_per_allocation = 1 + (choice >> 6);
    turn_server_set_limits(run->server, limits);
}

// What the new policy denies is gone when the walk is over; a Connect under way is answered.
static void revoke(struct run *run)
{
    uint64_t cursor = 0;
    bool more = true;
    while (more) {
        more = turn_server_revoke(run->server, &cursor, &run->output);
        if (run->output.response_len != 0) {
            const struct waiting *waiting = require_late_response(run, 403);
            const struct model_connection *connection =
                model_find_connection(&run->model, waiting->connection);
            REQUIRE(connection != NULL && connection->state == MODEL_CONNECTING);
            REQUIRE(run->denies_more && is_denied_later(&connection->peer.ip));
        }
        plane_apply_output(run, &run->plane);
    }
    if (run->denies_more)
        model_revoke(&run->model, is_denied_later);
}

// Users, secrets, limits, peer policy and nonce key, as control/reload.c has them.
static void operate_reload(struct run *run)
{
    uint8_t choice = take(&run->input);
    struct nonce_policy *nonce = &run->config.stateless.nonce;
    reload_limits(run, take(&run->input));
    run->has_few_users = choice & 1;
    run->denies_more = choice & 2;
    run->config.credentials = shared_credentials(run->has_few_users);
    run->config.peer_policy = run->policies[run->denies_more];
    turn_server_set_access(run->server, run->config.credentials, run->config.peer_policy);
    if (choice & 4) {
        nonce->previous = nonce->current;
        nonce->current.mac.k[1]++;
        nonce->current.id++;
    }
    turn_server_set_stateless(run->server, &run->config.stateless);
    revoke(run);
}

// Up to three minutes most often; now and then half an hour or so.
static uint64_t choose_seconds(uint8_t choice)
{
    return choice < 0xF0 ? choice % 180u : (choice - 0xEFu) * 300;
}

static void operate(struct run *run)
{
    // What makes state comes more often than what ends it.
    static const uint8_t operations[64] = {
        [0 ... 13] = OPERATION_ALLOCATE,
        [14 ... 20] = OPERATION_REFRESH,
        [21 ... 29] = OPERATION_CREATE_PERMISSION,
        [30 ... 40] = OPERATION_CHANNEL_BIND,
        [41 ... 43] = OPERATION_RETRANSMIT,
        [44 ... 45] = OPERATION_PASS_MILLISECONDS,
        [46 ... 49] = OPERATION_PASS_SECONDS,
        [50 ... 52] = OPERATION_EXPIRE,
        [53 ... 56] = OPERATION_ACKNOWLEDGE_ONE,
        [57] = OPERATION_ACKNOWLEDGE_ALL,
        [58] = OPERATION_DISCONNECT,
        [59] = OPERATION_NOISE,
        [60 ... 61] = OPERATION_TAMPER,
        [62] = OPERATION_WALK,
        [63] = OPERATION_RELOAD,
    };
    static const uint8_t tcp_operations[32] = {
        [0 ... 8] = OPERATION_CONNECT,     [9 ... 15] = OPERATION_CONNECTION_BIND,
        [16 ... 20] = OPERATION_CONNECTED, [21 ... 26] = OPERATION_ACCEPT,
        [27 ... 28] = OPERATION_CLOSED,    [29] = OPERATION_DISCONNECT_DATA,
        [30 ... 31] = OPERATION_KERNEL,
    };
    uint8_t choice = take(&run->input);
    enum operation operation = (enum operation)operations[choice % 64];
    if (run->config.allow_tcp_relay && choice >= 0xA0)
        operation = (enum operation)tcp_operations[choice % 32];
    switch (operation) {
    case OPERATION_ALLOCATE:
    case OPERATION_REFRESH:
    case OPERATION_CREATE_PERMISSION:
    case OPERATION_CHANNEL_BIND:
    case OPERATION_CONNECT:
    case OPERATION_CONNECTION_BIND:
        operate_request(run, operation);
        break;
    case OPERATION_CONNECTED:
        operate_connected(run);
        break;
    case OPERATION_ACCEPT:
        operate_accept(run);
        break;
    case OPERATION_CLOSED:
        operate_closed(run);
        break;
    case OPERATION_DISCONNECT_DATA:
        disconnect(run, CLIENTS + take(&run->input) % DATA_CLIENTS);
        break;
    case OPERATION_KERNEL:
        operate_kernel(run);
        break;
    case OPERATION_RETRANSMIT:
        operate_retransmit(run);
        break;
    case OPERATION_PASS_MILLISECONDS:
        pass(run, take(&run->input) * 7u);
        break;
    case OPERATION_PASS_SECONDS:
        pass(run, choose_seconds(take(&run->input)) * 1000);
        break;
    case OPERATION_EXPIRE:
        operate_expire(run);
        break;
    case OPERATION_ACKNOWLEDGE_ONE:
        operate_acknowledge_one(run);
        break;
    case OPERATION_ACKNOWLEDGE_ALL:
        acknowledge_all(run);
        break;
    case OPERATION_DISCONNECT:
        disconnect(run, take(&run->input) % CLIENTS);
        break;
    case OPERATION_NOISE:
        operate_noise(run);
        break;
    case OPERATION_TAMPER:
        operate_tamper(run);
        break;
    case OPERATION_WALK:
        operate_walk(run);
        break;
    default:
        operate_reload(run);
        break;
    }
    require_same(run);
}

// Everybody goes, and nothing is left.
static void finish(struct run *run)
{
    static const struct turn_usage nothing;
    struct turn_usage usage;
    for (unsigned client = 0; client < CLIENTS + DATA_CLIENTS; client++)
        disconnect(run, client);
    pass(run, 31000);
    operate_expire(run);
    acknowledge_all(run);
    require_same(run);
    turn_server_usage(run->server, &usage);
    REQUIRE(memcmp(&usage, &nothing, sizeof(usage)) == 0);
    REQUIRE(turn_server_next_expiry_ms(run->server) == UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    memset(&run, 0, sizeof(run));
    run.input = (struct input){.data = data, .size = size};
    start(&run);
    while (run.input.size > 0)
        operate(&run);
    finish(&run);
    turn_server_destroy(run.server);
    for (unsigned i = 0; i < 2; i++)
        peer_policy_destroy(run.policies[i]);
    return 0;
}
