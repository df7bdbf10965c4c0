// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/handoff.h"

#include "dataplane/burst.h"
#include "dataplane/media.h"
#include "rig.h"

#include <rte_cycles.h>

#define PORT_OF_1 50112
#define PEER_OTHER_PORT                                                                            \
    "192.0.2.200:50001" // has a permission, and a channel only where one is installed

// The allocation is worker 1's.
static int set_up(void **state)
{
    rig_set_up_two(state);
    struct rig *rig = *state;
    rig_allocation(rig, 1, 1, CLIENT_V4, PORT_OF_1, 0);
    rig_channel(rig, 1, 1, 0x4000, PEER_V4);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    return 0;
}

static void receive(struct rig *rig, unsigned worker, const char *source, const char *destination,
                    const uint8_t *payload, size_t len)
{
    struct wire wire = {
        .source = source, .destination = destination, .payload = payload, .len = len};
    rig_process_wire(rig, worker, &wire);
}

static void assert_handed(struct rig *rig, uint64_t count)
{
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), count);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_IN), count);
}

static void a_peer_packet_goes_to_the_owner_of_its_port(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    receive(rig, 0, PEER_V4, RELAY_V4_LOCAL ":50112", rig_data, 5);
    rig_sent_wire(rig, 1, &seen);
    rig_sent_nothing(rig);
    assert_string_equal(seen.destination, CLIENT_V4);
    assert_handed(rig, 1);
    receive(rig, 1, PEER_V4, RELAY_V4_LOCAL ":50112", rig_data, 5);
    rig_sent_wire(rig, 1, &seen);
    assert_handed(rig, 1);
}

// From when the first worker looked for packets until the second has sent this one.
static void the_time_at_both_workers_counts(void **state)
{
    struct rig *rig = *state;
    const struct worker_times *times = &rig->plane->counters[1].handed;
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5};
    struct wire_seen seen;
    uint64_t count = 0, start_tsc = rte_rdtsc();
    rig_receive_wire(rig, 0, &wire);
    worker_poll(rig->workers[0]);
    uint64_t between_tsc = rte_rdtsc();
    while (rte_rdtsc() - between_tsc < 1000)
        ;
    worker_poll(rig->workers[1]);
    worker_poll(rig->workers[1]);
    for (unsigned i = 0; i < COUNTERS_TIME_BUCKETS; i++)
        count += times->buckets[i];
    assert_int_equal(count, 1);
    assert_true(times->sum_tsc >= 1000);
    assert_true(times->sum_tsc <= rte_rdtsc() - start_tsc + (1 << ROUND_TIME_STAMP_SHIFT));
    assert_int_equal(rig->plane->counters[0].handed.sum_tsc, 0);
    rig_sent_wire(rig, 1, &seen);
}

static void steer(struct rig *rig, const char *client)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_INSTALL_STEERING;
    command.steering.client = rig_client(client);
    command.steering.owner = 1;
    rig_command(rig, 0, &command);
}

// Twice: the first of a peer's tells which its channel is.
static void either_familys_datagrams_are_relayed_by_way_of_another_worker(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    uint8_t message[64];
    size_t len = message_channel_data(message, 0x4000, rig_data, 5);
    rig_allocation(rig, 1, 2, CLIENT_V6, 0, PORT_OF_1 + 2);
    rig_channel(rig, 1, 2, 0x4000, PEER_V6);
    steer(rig, CLIENT_V4);
    steer(rig, CLIENT_V6);
    rig_poll(rig);
    for (unsigned i = 0; i < 2; i++) {
        receive(rig, 0, CLIENT_V4, LISTENER_V4, message, len);
        rig_sent_wire(rig, 1, &seen);
        assert_string_equal(seen.destination, PEER_V4);
        receive(rig, 0, CLIENT_V6, LISTENER_V6, message, len);
        rig_sent_wire(rig, 1, &seen);
        assert_string_equal(seen.destination, PEER_V6);
        receive(rig, 0, PEER_V4, RELAY_V4_LOCAL ":50112", rig_data, 5);
        rig_sent_wire(rig, 1, &seen);
        assert_string_equal(seen.destination, CLIENT_V4);
        receive(rig, 0, PEER_V6, "[" RELAY_V6 "]:50114", rig_data, 5);
        rig_sent_wire(rig, 1, &seen);
        assert_string_equal(seen.destination, CLIENT_V6);
    }
    assert_handed(rig, 8);
}

static struct rte_mbuf *frame_of_peer(const char *source)
{
    struct wire wire = {
        .source = source, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5};
    return rig_frame(&wire, false);
}

// As of a poll whose port has nothing.
static void process_handed(struct worker *worker, const struct handoff *handed, unsigned count)
{
    struct rte_mbuf *rest[WORKER_BURST];
    burst_process_rest(worker, rest, burst_process_both(worker, NULL, 0, handed, count, rest));
}

// That it is sorted says nothing about whether it may pass.
static void a_sorted_datagram_needs_a_permission_all_the_same(void **state)
{
    struct rig *rig = *state;
    const struct tables *tables = &rig->workers[1]->tables;
    uint32_t slot = tables_slot_number(tables, tables_relay_slot(tables, RIG_RELAY_V4, PORT_OF_1));
    struct handoff handed[2] = {
        handoff_peer(IP_FAMILY_V4, frame_of_peer("192.0.2.201:50000"), slot),
        handoff_peer(IP_FAMILY_V4, frame_of_peer(PEER_V4), slot),
    };
    rig->transmit_commands += 2; // they come from no port
    process_handed(rig->workers[1], handed, 2);
    rig_poll(rig);
    rig_dropped_once(rig, DROP_NO_PERMISSION);
    struct wire_seen seen;
    rig_sent_wire(rig, 1, &seen);
    assert_string_equal(seen.destination, CLIENT_V4);
}

static struct rte_mbuf *frame_of_client(uint16_t number)
{
    static uint8_t message[64];
    struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    wire.len = message_channel_data(message, number, rig_data, 5);
    return rig_frame(&wire, false);
}

static struct handoff handed_client(const struct tables *tables, uint16_t number)
{
    struct client_key client = rig_client(CLIENT_V4);
    struct flow_key key;
    tables_client_key(tables, &key, RIG_LISTENER_V4, IP_FAMILY_V4, client.address.ip.bytes,
                      __builtin_bswap16(client.address.port), number);
    uint64_t hash = flow_table_hash_of(&tables->flows, &key);
    return handoff_client(IP_FAMILY_V4, frame_of_client(number),
                          flow_table_home_number(&tables->flows, hash), flow_table_tag(hash));
}

static void what_is_sorted_goes_the_short_way(void **state)
{
    struct rig *rig = *state;
    const struct tables *tables = &rig->workers[1]->tables;
    struct relay_slot *slot = tables_relay_slot(tables, RIG_RELAY_V4, PORT_OF_1);
    rig_channel(rig, 1, 1, 0x4001, PEER_OTHER_PORT); // not the one that a wrong guess finds
    rig_poll(rig);
    struct handoff handed[2] = {
        handed_client(tables, 0x4001),
        handoff_peer(IP_FAMILY_V4, frame_of_peer(PEER_V4), tables_slot_number(tables, slot)),
    };
    struct rte_mbuf *rest[2];
    unsigned rest_count;
    slot->guess = 0; // the first channel
    rig->transmit_commands += 2;
    assert_int_equal(media_forward_both(rig->workers[1], NULL, 0, handed, 2, rest, &rest_count), 0);
    assert_int_equal(rest_count, 0);
    rig_poll(rig);
    static const char *const destinations[] = {CLIENT_V4, PEER_OTHER_PORT}; // peers' come first
    static uint8_t frame[RIG_FRAME_MAX];
    for (unsigned i = 0; i < 2; i++) {
        struct wire_seen seen;
        wire_read(frame, rig_sent(rig, 1, frame), &seen);
        assert_string_equal(seen.destination, destinations[i]);
    }
}

// Of a burst with everything in it: to its own worker, or to another.
static void receive_all_kinds(struct rig *rig, unsigned worker)
{
    static uint8_t message[64], stranger[64];
    size_t len = message_channel_data(message, 0x4000, rig_data, 5);
    size_t stranger_len = message_channel_data(stranger, 0x4ABC, rig_data, 5);
    const struct wire wires[] = {
        {.source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5},
        {.source = CLIENT_V6, .destination = LISTENER_V6, .payload = message, .len = len},
        {.source = PEER_V4,
         .destination = RELAY_V4_LOCAL ":50112",
         .payload = rig_data,
         .len = 5,
         .no_checksum = true}, // the long way
        {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message, .len = len},
        {.source = PEER_V6, .destination = "[" RELAY_V6 "]:50114", .payload = rig_data, .len = 5},
        {.source = "192.0.2.201:50000",
         .destination = RELAY_V4_LOCAL ":50112",
         .payload = rig_data,
         .len = 5}, // has no permission
        {.source = CLIENT_V4,
         .destination = LISTENER_V4,
         .payload = stranger,
         .len = stranger_len}, // is not bound
    };
    for (unsigned i = 0; i < sizeof(wires) / sizeof(wires[0]); i++)
        rig_receive_wire(rig, worker, &wires[i]);
}

static void what_came_from_the_port_and_what_was_handed_over_go_together(void **state)
{
    struct rig *rig = *state;
    const uint64_t *counts = rig->plane->counters[1].counters;
    const uint64_t *drops = rig->plane->counters[1].drops;
    rig_allocation(rig, 1, 2, CLIENT_V6, 0, PORT_OF_1 + 2);
    rig_channel(rig, 1, 2, 0x4000, PEER_V6);
    steer(rig, CLIENT_V4);
    steer(rig, CLIENT_V6);
    rig_poll(rig);
    for (uint64_t round = 1; round <= 3; round++) {
        receive_all_kinds(rig, 0);
        assert_true(worker_poll(rig->workers[0]) > 0);
        receive_all_kinds(rig, 1);
        assert_int_equal(worker_poll(rig->workers[1]), 14);
        assert_int_equal(counts[COUNTER_HANDOFF_IN], 7 * round);
        assert_int_equal(counts[COUNTER_CHANNEL_TO_PEER], 4 * round);
        assert_int_equal(counts[COUNTER_PEER_TO_CHANNEL], 6 * round);
        assert_int_equal(drops[DROP_NO_PERMISSION], 2 * round);
        assert_int_equal(drops[DROP_UNBOUND_CHANNEL], 2 * round);
        assert_int_equal(counts[COUNTER_TX_PACKETS], 10 * round);
    }
}

// A burst of each, more than are sent at once.
static void full_bursts_go_together(void **state)
{
    struct rig *rig = *state;
    const uint64_t *counts = rig->plane->counters[1].counters;
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5};
    for (unsigned i = 0; i < 63; i++)
        rig_receive_wire(rig, 0, &wire);
    worker_poll(rig->workers[0]);
    for (unsigned i = 0; i < WORKER_BURST; i++)
        rig_receive_wire(rig, 1, &wire);
    assert_int_equal(worker_poll(rig->workers[1]), 63 + WORKER_BURST);
    assert_int_equal(counts[COUNTER_PEER_TO_CHANNEL], 63 + WORKER_BURST);
    assert_int_equal(counts[COUNTER_TX_PACKETS], 63 + WORKER_BURST);
}

// The same of what is no channel's.
static void full_bursts_of_indications_go_together(void **state)
{
    struct rig *rig = *state;
    const uint64_t *counts = rig->plane->counters[1].counters;
    struct wire wire = {.source = PEER_OTHER_PORT,
                        .destination = RELAY_V4_LOCAL ":50112",
                        .payload = rig_data,
                        .len = 5};
    for (unsigned i = 0; i < 63; i++)
        rig_receive_wire(rig, 0, &wire);
    worker_poll(rig->workers[0]);
    for (unsigned i = 0; i < WORKER_BURST; i++)
        rig_receive_wire(rig, 1, &wire);
    assert_int_equal(worker_poll(rig->workers[1]), 63 + WORKER_BURST);
    assert_int_equal(counts[COUNTER_PEER_TO_DATA], 63 + WORKER_BURST);
    assert_int_equal(counts[COUNTER_TX_PACKETS], 63 + WORKER_BURST);
}

// As of several workers, or of bursts that were cut: kinds come in any order, and each frame keeps
// what was said of it.
static void handed_kinds_come_in_any_order(void **state)
{
    struct rig *rig = *state;
    const struct tables *tables = &rig->workers[1]->tables;
    const uint64_t *counts = rig->plane->counters[1].counters;
    uint32_t slot = tables_slot_number(tables, tables_relay_slot(tables, RIG_RELAY_V4, PORT_OF_1));
    struct handoff handed[24];
    for (unsigned i = 0; i < 24; i++) {
        struct handoff kinds[4] = {
            handed_client(tables, 0x4000),
            handoff_peer(IP_FAMILY_V4, frame_of_peer(PEER_V4), slot),
            handoff_unsorted(frame_of_client(0x4000)),
            handoff_unsorted(frame_of_peer(PEER_V4)),
        };
        unsigned kind = (i * 7 + i / 4) % 4;
        for (unsigned other = 0; other < 4; other++) {
            if (other != kind)
                rte_pktmbuf_free(kinds[other].frame);
        }
        handed[i] = kinds[kind];
    }
    rig->transmit_commands += 24;
    process_handed(rig->workers[1], handed, 24);
    assert_int_equal(counts[COUNTER_CHANNEL_TO_PEER], 12);
    assert_int_equal(counts[COUNTER_PEER_TO_CHANNEL], 12);
    rig_poll(rig);
}

static void a_packet_for_a_port_that_nobody_has_dies_at_the_owner(void **state)
{
    struct rig *rig = *state;
    receive(rig, 0, PEER_V4, RELAY_V4_LOCAL ":50114", rig_data, 5);
    rig_sent_nothing(rig);
    rig_dropped_once(rig, DROP_NO_RELAYED_ADDRESS);
    assert_int_equal(rig->plane->counters[1].drops[DROP_NO_RELAYED_ADDRESS], 1);
}

// An ICMP error lands where its own addresses lead, which tells nothing about the port it is about.
static void an_icmp_error_goes_to_the_owner_of_the_port_it_is_about(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[256], inner[128];
    struct wire sent = {
        .source = RELAY_V4_LOCAL ":50112", .destination = PEER_V4, .payload = rig_data, .len = 8};
    wire_write(&sent, inner);
    struct wire wire = {.source = "192.0.2.1:1",
                        .destination = RELAY_V4_LOCAL ":1",
                        .payload = inner + 14,
                        .len = 36};
    size_t len = wire_write(&wire, frame);
    frame[23] = 1; // ICMP over what was UDP's header
    wire_fix_ipv4(frame);
    memset(frame + 34, 0, 8);
    frame[34] = 3;
    frame[35] = 3;
    store_be16(frame + 36, wire_checksum(frame + 34, len - 34, 0));
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    struct wire_seen seen;
    struct data_seen message;
    rig_sent_wire(rig, 1, &seen);
    message_read_data(seen.payload, seen.len, &message);
    assert_true(message.has_icmp);
    assert_string_equal(message.peer, PEER_V4);
    assert_handed(rig, 1);
}

static void a_full_ring_drops_and_counts(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[128];
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5};
    size_t len = wire_write(&wire, frame);
    for (unsigned i = 0; i < 200; i++)
        rig_receive(rig, 0, frame, len);
    while (worker_poll(rig->workers[0]) > 0)
        ;
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 63);
    assert_int_equal(rig_drops(rig, DROP_HANDOFF_FULL), 200 - 63);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 63);
}

static void datagrams_of_peers_that_land_elsewhere_are_counted_either_way(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[RIG_FRAME_MAX];
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5};
    size_t len = wire_write(&wire, frame);
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_FOREIGN_PEERS), 1);
    rig_receive(rig, 1, frame, len);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_FOREIGN_PEERS), 1);
    // Without a checksum it is not plain.
    store_be16(frame + 40, 0);
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_FOREIGN_PEERS), 2);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 3);
    assert_handed(rig, 2);
}

// A ring's worth for worker 0, of each of the two others.
static int set_up_three(void **state)
{
    struct plane_config config;
    rig_config(&config, 3);
    struct rig *rig = rig_create(&config);
    *state = rig;
    rig_allocation(rig, 0, 1, CLIENT_V4, 49152, 0);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_poll(rig);
    return 0;
}

static void fill(struct rig *rig, unsigned from, unsigned count)
{
    struct wire wire = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":49152", .payload = rig_data, .len = 5};
    for (unsigned i = 0; i < count; i++)
        rig_receive_wire(rig, from, &wire);
    while (worker_poll(rig->workers[from]) > 0)
        ;
    assert_int_equal(rig_drops(rig, DROP_HANDOFF_FULL), 0);
}

static void one_poll_takes_a_burst_of_each_other_worker(void **state)
{
    struct rig *rig = *state;
    fill(rig, 1, 60);
    fill(rig, 2, 60);
    assert_int_equal(worker_poll(rig->workers[0]), 120);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 120);
}

static void no_worker_is_kept_waiting_by_another(void **state)
{
    struct rig *rig = *state;
    struct rte_ring *const *rings[2] = {&rig->plane->handoffs[1][0], &rig->plane->handoffs[2][0]};
    for (unsigned busy = 0; busy < 2; busy++) {
        fill(rig, 2 - busy, 60);
        for (unsigned i = 0; i < 3; i++) {
            struct handoff handed[WORKER_BURST];
            fill(rig, 1 + busy, 60 - rte_ring_count(*rings[busy]));
            unsigned count = handoff_gather(rig->workers[0], handed);
            assert_in_range(count, 60, WORKER_BURST);
            process_handed(rig->workers[0], handed, count);
        }
        assert_int_equal(rte_ring_count(*rings[1 - busy]), 0);
        rig_poll(rig);
    }
}

#define PIECE_LEN 504

// One of the pieces of a datagram for worker 0's port, which lands on that worker.
static void receive_piece(struct rig *rig, unsigned worker, const uint8_t *whole, size_t body_len,
                          unsigned piece)
{
    static uint8_t frame[RIG_FRAME_MAX];
    size_t offset = (size_t)piece * PIECE_LEN;
    bool more = offset + PIECE_LEN < body_len;
    size_t len = more ? PIECE_LEN : body_len - offset;
    memcpy(frame, whole, 34);
    memcpy(frame + 34, whole + 34 + offset, len);
    store_be16(frame + 16, (uint16_t)(20 + len));
    store_be16(frame + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
    wire_fix_ipv4(frame);
    rig_receive(rig, worker, frame, 34 + len);
}

// As of a device that steers the first piece by its port and the others by their addresses; whoever
// sends, so that each worker is the one where pieces meet.
static void pieces_that_a_device_steers_apart_come_together(void **state)
{
    struct rig *rig = *state;
    uint8_t payload[1200], whole[RIG_FRAME_MAX];
    uint64_t arrived = 0;
    memset(payload, 0x3C, sizeof(payload));
    rig->plane->steers = true;
    for (unsigned host = 1; host <= 12; host++) {
        char source[32];
        snprintf(source, sizeof(source), "203.0.113.%u:4000", host);
        rig_channel(rig, 0, 1, (uint16_t)(0x4001 + host), source);
        rig_poll(rig);
        struct wire wire = {.source = source,
                            .destination = RELAY_V4_LOCAL ":49152",
                            .payload = payload,
                            .len = sizeof(payload)};
        size_t body_len = wire_write(&wire, whole) - 34;
        for (unsigned piece = 0; piece < 3; piece++)
            receive_piece(rig, (piece + host) % 3, whole, body_len, piece);
        rig_poll(rig);
        for (unsigned worker = 0; worker < 3; worker++)
            assert_int_equal(rig_sent(rig, worker, whole) > 0, worker == 0);
        assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), ++arrived);
    }
    assert_int_equal(rig_counter(rig, COUNTER_REASSEMBLED), arrived);
    assert_int_equal(rig_drops(rig, DROP_HANDOFF_FULL), 0);
}

// Where they do not fit, media comes first.
static void a_flood_of_pieces_leaves_half_a_ring(void **state)
{
    struct rig *rig = *state;
    uint8_t payload[1200], whole[RIG_FRAME_MAX];
    memset(payload, 0x3C, sizeof(payload));
    rig->plane->steers = true;
    struct wire wire = {.source = "203.0.113.1:4000",
                        .destination = RELAY_V4_LOCAL ":49152",
                        .payload = payload,
                        .len = sizeof(payload)};
    size_t body_len = wire_write(&wire, whole) - 34;
    for (unsigned from = 0; from < 3; from++) {
        for (unsigned i = 0; i < 100; i++)
            receive_piece(rig, from, whole, body_len, 0);
        while (worker_poll(rig->workers[from]) > 0)
            ;
    }
    uint64_t handed = rig_counter(rig, COUNTER_HANDOFF_OUT);
    assert_in_range(handed, 32, 2 * 33);
    assert_int_equal(rig_drops(rig, DROP_HANDOFF_FULL), 2 * 100 - handed);
    rig_poll(rig);
}

int main(void)
{
#define TEST(test)          cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
#define TEST_OF_THREE(test) cmocka_unit_test_setup_teardown(test, set_up_three, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_packet_goes_to_the_owner_of_its_port),
        TEST(the_time_at_both_workers_counts),
        TEST(either_familys_datagrams_are_relayed_by_way_of_another_worker),
        TEST(what_is_sorted_goes_the_short_way),
        TEST(a_sorted_datagram_needs_a_permission_all_the_same),
        TEST(what_came_from_the_port_and_what_was_handed_over_go_together),
        TEST(full_bursts_go_together),
        TEST(full_bursts_of_indications_go_together),
        TEST(handed_kinds_come_in_any_order),
        TEST(a_packet_for_a_port_that_nobody_has_dies_at_the_owner),
        TEST(an_icmp_error_goes_to_the_owner_of_the_port_it_is_about),
        TEST(a_full_ring_drops_and_counts),
        TEST(datagrams_of_peers_that_land_elsewhere_are_counted_either_way),
        TEST_OF_THREE(pieces_that_a_device_steers_apart_come_together),
        TEST_OF_THREE(a_flood_of_pieces_leaves_half_a_ring),
        TEST_OF_THREE(one_poll_takes_a_burst_of_each_other_worker),
        TEST_OF_THREE(no_worker_is_kept_waiting_by_another),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
