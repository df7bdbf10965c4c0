// SPDX-License-Identifier: BSD-3-Clause
// What a request costs the control plane: the TURN server's own code, fed with signed messages,
// without I/O. Messages are made and signed outside of the timed region; every response is looked
// at.
#include "base/address.h"
#include "base/bytes.h"
#include "base/random.h"
#include "proto/builder.h"
#include "proto/integrity.h"
#include "proto/nonce.h"
#include "turn/server.h"

#include <getopt.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define REALM           "example.org"
#define SECRET          "north"
#define WALL_S          1700000000
#define MESSAGE_MAX_LEN 512
#define PORTS_A_RELAY   (65535 - 1024 + 1)
#define CLIENTS_A_HOST  50000
#define FIRST_PORT      10000
#define CHUNK           1000
#define ALLOCATIONS_MAX 1000000

enum phase {
    PHASE_ALLOCATE,
    PHASE_CREATE_PERMISSION,
    PHASE_CHANNEL_BIND,
    PHASE_REFRESH,
    PHASE_DELETE,
    PHASE_COUNT,
};

static const char *const phase_names[PHASE_COUNT] = {
    "Allocate", "CreatePermission", "ChannelBind", "Refresh", "Refresh to 0",
};

struct options {
    uint32_t allocations;
    uint32_t users;
    bool rest;
    bool sha256;
    const char *json;
};

struct user {
    char name[64];
    char password[64];
    struct integrity_key key;
};

struct message {
    struct turn_packet packet;
    uint8_t bytes[MESSAGE_MAX_LEN];
};

struct figure { // cycles a request
    double median;
    double min;
    double max;
};

struct bench {
    struct options options;
    struct user *users;
    struct credentials *credentials;
    struct peer_policy *policy;
    struct turn_config config;
    struct turn_server *server;
    struct turn_time now;
    struct message *messages;
    struct turn_output output;
    double *samples; // cycles a request, of each chunk
    struct figure figures[PHASE_COUNT];
    double tsc_hz;
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "requests: %s\n", what);
    exit(EXIT_FAILURE);
}

static struct span text_span(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static void set_rest_password(struct user *user)
{
    uint8_t mac[20];
    require(HMAC(EVP_sha1(), SECRET, (int)strlen(SECRET), (const uint8_t *)user->name,
                 strlen(user->name), mac, NULL) != NULL,
            "no HMAC");
    EVP_EncodeBlock((uint8_t *)user->password, mac, sizeof(mac));
}

static void make_users(struct bench *bench)
{
    const struct options *options = &bench->options;
    require(credentials_create(REALM, &bench->credentials) == 0, "no credentials");
    if (options->rest)
        require(credentials_add_rest_secret(bench->credentials, text_span(SECRET)) == 0,
                "no secret");
    bench->users = calloc(options->users, sizeof(*bench->users));
    require(bench->users != NULL, "no memory");
    for (uint32_t i = 0; i < options->users; i++) {
        struct user *user = &bench->users[i];
        snprintf(user->name, sizeof(user->name), "%u:user%u", WALL_S + 86400, i);
        snprintf(user->password, sizeof(user->password), "password %u", i);
        if (options->rest)
            set_rest_password(user);
        else
            require(credentials_add_user(bench->credentials, user->name, user->password) == 0,
                    "no user");
        require(integrity_key_derive(options->sha256 ? STUN_PASSWORD_ALGORITHM_SHA256
                                                     : STUN_PASSWORD_ALGORITHM_MD5,
                                     text_span(user->name), text_span(REALM),
                                     text_span(user->password), &user->key) == 0,
                "no key");
    }
}

static void make_server(struct bench *bench)
{
    uint32_t allocations = bench->options.allocations;
    struct turn_config *config = &bench->config;
    require(peer_policy_create(NULL, 0, NULL, 0, &bench->policy) == 0, "no peer policy");
    *config = (struct turn_config){
        .limits = {.allocations = allocations,
                   .allocations_per_worker = allocations,
                   .permissions_per_worker = 2 * allocations,
                   .channels_per_worker = allocations,
                   .permissions_per_allocation = 64,
                   .channels_per_allocation = 64,
                   .default_lifetime_s = 600,
                   .max_lifetime_s = 3600},
        .relay_count = (uint16_t)(1 + allocations / (PORTS_A_RELAY / 2)),
        .worker_count = 1,
        .credentials = bench->credentials,
        .peer_policy = bench->policy,
        .random = random_system,
    };
    require(config->relay_count <= TURN_RELAYS_MAX, "too many allocations for the relay addresses");
    for (uint16_t i = 0; i < config->relay_count; i++) {
        uint8_t ip[4] = {203, 0, 113, (uint8_t)(i + 1)};
        struct ip_address address = ip_address_from_bytes(IP_FAMILY_V4, ip);
        config->relays[i] = (struct turn_relay){address, address, 1024, 65535};
    }
    strcpy(config->stateless.realm, REALM);
    strcpy(config->stateless.software, "turnpike");
    random_fill(&random_system, &config->stateless.nonce.current.mac,
                sizeof(config->stateless.nonce.current.mac));
    config->stateless.nonce.previous = config->stateless.nonce.current;
    config->stateless.nonce.lifetime_s = 3600;
    config->stateless.nonce.features = NONCE_FEATURE_PASSWORD_ALGORITHMS;
    bench->now = (struct turn_time){.monotonic_ms = 5000000, .wall_s = WALL_S};
    require(turn_server_create(config, &bench->server) == 0, "no server");
}

static struct five_tuple five_tuple_of(uint32_t client)
{
    uint8_t ip[4];
    store_be32(ip, 0x0C000000 + client / CLIENTS_A_HOST);
    uint8_t server[4] = {203, 0, 113, 1};
    return (struct five_tuple){
        .client = {ip_address_from_bytes(IP_FAMILY_V4, ip),
                   (uint16_t)(FIRST_PORT + client % CLIENTS_A_HOST)},
        .server = {ip_address_from_bytes(IP_FAMILY_V4, server), 3478},
        .transport = FIVE_TUPLE_UDP,
    };
}

static struct transport_address peer_of(uint32_t client)
{
    uint8_t ip[4];
    store_be32(ip, 0x08000000 + client);
    return (struct transport_address){ip_address_from_bytes(IP_FAMILY_V4, ip), 5000};
}

static void add_attributes(struct stun_builder *builder, enum phase phase, uint32_t client)
{
    struct transport_address peer = peer_of(client);
    switch (phase) {
    case PHASE_ALLOCATE:
        stun_add_requested_transport(builder, 17);
        break;
    case PHASE_CHANNEL_BIND:
        stun_add_channel_number(builder, 0x4000);
        stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
        break;
    case PHASE_CREATE_PERMISSION:
        stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
        break;
    case PHASE_DELETE:
        stun_add_u32(builder, STUN_ATTRIBUTE_LIFETIME, 0);
        break;
    default:
        break;
    }
}

static void sign(const struct bench *bench, struct stun_builder *builder,
                 const struct five_tuple *tuple, const struct user *user)
{
    static const uint16_t offered[] = {STUN_PASSWORD_ALGORITHM_SHA256, STUN_PASSWORD_ALGORITHM_MD5};
    uint8_t nonce[NONCE_LEN];
    nonce_mint(&bench->config.stateless.nonce, &tuple->client,
               (uint32_t)(bench->now.monotonic_ms / 1000), 7, nonce);
    stun_add_string(builder, STUN_ATTRIBUTE_USERNAME, user->name);
    stun_add_string(builder, STUN_ATTRIBUTE_REALM, REALM);
    stun_add_bytes(builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    if (!bench->options.sha256) {
        stun_add_message_integrity(builder, &user->key);
        return;
    }
    stun_add_password_algorithms(builder, offered, 2);
    stun_add_password_algorithm(builder, STUN_PASSWORD_ALGORITHM_SHA256);
    stun_add_message_integrity_sha256(builder, &user->key);
}

static void make_message(const struct bench *bench, enum phase phase, uint32_t client,
                         struct message *message)
{
    static const uint16_t methods[PHASE_COUNT] = {
        STUN_METHOD_ALLOCATE, STUN_METHOD_CREATE_PERMISSION, STUN_METHOD_CHANNEL_BIND,
        STUN_METHOD_REFRESH,  STUN_METHOD_REFRESH,
    };
    const struct user *user = &bench->users[client % bench->options.users];
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = {(uint8_t)phase};
    struct stun_builder builder;
    store_be32(transaction_id + 8, client);
    message->packet = (struct turn_packet){.five_tuple = five_tuple_of(client)};
    stun_builder_init(&builder, message->bytes, sizeof(message->bytes), STUN_CLASS_REQUEST,
                      methods[phase], transaction_id);
    add_attributes(&builder, phase, client);
    sign(bench, &builder, &message->packet.five_tuple, user);
    message->packet.bytes = (struct span){message->bytes, stun_builder_finish(&builder)};
    require(message->packet.bytes.len > 0, "a message does not fit");
}

// The worker's part.
static void acknowledge(struct bench *bench)
{
    for (unsigned i = 0; i < bench->output.command_count; i++) {
        if (bench->output.commands[i].kind == TURN_COMMAND_REMOVE_ALLOCATION)
            turn_server_removed(bench->server, &bench->now, bench->output.commands[i].allocation,
                                NULL);
    }
}

// Cycles a request.
static double run_chunk(struct bench *bench, uint32_t count)
{
    uint32_t succeeded = 0;
    uint64_t start = __rdtsc();
    for (uint32_t i = 0; i < count; i++) {
        turn_server_receive(bench->server, &bench->now, &bench->messages[i].packet, &bench->output);
        succeeded += bench->output.response_len > 0 && bench->output.response_error == 0;
        acknowledge(bench);
    }
    uint64_t cycles = __rdtsc() - start;
    require(succeeded == count, "a request was refused");
    return (double)cycles / count;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void run_phase(struct bench *bench, enum phase phase)
{
    uint32_t total = bench->options.allocations, chunks = 0;
    for (uint32_t first = 0; first < total; first += CHUNK) {
        uint32_t left = total - first;
        uint32_t count = left < CHUNK ? left : CHUNK;
        for (uint32_t i = 0; i < count; i++)
            make_message(bench, phase, first + i, &bench->messages[i]);
        bench->samples[chunks++] = run_chunk(bench, count);
    }
    qsort(bench->samples, chunks, sizeof(*bench->samples), compare);
    struct figure figure = {bench->samples[chunks / 2], bench->samples[0],
                            bench->samples[chunks - 1]};
    char text[64];
    snprintf(text, sizeof(text), "%.0f (%.0f-%.0f)", figure.median, figure.min, figure.max);
    printf("%-17s %-24s %12.0f\n", phase_names[phase], text, bench->tsc_hz / figure.median);
    fflush(stdout);
    bench->figures[phase] = figure;
}

static double measure_tsc_hz(void)
{
    struct timespec before, after, pause = {.tv_nsec = 100000000};
    clock_gettime(CLOCK_MONOTONIC_RAW, &before);
    uint64_t start = __rdtsc();
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC_RAW, &after);
    uint64_t cycles = __rdtsc() - start;
    return (double)cycles / ((double)(after.tv_sec - before.tv_sec) +
                             (double)(after.tv_nsec - before.tv_nsec) / 1e9);
}

static const char help[] =
    "usage: requests [OPTION...]\n"
    "\n"
    "What a request costs the control plane, in TSC cycles: the TURN server's own code, fed with\n"
    "signed messages of as many clients as there are allocations, without I/O. Every response is\n"
    "looked at; an error ends the run.\n"
    "\n"
    "  --allocations N     made, permitted, bound, refreshed and deleted one after the other "
    "(100000)\n"
    "  --users N           whose they are, in turn (1000)\n"
    "  --credentials KIND  of the configuration: users; or time-limited ones of a secret: rest "
    "(users)\n"
    "  --sha256            clients of RFC 8489, with SHA-256 keys and MACs, in place of RFC "
    "5389's\n"
    "  --json FILE         the figures, for programs\n"
    "  --help\n"
    "\n"
    "Timed: turn_server_receive(), for each 1000 requests: parsing, nonce, integrity, state, "
    "commands\n"
    "and the signed response; and taking in what a worker acknowledges. Not timed: making the\n"
    "requests, the packets around them, carrying the commands out.\n";

static void refuse(const char *text) __attribute__((noreturn));

static void refuse(const char *text)
{
    fprintf(stderr, "requests: '%s' is not allowed here; see --help\n", text);
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

static void read_options(int argc, char **argv, struct options *options)
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
    *options = (struct options){.allocations = 100000, .users = 1000};
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'a':
            options->allocations = read_count(optarg, ALLOCATIONS_MAX);
            break;
        case 'u':
            options->users = read_count(optarg, ALLOCATIONS_MAX);
            break;
        case 'c':
            options->rest = strcmp(optarg, "rest") == 0;
            if (!options->rest && strcmp(optarg, "users") != 0)
                refuse(optarg);
            break;
        case 's':
            options->sha256 = true;
            break;
        case 'j':
            options->json = optarg;
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
}

static void write_json(const struct bench *bench)
{
    const struct options *options = &bench->options;
    FILE *file = fopen(options->json, "w");
    require(file != NULL, "cannot write the JSON file");
    fprintf(file, "{\"tsc_hz\": %.0f, \"allocations\": %" PRIu32 ", \"users\": %" PRIu32 ",\n",
            bench->tsc_hz, options->allocations, options->users);
    fprintf(file, " \"credentials\": \"%s\", \"sha256\": %s, \"results\": [",
            options->rest ? "rest" : "users", options->sha256 ? "true" : "false");
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
        const struct figure *figure = &bench->figures[phase];
        fprintf(file,
                "%s\n  {\"request\": \"%s\", \"cycles\": {\"median\": %.0f, \"min\": %.0f, "
                "\"max\": %.0f}, \"per_second\": %.0f}",
                phase > 0 ? "," : "", phase_names[phase], figure->median, figure->min, figure->max,
                bench->tsc_hz / figure->median);
    }
    fprintf(file, "\n]}\n");
    require(fclose(file) == 0, "cannot write the JSON file");
}

int main(int argc, char **argv)
{
    static struct bench bench;
    read_options(argc, argv, &bench.options);
    bench.tsc_hz = measure_tsc_hz();
    bench.messages = calloc(CHUNK, sizeof(*bench.messages));
    bench.samples = calloc(bench.options.allocations / CHUNK + 1, sizeof(*bench.samples));
    require(bench.messages != NULL && bench.samples != NULL, "no memory");
    make_users(&bench);
    make_server(&bench);
    printf("TSC %.2f GHz; cycles a request: median (least-most) of every %d requests\n",
           bench.tsc_hz / 1e9, CHUNK);
    printf("%-17s %-24s %12s\n", "request", "cycles", "requests/s");
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
        run_phase(&bench, (enum phase)phase);
    if (bench.options.json != NULL)
        write_json(&bench);
    turn_server_destroy(bench.server);
    peer_policy_destroy(bench.policy);
    credentials_destroy(bench.credentials);
    free(bench.users);
    free(bench.messages);
    free(bench.samples);
    return EXIT_SUCCESS;
}
