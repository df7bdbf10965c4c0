// SPDX-License-Identifier: BSD-3-Clause
// Two workers and a TURN server between them and the wire: frames of any content, fragments, ICMP
// errors, requests with good credentials whose punts reach the server and whose answers leave
// through the workers. What must hold: every frame ends in exactly one counted place, every frame
// that leaves is well formed, and when all has expired every table, pool and port is as it was.
#include "dataplane/worker.h"

#include "base/clock.h"
#include "base/random.h"
#include "exchange/client_home.h"
#include "exchange/plane.h"
#include "exchange/reply.h"
#include "fuzz.h"
#include "proto/builder.h"
#include "proto/channel_data.h"
#include "proto/integrity.h"
#include "turn/server.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>

#define WORKERS        2
#define CLIENTS        4
#define PEERS          4
#define ALLOCATIONS    6
#define LISTENERS      2
#define RELAYS         2
#define RELAY_MIN_PORT 50000
#define RELAY_MAX_PORT 50255 // both workers' slices
#define FRAME_MAX      2048
#define TO_ANYONE      1 // adjacency

static struct rte_mempool *pool;
static struct rte_ring *port_rx[WORKERS];
static struct rte_ring *port_tx[WORKERS];
static uint16_t ports[WORKERS];
static struct credentials *credentials;
static struct peer_policy *peer_policy;
static struct integrity_key user_key;

static struct transport_address listeners[LISTENERS];
static struct transport_address clients[CLIENTS]; // client n talks to listener n % 2
static struct transport_address peers[PEERS];
static struct plane_relay relays[RELAYS];

// One run.
struct run {
    struct plane *plane;
    struct worker *workers[WORKERS];
    struct turn_server *server;
    uint64_t time_offset_ms;
    uint64_t transmits;
    bool sums_are_right;                    // no frame with a checksum of its own making went in
    struct turn_command known[ALLOCATIONS]; // the INSTALL_ALLOCATION of each live id
};

// What is left of the input.
struct input {
    const uint8_t *bytes;
    size_t len;
};

static uint8_t take_byte(struct input *input)
{
    if (input->len == 0)
        return 0;
    input->len--;
    return *input->bytes++;
}

static struct span take_bytes(struct input *input, size_t len)
{
    struct span taken = {input->bytes, len < input->len ? len : input->len};

    input->bytes += taken.len;
    input->len -= taken.len;
    return taken;
}

static struct transport_address address(const char *text)
{
    struct transport_address result;

    REQUIRE(transport_address_parse(text, &result) == 0);
    return result;
}

static void start_port(unsigned worker)
{
    char name[32];
    struct rte_eth_conf conf;

    snprintf(name, sizeof(name), "rx%u", worker);
    port_rx[worker] = rte_ring_create(name, 1024, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "tx%u", worker);
    port_tx[worker] = rte_ring_create(name, 1024, SOCKET_ID_ANY, 0);
    snprintf(name, sizeof(name), "port%u", worker);
    int port = rte_eth_from_rings(name, &port_rx[worker], 1, &port_tx[worker], 1, 0);
    REQUIRE(port >= 0);
    ports[worker] = (uint16_t)port;
    memset(&conf, 0, sizeof(conf));
    REQUIRE(rte_eth_dev_configure(ports[worker], 1, 1, &conf) == 0);
    REQUIRE(rte_eth_rx_queue_setup(ports[worker], 0, 64, 0, NULL, pool) == 0);
    REQUIRE(rte_eth_tx_queue_setup(ports[worker], 0, 64, 0, NULL) == 0);
    REQUIRE(rte_eth_dev_start(ports[worker]) == 0);
}

static void start_eal(void)
{
    const char *const arguments[] = {
        "fuzz", "--no-huge",   "--no-pci",       "-m",          "256",  "-l",
        "0",    "--no-shconf", "--no-telemetry", "--log-level", "error"};
    char *argv[sizeof(arguments) / sizeof(arguments[0])];
    int argc = 0;

    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
        argv[argc++] = (char *)(uintptr_t)arguments[i];
    REQUIRE(rte_eal_init(argc, argv) >= 0);
    pool = rte_pktmbuf_pool_create("fuzz", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    REQUIRE(pool != NULL);
    for (unsigned worker = 0; worker < WORKERS; worker++)
        start_port(worker);
}

static void start_addresses(void)
{
    listeners[0] = address("203.0.113.1:3478");
    listeners[1] = address("[2001:db8:1::1]:3478");
    clients[0] = address("192.0.2.1:1001");
    clients[1] = address("[2001:db8:2::1]:1001");
    clients[2] = address("192.0.2.1:1002");
    clients[3] = address("[2001:db8:2::2]:1001");
    peers[0] = address("192.0.2.101:2001");
    peers[1] = address("[2001:db8:3::1]:2001");
    peers[2] = address("192.0.2.101:2002");
    peers[3] = address("198.51.100.5:50000"); // a relayed address: through the hairpin
    relays[0] = (struct plane_relay){address("10.0.0.5:1").ip, address("198.51.100.5:1").ip,
                                     RELAY_MIN_PORT, RELAY_MAX_PORT};
    relays[1] =
        (struct plane_relay){address("[2001:db8:5::5]:1").ip, address("[2001:db8:5::5]:1").ip,
                             RELAY_MIN_PORT, RELAY_MAX_PORT};
}

static void start_once(void)
{
    struct ip_prefix allowed[2];

    if (pool != NULL)
        return;
    start_eal();
    start_addresses();
    REQUIRE(credentials_create("example.org", &credentials) == 0);
    REQUIRE(credentials_add_user(credentials, "user", "secret") == 0);
    REQUIRE(integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5,
                                 (struct span){(const uint8_t *)"user", 4},
                                 (struct span){(const uint8_t *)"example.org", 11},
                                 (struct span){(const uint8_t *)"secret", 6}, &user_key) == 0);
    REQUIRE(ip_prefix_parse("192.0.2.0/24", &allowed[0]) == 0);
    REQUIRE(ip_prefix_parse("2001:db8::/32", &allowed[1]) == 0);
    REQUIRE(peer_policy_create(allowed, 2, NULL, 0, &peer_policy) == 0);
    for (unsigned i = 0; i < RELAYS; i++)
        REQUIRE(peer_policy_add_relay(peer_policy, &relays[i].advertised, RELAY_MIN_PORT,
                                      RELAY_MAX_PORT) == 0);
}

static void make_stateless(struct stateless_policy *policy)
{
    memset(policy, 0, sizeof(*policy));
    policy->nonce.current.mac.k[0] = 1;
    policy->nonce.previous = policy->nonce.current;
    policy->nonce.lifetime_s = 1u << 20;
    strcpy(policy->realm, "example.org");
}

static void make_plane_config(struct plane_config *config)
{
    memset(config, 0, sizeof(*config));
    memcpy(config->listeners, listeners, sizeof(listeners));
    memcpy(config->relays, relays, sizeof(relays));
    config->listener_count = LISTENERS;
    config->relay_count = RELAYS;
    config->worker_count = WORKERS;
    config->allocations = ALLOCATIONS;
    config->allocations_per_worker = ALLOCATIONS;
    config->permissions_per_worker = 24;
    config->channels_per_worker = 12;
    config->steerings_per_worker = ALLOCATIONS;
    config->adjacencies = 2;
    config->command_ring_len = 1024;
    config->punt_ring_len = 16;
    config->handoff_ring_len = 16;
    make_stateless(&config->stateless);
}

static void make_turn_config(struct turn_config *config)
{
    memset(config, 0, sizeof(*config));
    make_stateless(&config->stateless);
    config->limits.allocations = ALLOCATIONS;
    config->limits.allocations_per_worker = ALLOCATIONS;
    config->limits.permissions_per_worker = 24;
    config->limits.channels_per_worker = 12;
    config->limits.permissions_per_allocation = 8;
    config->limits.channels_per_allocation = 4;
    config->limits.default_lifetime_s = 600;
    config->limits.max_lifetime_s = 3600;
    config->relay_count = RELAYS;
    for (unsigned i = 0; i < RELAYS; i++)
        config->relays[i] = (struct turn_relay){relays[i].local, relays[i].advertised,
                                                RELAY_MIN_PORT, RELAY_MAX_PORT};
    config->worker_count = WORKERS;
    config->credentials = credentials;
    config->peer_policy = peer_policy;
    config->random = random_system;
}

static void send_command(struct run *run, unsigned worker, const struct command *command)
{
    while (plane_command_send(run->plane, (uint16_t)worker, command) != 0)
        worker_poll(run->workers[worker]);
}

static void run_start(struct run *run)
{
    struct plane_config plane_config;
    struct turn_config turn_config;
    struct command adjacency;

    memset(run, 0, sizeof(*run));
    run->sums_are_right = true;
    make_plane_config(&plane_config);
    make_turn_config(&turn_config);
    REQUIRE(plane_create(&plane_config, &run->plane) == 0);
    REQUIRE(turn_server_create(&turn_config, &run->server) == 0);
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        struct worker_config config = {
            .plane = run->plane,
            .id = (uint16_t)worker,
            .port = ports[worker],
            .socket = SOCKET_ID_ANY,
            .pool = pool,
        };

        REQUIRE(worker_create(&config, &run->workers[worker]) == 0);
        memset(&adjacency, 0, sizeof(adjacency));
        adjacency.kind = COMMAND_SET_ADJACENCY;
        adjacency.set_adjacency.index = TO_ANYONE;
        adjacency.set_adjacency.adjacency = (struct adjacency){
            {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, 600, (uint8_t)ports[worker], 1};
        send_command(run, worker, &adjacency);
    }
}

// From the server's commands to the workers'.

static struct client_key client_key(const struct five_tuple *tuple)
{
    struct client_key key = {tuple->client,
                             transport_address_equal(&tuple->server, &listeners[0]) ? 0 : 1};

    return key;
}

static struct peer_path peer_path(const struct ip_address *peer)
{
    struct peer_path path = {TO_ANYONE, RELAY_NONE};

    for (uint16_t relay = 0; relay < RELAYS; relay++) {
        if (ip_address_equal(peer, &relays[relay].advertised))
            path = (struct peer_path){ADJACENCY_NONE, relay};
    }
    return path;
}

static void steer(struct run *run, const struct turn_command *turn, enum command_kind kind)
{
    struct command command = {.kind = kind, .allocation = turn->allocation};
    uint16_t lands_on = turn->allocation_info.received_by;
    uint16_t home;

    command.steering.client = client_key(&turn->allocation_info.five_tuple);
    command.steering.owner = turn->worker;
    home = client_home(command.steering.client.address.ip.bytes,
                       command.steering.client.address.port, WORKERS);
    if (lands_on != turn->worker)
        send_command(run, lands_on, &command);
    if (home != turn->worker && home != lands_on)
        send_command(run, home, &command);
}

static void install_allocation(struct run *run, const struct turn_command *turn)
{
    struct command command = {.kind = COMMAND_INSTALL_ALLOCATION, .allocation = turn->allocation};
    const struct turn_relayed_address *v4 = &turn->allocation_info.relayed_v4;
    const struct turn_relayed_address *v6 = &turn->allocation_info.relayed_v6;

    if (run->known[turn->allocation].kind == TURN_COMMAND_INSTALL_ALLOCATION &&
        run->known[turn->allocation].allocation_info.five_tuple.transport != 0)
        steer(run, &run->known[turn->allocation], COMMAND_REMOVE_STEERING);
    command.install_allocation.client = client_key(&turn->allocation_info.five_tuple);
    command.install_allocation.adjacency = TO_ANYONE;
    command.install_allocation.relay_v4 = v4->port != 0 ? v4->relay : RELAY_NONE;
    command.install_allocation.relay_v4_port = v4->port;
    command.install_allocation.relay_v6 = v6->port != 0 ? v6->relay : RELAY_NONE;
    command.install_allocation.relay_v6_port = v6->port;
    send_command(run, turn->worker, &command);
    steer(run, turn, COMMAND_INSTALL_STEERING);
    run->known[turn->allocation] = *turn;
}

static void remove_allocation(struct run *run, const struct turn_command *turn)
{
    struct command command = {.kind = COMMAND_REMOVE_ALLOCATION, .allocation = turn->allocation};

    send_command(run, turn->worker, &command);
    steer(run, &run->known[turn->allocation], COMMAND_REMOVE_STEERING);
    memset(&run->known[turn->allocation], 0, sizeof(run->known[turn->allocation]));
}

static void remove_relay(struct run *run, const struct turn_command *turn)
{
    struct command command = {.kind = COMMAND_REMOVE_RELAY, .allocation = turn->allocation};

    command.remove_relay.relay = turn->removed_relay.relay;
    command.remove_relay.port = turn->removed_relay.port;
    send_command(run, turn->worker, &command);
}

static void change_permission(struct run *run, const struct turn_command *turn,
                              enum command_kind kind)
{
    struct command command = {.kind = kind, .allocation = turn->allocation};

    command.permission.peer = turn->permission;
    command.permission.path = peer_path(&turn->permission);
    send_command(run, turn->worker, &command);
}

static void change_channel(struct run *run, const struct turn_command *turn, enum command_kind kind)
{
    struct command command = {.kind = kind, .allocation = turn->allocation};

    command.channel.peer = turn->channel.peer;
    command.channel.number = turn->channel.number;
    command.channel.path = peer_path(&turn->channel.peer.ip);
    send_command(run, turn->worker, &command);
}

static void carry_out(struct run *run, const struct turn_command *turn)
{
    switch (turn->kind) {
    case TURN_COMMAND_INSTALL_ALLOCATION:
        install_allocation(run, turn);
        break;
    case TURN_COMMAND_REMOVE_ALLOCATION:
        remove_allocation(run, turn);
        break;
    case TURN_COMMAND_REMOVE_RELAY:
        remove_relay(run, turn);
        break;
    case TURN_COMMAND_INSTALL_PERMISSION:
        change_permission(run, turn, COMMAND_INSTALL_PERMISSION);
        break;
    case TURN_COMMAND_REMOVE_PERMISSION:
        change_permission(run, turn, COMMAND_REMOVE_PERMISSION);
        break;
    case TURN_COMMAND_INSTALL_CHANNEL:
        change_channel(run, turn, COMMAND_INSTALL_CHANNEL);
        break;
    case TURN_COMMAND_REMOVE_CHANNEL:
        change_channel(run, turn, COMMAND_REMOVE_CHANNEL);
        break;
    default: // of TCP allocations, which it does not let in
        REQUIRE(0);
    }
}

static struct turn_time time_now(const struct run *run)
{
    return (struct turn_time){clock_monotonic_ms() + run->time_offset_ms, clock_wall_s()};
}

static void answer_message(struct run *run, const struct punt *punt)
{
    static struct turn_output output;
    struct turn_time now = time_now(run);
    struct rte_mbuf *frame = punt->message.frame;
    struct turn_packet packet = {
        .five_tuple = {.client = punt->message.client.address,
                       .server = listeners[punt->message.client.listener],
                       .transport = FIVE_TUPLE_UDP},
        .bytes = {rte_pktmbuf_mtod_offset(frame, const uint8_t *, punt->message.message_offset),
                  punt->message.message_len},
        .worker = punt->worker,
    };
    struct command transmit = {.kind = COMMAND_TRANSMIT};

    REQUIRE((uint32_t)punt->message.message_offset + punt->message.message_len <=
            rte_pktmbuf_data_len(frame));
    turn_server_receive(run->server, &now, &packet, &output);
    for (unsigned i = 0; i < output.command_count; i++)
        carry_out(run, &output.commands[i]);
    if (output.response_len == 0) {
        rte_pktmbuf_free(frame);
        return;
    }
    REQUIRE(reply_frame(frame, punt->message.message_offset, output.response,
                        output.response_len) == 0);
    transmit.transmit.frame = frame;
    run->transmits++;
    send_command(run, output.command_count > 0 ? output.commands[0].worker : punt->worker,
                 &transmit);
}

static void answer_removed(struct run *run, const struct punt *punt)
{
    struct turn_relayed_address relayed = {punt->removed.relay, punt->removed.port};
    struct turn_time now = time_now(run);

    turn_server_removed(run->server, &now, punt->allocation,
                        punt->removed.relay == RELAY_NONE ? NULL : &relayed);
}

// What leaves.

static uint16_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void check_udp(const struct run *run, const uint8_t *addresses, size_t addresses_len,
                      const uint8_t *udp, size_t len)
{
    REQUIRE(len >= 8 && load_be16(udp + 4) == len);
    REQUIRE(load_be16(udp) != 0 && load_be16(udp + 2) != 0);
    REQUIRE(load_be16(udp + 6) != 0 || addresses_len == 8);
    if (run->sums_are_right && load_be16(udp + 6) != 0)
        REQUIRE(sum_of(udp, len, sum_of(addresses, addresses_len, 17 + (uint32_t)len)) == 0xFFFF);
}

static void check_icmp(const uint8_t *icmp, size_t len, uint32_t sum)
{
    REQUIRE(len >= 8 + 20 && sum_of(icmp, len, sum) == 0xFFFF);
}

static void check_frame(const struct run *run, const struct rte_mbuf *frame)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(frame, const uint8_t *, 14);
    size_t len = rte_pktmbuf_data_len(frame);

    REQUIRE(frame->nb_segs == 1 && rte_pktmbuf_pkt_len(frame) == len && len >= 14 + 20 + 8);
    len -= 14;
    if (load_be16(ip - 2) == 0x0800) {
        REQUIRE(ip[0] == 0x45 && ip[8] > 0 && load_be16(ip + 2) == len);
        REQUIRE(ip[9] == 17 || ip[9] == 1);
        REQUIRE(sum_of(ip, 20, 0) == 0xFFFF);
        if (ip[9] == 1)
            check_icmp(ip + 20, len - 20, 0);
        else if ((load_be16(ip + 6) & 0x3FFF) == 0)
            check_udp(run, ip + 12, 8, ip + 20, len - 20);
    } else {
        REQUIRE(load_be16(ip - 2) == 0x86DD && len >= 48);
        REQUIRE(ip[0] >> 4 == 6 && ip[7] > 0 && load_be16(ip + 4) == len - 40);
        REQUIRE(ip[6] == 17 || ip[6] == 44 || ip[6] == 58);
        if (ip[6] == 58)
            check_icmp(ip + 40, len - 40, sum_of(ip + 8, 32, 58 + (uint32_t)(len - 40)));
        if (ip[6] == 17)
            check_udp(run, ip + 8, 32, ip + 40, len - 40);
    }
}

static bool take_sent(const struct run *run, unsigned worker)
{
    void *frame;

    if (rte_ring_dequeue(port_tx[worker], &frame) != 0)
        return false;
    check_frame(run, frame);
    rte_pktmbuf_free(frame);
    return true;
}

static bool step(struct run *run)
{
    struct punt punt;
    bool worked = false;

    for (unsigned worker = 0; worker < WORKERS; worker++) {
        worked |= worker_poll(run->workers[worker]) > 0;
        while (plane_punt_receive(run->plane, (uint16_t)worker, &punt, 1) == 1) {
            worked = true;
            if (punt.kind == PUNT_MESSAGE)
                answer_message(run, &punt);
            else
                answer_removed(run, &punt);
        }
        while (take_sent(run, worker))
            worked = true;
    }
    return worked;
}

static void settle(struct run *run)
{
    while (step(run))
        ;
}

// What comes in.

static void receive(unsigned worker, const uint8_t *bytes, size_t len)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);

    REQUIRE(frame != NULL);
    memcpy(rte_pktmbuf_append(frame, (uint16_t)len), bytes, len);
    if (rte_ring_enqueue(port_rx[worker], frame) != 0)
        rte_pktmbuf_free(frame);
}

// protocol over IP between two addresses; returns the frame's length. fragment: IPv4's field of
// that name, in its place.
static size_t write_ip(uint8_t *frame, const struct ip_address *source,
                       const struct ip_address *destination, uint8_t protocol, uint16_t fragment,
                       uint8_t ttl, const uint8_t *body, size_t len)
{
    uint8_t *ip = frame + 14;
    size_t extra = fragment != 0 && source->family == IP_FAMILY_V6 ? 8 : 0;

    memset(frame, 2, 12);
    if (source->family == IP_FAMILY_V4) {
        memset(ip, 0, 20);
        store_be16(frame + 12, 0x0800);
        ip[0] = 0x45;
        store_be16(ip + 2, (uint16_t)(20 + len));
        store_be16(ip + 6, fragment);
        ip[8] = ttl;
        ip[9] = protocol;
        memcpy(ip + 12, source->bytes, 4);
        memcpy(ip + 16, destination->bytes, 4);
        store_be16(ip + 10, (uint16_t)~sum_of(ip, 20, 0));
        memcpy(ip + 20, body, len);
        return 34 + len;
    }
    memset(ip, 0, 48);
    store_be16(frame + 12, 0x86DD);
    ip[0] = 0x60;
    store_be16(ip + 4, (uint16_t)(extra + len));
    ip[6] = extra != 0 ? 44 : protocol;
    ip[7] = ttl;
    memcpy(ip + 8, source->bytes, 16);
    memcpy(ip + 24, destination->bytes, 16);
    if (extra != 0) {
        ip[40] = protocol;
        store_be16(ip + 42, (uint16_t)((fragment & 0x1FFF) << 3 | (fragment & 0x2000) >> 13));
    }
    memcpy(ip + 40 + extra, body, len);
    return 54 + extra + len;
}

static size_t write_udp(uint8_t *udp, const struct transport_address *source,
                        const struct transport_address *destination, struct span payload)
{
    size_t len = 8 + payload.len;
    uint32_t ip_len = ip_address_len(&source->ip);
    uint32_t sum = 17 + (uint32_t)len;

    store_be16(udp, source->port);
    store_be16(udp + 2, destination->port);
    store_be16(udp + 4, (uint16_t)len);
    store_be16(udp + 6, 0);
    if (payload.len > 0)
        memcpy(udp + 8, payload.data, payload.len);
    sum = sum_of(source->ip.bytes, ip_len, sum);
    sum = sum_of(destination->ip.bytes, ip_len, sum);
    sum = (uint16_t)~sum_of(udp, len, sum);
    store_be16(udp + 6, sum != 0 ? (uint16_t)sum : 0xFFFF);
    return len;
}

static void receive_udp(unsigned worker, const struct transport_address *source,
                        const struct transport_address *destination, uint8_t ttl,
                        struct span payload)
{
    uint8_t frame[FRAME_MAX], udp[FRAME_MAX];
    size_t len;

    if (source->ip.family != destination->ip.family)
        return;
    len = write_udp(udp, source, destination, payload);
    len = write_ip(frame, &source->ip, &destination->ip, 17, 0, ttl, udp, len);
    if (frame[14] == 0x45 && payload.len % 3 == 0) { // DF
        frame[20] |= 0x40;
        store_be16(frame + 24, 0);
        store_be16(frame + 24, (uint16_t)~sum_of(frame + 14, 20, 0));
    }
    receive(worker, frame, len);
}

// Some relayed address: one that is live, or one that may be.
static struct transport_address some_relayed(const struct run *run, uint8_t choice)
{
    const struct turn_command *known = &run->known[choice / 2 % ALLOCATIONS];
    const struct turn_relayed_address *relayed =
        choice % 2 == 0 ? &known->allocation_info.relayed_v4 : &known->allocation_info.relayed_v6;
    uint16_t port = relayed->port != 0 ? relayed->port : RELAY_MIN_PORT + choice;

    return (struct transport_address){relays[choice % 2].local, port};
}

static void receive_raw(struct run *run, unsigned worker, struct input *input)
{
    struct span bytes = take_bytes(input, take_byte(input));

    run->sums_are_right = false;
    receive(worker, bytes.data, bytes.len);
}

static void receive_from_client(unsigned worker, struct input *input)
{
    unsigned client = take_byte(input) % CLIENTS;
    uint8_t ttl = take_byte(input);

    receive_udp(worker, &clients[client], &listeners[client % LISTENERS], ttl,
                take_bytes(input, take_byte(input)));
}

static void receive_from_peer(const struct run *run, unsigned worker, struct input *input)
{
    const struct transport_address *peer = &peers[take_byte(input) % PEERS];
    struct transport_address relayed = some_relayed(run, take_byte(input));

    receive_udp(worker, peer, &relayed, 64, take_bytes(input, take_byte(input)));
}

static void receive_request(unsigned worker, struct input *input)
{
    static const uint16_t methods[] = {STUN_METHOD_ALLOCATE, STUN_METHOD_REFRESH,
                                       STUN_METHOD_CREATE_PERMISSION, STUN_METHOD_CHANNEL_BIND};
    unsigned client = take_byte(input) % CLIENTS;
    uint16_t method = methods[take_byte(input) % 4];
    uint8_t transaction_id[12] = {take_byte(input)};
    uint8_t nonce[NONCE_LEN], message[1024];
    struct stateless_policy policy;
    struct stun_builder builder;

    make_stateless(&policy);
    nonce_mint(&policy.nonce, &clients[client], (uint32_t)(clock_monotonic_ms() / 1000), 1, nonce);
    stun_builder_init(&builder, message, sizeof(message), STUN_CLASS_REQUEST, method,
                      transaction_id);
    for (unsigned count = take_byte(input) % 8; count > 0; count--) {
        uint16_t type = (uint16_t)(take_byte(input) << 8);

        type |= take_byte(input);
        if (type == STUN_ATTRIBUTE_XOR_PEER_ADDRESS) { // good ones are hard to guess
            stun_add_xor_address(&builder, type, &peers[take_byte(input) % PEERS]);
        } else {
            struct span value = take_bytes(input, take_byte(input) % 64);
            stun_add_bytes(&builder, type, value.data, value.len);
        }
    }
    stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, "user");
    stun_add_string(&builder, STUN_ATTRIBUTE_REALM, "example.org");
    stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    stun_add_message_integrity(&builder, &user_key);
    receive_udp(worker, &clients[client], &listeners[client % LISTENERS], 64,
                (struct span){message, stun_builder_finish(&builder)});
}

static void receive_send(unsigned worker, struct input *input)
{
    unsigned client = take_byte(input) % CLIENTS;
    const struct transport_address *peer = &peers[take_byte(input) % PEERS];
    uint8_t options = take_byte(input);
    uint8_t transaction_id[12] = {0};
    uint8_t message[512];
    struct stun_builder builder;
    struct span data = take_bytes(input, take_byte(input));

    stun_builder_init(&builder, message, sizeof(message), STUN_CLASS_INDICATION, STUN_METHOD_SEND,
                      transaction_id);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, peer);
    if (options & 1)
        stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, data.data, data.len);
    if (options & 2)
        stun_add_fingerprint(&builder);
    receive_udp(worker, &clients[client], &listeners[client % LISTENERS], 64,
                (struct span){message, stun_builder_finish(&builder)});
}

static void receive_channel_data(unsigned worker, struct input *input)
{
    unsigned client = take_byte(input) % CLIENTS;
    uint16_t number = (uint16_t)(TURN_CHANNEL_MIN + take_byte(input) % 4);
    uint8_t message[CHANNEL_DATA_HEADER_LEN + 4 * 255] = {0};
    struct span data = take_bytes(input, take_byte(input));
    uint16_t repeat = take_byte(input) % 4; // beyond the MTU
    size_t len = data.len * (repeat + 1u);

    channel_data_write_header(message, number, (uint16_t)len);
    for (unsigned i = 0; i <= repeat && data.len > 0; i++)
        memcpy(message + CHANNEL_DATA_HEADER_LEN + i * data.len, data.data, data.len);
    receive_udp(worker, &clients[client], &listeners[client % LISTENERS], 64,
                (struct span){message, CHANNEL_DATA_HEADER_LEN + len});
}

// Of a datagram from a peer; the pieces may or may not make a whole.
static void receive_fragment(struct run *run, unsigned worker, struct input *input)
{
    const struct transport_address *peer = &peers[take_byte(input) % PEERS];
    struct transport_address relayed = some_relayed(run, take_byte(input));
    uint16_t fragment = (uint16_t)(take_byte(input) & 0x3F);
    bool more = take_byte(input) & 1;
    uint8_t frame[FRAME_MAX], udp[FRAME_MAX];
    struct span bytes = take_bytes(input, take_byte(input));

    if (peer->ip.family != relayed.ip.family)
        return;
    run->sums_are_right = false;
    size_t len = fragment == 0 ? write_udp(udp, peer, &relayed, bytes) : bytes.len;
    if (fragment != 0 && bytes.len > 0)
        memcpy(udp, bytes.data, bytes.len);
    fragment |= more ? 0x2000 : 0;
    receive(worker, frame, write_ip(frame, &peer->ip, &relayed.ip, 17, fragment, 64, udp, len));
}

static void receive_icmp(const struct run *run, unsigned worker, struct input *input)
{
    const struct transport_address *peer = &peers[take_byte(input) % PEERS];
    struct transport_address relayed = some_relayed(run, take_byte(input));
    uint8_t frame[FRAME_MAX], udp[FRAME_MAX], icmp[FRAME_MAX] = {0};
    bool is_v4 = peer->ip.family == IP_FAMILY_V4;
    size_t len;
    uint32_t sum = 0;

    icmp[0] = take_byte(input);
    icmp[1] = take_byte(input);
    if (peer->ip.family != relayed.ip.family)
        return;
    len = write_udp(udp, &relayed, peer, take_bytes(input, 8));
    len =
        8 + write_ip(frame, &relayed.ip, &peer->ip, 17, 0, 1, udp, len) - 14 - take_byte(input) % 8;
    memcpy(icmp + 8, frame + 14, len - 8);
    if (!is_v4) {
        sum = sum_of(peer->ip.bytes, 16, 58 + (uint32_t)len);
        sum = sum_of(relayed.ip.bytes, 16, sum);
    }
    store_be16(icmp + 2, (uint16_t)~sum_of(icmp, len, sum));
    receive(worker, frame,
            write_ip(frame, &peer->ip, &relayed.ip, is_v4 ? 1 : 58, 0, 64, icmp, len));
}

static void expire(struct run *run, uint64_t later_ms)
{
    static struct turn_output output;
    bool more = true;

    run->time_offset_ms += later_ms;
    while (more) {
        struct turn_time now = time_now(run);

        more = turn_server_expire(run->server, &now, &output);
        for (unsigned i = 0; i < output.command_count; i++)
            carry_out(run, &output.commands[i]);
        settle(run);
    }
}

static void act(struct run *run, struct input *input)
{
    uint8_t action = take_byte(input);
    unsigned worker = action >> 4 & 1;

    switch (action & 0xF) {
    case 0:
        receive_raw(run, worker, input);
        break;
    case 1:
        receive_from_client(worker, input);
        break;
    case 2:
        receive_from_peer(run, worker, input);
        break;
    case 3:
        receive_request(worker, input);
        break;
    case 4:
        receive_send(worker, input);
        break;
    case 5:
        receive_channel_data(worker, input);
        break;
    case 6:
        receive_fragment(run, worker, input);
        break;
    case 7:
        receive_icmp(run, worker, input);
        break;
    case 8:
        expire(run, (uint64_t)take_byte(input) * 10000);
        break;
    case 9:
        (void)step(run);
        break;
    default:
        settle(run);
        break;
    }
}

// What must hold in the end.

static void check_books(const struct run *run)
{
    struct worker_counters sum;
    uint64_t in, out, held = 0;

    worker_counters_sum(run->plane->counters, WORKERS, &sum);
    in = sum.counters[COUNTER_RX_PACKETS] + sum.counters[COUNTER_HANDOFF_IN] +
         sum.counters[COUNTER_FRAGMENTS_MADE] + run->transmits;
    out = sum.counters[COUNTER_TX_PACKETS] + sum.counters[COUNTER_HANDOFF_OUT] +
          sum.counters[COUNTER_PUNTED] + sum.counters[COUNTER_FRAGMENTS_MERGED];
    for (unsigned drop = 0; drop < DROP_COUNT; drop++)
        out += sum.drops[drop];
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        struct worker_usage usage;

        worker_get_usage(run->workers[worker], &usage);
        REQUIRE(usage.allocations == 0 && usage.permissions == 0 && usage.channels == 0 &&
                usage.steerings == 0);
        held += usage.fragments;
    }
    REQUIRE(held > 0 ? in > out : in == out);
}

static void run_end(struct run *run)
{
    struct turn_usage usage;

    settle(run);
    expire(run, 3 * 3600 * 1000);
    turn_server_usage(run->server, &usage);
    REQUIRE(usage.allocations == 0 && usage.permissions == 0 && usage.channels == 0 &&
            usage.relay_ports == 0);
    REQUIRE(usage.pending_removals == 0);
    check_books(run);
    for (unsigned worker = 0; worker < WORKERS; worker++)
        worker_destroy(run->workers[worker]);
    plane_destroy(run->plane);
    turn_server_destroy(run->server);
    REQUIRE(rte_mempool_avail_count(pool) == 1023);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    static struct run run;

    start_once();
    run_start(&run);
    for (unsigned i = 0; i < 200 && input.len > 0; i++)
        act(&run, &input);
    run_end(&run);
    return 0;
}
