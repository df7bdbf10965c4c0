// SPDX-License-Identifier: BSD-3-Clause
// Claims about clients with connections: a worker serves them as it serves those over UDP, each in
// its own name, and nothing off the wire is ever taken for theirs.
#include "rig.h"

#include "dataplane/stream_path.h"
#include "proto/stun.h"

#include <errno.h>
#include <rte_ring.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_LEN 128

enum {
    TCP_V4 = 2, // behind those of UDP
    TCP_V6,
    DTLS_V4,
    LAST_V4 = PLANE_LISTENERS_MAX + 8,
};

static struct rig *yielding;
static uint64_t idle_polls_before_yield;

// In place of the C library's, which DPDK calls too: the end of worker_run().
int sched_yield(void)
{
    struct rig *rig = yielding;
    if (rig == NULL)
        return (int)syscall(SYS_sched_yield);
    idle_polls_before_yield = rig->plane->counters[0].idle_polls;
    rig->plane->running = 0;
    yielding = NULL;
    return 0;
}

static void add_listener(struct plane_config *config, const char *address, uint8_t transport)
{
    unsigned index = config->listener_count + config->stream_listener_count;
    config->stream_listeners[config->stream_listener_count++] =
        (struct plane_stream_listener){transport, 0};
    assert_int_equal(transport_address_parse(address, &config->listeners[index]), 0);
}

static void *create(uint16_t worker_count, bool dtls)
{
    struct plane_config config;
    rig_config(&config, worker_count);
    config.stream_thread_count = 1;
    config.stream_ring_len = RING_LEN;
    config.dtls = dtls;
    add_listener(&config, LISTENER_V4, STREAM_TCP);
    add_listener(&config, LISTENER_V6, STREAM_TCP);
    add_listener(&config, LISTENER_V4, STREAM_DTLS);
    while (plane_listener_total(&config) <= LAST_V4)
        add_listener(&config, LISTENER_V4, STREAM_TLS);
    return rig_create(&config);
}

static int set_up(void **state)
{
    *state = create(1, true);
    return 0;
}

static int set_up_two(void **state)
{
    *state = create(2, true);
    return 0;
}

static int set_up_without_dtls(void **state)
{
    *state = create(1, false);
    return 0;
}

static struct wire wire_of(const char *source, const char *destination, const void *payload,
                           size_t len)
{
    return (struct wire){
        .source = source, .destination = destination, .payload = payload, .len = len};
}

static struct client_key client(const char *address, uint16_t listener)
{
    struct client_key key = {.listener = listener};
    assert_int_equal(transport_address_parse(address, &key.address), 0);
    return key;
}

static void install(struct rig *rig, unsigned worker, uint32_t id, const struct client_key *key,
                    uint16_t relay_v4_port)
{
    struct command command = {
        .kind = COMMAND_INSTALL_ALLOCATION,
        .allocation = id,
        .install_allocation = {.client = *key,
                               .adjacency = RIG_TO_CLIENTS,
                               .relay_v4 = RIG_RELAY_V4,
                               .relay_v4_port = relay_v4_port,
                               .relay_v6 = RELAY_NONE},
    };
    rig_command(rig, worker, &command);
    rig_channel(rig, worker, id, 0x4000, PEER_V4);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void say(struct rig *rig, unsigned worker, const struct client_key *key, const void *message,
                size_t len)
{
    const struct span span = {message, len};
    assert_int_equal(stream_send_message(rig->plane, 0, (uint16_t)worker, key, span), 0);
    rig_poll(rig);
}

// The one message that a worker has for the thread; its frame is to be freed.
static struct rte_mbuf *hear(struct rig *rig, unsigned worker, struct stream_packet *ret_frame)
{
    struct rte_mbuf *frames[2];
    assert_int_equal(stream_receive(rig->plane, 0, (uint16_t)worker, frames, 2), 1);
    assert_true(stream_packet_read(frames[0], ret_frame));
    return frames[0];
}

static void assert_client(const struct stream_packet *frame, const char *address, uint16_t listener)
{
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    assert_string_equal(transport_address_format(&frame->client, text), address);
    assert_int_equal(frame->listener, listener);
    assert_false(frame->is_datagram);
}

static void assert_hears_nothing(struct rig *rig, unsigned worker)
{
    struct rte_mbuf *frame;
    assert_int_equal(stream_receive(rig->plane, 0, (uint16_t)worker, &frame, 1), 0);
}

static void a_request_is_answered_to_its_connection(void **state)
{
    struct rig *rig = *state;
    const uint8_t binding[STUN_HEADER_LEN] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3};
    const char *const clients[] = {CLIENT_V4, CLIENT_V6, CLIENT_V4};
    for (unsigned i = 0; i < 3; i++) {
        const struct client_key key = client(clients[i], (uint16_t)(TCP_V4 + i));
        struct stream_packet frame;
        say(rig, 0, &key, binding, sizeof(binding));
        struct rte_mbuf *mbuf = hear(rig, 0, &frame);
        assert_client(&frame, clients[i], key.listener);
        assert_int_equal(load_be16(frame.payload.data), 0x0101);
        assert_int_equal(load_be16(frame.payload.data + 2), frame.payload.len - STUN_HEADER_LEN);
        assert_int_equal(frame.hop.mtu, 0);
        stream_packet_free(mbuf);
    }
    rig_sent_nothing(rig);
}

static void what_the_control_plane_answers_goes_to_its_connection(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V6, TCP_V6);
    const struct span message = {rig_data, sizeof(rig_data)};
    struct command command = {.kind = COMMAND_TRANSMIT};
    struct stream_packet frame;
    assert_int_equal(stream_send_message(rig->plane, 0, 0, &key, message), 0);
    assert_int_equal(stream_from_thread(rig->plane, 0, 0, &command.transmit.frame, 1), 1);
    rig_command(rig, 0, &command);
    rig_poll(rig);
    struct rte_mbuf *mbuf = hear(rig, 0, &frame);
    assert_int_equal(frame.listener, TCP_V6);
    stream_packet_free(mbuf);
    rig_sent_nothing(rig);
}

static void data_goes_to_the_peer_and_back(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    uint8_t message[128];
    struct wire_seen seen;
    struct stream_packet frame;
    install(rig, 0, 1, &key, 50001);
    size_t len = message_channel_data(message, 0x4000, rig_data, 41);
    say(rig, 0, &key, message, len);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.source, RELAY_V4_LOCAL ":50001");
    assert_string_equal(seen.destination, PEER_V4);
    assert_int_equal(seen.len, 41);
    assert_memory_equal(seen.payload, rig_data, 41);
    assert_int_not_equal(seen.checksum, 0);
    assert_int_equal(seen.ttl, 63);
    assert_false(seen.dont_fragment);
    struct wire wire = wire_of(PEER_V4, RELAY_V4_LOCAL ":50001", rig_data, 43);
    rig_process_wire(rig, 0, &wire);
    struct rte_mbuf *mbuf = hear(rig, 0, &frame);
    assert_client(&frame, CLIENT_V4, TCP_V4);
    assert_int_equal(frame.payload.len, 47);
    assert_int_equal(load_be16(frame.payload.data), 0x4000);
    assert_int_equal(load_be16(frame.payload.data + 2), 43);
    assert_memory_equal(frame.payload.data + 4, rig_data, 43);
    stream_packet_free(mbuf);
    rig_sent_nothing(rig);
}

static void indications_go_to_the_peer_and_back(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, DTLS_V4);
    uint8_t message[256];
    struct wire_seen seen;
    struct stream_packet frame;
    struct data_seen data;
    install(rig, 0, 1, &key, 50001);
    rig_permission(rig, 0, 1, "192.0.2.77");
    // Twice: the second one finds the permission guessed, which the short way would take.
    for (unsigned i = 0; i < 2; i++) {
        size_t len = message_send(message, "192.0.2.77:900", rig_data, 40, false);
        say(rig, 0, &key, message, len);
        rig_sent_wire(rig, 0, &seen);
        assert_string_equal(seen.destination, "192.0.2.77:900");
        assert_memory_equal(seen.payload, rig_data, 40);
        struct wire wire = wire_of("192.0.2.77:900", RELAY_V4_LOCAL ":50001", rig_data, 40);
        rig_process_wire(rig, 0, &wire);
        struct rte_mbuf *mbuf = hear(rig, 0, &frame);
        assert_client(&frame, CLIENT_V4, DTLS_V4);
        message_read_data(frame.payload.data, frame.payload.len, &data);
        assert_string_equal(data.peer, "192.0.2.77:900");
        assert_int_equal(data.len, 40);
        assert_memory_equal(data.data, rig_data, 40);
        stream_packet_free(mbuf);
    }
}

static void the_same_address_is_another_client_over_each_transport(void **state)
{
    struct rig *rig = *state;
    const struct client_key tcp = client(CLIENT_V4, TCP_V4), dtls = client(CLIENT_V4, DTLS_V4);
    const struct client_key udp = client(CLIENT_V4, RIG_LISTENER_V4);
    uint8_t message[128];
    struct wire_seen seen;
    install(rig, 0, 1, &tcp, 50001);
    size_t len = message_channel_data(message, 0x4000, rig_data, 40);
    say(rig, 0, &dtls, message, len);
    struct wire wire = wire_of(CLIENT_V4, LISTENER_V4, message, len);
    rig_process_wire(rig, 0, &wire);
    assert_int_equal(rig_drops(rig, DROP_UNBOUND_CHANNEL), 2);
    rig_sent_nothing(rig);
    install(rig, 0, 2, &udp, 50003);
    install(rig, 0, 3, &dtls, 50005);
    rig_process_wire(rig, 0, &wire);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.source, RELAY_V4_LOCAL ":50003");
    say(rig, 0, &dtls, message, len);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.source, RELAY_V4_LOCAL ":50005");
}

static void nothing_off_the_wire_is_taken_for_a_connections(void **state)
{
    struct rig *rig = *state;
    const struct client_key v4 = client(CLIENT_V4, TCP_V4), v6 = client(CLIENT_V6, TCP_V6);
    const char *const nobodies[] = {"0.0.0.0:0", "0.0.0.0:3478", "2.0.0.0:3478", "0.0.0.2:3478"};
    uint8_t message[256];
    install(rig, 0, 1, &v4, 50001);
    install(rig, 0, 2, &v6, 50003);
    for (unsigned i = 0; i < 2; i++) {
        bool sends = i == 1;
        size_t len = sends ? message_send(message, PEER_V4, rig_data, 40, false)
                           : message_channel_data(message, 0x4000, rig_data, 40);
        for (unsigned n = 0; n < 4; n++) {
            struct wire wire = wire_of(CLIENT_V4, nobodies[n], message, len);
            rig_process_wire(rig, 0, &wire);
        }
        struct wire wire = wire_of(CLIENT_V6, "[::]:3478", message, len);
        rig_process_wire(rig, 0, &wire);
    }
    assert_int_equal(rig_drops(rig, DROP_NOT_OURS), 10);
    rig_sent_nothing(rig);
}

static void a_long_message_is_cut_up_for_the_peer(void **state)
{
    struct rig *rig = *state;
    const struct client_key keys[] = {client(CLIENT_V4, TCP_V4), client(CLIENT_V6, TCP_V6)};
    static uint8_t payload[20000], message[20100];
    memset(payload, 0x5A, sizeof(payload));
    for (unsigned i = 0; i < 2; i++) {
        install(rig, 0, i, &keys[i], (uint16_t)(50001 + 2 * i));
        size_t len = message_channel_data(message, 0x4000, payload, sizeof(payload));
        say(rig, 0, &keys[i], message, len);
        assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), i + 1);
    }
}

// RFC 8656 section 15: unless it asks for DF. There is nobody to send an ICMP error to.
static void who_asked_for_df_is_told_by_its_connection(void **state)
{
    struct rig *rig = *state;
    const struct client_key keys[] = {client(CLIENT_V4, TCP_V4), client(CLIENT_V6, TCP_V6),
                                      client(CLIENT_V4, DTLS_V4)};
    static uint8_t payload[2000], message[2100];
    struct stream_packet frame;
    struct data_seen data;
    for (unsigned i = 0; i < 3; i++) {
        install(rig, 0, i, &keys[i], (uint16_t)(50001 + 2 * i));
        size_t len = message_send(message, PEER_V4, payload, 1473, true);
        say(rig, 0, &keys[i], message, len);
        rig_sent_nothing(rig);
        struct rte_mbuf *mbuf = hear(rig, 0, &frame);
        message_read_data(frame.payload.data, frame.payload.len, &data);
        assert_true(data.has_icmp);
        assert_string_equal(data.peer, PEER_V4);
        assert_int_equal(data.icmp_type, 3);
        assert_int_equal(data.icmp_code, 4);
        assert_int_equal(data.icmp_data, 1500);
        stream_packet_free(mbuf);
        struct wire_seen seen;
        say(rig, 0, &keys[i], message, message_send(message, PEER_V4, payload, 1472, true));
        rig_sent_wire(rig, 0, &seen);
        assert_true(seen.dont_fragment);
        say(rig, 0, &keys[i], message, message_send(message, PEER_V4, payload, 1473, false));
        assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), i + 1);
        static uint8_t fragment[RIG_FRAME_MAX];
        while (rig_sent(rig, 0, fragment) > 0)
            ;
    }
}

static void df_counts_towards_ipv6_peers_of_a_connection(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V6, TCP_V6);
    static uint8_t payload[2000], message[2100];
    struct stream_packet frame;
    struct data_seen data;
    struct command command = {
        .kind = COMMAND_INSTALL_ALLOCATION,
        .allocation = 1,
        .install_allocation = {.client = key,
                               .adjacency = RIG_TO_CLIENTS,
                               .relay_v4 = RELAY_NONE,
                               .relay_v6 = RIG_RELAY_V6,
                               .relay_v6_port = 50002},
    };
    rig_command(rig, 0, &command);
    rig_permission(rig, 0, 1, "2001:db8:e::9");
    rig_poll(rig);
    say(rig, 0, &key, message, message_send(message, PEER_V6, payload, 1453, true));
    rig_sent_nothing(rig);
    struct rte_mbuf *mbuf = hear(rig, 0, &frame);
    message_read_data(frame.payload.data, frame.payload.len, &data);
    assert_true(data.has_icmp);
    assert_string_equal(data.peer, PEER_V6);
    assert_int_equal(data.icmp_type, 2);
    assert_int_equal(data.icmp_code, 0);
    assert_int_equal(data.icmp_data, 1500);
    stream_packet_free(mbuf);
    say(rig, 0, &key, message, message_send(message, PEER_V6, payload, 1453, false));
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), 1);
}

static void refuses_a_message_that_no_datagram_can_be(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    static uint8_t message[STREAM_MESSAGE_MAX_LEN + 1];
    const struct span too_long = {message, sizeof(message)},
                      longest = {message, sizeof(message) - 1};
    assert_int_equal(stream_send_message(rig->plane, 0, 0, &key, too_long), -EMSGSIZE);
    assert_int_equal(stream_send_message(rig->plane, 0, 0, &key, longest), 0);
    rig_poll(rig);
    rig_dropped_once(rig, DROP_BAD_STUN);
}

static void damage_is_seen_before_it_reaches_a_connection(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    uint8_t bytes[256];
    struct rte_mbuf *mbuf;
    struct stream_packet frame;
    install(rig, 0, 1, &key, 50001);
    struct wire wire = wire_of(PEER_V4, RELAY_V4_LOCAL ":50001", rig_data, 40);
    size_t len = wire_write(&wire, bytes);
    bytes[len - 7] ^= 1;
    rig_receive(rig, 0, bytes, len);
    rig_poll(rig);
    assert_int_equal(stream_receive(rig->plane, 0, 0, &mbuf, 1), 1);
    assert_false(stream_packet_read(mbuf, &frame));
    stream_packet_free(mbuf);
}

static void a_datagram_without_a_checksum_reaches_its_connection(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    struct stream_packet frame;
    install(rig, 0, 1, &key, 50001);
    struct wire wire = wire_of(PEER_V4, RELAY_V4_LOCAL ":50001", rig_data, 40);
    wire.no_checksum = true;
    rig_process_wire(rig, 0, &wire);
    struct rte_mbuf *mbuf = hear(rig, 0, &frame);
    assert_memory_equal(frame.payload.data + 4, rig_data, 40);
    stream_packet_free(mbuf);
}

static void dtls_reaches_its_thread_as_it_came(void **state)
{
    struct rig *rig = *state;
    const uint8_t hello[] = {22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0};
    const uint8_t options[4] = {1, 1, 1, 0};
    static const uint8_t source_mac[6] = {2, 0, 0, 0, 0xAA, 0xAA};
    static const uint8_t destination_mac[6] = {2, 0, 0, 0, 0xFF, 0};
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    struct stream_packet frame;
    struct wire wires[] = {
        wire_of(CLIENT_V4, LISTENER_V4, hello, sizeof(hello)),
        wire_of(CLIENT_V4, LISTENER_V4, hello, sizeof(hello)),
        wire_of(CLIENT_V6, LISTENER_V6, hello, sizeof(hello)),
    };
    wires[1].options = options;
    wires[1].options_len = sizeof(options);
    for (unsigned i = 0; i < 3; i++) {
        rig_process_wire(rig, 0, &wires[i]);
        struct rte_mbuf *mbuf = hear(rig, 0, &frame);
        assert_true(frame.is_datagram);
        assert_string_equal(transport_address_format(&frame.client, text), wires[i].source);
        assert_string_equal(transport_address_format(&frame.server, text), wires[i].destination);
        assert_int_equal(frame.payload.len, sizeof(hello));
        assert_memory_equal(frame.payload.data, hello, sizeof(hello));
        assert_memory_equal(frame.hop.macs, source_mac, 6);
        assert_memory_equal(frame.hop.macs + 6, destination_mac, 6);
        stream_packet_free(mbuf);
    }
}

static void without_dtls_its_datagrams_are_unknown(void **state)
{
    struct rig *rig = *state;
    const uint8_t hello[] = {22, 0xFE, 0xFF, 0};
    struct wire wire = wire_of(CLIENT_V4, LISTENER_V4, hello, sizeof(hello));
    rig_process_wire(rig, 0, &wire);
    rig_dropped_once(rig, DROP_UNKNOWN_PROTOCOL);
    assert_hears_nothing(rig, 0);
}

static void dtls_within_a_connection_is_nothing(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    const uint8_t hello[] = {22, 0xFE, 0xFF, 0};
    say(rig, 0, &key, hello, sizeof(hello));
    rig_dropped_once(rig, DROP_UNKNOWN_PROTOCOL);
    assert_hears_nothing(rig, 0);
}

static void a_thread_sends_on_the_wire_as_it_says(void **state)
{
    struct rig *rig = *state;
    const uint8_t hello[] = {22, 0xFE, 0xFF, 0, 0};
    struct stream_wire wire = {.hop = {.macs = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, .mtu = 1500}};
    struct wire_seen seen;
    const struct span span = {hello, sizeof(hello)};
    const char *const addresses[][2] = {{CLIENT_V4, LISTENER_V4}, {CLIENT_V6, LISTENER_V6}};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(transport_address_parse(addresses[i][0], &wire.client), 0);
        assert_int_equal(transport_address_parse(addresses[i][1], &wire.server), 0);
        assert_int_equal(stream_send_datagram(rig->plane, 0, 0, &wire, span), 0);
        rig_poll(rig);
        rig_sent_wire(rig, 0, &seen);
        assert_string_equal(seen.destination, addresses[i][0]);
        assert_string_equal(seen.source, addresses[i][1]);
        assert_memory_equal(seen.destination_mac, wire.hop.macs, 6);
        assert_memory_equal(seen.source_mac, wire.hop.macs + 6, 6);
        assert_int_equal(seen.len, sizeof(hello));
        assert_memory_equal(seen.payload, hello, sizeof(hello));
    }
}

// RFC 6864 section 4.1: routers may cut up what has no DF, and two with one identification would be
// mixed up.
static void each_of_its_datagrams_has_an_identification(void **state)
{
    struct rig *rig = *state;
    struct stream_wire wire = {.hop.mtu = 1500};
    struct wire_seen first, second;
    assert_int_equal(transport_address_parse(CLIENT_V4, &wire.client), 0);
    assert_int_equal(transport_address_parse(LISTENER_V4, &wire.server), 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct span span = {rig_data, sizeof(rig_data)};
        assert_int_equal(stream_send_datagram(rig->plane, 0, 0, &wire, span), 0);
        rig_poll(rig);
        rig_sent_wire(rig, 0, i == 0 ? &first : &second);
    }
    assert_false(first.dont_fragment);
    assert_int_equal((uint16_t)(first.ip_id + 1), second.ip_id);
}

// Puts together what was sent: a UDP datagram, behind its header. Number of fragments.
static unsigned gather(struct rig *rig, size_t mtu, uint8_t *ret_payload, size_t *ret_len)
{
    static uint8_t frame[RIG_FRAME_MAX], udp[RIG_FRAME_MAX];
    unsigned count = 0;
    size_t len, end = 0;
    for (; (len = rig_sent(rig, 0, frame)) > 0; count++) {
        bool is_v4 = frame[14] >> 4 == 4;
        size_t headers = is_v4 ? 34 : 62;
        size_t at = is_v4 ? (load_be16(frame + 20) & 0x1FFF) * 8u : load_be16(frame + 56) & 0xFFF8u;
        assert_true(len - 14 <= mtu);
        assert_int_equal(at, end);
        memcpy(udp + at, frame + headers, len - headers);
        end = at + len - headers;
    }
    assert_int_equal(load_be16(udp + 4), end);
    memcpy(ret_payload, udp + 8, end - 8);
    *ret_len = end - 8;
    return count;
}

static void what_is_too_long_for_the_wire_is_cut_up(void **state)
{
    struct rig *rig = *state;
    static uint8_t record[16421], seen[RIG_FRAME_MAX];
    const struct span span = {record, sizeof(record)};
    const char *const addresses[][2] = {{CLIENT_V4, LISTENER_V4}, {CLIENT_V6, LISTENER_V6}};
    for (size_t i = 0; i < sizeof(record); i++)
        record[i] = (uint8_t)(i * 13 + (i >> 8));
    for (unsigned i = 0; i < 2; i++) {
        struct stream_wire wire = {.hop.mtu = 1400};
        size_t len;
        assert_int_equal(transport_address_parse(addresses[i][0], &wire.client), 0);
        assert_int_equal(transport_address_parse(addresses[i][1], &wire.server), 0);
        assert_int_equal(stream_send_datagram(rig->plane, 0, 0, &wire, span), 0);
        rig_poll(rig);
        assert_int_equal(gather(rig, i == 0 ? 1400 : 1280, seen, &len), i == 0 ? 12 : 14);
        assert_int_equal(len, sizeof(record));
        assert_memory_equal(seen, record, sizeof(record));
    }
}

static void send_long(struct rig *rig, const char *peer, const char *relayed, size_t len, bool df)
{
    static const uint8_t payload[9000];
    struct wire wire = wire_of(peer, relayed, payload, len);
    wire.dont_fragment = df;
    rig_process_wire(rig, 0, &wire);
}

static void data_for_a_client_of_dtls_goes_as_routes_say(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, DTLS_V4);
    const uint8_t macs[12] = {2, 0, 0, 0, 0, 0xC1, 2, 0, 0, 0, 0xFF, 0};
    struct stream_packet frame;
    struct command command = {
        .kind = COMMAND_SET_ADJACENCY,
        .set_adjacency = {.index = RIG_TO_CLIENTS, .adjacency.port = rig->port},
    };
    install(rig, 0, 1, &key, 50001);
    rig_permission(rig, 0, 1, "192.0.2.77");
    for (unsigned i = 0; i < 2; i++) {
        send_long(rig, i == 0 ? PEER_V4 : "192.0.2.77:900", RELAY_V4_LOCAL ":50001", 100, true);
        struct rte_mbuf *mbuf = hear(rig, 0, &frame);
        assert_memory_equal(frame.hop.macs, macs, 12);
        assert_int_equal(frame.hop.mtu, 1500);
        stream_packet_free(mbuf);
    }
    rig_command(rig, 0, &command);
    send_long(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 100, true);
    assert_hears_nothing(rig, 0);
    rig_dropped_once(rig, DROP_NO_NEIGHBOUR);
}

// RFC 8656 section 13.2, with the record's head and tag.
static void a_peer_is_told_what_fits_into_a_record(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, DTLS_V4);
    static uint8_t error[RIG_FRAME_MAX];
    const size_t headers_len = 20 + 8, told = 1500 - 37 - 48;
    const size_t most = 1500 - headers_len - 37 - 4;
    struct stream_packet frame;
    install(rig, 0, 1, &key, 50001);
    const size_t lens[] = {told - headers_len, most};
    for (unsigned i = 0; i < 2; i++) {
        send_long(rig, PEER_V4, RELAY_V4_LOCAL ":50001", lens[i], true);
        struct rte_mbuf *mbuf = hear(rig, 0, &frame);
        assert_int_equal(frame.payload.len, 4 + lens[i]);
        stream_packet_free(mbuf);
    }
    send_long(rig, PEER_V4, RELAY_V4_LOCAL ":50001", most + 1, true);
    assert_hears_nothing(rig, 0);
    assert_true(rig_sent(rig, 0, error) > 14 + 20 + 8);
    assert_int_equal(load_be16(error + 34), 3 << 8 | 4);
    assert_int_equal(load_be16(error + 40), told);
    assert_int_equal(rig_counter(rig, COUNTER_PACKET_TOO_BIG), 1);
}

static void what_may_be_cut_up_is_not_too_long_for_a_record(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, DTLS_V4);
    struct stream_packet frame;
    install(rig, 0, 1, &key, 50001);
    send_long(rig, PEER_V4, RELAY_V4_LOCAL ":50001", 9000, false);
    struct rte_mbuf *mbuf = hear(rig, 0, &frame);
    assert_int_equal(frame.payload.len, 4 + 9000);
    stream_packet_free(mbuf);
}

static void a_full_queue_drops_and_counts(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    install(rig, 0, 1, &key, 50001);
    struct wire wire = wire_of(PEER_V4, RELAY_V4_LOCAL ":50001", rig_data, 40);
    for (unsigned i = 0; i < RING_LEN + 2; i++)
        rig_process_wire(rig, 0, &wire);
    assert_int_equal(rig_counter(rig, COUNTER_TO_STREAMS), RING_LEN - 1);
    assert_int_equal(rig_drops(rig, DROP_STREAM_FULL), 3);
}

// How many polls find nothing before the worker, given one more packet, lets others have the CPU.
static uint64_t run_until_it_yields(struct rig *rig, const struct wire *wire)
{
    uint64_t idle_polls = rig->plane->counters[0].idle_polls;
    rig_receive_wire(rig, 0, wire);
    yielding = rig;
    rig->plane->running = 1;
    assert_int_equal(worker_run(rig->workers[0]), 0);
    return idle_polls_before_yield - idle_polls;
}

static void gives_its_cpu_to_a_thread_that_has_much_to_do(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, TCP_V4);
    struct wire wire = wire_of(PEER_V4, RELAY_V4_LOCAL ":50001", rig_data, 40);
    install(rig, 0, 1, &key, 50001);
    rig->workers[0]->shares_cpu = true;
    for (unsigned i = 2; i < RING_LEN / 4; i++)
        rig_process_wire(rig, 0, &wire);
    assert_int_equal(run_until_it_yields(rig, &wire), 1); // when it has nothing to do itself
    assert_int_equal(run_until_it_yields(rig, &wire), 0);
}

static void a_message_on_the_wrong_worker_finds_its_owner(void **state)
{
    struct rig *rig = *state;
    const struct client_key key = client(CLIENT_V4, LAST_V4);
    uint8_t message[128];
    struct wire_seen seen;
    struct command steering = {
        .kind = COMMAND_INSTALL_STEERING,
        .allocation = 1,
        .steering = {.client = key, .owner = 1},
    };
    install(rig, 1, 1, &key, 60001);
    rig_command(rig, 0, &steering);
    size_t len = message_channel_data(message, 0x4000, rig_data, 40);
    say(rig, 0, &key, message, len);
    rig_sent_wire(rig, 1, &seen);
    assert_string_equal(seen.destination, PEER_V4);
    assert_memory_equal(seen.payload, rig_data, 40);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 1);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_request_is_answered_to_its_connection),
        CLAIM(what_the_control_plane_answers_goes_to_its_connection),
        CLAIM(data_goes_to_the_peer_and_back),
        CLAIM(indications_go_to_the_peer_and_back),
        CLAIM(the_same_address_is_another_client_over_each_transport),
        CLAIM(nothing_off_the_wire_is_taken_for_a_connections),
        CLAIM(a_long_message_is_cut_up_for_the_peer),
        CLAIM(who_asked_for_df_is_told_by_its_connection),
        CLAIM(df_counts_towards_ipv6_peers_of_a_connection),
        CLAIM(refuses_a_message_that_no_datagram_can_be),
        CLAIM(damage_is_seen_before_it_reaches_a_connection),
        CLAIM(a_datagram_without_a_checksum_reaches_its_connection),
        CLAIM(dtls_reaches_its_thread_as_it_came),
        CLAIM(dtls_within_a_connection_is_nothing),
        CLAIM(a_thread_sends_on_the_wire_as_it_says),
        CLAIM(each_of_its_datagrams_has_an_identification),
        CLAIM(what_is_too_long_for_the_wire_is_cut_up),
        CLAIM(data_for_a_client_of_dtls_goes_as_routes_say),
        CLAIM(a_peer_is_told_what_fits_into_a_record),
        CLAIM(what_may_be_cut_up_is_not_too_long_for_a_record),
        CLAIM(a_full_queue_drops_and_counts),
        CLAIM(gives_its_cpu_to_a_thread_that_has_much_to_do),
        cmocka_unit_test_setup_teardown(without_dtls_its_datagrams_are_unknown, set_up_without_dtls,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(a_message_on_the_wrong_worker_finds_its_owner, set_up_two,
                                        rig_tear_down),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
