// SPDX-License-Identifier: BSD-3-Clause
// See clients.h.
#include "clients.h"

#include "proto/builder.h"
#include "proto/nonce.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REALM          "example.org"
#define SECRET         "north"
#define DAY_S          86400
#define MIN_PORT       1024
#define PORTS_A_RELAY  (65535 - MIN_PORT + 1)
#define CLIENTS_A_HOST 50000
#define FIRST_PORT     10000
#define LISTENING_PORT 3478
#define CHANNEL        0x4000

const char *const client_request_names[CLIENT_REQUEST_COUNT] = {
    "Allocate", "CreatePermission", "ChannelBind", "Refresh", "Refresh to 0",
};

static const uint16_t methods[CLIENT_REQUEST_COUNT] = {
    STUN_METHOD_ALLOCATE, STUN_METHOD_CREATE_PERMISSION, STUN_METHOD_CHANNEL_BIND,
    STUN_METHOD_REFRESH,  STUN_METHOD_REFRESH,
};

void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(EXIT_FAILURE);
}

// Options.

const char client_options_help[] =
    "  --allocations N     made, permitted, bound, refreshed and deleted one after the other "
    "(100000)\n"
    "  --users N           whose they are, in turn (1000)\n"
    "  --credentials KIND  of the configuration: users; or time-limited ones of a secret: rest "
    "(users)\n"
    "  --sha256            clients of RFC 8489, with SHA-256 keys and MACs, in place of RFC "
    "5389's\n"
    "  --json FILE         the figures, for programs\n"
    "  --help\n";

static void refuse(const char *text) __attribute__((noreturn));

static void refuse(const char *text)
{
    fprintf(stderr, "%s: '%s' is not allowed here; see --help\n", program_invocation_short_name,
            text);
    exit(2);
}

static uint32_t read_count(const char *text, uint32_t max)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text == '-' || end == text || *end != '\0' || number < 1 || number > max)
        refuse(text);
    return (uint32_t)number;
}

void client_options_read(int argc, char **argv, const char *help,
                         struct client_options *ret_options)
{
    static const struct option long_options[] = {
        {"allocations", required_argument, NULL, 'a'},
        {"users", required_argument, NULL, 'u'},
        {"credentials", required_argument, NULL, 'c'},
        {"sha256", no_argument, NULL, 's'},
        {"json", required_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct client_options options = {.allocations = 100000, .users = 1000};
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'a':
            options.allocations = read_count(optarg, CLIENTS_MAX);
            break;
        case 'u':
            options.users = read_count(optarg, CLIENTS_USERS_MAX);
            break;
        case 'c':
            options.rest = strcmp(optarg, "rest") == 0;
            if (!options.rest && strcmp(optarg, "users") != 0)
                refuse(optarg);
            break;
        case 's':
            options.sha256 = true;
            break;
        case 'j':
            options.json = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            exit(2);
        }
    }
    if (optind < argc)
        refuse(argv[optind]);
    *ret_options = options;
}

void client_options_write(const struct client_options *options, double tsc_hz,
                          struct results_file *ret_file)
{
    results_open(ret_file, options->json, tsc_hz);
    results_member(ret_file, "allocations", "%u", options->allocations);
    results_member(ret_file, "users", "%u", options->users);
    results_member(ret_file, "credentials", "\"%s\"", options->rest ? "rest" : "users");
    results_member(ret_file, "sha256", "%s", options->sha256 ? "true" : "false");
}

// Users.

static struct span text_span(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static void set_rest_password(struct client_user *user)
{
    uint8_t mac[20];
    require(HMAC(EVP_sha1(), SECRET, (int)strlen(SECRET), (const uint8_t *)user->name,
                 strlen(user->name), mac, NULL) != NULL,
            "no HMAC");
    EVP_EncodeBlock((uint8_t *)user->password, mac, sizeof(mac));
}

static void make_user(struct clients *clients, uint32_t index, uint64_t wall_s)
{
    const struct client_options *options = &clients->options;
    struct client_user *user = &clients->users[index];
    snprintf(user->name, sizeof(user->name), "%ju:user%u", (uintmax_t)(wall_s + DAY_S), index);
    snprintf(user->password, sizeof(user->password), "password %u", index);
    if (options->rest)
        set_rest_password(user);
    else
        require(credentials_add_user(clients->credentials, user->name, user->password) == 0,
                "no user");
    require(integrity_key_derive(options->sha256 ? STUN_PASSWORD_ALGORITHM_SHA256
                                                 : STUN_PASSWORD_ALGORITHM_MD5,
                                 text_span(user->name), text_span(REALM), text_span(user->password),
                                 &user->key) == 0,
            "no key");
}

static void make_stateless(struct stateless_policy *policy)
{
    strcpy(policy->realm, REALM);
    strcpy(policy->software, "turnpike");
    random_fill(&random_system, &policy->nonce.current.mac, sizeof(policy->nonce.current.mac));
    policy->nonce.previous = policy->nonce.current;
    policy->nonce.lifetime_s = 3600;
    policy->nonce.features = NONCE_FEATURE_PASSWORD_ALGORITHMS;
}

void clients_create(struct clients *clients, const struct client_options *options, uint64_t wall_s)
{
    *clients = (struct clients){.options = *options};
    require(credentials_create(REALM, &clients->credentials) == 0, "no credentials");
    require(peer_policy_create(NULL, 0, NULL, 0, &clients->policy) == 0, "no peer policy");
    if (options->rest)
        require(credentials_add_rest_secret(clients->credentials, text_span(SECRET)) == 0,
                "no secret");
    clients->users = calloc(options->users, sizeof(*clients->users));
    require(clients->users != NULL, "no memory");
    for (uint32_t i = 0; i < options->users; i++)
        make_user(clients, i, wall_s);
    make_stateless(&clients->stateless);
}

void clients_destroy(struct clients *clients)
{
    peer_policy_destroy(clients->policy);
    credentials_destroy(clients->credentials);
    free(clients->users);
}

void clients_configure(const struct clients *clients, struct turn_config *config)
{
    config->stateless = clients->stateless;
    // A pair for each: the ports are not to run out.
    config->relay_count = (uint16_t)(1 + clients->options.allocations / (PORTS_A_RELAY / 2));
    config->worker_count = 1;
    config->credentials = clients->credentials;
    config->peer_policy = clients->policy;
    config->random = random_system;
    require(config->relay_count <= TURN_RELAYS_MAX, "too many allocations for the relay addresses");
    for (uint16_t i = 0; i < config->relay_count; i++) {
        uint8_t ip[4] = {203, 0, 113, (uint8_t)(i + 1)};
        struct ip_address address = ip_address_from_bytes(IP_FAMILY_V4, ip);
        config->relays[i] = (struct turn_relay){address, address, MIN_PORT, 65535};
    }
}

// Requests.

struct five_tuple client_five_tuple(uint32_t client)
{
    uint8_t ip[4];
    store_be32(ip, 0x0C000000 + client / CLIENTS_A_HOST);
    uint8_t server[4] = {203, 0, 113, 250}; // no relay's
    return (struct five_tuple){
        .client = {ip_address_from_bytes(IP_FAMILY_V4, ip),
                   (uint16_t)(FIRST_PORT + client % CLIENTS_A_HOST)},
        .server = {ip_address_from_bytes(IP_FAMILY_V4, server), LISTENING_PORT},
        .transport = FIVE_TUPLE_UDP,
    };
}

static struct transport_address peer_of(uint32_t client)
{
    uint8_t ip[4];
    store_be32(ip, 0x08000000 + client);
    return (struct transport_address){ip_address_from_bytes(IP_FAMILY_V4, ip), 5000};
}

static void make_id(enum client_request request, uint32_t client,
                    uint8_t ret_id[STUN_TRANSACTION_ID_LEN])
{
    memset(ret_id, 0, STUN_TRANSACTION_ID_LEN);
    ret_id[0] = (uint8_t)request;
    store_be32(ret_id + 8, client);
}

static const struct client_user *user_of(const struct clients *clients, uint32_t client)
{
    return &clients->users[client % clients->options.users];
}

static void add_attributes(struct stun_builder *builder, enum client_request request,
                           uint32_t client)
{
    struct transport_address peer = peer_of(client);
    switch (request) {
    case CLIENT_ALLOCATE:
        stun_add_requested_transport(builder, 17);
        break;
    case CLIENT_CHANNEL_BIND:
        stun_add_channel_number(builder, CHANNEL);
        stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
        break;
    case CLIENT_CREATE_PERMISSION:
        stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
        break;
    case CLIENT_DELETE:
        stun_add_u32(builder, STUN_ATTRIBUTE_LIFETIME, 0);
        break;
    default:
        break;
    }
}

static void sign(const struct clients *clients, struct stun_builder *builder, uint32_t client,
                 uint64_t monotonic_ms)
{
    static const uint16_t offered[] = {STUN_PASSWORD_ALGORITHM_SHA256, STUN_PASSWORD_ALGORITHM_MD5};
    const struct client_user *user = user_of(clients, client);
    struct five_tuple tuple = client_five_tuple(client);
    uint8_t nonce[NONCE_LEN];
    nonce_mint(&clients->stateless.nonce, &tuple.client, (uint32_t)(monotonic_ms / 1000), 7, nonce);
    stun_add_string(builder, STUN_ATTRIBUTE_USERNAME, user->name);
    stun_add_string(builder, STUN_ATTRIBUTE_REALM, REALM);
    stun_add_bytes(builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    if (!clients->options.sha256) {
        stun_add_message_integrity(builder, &user->key);
        return;
    }
    stun_add_password_algorithms(builder, offered, 2);
    stun_add_password_algorithm(builder, STUN_PASSWORD_ALGORITHM_SHA256);
    stun_add_message_integrity_sha256(builder, &user->key);
}

size_t client_write(const struct clients *clients, enum client_request request, uint32_t client,
                    uint64_t monotonic_ms, uint8_t bytes[CLIENT_MESSAGE_MAX_LEN])
{
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    struct stun_builder builder;
    make_id(request, client, id);
    stun_builder_init(&builder, bytes, CLIENT_MESSAGE_MAX_LEN, STUN_CLASS_REQUEST, methods[request],
                      id);
    add_attributes(&builder, request, client);
    sign(clients, &builder, client, monotonic_ms);
    size_t len = stun_builder_finish(&builder);
    require(len > 0, "a message does not fit");
    return len;
}

bool client_is_served(const struct clients *clients, enum client_request request, uint32_t client,
                      struct span response)
{
    const struct client_user *user = user_of(clients, client);
    struct five_tuple tuple = client_five_tuple(client);
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    struct stun_message message;
    struct transport_address mapped, relayed;

    make_id(request, client, id);
    if (stun_message_parse(response, &message) != STUN_VALID ||
        message.message_class != STUN_CLASS_SUCCESS || message.method != methods[request] ||
        memcmp(message.transaction_id, id, sizeof(id)) != 0 ||
        !credentials_mac_matches(&message, &user->key))
        return false;
    return request != CLIENT_ALLOCATE ||
           (stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped) ==
                STUN_VALUE_OK &&
            stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS, &relayed) ==
                STUN_VALUE_OK &&
            transport_address_equal(&mapped, &tuple.client) && relayed.port >= MIN_PORT);
}
